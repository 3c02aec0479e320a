//! The queue of one reader over HTTP: bounded in octets, and full by the
//! route's own policy, as the queue of a WebSocket peer is.
//!
//! It is no channel of tokio's, because dropping the oldest and giving back
//! everything at once when a slow reader is cut need the queue itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use draftgate_bus::{Delivery, Envelope, Hub, Reason, Verdict};

use crate::{config::Overflow, slot::Slot};

/// What a message in the queue costs besides its payload, in octets: as much as
/// in the queue of a WebSocket peer.
const QUEUED: usize = 256;

#[derive(Debug)]
pub(super) struct Lane {
    hub: Hub,
    overflow: Overflow,
    /// Octets that may wait.
    most: usize,
    /// The connection, which is cut when the reader is too slow: hyper asks
    /// for nothing while it waits for the reader.
    slot: Slot,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<Envelope>>,
    octets: usize,
    dropped: u64,
    end: End,
    /// Whoever reads; called again each time, for it may not be reading now.
    waker: Option<Waker>,
}

/// Whether it still takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum End {
    #[default]
    Open,
    /// The reader was too slow.
    Slow,
    /// The reader has gone.
    Gone,
}

impl Lane {
    pub(super) fn new(hub: Hub, overflow: Overflow, most: usize, slot: Slot) -> Arc<Self> {
        Arc::new(Self {
            hub,
            overflow,
            most,
            slot,
            queue: Mutex::default(),
        })
    }

    /// The next message; `None` when none will come because the reader was
    /// too slow.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Arc<Envelope>>> {
        let mut queue = self.queue();
        if !queue
            .waker
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            queue.waker = Some(cx.waker().clone());
        }
        match queue.pop() {
            Some(envelope) => Poll::Ready(Some(envelope)),
            None if queue.end == End::Open => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    /// Everything that waits.
    pub(super) fn take(&self) -> Vec<Arc<Envelope>> {
        let mut queue = self.queue();
        queue.octets = 0;
        queue.waiting.drain(..).collect()
    }

    pub(super) fn end(&self) -> End {
        self.queue().end
    }

    /// Whether the reader took too little of what was written to it.
    pub(super) fn is_stuck(&self) -> bool {
        self.slot.is_stuck()
    }

    /// How many messages it lost, or never took.
    pub(super) fn dropped(&self) -> u64 {
        self.queue().dropped
    }

    /// Takes nothing more, and books what waits as lost.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        if queue.end == End::Open {
            queue.end = End::Gone;
        }
        queue.lose_all(&self.hub, Reason::Closing);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Arc<Envelope>> {
        let envelope = self.waiting.pop_front()?;
        self.octets -= cost(&envelope);
        Some(envelope)
    }

    fn lose_all(&mut self, hub: &Hub, reason: Reason) {
        let lost = self.waiting.len() as u64;
        hub.lost(reason, lost);
        self.dropped += lost;
        self.waiting = VecDeque::new();
        self.octets = 0;
    }
}

impl Delivery for Lane {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        let mut queue = self.queue();
        if queue.end != End::Open {
            queue.dropped += 1;
            return Verdict::Dropped(Reason::Closing);
        }
        let cost = cost(envelope);
        // One message always fits.
        while !queue.waiting.is_empty() && queue.octets + cost > self.most {
            match self.overflow {
                Overflow::DropNewest => {
                    queue.dropped += 1;
                    return Verdict::Dropped(Reason::QueueFull);
                }
                Overflow::DropOldest => {
                    queue.pop();
                    queue.dropped += 1;
                    self.hub.lost(Reason::QueueFull, 1);
                }
                // A route has no `wait`, and the channel never does.
                Overflow::Close | Overflow::Wait => {
                    queue.end = End::Slow;
                    queue.dropped += 1;
                    queue.lose_all(&self.hub, Reason::SlowConsumer);
                    self.slot.cut();
                    queue.wake();
                    return Verdict::Dropped(Reason::SlowConsumer);
                }
            }
        }
        queue.octets += cost;
        queue.waiting.push_back(Arc::clone(envelope));
        queue.wake();
        Verdict::Delivered
    }
}

impl Queue {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

fn cost(envelope: &Envelope) -> usize {
    envelope.shared.message().len() + QUEUED
}

#[cfg(test)]
mod tests {
    use draftgate_bus::Channel;

    use super::*;

    fn flooded(overflow: Overflow) -> (Hub, Arc<Lane>) {
        let (hub, channel): (Hub, Channel) = (Hub::new(), "chat".parse().unwrap());
        let lane = Lane::new(hub.clone(), overflow, 1000, Slot::default());
        let (_place, _) = hub.listen(&channel, None, lane.clone());
        for _ in 0..10 {
            hub.publish(&channel, "x".repeat(100).into(), None);
        }
        (hub, lane)
    }

    #[test]
    fn a_full_queue_does_as_the_route_says_and_the_books_balance() {
        for (overflow, numbers, reason) in [
            (Overflow::DropNewest, vec![1, 2], Reason::QueueFull),
            (Overflow::DropOldest, vec![9, 10], Reason::QueueFull),
            (Overflow::Close, vec![], Reason::SlowConsumer),
        ] {
            let (hub, lane) = flooded(overflow);
            let slow = lane.end() == End::Slow;
            assert_eq!(slow, overflow == Overflow::Close);
            let taken: Vec<u64> = lane.take().iter().map(|e| e.sequence).collect();
            assert_eq!(taken, numbers, "{overflow:?}");
            let ledger = hub.ledger();
            assert!(ledger.balances(), "{ledger}");
            assert!(ledger.dropped(reason) > 0, "{ledger}");
            assert_eq!(ledger.dropped_in_all(), lane.dropped(), "{ledger}");
        }
    }

    #[test]
    fn what_waits_for_a_reader_that_has_gone_is_lost_and_booked() {
        let (hub, lane) = flooded(Overflow::DropNewest);
        lane.close();
        let ledger = hub.ledger();
        assert!(ledger.balances(), "{ledger}");
        assert_eq!(ledger.dropped(Reason::Closing), 2);
        assert_eq!(ledger.delivered(), 0);
    }

    #[test]
    fn one_message_always_fits() {
        let (hub, channel): (Hub, Channel) = (Hub::new(), "chat".parse().unwrap());
        let lane = Lane::new(hub.clone(), Overflow::Close, 1, Slot::default());
        let (_place, _) = hub.listen(&channel, None, lane.clone());
        hub.publish(&channel, "x".repeat(100).into(), None);
        assert_eq!((lane.end(), lane.take().len()), (End::Open, 1));
    }
}
