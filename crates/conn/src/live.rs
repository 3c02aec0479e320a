//! What went over a connection so far, for others to read while it lasts: the
//! driver counts in plain fields and tells them once a turn. Not behind the
//! queue's lock, so that whoever reads ten thousand of them stops nobody. Here
//! they stay, too: the plain fields are the thread's.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{Sender, Stats};

/// Some of the [`Stats`] of a connection that is still open, as of its last
/// turn. No count ever goes back, and none exceeds that of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Text messages from the peer.
    pub text_in: u64,
    /// Text messages to the peer.
    pub text_out: u64,
    /// [`Stats::binary_in`].
    pub binary_in: u64,
    /// [`Stats::binary_out`].
    pub binary_out: u64,
    /// [`Stats::octets_in`].
    pub octets_in: u64,
    /// [`Stats::octets_out`].
    pub octets_out: u64,
}

impl From<&Stats> for Traffic {
    fn from(stats: &Stats) -> Self {
        Self {
            text_in: stats.messages_in - stats.binary_in,
            text_out: stats.messages_out - stats.binary_out,
            binary_in: stats.binary_in,
            binary_out: stats.binary_out,
            octets_in: stats.octets_in,
            octets_out: stats.octets_out,
        }
    }
}

impl Traffic {
    fn of(counts: [u64; 6]) -> Self {
        let [
            text_in,
            text_out,
            binary_in,
            binary_out,
            octets_in,
            octets_out,
        ] = counts;
        Self {
            text_in,
            text_out,
            binary_in,
            binary_out,
            octets_in,
            octets_out,
        }
    }

    /// In the order of [`of`](Self::of).
    fn counts(self) -> [u64; 6] {
        [
            self.text_in,
            self.text_out,
            self.binary_in,
            self.binary_out,
            self.octets_in,
            self.octets_out,
        ]
    }
}

/// What went over several connections.
impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        let (mut sums, counts) = (self.counts(), other.counts());
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        *self = Self::of(sums);
    }
}

impl Sender {
    /// Items dropped so far because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// What went over the connection by the end of its last turn.
    pub fn traffic(&self) -> Traffic {
        self.queue.live.read()
    }
}

/// Where the driver tells it. Text and binary apart, and not binary and all:
/// read between two stores, their difference could go back.
#[derive(Debug, Default)]
pub(crate) struct Live {
    traffic: [AtomicU64; 6],
    payload_in: AtomicU64,
}

impl Live {
    /// There is one writer, so a store is enough.
    pub(crate) fn tell(&self, stats: &Stats) {
        let counts = Traffic::from(stats).counts();
        for (cell, count) in self.traffic.iter().zip(counts) {
            cell.store(count, Relaxed);
        }
        self.payload_in.store(stats.payload_in, Relaxed);
    }

    /// `stats`, with what was told and counted here.
    pub(crate) fn recall(&self, stats: Stats) -> Stats {
        let traffic = self.read();
        Stats {
            messages_in: traffic.text_in + traffic.binary_in,
            messages_out: traffic.text_out + traffic.binary_out,
            binary_in: traffic.binary_in,
            binary_out: traffic.binary_out,
            octets_in: traffic.octets_in,
            octets_out: traffic.octets_out,
            payload_in: self.payload_in.load(Relaxed),
            ..stats
        }
    }

    /// So much more was written on loan, by the one who holds that.
    pub(crate) fn add_octets(&self, octets: u64) {
        self.add(5, octets);
    }

    /// The same of messages.
    pub(crate) fn add_messages(&self, text: u64, binary: u64) {
        self.add(1, text);
        self.add(3, binary);
    }

    fn add(&self, at: usize, count: u64) {
        let cell = &self.traffic[at];
        cell.store(cell.load(Relaxed).wrapping_add(count), Relaxed);
    }

    fn read(&self) -> Traffic {
        let [
            text_in,
            text_out,
            binary_in,
            binary_out,
            octets_in,
            octets_out,
        ] = &self.traffic;
        // One by one: a `map` over the array is a call for each.
        Traffic {
            text_in: text_in.load(Relaxed),
            text_out: text_out.load(Relaxed),
            binary_in: binary_in.load(Relaxed),
            binary_out: binary_out.load(Relaxed),
            octets_in: octets_in.load(Relaxed),
            octets_out: octets_out.load(Relaxed),
        }
    }
}

/// The rest of the [`Stats`], for the driver alone. What is rare, however long
/// a connection lasts, stops at four thousand million.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    payload_out: u64,
    pings_in: u32,
    pings_out: u32,
    pongs_in: u32,
    notices: u32,
    unsayable: u32,
}

impl Beside {
    pub(crate) fn tell(&mut self, stats: &Stats) {
        let rare = |count| u32::try_from(count).unwrap_or(u32::MAX);
        *self = Self {
            payload_out: stats.payload_out,
            pings_in: rare(stats.pings_in),
            pings_out: rare(stats.pings_out),
            pongs_in: rare(stats.pongs_in),
            notices: rare(stats.notices),
            unsayable: rare(stats.unsayable),
        };
    }

    /// What was told, and nothing else.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            payload_out: self.payload_out,
            pings_in: self.pings_in.into(),
            pings_out: self.pings_out.into(),
            pongs_in: self.pongs_in.into(),
            notices: self.notices.into(),
            unsayable: self.unsayable.into(),
            ..Stats::NOTHING
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_read_as_it_was_told() {
        let live = Live::default();
        let stats = Stats {
            messages_in: 6,
            messages_out: 5,
            binary_in: 4,
            binary_out: 3,
            octets_in: 2,
            octets_out: 1,
            ..Stats::default()
        };
        live.tell(&stats);
        assert_eq!(live.read(), Traffic::from(&stats));
        assert_eq!(live.recall(Stats::NOTHING), stats);
    }

    #[test]
    fn what_is_told_is_recalled() {
        let (live, mut beside) = (Live::default(), Beside::default());
        let stats = Stats {
            messages_in: 11,
            messages_out: 10,
            binary_in: 9,
            binary_out: 8,
            payload_in: 7,
            payload_out: u64::MAX,
            octets_in: 6,
            octets_out: 5,
            pings_in: 4,
            pings_out: 3,
            pongs_in: 2,
            notices: 1,
            unsayable: 12,
            ..Stats::default()
        };
        live.tell(&stats);
        beside.tell(&stats);
        assert_eq!(live.recall(beside.stats()), stats);
    }
}
