//! Who gets what, what a misbehaving subscriber may not do to the others,
//! and what a delivery may do to the hub that called it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use common::{Overflow, Queue, assert_books, channel, speaker, text};
use draftgate_bus::{Delivery, Envelope, Flush, Hub, Published, Reason, Subscription, Verdict};
use draftgate_core::{Draft, Message, Speaker};

/// A delivery that does what the test says.
struct Does<F>(F);

impl<F: Fn(&Arc<Envelope>) -> Verdict + Send + Sync> Delivery for Does<F> {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        (self.0)(envelope)
    }
}

#[test]
fn everybody_gets_the_message_its_number_and_its_sender_but_not_the_sender_itself() {
    let hub = Hub::new();
    let room = channel("chat");
    let queues = [0; 3].map(|_| Queue::unbounded(&hub));
    let hixie = Speaker::new("c1", Draft::Hixie76);
    let first = hub.subscribe(&room, hixie.clone(), queues[0].clone());
    let second = hub.subscribe(&room, speaker("c2"), queues[1].clone());
    let _third = hub.subscribe(&room, speaker("c3"), queues[2].clone());

    let all_but_one = Published {
        delivered: 2,
        dropped: 0,
    };
    assert_eq!(first.publish("one".into(), false), all_but_one);
    let everybody = Published {
        delivered: 3,
        dropped: 0,
    };
    assert_eq!(second.publish("two".into(), true), everybody);
    assert_eq!(hub.publish(&room, "three".into(), None), everybody);

    let heard = |queue: &Queue| -> Vec<(String, u64, Option<Speaker>)> {
        let envelopes = queue.take(usize::MAX);
        let told = |e: &Arc<Envelope>| (text(e), e.sequence, e.sender.clone());
        envelopes.iter().map(told).collect()
    };
    let all = vec![
        ("one".to_owned(), 1, Some(hixie)),
        ("two".to_owned(), 2, Some(speaker("c2"))),
        ("three".to_owned(), 3, None),
    ];
    assert_eq!(heard(&queues[0]), all[1..]);
    assert_eq!(heard(&queues[1]), all);
    assert_eq!(heard(&queues[2]), all);
    assert_eq!(
        (second.channel(), first.speaker().draft),
        (&room, Draft::Hixie76)
    );
    assert_books(&hub, 8, &[]);
}

#[test]
fn channels_do_not_hear_each_other_and_empty_ones_vanish() {
    let hub = Hub::new();
    let (a, b) = (Queue::unbounded(&hub), Queue::unbounded(&hub));
    let in_a = hub.subscribe(&channel("a"), speaker("c1"), a.clone());
    let in_b = hub.subscribe(&channel("b"), speaker("c2"), b.clone());
    let again = hub.subscribe(&channel("a"), speaker("c1"), a.clone());
    assert_eq!((hub.channels(), hub.subscribers(&channel("a"))), (2, 2));

    in_b.publish("for b".into(), true);
    assert_eq!((a.len(), b.len()), (0, 1));
    drop(again);
    assert_eq!((hub.channels(), hub.subscribers(&channel("a"))), (2, 1));
    drop(in_a);
    assert_eq!((hub.channels(), hub.subscribers(&channel("a"))), (1, 0));
    let nobody = hub.publish(&channel("a"), "for nobody".into(), None);
    assert_eq!(nobody, Published::default());
    drop(in_b);
    assert_eq!(hub.channels(), 0);

    let anew = hub.subscribe(&channel("b"), speaker("c3"), b.clone());
    anew.publish("first".into(), true);
    assert_eq!(
        b.take(2)[1].sequence,
        1,
        "a channel that vanished starts anew"
    );
    assert_eq!(hub.ledger().published(), 3);
    assert_books(&hub, 2, &[]);
}

#[test]
fn a_full_queue_loses_by_its_own_policy_and_nobody_else_notices() {
    let hub = Hub::new();
    let room = channel("chat");
    let newest = Queue::new(&hub, 2, Overflow::DropNewest);
    let oldest = Queue::new(&hub, 2, Overflow::DropOldest);
    let roomy = Queue::unbounded(&hub);
    let _held =
        [&newest, &oldest, &roomy].map(|queue| hub.subscribe(&room, speaker("c"), queue.clone()));
    let published = (1..=5)
        .map(|n| hub.publish(&room, n.to_string().into(), None).dropped)
        .collect::<Vec<_>>();
    assert_eq!(published, [0, 0, 1, 1, 1]);
    let heard = |queue: &Queue| queue.take(9).iter().map(|e| text(e)).collect::<String>();
    assert_eq!(
        [heard(&newest), heard(&oldest), heard(&roomy)],
        ["12", "45", "12345"]
    );
    assert_books(&hub, 9, &[(Reason::QueueFull, 6)]);
}

#[test]
fn what_was_queued_when_a_connection_ended_is_booked_as_lost() {
    let hub = Hub::new();
    let queue = Queue::unbounded(&hub);
    let gone = hub.subscribe(&channel("chat"), speaker("c1"), queue.clone());
    for n in 0..4 {
        hub.publish(gone.channel(), n.to_string().into(), None);
    }
    assert_eq!(queue.take(1).len(), 1);
    drop(gone);
    assert_eq!(queue.abandon(), 3);
    assert_books(&hub, 1, &[(Reason::Closing, 3)]);
}

