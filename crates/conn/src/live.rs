//! What went over a connection so far, for others to read while it lasts: the
//! driver counts in plain fields and tells them once a turn. Not behind the
//! queue's lock, so that whoever reads ten thousand of them stops nobody; and
//! not all of [`Stats`], because each idle connection holds it.

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
pub(crate) struct Live([AtomicU64; 6]);

impl Live {
    /// There is one writer, so a store is enough.
    pub(crate) fn tell(&self, stats: &Stats) {
        let counts = Traffic::from(stats).counts();
        for (cell, count) in self.0.iter().zip(counts) {
            cell.store(count, Relaxed);
        }
    }

    fn read(&self) -> Traffic {
        Traffic::of(self.0.each_ref().map(|cell| cell.load(Relaxed)))
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
    }
}
