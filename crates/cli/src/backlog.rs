//! Lines of the log that wait for whoever reads standard error.
//!
//! A log is read by a terminal or a pipe, and both can stop: by Ctrl-S, by a
//! pager, by a collector that hangs. Written in place, a line would then hold
//! the thread that serves connections. So one thread of its own writes, what
//! waits for it is bounded, and what finds no room is counted and told. To wake
//! that thread for each line would cost more than the line: it looks again a
//! moment after it has written, and is woken only if it slept.

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

/// What is written at once: as much as a pipe takes without another process's
/// lines in between (PIPE_BUF).
const AT_ONCE: usize = 4096;

/// How long lines gather behind one that was written.
const GATHER: Duration = Duration::from_millis(2);

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
    /// For the writer: lines came, many of them, or the last ones.
    came: Condvar,
    /// Lines were written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Not taken behind the last of them.
    lost: u64,
    /// A line is being written.
    writing: bool,
    /// The writer waits until it is woken.
    asleep: bool,
    /// Nobody is to wait for more lines.
    ending: bool,
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
            came: Condvar::new(),
            written: Condvar::new(),
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
                    inner.written.notify_all();
                    inner.gather();
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
        let is_to_wake = mem::take(&mut waiting.asleep) || waiting.lines.len() == MOST / 2;
        drop(waiting);
        if is_to_wake {
            self.came.notify_all();
        }
    }

    /// Waits a moment for more lines, unless there are many.
    fn gather(&self) {
        let few = |waiting: &mut Waiting| !waiting.ending && waiting.lines.len() < MOST / 2;
        let waiting = self.waiting();
        // Who comes late is seen all the same.
        let _ = self.came.wait_timeout_while(waiting, GATHER, few);
    }

    fn tell(&self, waiting: &mut Waiting) {
        let lost = mem::take(&mut waiting.lost);
        waiting.lines.push_back((self.told)(lost).into_bytes());
    }

    /// The next lines, as many as go at once, when there is one.
    fn next(&self) -> Vec<u8> {
        let mut waiting = self.waiting();
        loop {
            if waiting.lines.is_empty() && waiting.lost > 0 {
                self.tell(&mut waiting);
            }
            if let Some(mut lines) = waiting.lines.pop_front() {
                waiting.writing = true;
                let room = |held: usize| move |line: &mut Vec<u8>| held + line.len() <= AT_ONCE;
                while let Some(line) = waiting.lines.pop_front_if(room(lines.len())) {
                    lines.extend_from_slice(&line);
                }
                return lines;
            }
            waiting.asleep = true;
            waiting = self
                .came
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
        let mut waiting = inner.waiting();
        waiting.ending = true;
        inner.came.notify_all();
        // Who does not read by then does not get the rest.
        let _ = inner.written.wait_timeout_while(waiting, PATIENCE, left);
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

    /// A reader that takes what is written only when it is told to.
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
        format!("{lost} lost\n")
    }

    /// The lines that were written.
    fn lines(written: &Receiver<String>) -> Vec<String> {
        let written: String = written.try_iter().collect();
        written.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_and_is_told_what_it_missed() {
        let (turns, turn) = channel();
        let (read, lines) = channel();
        let mut backlog = Backlog::new(told);
        let flush = backlog.start(Slow { turn, read }).unwrap();
        // Some may be in the writer's hand and leave room for others.
        let more = AT_ONCE + 10;
        for number in 0..MOST + more {
            let line = format!("{number}\n");
            backlog.write_all(line.as_bytes()).unwrap();
        }
        let taken = backlog.0.waiting().lost as usize;
        assert!((10..=more).contains(&taken), "{taken}");
        drop(turns);
        drop(flush);
        let lines = self::lines(&lines);
        let (last, first) = lines.split_last().unwrap();
        assert_eq!(*last, format!("{taken} lost"));
        let numbers = (0..).map(|number: usize| number.to_string());
        assert!(first.iter().cloned().eq(numbers.take(MOST + more - taken)));
    }

    #[test]
    fn what_comes_when_there_is_room_again_stands_behind_the_gap() {
        let mut backlog = Backlog::new(told);
        // Lines of which each goes alone.
        let line = |what: &str| format!("{what:<0$}\n", AT_ONCE / 2).into_bytes();
        for number in 0..MOST + 3 {
            backlog.write_all(&line(&number.to_string())).unwrap();
        }
        for _ in 0..MOST / 2 - 1 {
            backlog.0.next();
        }
        backlog.write_all(&line("still lost")).unwrap();
        backlog.0.next();
        backlog.write_all(&line("taken")).unwrap();
        for number in MOST / 2..MOST - 1 {
            assert_eq!(backlog.0.next(), line(&number.to_string()));
        }
        let last = [line(&(MOST - 1).to_string()), b"4 lost\n".to_vec()].concat();
        assert_eq!(backlog.0.next(), last);
        assert_eq!(backlog.0.next(), line("taken"));
    }

    #[test]
    fn lines_that_gathered_go_at_once_and_none_is_cut() {
        let mut backlog = Backlog::new(told);
        let line = vec![b'x'; AT_ONCE / 4];
        for _ in 0..9 {
            backlog.write_all(&line).unwrap();
        }
        let sizes = [(); 3].map(|()| backlog.0.next().len());
        assert_eq!(sizes, [AT_ONCE, AT_ONCE, AT_ONCE / 4]);
        // One that is longer than that goes alone.
        let long = vec![b'x'; AT_ONCE + 1];
        backlog.write_all(&long).unwrap();
        backlog.write_all(&line).unwrap();
        assert_eq!(backlog.0.next(), long);
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
