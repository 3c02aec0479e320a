//! Counts who speaks which draft, keeps the counts in their file, and says what
//! is under observation.
//!
//! The bookkeeping is the crate `draftgate-census`; this is its clock, its file
//! and its place among the connections. A family is found once, when an
//! opening is answered, and forgotten when the connection is open.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::SystemTime,
};

use draftgate_census::{Aside, Census, Family, Opened, Report, Seconds, Served, Store, StoreError};
use draftgate_core::Draft;
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::{
    access::shown,
    config::{Config, Route},
    inner::Inner,
    refusals::{Refusal, Stage},
    registry::Entry,
};

/// How often the file is written: what a killed process loses at most.
const PERIOD: Duration = Duration::from_secs(60);

/// How long the end of the gateway waits for the file.
const AT_THE_END: Duration = Duration::from_secs(5);

/// The code of the line about an opening in a draft that is under observation.
const OBSERVED: &str = "observed-draft";

/// The census of a gateway.
pub(crate) struct Counting {
    census: Mutex<Census>,
    store: Mutex<Option<Store>>,
    /// Held by whoever writes the file.
    saving: Mutex<()>,
    /// Whether another process says what the configuration has.
    handed_over: AtomicBool,
    /// Whether the last try to write the file failed.
    failing: AtomicBool,
    observed: [AtomicU64; Draft::ALL.len()],
}

/// What became of a try to write the file.
enum Saved {
    Well {
        /// After it had failed.
        again: bool,
        aside: Option<Aside>,
    },
    Failed {
        /// As the time before.
        again: bool,
        error: StoreError,
    },
}

/// What a connection is counted as.
#[derive(Debug)]
pub(crate) struct Client(Mutex<Counted>);

#[derive(Debug)]
enum Counted {
    /// Its opening is not done.
    Opening(Box<Family>),
    Open(Opened),
    Ended,
}

impl Client {
    /// Whoever sent this head.
    pub(crate) fn new(head: &[u8]) -> Self {
        Self(Mutex::new(Counted::Opening(Box::new(Family::of(head)))))
    }

    fn family(&self) -> Option<Family> {
        match &*self.counted() {
            Counted::Opening(family) => Some((**family).clone()),
            Counted::Open(_) | Counted::Ended => None,
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting {
    /// Begins to count, in memory.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            census: Mutex::new(Census::new(now())),
            store: Mutex::default(),
            saving: Mutex::default(),
            handed_over: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            observed: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// Counts for the routes of `config` from now on, and goes on from what its
    /// file says. Without the file counting goes on in memory: whatever is
    /// wrong with it is no reason to serve nobody.
    pub(crate) fn follow(&self, config: &Config) {
        let served = |route: &Route| {
            let path = route.path.to_string();
            let observes = |draft: &Draft| route.observe.contains(draft);
            let place = |draft: &Draft| Served::new(*draft, &path).observed(observes(draft));
            route.drafts.iter().map(place).collect::<Vec<_>>()
        };
        let store = config.census.file.as_ref().map(Store::new);
        let changed = {
            let mut known = self.store();
            let changed = *known != store;
            known.clone_from(&store);
            changed
        };
        if let Some(store) = store.filter(|_| changed) {
            match store.load(now()) {
                Ok((state, aside)) => {
                    self.census().resume(state);
                    tell(&store, aside);
                }
                Err(error) => {
                    error!(%error, "counting goes on in memory, and the file is tried again in a minute");
                }
            }
        }
        let served = config.routes.iter().flat_map(served);
        self.census().serves(served, now());
    }

    /// Writes the file while the gateway runs.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The first tick is at once: what is wrong is told at the start.
            period.tick().await;
            self.save().await;
        }
    }

    /// From here on it is for another process to say what the configuration
    /// has.
    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Release);
    }

    /// Adds what was counted to the file, if there is one and anything is new.
    /// It goes on where whoever waits for it stops waiting.
    pub(crate) async fn save(self: &Arc<Self>) {
        if self.store().is_none() {
            return;
        }
        let this = Arc::clone(self);
        // It waits for a disk, and for another process that writes the same.
        let saved = tokio::task::spawn_blocking(move || this.save_now()).await;
        let Ok(Some((store, saved))) = saved else {
            return;
        };
        let file = store.path().display();
        match saved {
            Saved::Well { again, aside } => {
                tell(&store, aside);
                if again {
                    info!(%file, "the census is written again; nothing was lost");
                }
            }
            Saved::Failed {
                again: false,
                error,
            } => {
                warn!(%error, "what was counted stays in memory, and is written when that is possible; make room, or let the user who runs draftgate write there");
            }
            // That was said when it began.
            Saved::Failed { again: true, .. } => {}
        }
    }

    /// The same at the end, which does not wait for ever.
    pub(crate) async fn finish(self: &Arc<Self>) {
        if timeout(AT_THE_END, self.save()).await.is_err() {
            warn!("the file of the census could not be written within {AT_THE_END:?}");
        } else if self.failing.load(Acquire) {
            warn!("what was counted since the census was last written is lost");
        }
    }

    fn save_now(&self) -> Option<(Store, Saved)> {
        let _one = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.store().clone()?;
        let (unsaved, served) = {
            let mut census = self.census();
            if !census.is_to_be_saved() {
                return None;
            }
            (census.take_unsaved(now()), census.served().to_vec())
        };
        let served = (!self.handed_over.load(Acquire)).then_some(served.as_slice());
        match store.save(&unsaved, served, now()) {
            Ok((saved, aside)) => {
                self.census().saved(saved);
                let again = self.failing.swap(false, AcqRel);
                Some((store, Saved::Well { again, aside }))
            }
            Err(error) => {
                self.census().not_saved(&unsaved);
                let again = self.failing.swap(true, AcqRel);
                Some((store, Saved::Failed { again, error }))
            }
        }
    }

    /// A connection is open.
    fn opened(&self, entry: &Entry) {
        let mut client = entry.client.counted();
        let Counted::Opening(family) = &*client else {
            return;
        };
        let (draft, route) = (entry.about.draft, entry.route().path.to_string());
        let opened = self.census().opened(draft, &route, family, now());
        *client = Counted::Open(opened);
    }

    /// A connection is not there any more.
    pub(crate) fn ended(&self, entry: &Entry) {
        let was = std::mem::replace(&mut *entry.client.counted(), Counted::Ended);
        if let Counted::Open(opened) = was {
            self.census().closed(&opened, now());
        }
    }

    /// A request for a WebSocket was refused.
    pub(crate) fn refused(&self, refusal: &Refusal<'_>) {
        if refusal.stage != Stage::Handshake {
            return;
        }
        let known = refusal.client.and_then(Client::family);
        let family = known.unwrap_or_else(|| Family::of(refusal.head));
        let route = refusal.route.map(|route| route.path.to_string());
        let (draft, code) = (refusal.draft, refusal.reason.code);
        let mut census = self.census();
        census.refused(draft, route.as_deref(), &family, code, now());
    }

    /// What is known now.
    pub(crate) fn report(&self) -> Report {
        self.census().report(now())
    }

    /// How many connections were opened in each draft on routes that observe
    /// it; of drafts that no route did observe, nothing.
    pub(crate) fn observed(&self) -> Vec<(Draft, u64)> {
        let census = self.census();
        let counts = Draft::ALL.into_iter().zip(&self.observed);
        let counts = counts.map(|(draft, count)| (draft, count.load(Relaxed)));
        let observes = |draft| census.served().iter().any(|it| it.observes(draft));
        counts
            .filter(|(draft, count)| *count > 0 || observes(*draft))
            .collect()
    }

    fn observe(&self, draft: Draft) {
        let place = Draft::ALL.iter().position(|known| *known == draft);
        if let Some(count) = place.and_then(|at| self.observed.get(at)) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a connection whose opening is done.
    pub(crate) fn count_opened(&self, entry: &Entry) {
        let (draft, route) = (entry.about.draft, entry.route());
        let family = match route.observe.contains(&draft) {
            true => entry.client.family(),
            false => None,
        };
        self.census.opened(entry);
        let Some(family) = family else { return };
        self.census.observe(draft);
        if self.throttle.lets(OBSERVED, entry.peer.client.ip()) {
            info!(
                id = entry.id(),
                code = OBSERVED,
                peer = %entry.peer,
                draft = draft.name(),
                path = shown(&entry.about.path),
                client = family.name,
                "a connection in a draft that is under observation: switched off, it would have been refused; `draftgate admin census` sums up"
            );
        }
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").finish_non_exhaustive()
    }
}

