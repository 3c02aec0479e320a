//! Publishers and subscribers in threads of their own. The counts are fixed
//! and nothing sleeps: threads meet at barriers and end when their work is done.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use common::{Overflow, Queue, assert_books, channel, speaker, text};
use draftgate_bus::{Delivery, Envelope, Hub, Verdict};

const PUBLISHERS: usize = 4;
const MESSAGES: usize = 500;

#[test]
fn concurrent_publishers_are_heard_in_one_order_by_all() {
    let hub = Hub::new();
    let room = channel("chat");
    let queues: Vec<_> = (0..8).map(|_| Queue::unbounded(&hub)).collect();
    let _held: Vec<_> = queues
        .iter()
        .map(|queue| hub.subscribe(&room, speaker("listener"), queue.clone()))
        .collect();
    let start = Barrier::new(PUBLISHERS);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (hub, room, start) = (&hub, &room, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..MESSAGES {
                    let published = hub.publish(room, format!("{publisher} {n}").into(), None);
                    assert_eq!((published.delivered, published.dropped), (8, 0));
                }
            });
        }
    });
    let heard: Vec<Vec<String>> = queues
        .iter()
        .map(|queue| {
            let envelopes = queue.take(usize::MAX);
            let numbers = envelopes.iter().map(|e| e.sequence);
            assert!(numbers.eq(1..=(PUBLISHERS * MESSAGES) as u64));
            envelopes.iter().map(|e| text(e)).collect()
        })
        .collect();
    assert!(heard.iter().all(|h| *h == heard[0]));
    for publisher in 0..PUBLISHERS {
        let own = format!("{publisher} ");
        let of_one = heard[0].iter().filter_map(|t| t.strip_prefix(&own));
        assert!(of_one.eq((0..MESSAGES).map(|n| n.to_string())));
    }
    assert_books(&hub, (8 * PUBLISHERS * MESSAGES) as u64, &[]);
}

#[test]
fn subscribers_may_come_and_go_while_others_publish() {
    let hub = Hub::new();
    let names = ["a", "b"].map(channel);
    let stay: Vec<_> = names
        .iter()
        .map(|name| {
            let queue = Queue::unbounded(&hub);
            let place = hub.subscribe(name, speaker("stays"), queue.clone());
            (place, queue)
        })
        .collect();
    let written = AtomicU64::new(0);
    let start = Barrier::new(PUBLISHERS + 2);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (stay, start) = (&stay, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..MESSAGES {
                    // The one who stays publishes, so it is never owed its own.
                    let (place, _) = &stay[(publisher + n) % 2];
                    place.publish("x".into(), n % 4 == 0);
                }
            });
        }
        for _ in 0..2 {
            let (hub, names, written, start) = (&hub, &names, &written, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..MESSAGES {
                    let overflow = [Overflow::DropOldest, Overflow::DropNewest][n % 2];
                    let queue = Queue::new(hub, n % 3, overflow);
                    let place = hub.subscribe(&names[n % 2], speaker("passes"), queue.clone());
                    let other = hub.subscribe(&channel("own"), speaker("passes"), queue.clone());
                    other.publish("y".into(), true);
                    written.fetch_add(queue.take(1).len() as u64, SeqCst);
                    drop((place, other));
                    // A publish under way may still deliver; the abandoned queue refuses.
                    queue.abandon();
                }
            });
        }
    });
    let ledger = hub.ledger();
    assert!(ledger.balances(), "{ledger}");
    assert_eq!(
        ledger.published(),
        ((PUBLISHERS + 2) * MESSAGES) as u64,
        "{ledger}"
    );
    for (place, queue) in &stay {
        let numbers: Vec<_> = queue.take(usize::MAX).iter().map(|e| e.sequence).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{}", place.channel());
        written.fetch_add(numbers.len() as u64, SeqCst);
        assert_eq!(hub.subscribers(place.channel()), 1);
    }
    assert_eq!(ledger.delivered(), written.load(SeqCst), "{ledger}");
    assert_eq!(hub.channels(), 2);
    drop(stay);
    assert_eq!(hub.channels(), 0);
}

#[test]
fn a_channel_that_vanishes_and_comes_back_loses_no_subscriber() {
    let hub = Hub::new();
    let room = channel("chat");
    let start = Barrier::new(PUBLISHERS);
    thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            let (hub, room, start) = (&hub, &room, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..MESSAGES {
                    let queue = Queue::unbounded(hub);
                    let place = hub.subscribe(room, speaker("c"), queue.clone());
                    hub.publish(room, n.to_string().into(), None);
                    let mine = |e: &Arc<Envelope>| text(e) == n.to_string();
                    assert!(
                        queue.take(usize::MAX).iter().any(mine),
                        "subscribed to a lost room"
                    );
                    drop(place);
                }
            });
        }
    });
    assert_eq!(hub.channels(), 0);
    assert!(hub.ledger().balances(), "{}", hub.ledger());
}

/// Says that it was called and stays in the call until it is let go.
struct Holds {
    called: mpsc::SyncSender<()>,
    released: Barrier,
    used: AtomicBool,
}

impl Delivery for Holds {
    fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
        if !self.used.swap(true, SeqCst) {
            self.called.send(()).unwrap();
            self.released.wait();
        }
        Verdict::Delivered
    }
}

#[test]
fn a_publish_under_way_holds_up_no_other_channel_and_no_coming_or_going() {
    let hub = Hub::new();
    let (held_up, other) = (channel("held-up"), channel("other"));
    let (called, was_called) = mpsc::sync_channel(1);
    let holds = Arc::new(Holds {
        called,
        released: Barrier::new(2),
        used: AtomicBool::new(false),
    });
    let _holds = hub.subscribe(&held_up, speaker("c1"), holds.clone());
    thread::scope(|scope| {
        scope.spawn(|| hub.publish(&held_up, "one".into(), None));
        was_called.recv().unwrap();
        // The first channel's turn is taken now, and stays so until `released`.
        let queue = Queue::unbounded(&hub);
        let place = hub.subscribe(&other, speaker("c2"), queue.clone());
        let published = place.publish("x".into(), true);
        let late = hub.subscribe(&held_up, speaker("c3"), queue.clone());
        let with_late = hub.subscribers(&held_up);
        drop(late);
        let without = hub.subscribers(&held_up);
        holds.released.wait();
        // Judged only now, so that a failure does not leave the other thread waiting.
        assert_eq!((published.delivered, queue.len()), (1, 1));
        assert_eq!((with_late, without, hub.channels()), (2, 1, 2));
    });
    assert_books(&hub, 2, &[]);
}
