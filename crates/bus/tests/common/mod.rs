//! A subscriber's queue as the gateway has one: bounded, with what overflows
//! dropped by its own policy, and what is lost later booked with the hub.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use draftgate_bus::{Channel, Delivery, Envelope, Hub, Reason, Verdict};
use draftgate_core::{Draft, Message, Speaker};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    DropNewest,
    DropOldest,
}

pub(crate) struct Queue {
    hub: Hub,
    capacity: usize,
    overflow: Overflow,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    envelopes: VecDeque<Arc<Envelope>>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(hub: &Hub, capacity: usize, overflow: Overflow) -> Arc<Self> {
        Arc::new(Self {
            hub: hub.clone(),
            capacity,
            overflow,
            waiting: Mutex::default(),
        })
    }

    pub(crate) fn unbounded(hub: &Hub) -> Arc<Self> {
        Self::new(hub, usize::MAX, Overflow::DropNewest)
    }

    /// Takes up to `count` envelopes, as a connection that writes does.
    pub(crate) fn take(&self, count: usize) -> Vec<Arc<Envelope>> {
        let mut waiting = self.waiting.lock().unwrap();
        let count = count.min(waiting.envelopes.len());
        waiting.envelopes.drain(..count).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().unwrap().envelopes.len()
    }

    /// Ends as a connection does that still had messages queued: what waits is
    /// lost, and what comes after is refused.
    pub(crate) fn abandon(&self) -> usize {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.closed = true;
        let lost = waiting.envelopes.drain(..).count();
        self.hub.lost(Reason::Closing, lost as u64);
        lost
    }
}

impl Delivery for Queue {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.closed {
            return Verdict::Dropped(Reason::Closing);
        }
        if waiting.envelopes.len() == self.capacity {
            if self.overflow == Overflow::DropNewest || self.capacity == 0 {
                return Verdict::Dropped(Reason::QueueFull);
            }
            waiting.envelopes.pop_front();
            self.hub.lost(Reason::QueueFull, 1);
        }
        waiting.envelopes.push_back(Arc::clone(envelope));
        Verdict::Delivered
    }
}

pub(crate) fn channel(name: &str) -> Channel {
    name.parse().unwrap()
}

pub(crate) fn speaker(id: &str) -> Speaker {
    Speaker::new(id, Draft::Hybi13)
}

pub(crate) fn text(envelope: &Envelope) -> String {
    match envelope.shared.message() {
        Message::Text(text) => text.as_str().to_owned(),
        Message::Binary(_) => panic!("binary"),
    }
}

/// Fails unless the hub's books balance and say what the test counted itself.
#[track_caller]
pub(crate) fn assert_books(hub: &Hub, delivered: u64, dropped: &[(Reason, u64)]) {
    let ledger = hub.ledger();
    assert!(ledger.balances(), "{ledger}");
    assert_eq!(ledger.delivered(), delivered, "{ledger}");
    for reason in Reason::ALL {
        let expected = dropped
            .iter()
            .find(|(r, _)| *r == reason)
            .map_or(0, |(_, n)| *n);
        assert_eq!(ledger.dropped(reason), expected, "{reason} in {ledger}");
    }
    let all: u64 = dropped.iter().map(|(_, n)| n).sum();
    assert_eq!(ledger.expected(), delivered + all, "{ledger}");
}
