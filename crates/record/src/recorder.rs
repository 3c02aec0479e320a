//! Recording of live connections: a tape for each, and one thread that makes
//! exchanges of them and files of those.
//!
//! A connection only ever copies octets into its tape; cutting and writing
//! happen elsewhere. All tapes together hold so much memory and no more: what
//! finds none is not recorded, or no further, and is counted. Nothing here can
//! make a connection wait or fail.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use draftgate_core::{Draft, Role};
use draftgate_vectors::GapReason;
use tokio::time::Instant;

use crate::{
    Facts, Secrets, Taped,
    clock::Moment,
    exchange,
    store::{Store, StoreError, name},
};

/// What a part of a tape costs besides its octets.
const PART: u64 = 96;

/// What a tape costs before anything is on it.
const TAPE: u64 = 1024;

/// What is recorded, where to, and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the files.
    pub dir: PathBuf,
    /// Most octets of one exchange, both directions together.
    pub max_octets: u64,
    /// For how long one connection is recorded.
    pub max_time: Duration,
    /// How many connections are recorded; `None`: all.
    pub max_exchanges: Option<u64>,
    /// Most octets that all tapes hold at a time.
    pub max_memory: u64,
    /// Most octets of all files of this run.
    pub max_disk: u64,
    /// What is known of every connection. Its date is filled in.
    pub facts: Facts,
    /// What is taken out.
    pub secrets: Secrets,
}

impl Options {
    /// Into `dir`: 16 MiB and an hour of each connection, 256 MiB of memory, 1
    /// GiB of files.
    pub fn new(dir: impl Into<PathBuf>, facts: Facts) -> Self {
        Self {
            dir: dir.into(),
            max_octets: 16 << 20,
            max_time: Duration::from_secs(3600),
            max_exchanges: None,
            max_memory: 256 << 20,
            max_disk: 1 << 30,
            facts,
            secrets: Secrets::default(),
        }
    }
}

/// What became of a recording.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report {
    /// An exchange was written.
    Written(Stored),
    /// An exchange could not be written. Told of the first one only, until one
    /// is written again: a disk that is full is no news with each connection.
    Failed(StoreError),
    /// Nothing more is recorded, for the first time since there was room.
    Full(Bound),
}

/// An exchange that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub path: PathBuf,
    /// In which draft; `None` if that cannot be told.
    pub draft: Option<Draft>,
    /// Octets of the client.
    pub client: u64,
    /// Octets of the server.
    pub server: u64,
    /// How many steps it has.
    pub steps: usize,
    /// Why it is not whole, if it is not.
    pub partial: Option<String>,
}

/// Why a connection is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Bound {
    /// [`Options::max_exchanges`].
    #[error("as many connections were recorded as may be")]
    Exchanges,
    /// [`Options::max_memory`].
    #[error("the recordings under way hold as much memory as they may")]
    Memory,
    /// [`Options::max_disk`].
    #[error("the files come to as much as they may")]
    Disk,
}

/// What a recorder has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Exchanges written.
    pub written: u64,
    /// Exchanges that could not be written.
    pub failed: u64,
    /// Connections that were not recorded, or not to their end, because a
    /// bound of all together was reached.
    pub unrecorded: u64,
}

/// Records connections.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    done: Sender<Done>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    memory: AtomicU64,
    begun: AtomicU64,
    disk_full: AtomicBool,
    told: AtomicBool,
    written: AtomicU64,
    failed: AtomicU64,
    unrecorded: AtomicU64,
}

#[derive(Debug)]
enum Done {
    Tape(Box<Ended>),
    Full(Bound),
    Stop,
}

/// A tape that is at its end.
#[derive(Debug)]
struct Ended {
    name: String,
    facts: Facts,
    taped: Taped,
    held: u64,
}

