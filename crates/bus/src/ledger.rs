//! The hub's books: every message published to a subscriber is delivered or
//! dropped for a stated reason, and the books show that none is missing.
//!
//! The counters are atomics and not one lock over the hub: each is written
//! once per publish, or once per loss, and a reader who wants them to balance
//! reads when no publish is under way.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::Verdict;

/// Why a subscriber did not get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// `closing`: its connection ended, or was ending.
    Closing,
    /// `no-binary`: its draft has no binary, and its policy no substitute.
    NoBinary,
    /// `not-utf8`: its policy is to send binary as text, and this is not UTF-8.
    NotUtf8,
    /// `panicked`: its [`Delivery`](crate::Delivery) panicked; an error of ours.
    Panicked,
    /// `queue-full`: its queue was full and its policy is to drop (the
    /// newest or the oldest).
    QueueFull,
    /// `slow-consumer`: its queue was full and its policy is to close it.
    SlowConsumer,
    /// `unsendable`: its codec refused the message for another reason.
    Unsendable,
}

impl Reason {
    /// Every reason, in alphabetical order of its name.
    pub const ALL: [Self; 7] = [
        Self::Closing,
        Self::NoBinary,
        Self::NotUtf8,
        Self::Panicked,
        Self::QueueFull,
        Self::SlowConsumer,
        Self::Unsendable,
    ];

    /// A stable word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::NoBinary => "no-binary",
            Self::NotUtf8 => "not-utf8",
            Self::Panicked => "panicked",
            Self::QueueFull => "queue-full",
            Self::SlowConsumer => "slow-consumer",
            Self::Unsendable => "unsendable",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The books of a hub at one moment. They balance ([`Ledger::balances`])
/// whenever no publish is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    published: u64,
    expected: u64,
    accepted: u64,
    refused: [u64; Reason::ALL.len()],
    lost: [u64; Reason::ALL.len()],
}

impl Ledger {
    /// Messages published, with subscribers or without.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Deliveries owed: for each message, the subscribers it was meant for.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Deliveries made and not lost since.
    pub fn delivered(&self) -> u64 {
        self.accepted.saturating_sub(self.lost.iter().sum())
    }

    /// Deliveries not made, or lost later, for `reason`.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.refused[reason as usize] + self.lost[reason as usize]
    }

    /// Deliveries not made, or lost later, for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        Reason::ALL.iter().map(|reason| self.dropped(*reason)).sum()
    }

    /// Whether every delivery owed was made or dropped: expected = delivered
    /// + dropped. Also false if more was booked as lost than ever arrived.
    pub fn balances(&self) -> bool {
        self.expected == self.delivered() + self.dropped_in_all()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (delivered, dropped) = (self.delivered(), self.dropped_in_all());
        write!(
            f,
            "{} published, {} owed, {delivered} delivered, {dropped} dropped",
            self.published, self.expected
        )?;
        let mut separator = ": ";
        for reason in Reason::ALL {
            let count = self.dropped(reason);
            if count > 0 {
                write!(f, "{separator}{count} {reason}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// The counters behind a [`Ledger`].
#[derive(Debug, Default)]
pub(crate) struct Books {
    published: AtomicU64,
    expected: AtomicU64,
    accepted: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    lost: [AtomicU64; Reason::ALL.len()],
}

/// What one publish came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    refused: [u64; Reason::ALL.len()],
}

impl Tally {
    /// What became of `count` messages at one door.
    pub(crate) fn count(&mut self, verdict: Verdict, count: u64) {
        match verdict {
            Verdict::Delivered => self.accepted += count,
            Verdict::Dropped(reason) => self.refused[reason as usize] += count,
        }
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.iter().sum()
    }
}

impl Books {
    /// Enters what a publish of `messages` owes to so many subscribers, before the
    /// first delivery: counted apart from what the deliveries come to, or nothing
    /// would be checked.
    pub(crate) fn owe(&self, messages: u64, subscribers: u64) {
        self.published.fetch_add(messages, Relaxed);
        self.expected.fetch_add(messages * subscribers, Relaxed);
    }

    pub(crate) fn enter(&self, tally: &Tally) {
        self.accepted.fetch_add(tally.accepted, Relaxed);
        for (counter, count) in self.refused.iter().zip(tally.refused) {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }

    pub(crate) fn lose(&self, reason: Reason, count: u64) {
        self.lost[reason as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn read(&self) -> Ledger {
        let all = |counters: &[AtomicU64; Reason::ALL.len()]| {
            std::array::from_fn(|at| counters[at].load(Relaxed))
        };
        Ledger {
            published: self.published.load(Relaxed),
            expected: self.expected.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            refused: all(&self.refused),
            lost: all(&self.lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_as_listed_and_sorted_by_name() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        let names = Reason::ALL.map(Reason::name);
        assert!(names.is_sorted() && names.windows(2).all(|w| w[0] != w[1]));
    }

    #[test]
    fn a_loss_moves_from_delivered_to_dropped() {
        let books = Books::default();
        let mut tally = Tally {
            accepted: 2,
            ..Tally::default()
        };
        tally.count(Verdict::Dropped(Reason::NoBinary), 1);
        books.owe(1, 3);
        books.enter(&tally);
        books.lose(Reason::QueueFull, 1);
        let ledger = books.read();
        assert!(ledger.balances());
        assert_eq!((ledger.delivered(), ledger.dropped_in_all()), (1, 2));
        assert_eq!(
            ledger.to_string(),
            "1 published, 3 owed, 1 delivered, 2 dropped: 1 no-binary, 1 queue-full"
        );
    }

    #[test]
    fn books_with_a_delivery_missing_or_too_many_losses_do_not_balance() {
        let books = Books::default();
        books.owe(1, 2);
        books.enter(&Tally {
            accepted: 1,
            ..Tally::default()
        });
        assert!(!books.read().balances(), "one delivery is missing");
        books.enter(&Tally {
            accepted: 1,
            ..Tally::default()
        });
        assert!(books.read().balances());
        books.lose(Reason::Closing, 3);
        assert!(!books.read().balances(), "three lost of two");
    }
}
