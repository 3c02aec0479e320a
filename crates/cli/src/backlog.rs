//! Lines of the log that wait for whoever reads standard error.
//!
//! A log is read by a terminal or a pipe, and both can stop: by Ctrl-S, by a
//! pager, by a collector that hangs. Written in place, a line would then hold
//! the thread that serves connections. So one thread of its own writes, what
//! waits for it is bounded, and what finds no room is counted and told.

use std::{
    collections::VecDeque,
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most: seconds of a busy gateway, and a line has some
/// hundred octets and never more than a few thousand.
const MOST: usize = 8192;

/// How long the end of the program waits for the last lines to be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Backlog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: Mutex<Waiting>,
    /// Makes a line of how many were lost.
    told: fn(u64) -> String,
    /// Lines came, or the last of them was written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Not taken behind the last of them.
    lost: u64,
    /// A line is being written.
    writing: bool,
}

/// When dropped, waits a moment for what was logged to be written.
#[derive(Debug)]
#[must_use = "the last lines may be missing without it"]
pub(crate) struct Flush(Option<Backlog>);

impl Backlog {
    /// An empty one. `told` makes the line that stands in place of so many
    /// lost ones.
    pub(crate) fn new(told: fn(u64) -> String) -> Self {
        Self(Arc::new(Inner {
            waiting: Mutex::default(),
            told,
            changed: Condvar::new(),
        }))
    }

    /// Begins to write to `out`, in a thread that ends with the process.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(&self, mut out: impl Write + Send + 'static) -> io::Result<Flush> {
        let inner = Arc::clone(&self.0);
        thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                loop {
                    // Nobody is there to be told of an error.
                    let _ = out.write_all(&inner.next());
                    inner.waiting().writing = false;
                    inner.changed.notify_all();
                }
            })
            .map(|_| Flush(Some(self.clone())))
    }
}

impl Inner {
    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        // Once lines were lost there has to be much room, so that what is lost
        // is one gap that can be told, and not every other line.
        if waiting.lost > 0 && waiting.lines.len() <= MOST / 2 {
            self.tell(&mut waiting);
        }
        if waiting.lost == 0 && waiting.lines.len() < MOST {
            waiting.lines.push_back(line.to_vec());
        } else {
            waiting.lost += 1;
        }
        drop(waiting);
        self.changed.notify_all();
    }

    fn tell(&self, waiting: &mut Waiting) {
        let lost = mem::take(&mut waiting.lost);
        waiting.lines.push_back((self.told)(lost).into_bytes());
    }

    /// The next line, once there is one.
    fn next(&self) -> Vec<u8> {
        let mut waiting = self.waiting();
        loop {
            if waiting.lines.is_empty() && waiting.lost > 0 {
                self.tell(&mut waiting);
            }
            if let Some(line) = waiting.lines.pop_front() {
                waiting.writing = true;
                return line;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flush {
    /// Nothing waits.
    pub(crate) fn nothing() -> Self {
        Self(None)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let Some(Backlog(inner)) = &self.0 else {
            return;
        };
        let left = |waiting: &mut Waiting| {
            waiting.writing || !waiting.lines.is_empty() || waiting.lost > 0
        };
        let waiting = inner.waiting();
        // Who does not read by then does not get the rest.
        let _ = inner.changed.wait_timeout_while(waiting, PATIENCE, left);
    }
}

/// A line comes in one write.
impl Write for Backlog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Backlog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes a line only when it is told to.
    struct Slow {
        turn: Receiver<()>,
        read: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.turn.recv();
            let _ = self.read.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(lost: u64) -> String {
        format!("{lost} lost")
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_and_is_told_what_it_missed() {
        let (turns, turn) = channel();
        let (read, lines) = channel();
        let mut backlog = Backlog::new(told);
        let flush = backlog.start(Slow { turn, read }).unwrap();
        // One of them may be in the writer's hand and leave room for another.
        for number in 0..MOST + 10 {
            backlog.write_all(number.to_string().as_bytes()).unwrap();
        }
        let taken = backlog.0.waiting().lost;
        assert!((9..=10).contains(&taken), "{taken}");
        drop(turns);
        drop(flush);
        let lines: Vec<String> = lines.try_iter().collect();
        let (last, first) = lines.split_last().unwrap();
        assert_eq!(*last, format!("{taken} lost"));
        let numbers = (0..).map(|number: usize| number.to_string());
        assert!(
            first
                .iter()
                .cloned()
                .eq(numbers.take(MOST + 10 - taken as usize))
        );
    }

    #[test]
    fn what_comes_when_there_is_room_again_stands_behind_the_gap() {
        let mut backlog = Backlog::new(told);
        for number in 0..MOST + 3 {
            backlog.write_all(number.to_string().as_bytes()).unwrap();
        }
        for _ in 0..MOST / 2 - 1 {
            backlog.0.next();
        }
        backlog.write_all(b"still lost").unwrap();
        backlog.0.next();
        backlog.write_all(b"taken").unwrap();
        for number in MOST / 2..MOST {
            assert_eq!(backlog.0.next(), number.to_string().into_bytes());
        }
        assert_eq!(backlog.0.next(), b"4 lost");
        assert_eq!(backlog.0.next(), b"taken");
    }

    #[test]
    fn the_end_waits_for_what_was_logged() {
        let (turns, turn) = channel();
        let (read, lines) = channel();
        let mut backlog = Backlog::new(told);
        let flush = backlog.start(Slow { turn, read }).unwrap();
        backlog.write_all(b"last words").unwrap();
        drop(turns);
        drop(flush);
        assert_eq!(lines.try_recv().as_deref(), Ok("last words"));
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_stopped() {
        let (turns, turn) = channel();
        let (read, lines) = channel();
        let mut backlog = Backlog::new(told);
        let flush = backlog.start(Slow { turn, read }).unwrap();
        backlog.write_all(b"never read").unwrap();
        drop(flush);
        assert!(lines.try_recv().is_err());
        drop(turns);
    }
}
