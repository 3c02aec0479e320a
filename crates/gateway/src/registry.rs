//! Who is connected, and what went over those who were: one list and one set
//! of sums under one lock, so that a connection is always in exactly one of
//! them and no sum ever goes back.
//!
//! An entry is made when an opening is answered. It holds what the log says of
//! the connection, so that it costs a connection next to nothing besides.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use draftgate_conn::{By, Closed, Overflow, Sender, Traffic, Why};
use draftgate_core::Draft;
use tokio::time::Instant;

use crate::{
    access,
    census::Client,
    config::{Listener, Route},
    handshake::About,
    inner::Inner,
    peer::{Peer, Remembered},
    rules::Rules,
};

/// A connection that is open, or whose opening has been answered.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What its name is made of.
    pub(crate) number: u64,
    pub(crate) peer: Remembered,
    pub(crate) listener: Arc<Listener>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) about: About,
    /// When its opening was answered.
    pub(crate) since: Instant,
    pub(crate) overflow: Overflow,
    /// Says things to it.
    pub(crate) sender: Sender,
    /// The request's head, redacted, where there is somebody to show it to; a box
    /// in a box where nobody is, for that is a place of 8 octets.
    pub(crate) head: Option<Box<Box<[u8]>>>,
    /// What it is counted as.
    pub(crate) client: Client,
    /// Whether its opening is done.
    pub(crate) is_open: AtomicBool,
}

/// The name of connection `number` in the log.
pub(crate) fn name(number: u64) -> String {
    let mut name = String::with_capacity(20);
    name.push('c');
    let mut unit = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        name.push(char::from(b'0' + (number / unit % 10) as u8));
        unit /= 10;
    }
    name
}

impl Entry {
    /// The connection's name in the log.
    pub(crate) fn id(&self) -> String {
        name(self.number)
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer.peer()
    }

    /// The route that it came in by.
    pub(crate) fn route(&self) -> &Route {
        &self.rules.config.routes[self.about.route as usize]
    }

    /// Whether its opening is done.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }
}

/// Which connections there are, and what became of the others.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<u64, Arc<Entry>>,
    ended: BTreeMap<Draft, Sums>,
}

/// What went over connections of one draft.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    /// How many are open.
    pub(crate) open: u64,
    pub(crate) traffic: Traffic,
    /// How many ended with which code, and by whom.
    pub(crate) closes: BTreeMap<(Option<u16>, &'static str), u64>,
    /// What was done about peers that read too slowly.
    pub(crate) slow: Slow,
}

/// What was done about peers that read too slowly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slow {
    /// Connections that were closed.
    pub(crate) closed: u64,
    /// Connections that took nothing, and were cut.
    pub(crate) timed_out: u64,
    /// Messages dropped, the oldest first.
    pub(crate) dropped_oldest: u64,
    /// Messages dropped as they came.
    pub(crate) dropped_newest: u64,
}

impl Sums {
    fn add(&mut self, traffic: Traffic, overflow: Overflow, dropped: u64) {
        self.traffic += traffic;
        match overflow {
            Overflow::DropOldest => self.slow.dropped_oldest += dropped,
            Overflow::DropNewest => self.slow.dropped_newest += dropped,
            // What is dropped then goes with its connection.
            _ => {}
        }
    }

    fn end(&mut self, closed: &Closed) {
        let end = (closed.code.map(counted_as), closed.by.code());
        *self.closes.entry(end).or_default() += 1;
        match closed.why {
            Why::SlowConsumer => self.slow.closed += 1,
            Why::WriteTimeout => self.slow.timed_out += 1,
            _ => {}
        }
    }
}

/// The code under which a close is counted. A peer may say any of thousands:
/// those of libraries and of applications are counted as the first of theirs,
/// and what is neither as 0.
fn counted_as(code: u16) -> u16 {
    match code {
        1000..=1015 => code,
        3000..=3999 => 3000,
        4000..=4999 => 4000,
        _ => 0,
    }
}