#[test]
fn every_reason_a_delivery_gives_is_in_the_books() {
    let hub = Hub::new();
    let room = channel("chat");
    let _held: Vec<_> = Reason::ALL
        .into_iter()
        .map(|reason| {
            let refuses = Does(move |_: &Arc<Envelope>| Verdict::Dropped(reason));
            hub.subscribe(&room, speaker("c"), Arc::new(refuses))
        })
        .collect();
    hub.publish(&room, "x".into(), None);
    hub.publish(&room, "y".into(), None);
    assert_books(&hub, 0, &Reason::ALL.map(|reason| (reason, 2)));
}

#[test]
fn a_delivery_that_panics_loses_its_own_messages_only() {
    let hub = Hub::new();
    let room = channel("chat");
    let (before, after) = (Queue::unbounded(&hub), Queue::unbounded(&hub));
    let _before = hub.subscribe(&room, speaker("c1"), before.clone());
    let panics = Does(|_: &Arc<Envelope>| panic!("expected by the test"));
    let _panics = hub.subscribe(&room, speaker("c2"), Arc::new(panics));
    let _after = hub.subscribe(&room, speaker("c3"), after.clone());
    for n in 1..=3 {
        let published = hub.publish(&room, n.to_string().into(), None);
        assert_eq!((published.delivered, published.dropped), (2, 1));
    }
    assert_eq!((before.len(), after.len()), (3, 3));
    assert_books(&hub, 6, &[(Reason::Panicked, 3)]);
}

#[test]
fn a_delivery_that_publishes_is_stopped_and_the_channel_goes_on() {
    let hub = Hub::new();
    let room = channel("chat");
    let (inner, to) = (hub.clone(), room.clone());
    let publishes = Does(move |_: &Arc<Envelope>| {
        inner.publish(&to, "again".into(), None);
        Verdict::Delivered
    });
    let _publishes = hub.subscribe(&room, speaker("c1"), Arc::new(publishes));
    let queue = Queue::unbounded(&hub);
    let _held = hub.subscribe(&room, speaker("c2"), queue.clone());
    hub.publish(&room, "one".into(), None);
    hub.publish(&room, "two".into(), None);
    assert_eq!(queue.len(), 2);
    assert_books(&hub, 2, &[(Reason::Panicked, 2)]);
}

#[test]
fn a_delivery_may_drop_its_own_and_other_subscriptions_and_make_new_ones() {
    let hub = Hub::new();
    let room = channel("chat");
    let places: Arc<Mutex<Vec<Subscription>>> = Arc::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let late = Queue::unbounded(&hub);
    let clears = {
        let (places, calls, late) = (Arc::clone(&places), Arc::clone(&calls), Arc::clone(&late));
        let (hub, room) = (hub.clone(), room.clone());
        Does(move |_: &Arc<Envelope>| {
            calls.fetch_add(1, SeqCst);
            let mut places = places.lock().unwrap();
            places.clear();
            assert_eq!((hub.channels(), hub.subscribers(&room)), (0, 0));
            places.push(hub.subscribe(&room, speaker("late"), late.clone()));
            Verdict::Delivered
        })
    };
    let other = Queue::unbounded(&hub);
    let own = hub.subscribe(&room, speaker("c1"), Arc::new(clears));
    let others = hub.subscribe(&room, speaker("c2"), other.clone());
    places.lock().unwrap().extend([own, others]);

    let first = hub.publish(&room, "one".into(), None);
    assert_eq!((first.delivered, first.dropped), (1, 1));
    let second = hub.publish(&room, "two".into(), None);
    assert_eq!((second.delivered, second.dropped), (1, 0));
    assert_eq!((calls.load(SeqCst), other.len(), late.len()), (1, 0, 1));
    assert_books(&hub, 2, &[(Reason::Closing, 1)]);
    places.lock().unwrap().clear();
    assert_eq!(hub.channels(), 0);
}

/// Publishes when it is dropped, as a session does whose end is announced.
struct Announces(Hub, Mutex<Option<Subscription>>);

impl Delivery for Announces {
    fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
        drop(self.1.lock().unwrap().take());
        Verdict::Delivered
    }
}

impl Drop for Announces {
    fn drop(&mut self) {
        self.0.publish(&channel("chat"), "it left".into(), None);
    }
}

#[test]
fn the_last_hold_on_a_subscriber_goes_when_the_turn_is_over() {
    let hub = Hub::new();
    let queue = Queue::unbounded(&hub);
    let _held = hub.subscribe(&channel("chat"), speaker("c1"), queue.clone());
    let leaves = Arc::new(Announces(hub.clone(), Mutex::default()));
    let place = hub.subscribe(&channel("chat"), speaker("c2"), leaves.clone());
    *leaves.1.lock().unwrap() = Some(place);
    let watch: Weak<Announces> = Arc::downgrade(&leaves);
    drop(leaves);
    hub.publish(&channel("chat"), "go".into(), None);
    assert!(watch.upgrade().is_none());
    let heard: Vec<_> = queue.take(9).iter().map(|e| text(e)).collect();
    assert_eq!(heard, ["go", "it left"]);
    assert_books(&hub, 3, &[]);
}