impl Recorder {
    /// Starts recording; what becomes of it is told to `report`, on a thread
    /// that nothing waits for.
    ///
    /// # Errors
    /// The directory cannot be made or written to, or there is no thread.
    pub fn start(
        options: Options,
        report: impl Fn(Report) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let store = Store::open(&options.dir, options.secrets.keep, options.max_disk)?;
        let shared = Arc::new(Shared {
            memory: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            disk_full: AtomicBool::new(false),
            told: AtomicBool::new(false),
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
            options,
        });
        let (done, ended) = channel();
        let of_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || of_writer.write(store, &ended, &report))
            .map_err(|source: io::Error| StoreError::Io {
                path: shared.options.dir.clone(),
                source,
            })?;
        Ok(Self {
            shared,
            done,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// A tape for a connection that begins now; `None` if a bound is reached,
    /// which is counted.
    pub fn tape(&self) -> Option<Tape> {
        let shared = &self.shared;
        let bound = if shared.disk_full.load(Relaxed) {
            Some(Bound::Disk)
        } else if shared.too_many() {
            Some(Bound::Exchanges)
        } else if !shared.hold(TAPE) {
            Some(Bound::Memory)
        } else {
            None
        };
        if let Some(bound) = bound {
            shared.full(bound, &self.done);
            return None;
        }
        let moment = Moment::now();
        let mut facts = shared.options.facts.clone();
        facts.date.get_or_insert_with(|| moment.date());
        Some(Tape {
            began: Instant::now(),
            octets: 0,
            done: self.done.clone(),
            shared: Arc::clone(shared),
            ended: Some(Box::new(Ended {
                name: name(moment),
                facts,
                taped: Taped::new(),
                held: TAPE,
            })),
        })
    }

    /// What was done so far.
    pub fn recorded(&self) -> Recorded {
        Recorded {
            written: self.shared.written.load(Relaxed),
            failed: self.shared.failed.load(Relaxed),
            unrecorded: self.shared.unrecorded.load(Relaxed),
        }
    }

    /// Waits until every tape that has ended is written. Tapes that are still
    /// under way are lost: drop them first. Blocks; a second call does nothing.
    pub fn finish(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            let _ = self.done.send(Done::Stop);
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn too_many(&self) -> bool {
        let most = self.options.max_exchanges;
        most.is_some_and(|most| self.begun.fetch_add(1, Relaxed) >= most)
    }

    /// Takes `octets` of the memory of all, if they are there.
    fn hold(&self, octets: u64) -> bool {
        let held = self.memory.fetch_add(octets, Relaxed);
        let fits = held.saturating_add(octets) <= self.options.max_memory;
        if !fits {
            self.memory.fetch_sub(octets, Relaxed);
        }
        fits
    }

    fn full(&self, bound: Bound, done: &Sender<Done>) {
        self.unrecorded.fetch_add(1, Relaxed);
        if !self.told.swap(true, Relaxed) {
            let _ = done.send(Done::Full(bound));
        }
    }

    /// The writer's thread.
    fn write(&self, mut store: Store, ended: &Receiver<Done>, report: &dyn Fn(Report)) {
        let mut failing = false;
        for done in ended {
            let ended = match done {
                Done::Tape(ended) => *ended,
                Done::Full(bound) => {
                    report(Report::Full(bound));
                    continue;
                }
                Done::Stop => return,
            };
            let Ended {
                name,
                facts,
                taped,
                held,
            } = ended;
            let vector = exchange(&name, &taped, &facts, &self.options.secrets);
            drop(taped);
            let of = |side| vector.about.stream(side).map_or(0, |stream| stream.octets);
            let stored = store.put(&vector).map(|path| Stored {
                path,
                draft: vector.head(Role::Client).map(|_| vector.about.draft),
                client: of(Role::Client),
                server: of(Role::Server),
                steps: vector.steps.len(),
                partial: vector.about.partial.clone(),
            });
            self.memory.fetch_sub(held, Relaxed);
            match stored {
                Ok(stored) => {
                    self.written.fetch_add(1, Relaxed);
                    failing = false;
                    if !self.disk_full.load(Relaxed) && self.options.max_exchanges.is_none() {
                        // There is room again: a next time is told again.
                        self.told.store(false, Relaxed);
                    }
                    report(Report::Written(stored));
                }
                Err(error) => {
                    self.failed.fetch_add(1, Relaxed);
                    if matches!(error, StoreError::Full { .. }) {
                        self.disk_full.store(true, Relaxed);
                    }
                    if !std::mem::replace(&mut failing, true) {
                        report(Report::Failed(error));
                    }
                }
            }
        }
    }
}

/// What is recorded of one connection. Dropped before [`end`](Self::end), it is
/// written all the same, as the recording of a connection that went on.
#[derive(Debug)]
pub struct Tape {
    began: Instant,
    octets: u64,
    shared: Arc<Shared>,
    done: Sender<Done>,
    /// `None` once it was handed over.
    ended: Option<Box<Ended>>,
}

impl Tape {
    /// `from` sent `octets`. What is beyond a bound ends the recording.
    pub fn octets(&mut self, from: Role, octets: &[u8]) {
        let at = self.began.elapsed();
        let options = &self.shared.options;
        let Some(ended) = &mut self.ended else { return };
        if octets.is_empty() {
            return;
        }
        if at > options.max_time {
            let why = format!("recorded for {:?} and no longer", options.max_time);
            return self.bounded(at, why);
        }
        let room = options.max_octets.saturating_sub(self.octets);
        let fitting = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(octets.len());
        if fitting > 0 {
            let cost = fitting as u64 + PART;
            if !self.shared.hold(cost) {
                self.shared.full(Bound::Memory, &self.done);
                let why = "the recordings under way held as much memory as they may";
                return self.bounded(at, why.to_owned());
            }
            ended.held += cost;
            self.octets += fitting as u64;
            ended
                .taped
                .octets(from, at, Bytes::copy_from_slice(&octets[..fitting]));
        }
        if fitting < octets.len() {
            let why = format!(
                "recorded up to {} octets and no further",
                options.max_octets
            );
            self.bounded(at, why);
        }
    }

    /// `from` ended its half of the connection.
    pub fn eof(&mut self, from: Role) {
        let at = self.began.elapsed();
        if let Some(ended) = &mut self.ended {
            ended.taped.eof(from, at);
        }
    }

    /// `from` reset the connection.
    pub fn reset(&mut self, from: Role) {
        let at = self.began.elapsed();
        if let Some(ended) = &mut self.ended {
            ended.taped.reset(from, at);
        }
    }

    /// Adds a sentence to what is worth knowing.
    pub fn note(&mut self, text: &str) {
        let Some(ended) = &mut self.ended else { return };
        let note = ended.facts.note.get_or_insert_default();
        if !note.is_empty() {
            note.push(' ');
        }
        note.push_str(text);
    }

    /// The exchange lacks something, for this reason.
    pub fn partial(&mut self, why: impl Into<String>) {
        if let Some(ended) = &mut self.ended {
            ended.facts.partial.get_or_insert_with(|| why.into());
        }
    }

    /// The connection is over: all of it is on the tape.
    pub fn end(mut self) {
        self.hand_over();
    }

    /// Ends the recording of a connection that goes on.
    fn bounded(&mut self, at: Duration, why: String) {
        if let Some(ended) = &mut self.ended {
            for side in [Role::Client, Role::Server] {
                ended.taped.gap(side, at, None, GapReason::Bounded);
            }
        }
        self.partial(why);
        self.hand_over();
    }

    fn hand_over(&mut self) {
        if let Some(ended) = self.ended.take() {
            let held = ended.held;
            if self.done.send(Done::Tape(ended)).is_err() {
                // There is no writer any more: it was stopped, or broke.
                self.shared.memory.fetch_sub(held, Relaxed);
                self.shared.failed.fetch_add(1, Relaxed);
            }
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.partial("the recording was stopped while the connection was open");
        self.hand_over();
    }
}