fn tell(store: &Store, aside: Option<Aside>) {
    if let Some(Aside { to, why }) = aside {
        error!(
            file = %store.path().display(),
            aside = %to.display(),
            "the file was no census: {why}; it was put aside, and counting began anew"
        );
    }
}

/// Seconds since 1970.
fn now() -> Seconds {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use draftgate_census::Window;
    use tokio::time::advance;

    use super::*;

    fn file(name: &str) -> PathBuf {
        let name = format!("draftgate-{name}-{}.json", std::process::id());
        std::env::temp_dir().join(name)
    }

    fn with_file(path: &std::path::Path) -> Config {
        let mut config = Config::default();
        config.census.file = Some(path.to_owned());
        config
    }

    fn opened_in(path: &std::path::Path) -> u64 {
        let state = Store::new(path).read().unwrap();
        let report = Report::new(&state, now());
        report.places.iter().map(|place| place.opened).sum()
    }

    /// Lets what runs beside go on until `condition` holds.
    async fn until(mut condition: impl FnMut() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_killed_process_loses_a_minute_at_most() {
        let path = file("minute");
        let counting = Counting::new();
        counting.follow(&with_file(&path));
        let keeps = tokio::spawn(Arc::clone(&counting).keep());
        until(|| path.exists()).await;
        let open = |times: u64| {
            for _ in 0..times {
                let family = Family::of(b"GET / HTTP/1.1\r\nUser-Agent: a\r\n\r\n");
                let opened = counting
                    .census()
                    .opened(Draft::ALL[0], "/a", &family, now());
                counting.census().closed(&opened, now());
            }
        };
        open(3);
        assert_eq!(opened_in(&path), 0, "not before the minute is over");
        advance(PERIOD).await;
        until(|| opened_in(&path) == 3).await;
        open(2);
        advance(PERIOD).await;
        until(|| opened_in(&path) == 5).await;
        keeps.abort();
        for suffix in ["", ".lock"] {
            fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
        }
    }

    #[tokio::test]
    async fn another_file_begins_with_what_it_says() {
        let paths = [file("one"), file("other")];
        let counting = Counting::new();
        let family = Family::of(b"GET / HTTP/1.1\r\nUser-Agent: a\r\n\r\n");
        for (times, path) in [(1, &paths[0]), (2, &paths[1]), (3, &paths[0])] {
            counting.follow(&with_file(path));
            for _ in 0..times {
                let draft = Draft::ALL[0];
                let opened = counting.census().opened(draft, "/a", &family, now());
                counting.census().closed(&opened, now());
            }
            counting.finish().await;
        }
        assert_eq!((opened_in(&paths[0]), opened_in(&paths[1])), (4, 2));
        let text = counting.report().sentences(Window::DAYS_90);
        assert!(text.contains("4 connections: agent a 4"), "{text}");
        for path in paths {
            for suffix in ["", ".lock"] {
                fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
            }
        }
    }
}