#[test]
fn a_short_message_in_a_queue_does_not_keep_the_read_buffer_alive() {
    let hub = Hub::new();
    let queue = Queue::unbounded(&hub);
    let held = hub.subscribe(&channel("chat"), speaker("c1"), queue.clone());
    let buffer = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    held.publish(Message::Binary(buffer.slice(..10)), true);
    assert!(buffer.is_unique(), "ten octets pin the whole buffer");
    assert_eq!(queue.take(1)[0].shared.message().len(), 10);
    assert_books(&hub, 1, &[]);
}

/// Counts what was delivered and is not flushed yet, and how often it was flushed.
#[derive(Default)]
struct Holds(Mutex<(u32, Vec<u32>)>);

impl Delivery for Holds {
    fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
        self.0.lock().unwrap().0 += 1;
        Verdict::Delivered
    }

    fn flush(&self) {
        let mut held = self.0.lock().unwrap();
        let count = std::mem::take(&mut held.0);
        held.1.push(count);
    }
}

impl Holds {
    fn flushed(&self) -> Vec<u32> {
        self.0.lock().unwrap().1.clone()
    }
}

#[test]
fn what_is_delivered_is_flushed_before_the_publish_returns_unless_somebody_sees_to_that() {
    let (hub, holds) = (Hub::new(), Arc::new(Holds::default()));
    let place = hub.subscribe(&channel("chat"), speaker("c1"), holds.clone());
    place.publish("one".into(), true);
    assert_eq!(holds.flushed(), [1]);
    // Nobody took it, so nothing is to be flushed.
    place.publish("two".into(), false);
    assert_eq!(holds.flushed(), [1]);
}

static PASSES: Mutex<Vec<Flush>> = Mutex::new(Vec::new());

#[test]
fn a_part_that_waits_is_not_asked_for_twice() {
    let hub = Hub::new();
    hub.flush_by(|flush| PASSES.lock().unwrap().extend(flush.parts()));
    let passes = || std::mem::take(&mut *PASSES.lock().unwrap());
    let room = channel("chat");
    let join = |_| {
        let holds = Arc::new(Holds::default());
        let place = hub.subscribe(&room, speaker("c"), holds.clone());
        (holds, place)
    };
    let publish = || hub.publish(&room, "x".into(), None);
    let mut all: Vec<_> = (0..300).map(join).collect();
    for _ in 0..3 {
        publish();
    }
    let mut parts = passes();
    assert_eq!(parts.len(), 3, "300 subscribers are no single part");
    // The last part is made first, by somebody who lets it fall.
    drop(parts.pop());
    let flushed = |range: std::ops::Range<usize>, counts: &[u32]| {
        let mut holds = all[range].iter().map(|(holds, _)| holds.flushed());
        assert!(holds.all(|it| it == counts));
    };
    flushed(0..256, &[]);
    flushed(256..300, &[3]);

    // Only that may be asked for, and anew where somebody came.
    publish();
    let mut later = passes();
    assert_eq!(later.len(), 1);
    // It is begun, and so asked for once more; the other part waits again.
    assert!(later[0].some(40));
    flushed(256..296, &[3, 1]);
    flushed(296..300, &[3]);
    publish();
    publish();
    later.extend(passes());
    assert_eq!(later.len(), 2);
    all.push(join(0));
    publish();
    later.extend(passes());
    assert_eq!(later.len(), 3, "who came is in no part that waits");
    parts.into_iter().chain(later).for_each(Flush::run);
    for (at, (holds, _)) in all.iter().enumerate() {
        let held = holds.0.lock().unwrap();
        let sum: u32 = held.1.iter().sum();
        assert_eq!((held.0, sum), (0, if at < 300 { 7 } else { 1 }), "{at}");
    }
    drop(all);
    assert_eq!((hub.channels(), passes().len()), (0, 0));
}

#[test]
fn whoever_comes_and_goes_everybody_else_is_delivered_to_and_flushed() {
    let hub = Hub::new();
    let room = channel("chat");
    let mut members = Vec::new();
    for step in 0..2000_usize {
        // Come in hundreds, go from here and there until few are left.
        match step % 500 {
            0..300 => {
                let holds = Arc::new(Holds::default());
                let place = hub.subscribe(&room, speaker("c"), holds.clone());
                members.push((holds, place));
            }
            _ => drop(members.swap_remove(step * 7919 % members.len())),
        }
        if step % 50 == 0 {
            let count = members.len();
            assert_eq!(hub.subscribers(&room), count);
            let before: Vec<_> = members.iter().map(|(it, _)| it.flushed().len()).collect();
            let published = members[step % count].1.publish("x".into(), true);
            assert_eq!(published.delivered, count as u64);
            for ((holds, _), before) in members.iter().zip(before) {
                assert_eq!(holds.flushed().len(), before + 1);
            }
        }
    }
}