impl Registry {
    /// Notes a connection.
    pub(crate) fn enter(&self, entry: &Arc<Entry>) {
        let mut state = self.state();
        state.open.insert(entry.number, Arc::clone(entry));
    }

    /// A connection has ended; `None` where it was cut before it could say how.
    pub(crate) fn leave(&self, entry: &Entry, closed: Option<&Closed>) {
        let mut state = self.state();
        if state.open.remove(&entry.number).is_none() {
            return;
        }
        let sums = state.ended.entry(entry.about.draft).or_default();
        match closed {
            Some(closed) => {
                let traffic = Traffic::from(&closed.stats);
                sums.add(traffic, entry.overflow, closed.stats.dropped);
                if closed.opened {
                    sums.end(closed);
                }
            }
            None => {
                let sender = &entry.sender;
                sums.add(sender.traffic(), entry.overflow, sender.dropped());
                if entry.is_open() {
                    let end = (None, By::Us.code());
                    *sums.closes.entry(end).or_default() += 1;
                }
            }
        }
    }

    /// How many there are, those included whose opening is not done.
    pub(crate) fn len(&self) -> usize {
        self.state().open.len()
    }

    /// How many are open, and how many openings are being done.
    pub(crate) fn count(&self) -> (usize, usize) {
        let state = self.state();
        let open = state.open.values().filter(|entry| entry.is_open()).count();
        (open, state.open.len() - open)
    }

    /// The one whose name has this number.
    pub(crate) fn find(&self, number: u64) -> Option<Arc<Entry>> {
        self.state().open.get(&number).cloned()
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.state().open.values().cloned().collect()
    }

    /// What went over all connections so far, by draft.
    pub(crate) fn sums(&self) -> BTreeMap<Draft, Sums> {
        let state = self.state();
        let mut sums = state.ended.clone();
        for entry in state.open.values() {
            let sum = sums.entry(entry.about.draft).or_default();
            sum.open += u64::from(entry.is_open());
            let dropped = match entry.overflow {
                Overflow::DropOldest | Overflow::DropNewest => entry.sender.dropped(),
                _ => 0,
            };
            sum.add(entry.sender.traffic(), entry.overflow, dropped);
        }
        sums
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those that there are; left when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    inner: Arc<Inner>,
    entry: Arc<Entry>,
}

impl Registered {
    pub(crate) fn new(inner: Arc<Inner>, entry: Arc<Entry>) -> Self {
        Self { inner, entry }
    }

    /// What is to be done when the opening is done, of a connection whose TCP
    /// was `accepted` then.
    pub(crate) fn opening(&self, accepted: Instant) -> impl FnOnce() + Send + 'static {
        let (inner, entry) = (Arc::clone(&self.inner), Arc::clone(&self.entry));
        move || inner.opened(&entry, accepted)
    }

    /// The connection has ended so; nothing is written of one that was cut
    /// with all others.
    pub(crate) fn end(self, closed: &Closed) {
        if closed.why == Why::Aborted && self.inner.is_aborted() {
            return;
        }
        self.inner.closed(&self.entry, closed);
        access::write(&self.entry, closed, &self.inner.throttle);
        // Last: a task without an entry counts as a request under way.
        self.inner.open.leave(&self.entry, Some(closed));
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.inner.census.ended(&self.entry);
        // Nothing, where it has been left.
        self.inner.open.leave(&self.entry, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_number_behind_a_c() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567_890, u64::MAX - 1, u64::MAX] {
            assert_eq!(name(number), format!("c{number}"));
        }
    }

    #[test]
    fn codes_are_few_whatever_peers_say() {
        let codes: std::collections::BTreeSet<u16> = (0..=u16::MAX).map(counted_as).collect();
        assert_eq!(codes.len(), 16 + 3);
        for own in [1000, 1001, 1011] {
            assert_eq!(counted_as(own), own);
        }
        assert_eq!(counted_as(4711), 4000);
    }
}
