//! What a channel remembers: for how long, how much, and for whom.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use common::{Queue, channel, speaker, text};
use draftgate_bus::{Bounds, Gap, Hub, Mark, Missed, REMEMBERED};
use draftgate_core::Message;

const BOUNDS: Bounds = Bounds {
    messages: 4,
    octets: 4096,
    total: 1 << 20,
};

fn texts(missed: &Missed) -> Vec<String> {
    missed.messages.iter().map(|e| text(e)).collect()
}

fn say(hub: &Hub, room: &str, what: &str) -> Option<Mark> {
    hub.publish_marked(&channel(room), what.into(), None).1
}

#[test]
fn a_reader_that_comes_back_gets_what_it_missed_and_then_what_follows() {
    let hub = Hub::new();
    let room = channel("chat");
    let kept = hub.keep(&room, BOUNDS);
    let first = say(&hub, "chat", "one").unwrap();
    for what in ["two", "three"] {
        say(&hub, "chat", what);
    }
    let queue = Queue::unbounded(&hub);
    let (place, missed) = hub.listen(&room, Some(first), queue.clone());
    assert_eq!(texts(&missed), ["two", "three"]);
    assert_eq!((missed.gap, missed.now.sequence), (Gap::None, 3));
    let fourth = say(&hub, "chat", "four").unwrap();
    assert_eq!((fourth.epoch, fourth.sequence), (first.epoch, 4));
    assert_eq!(
        queue.take(9).iter().map(|e| text(e)).collect::<Vec<_>>(),
        ["four"]
    );
    drop((place, kept));
    assert_eq!((hub.channels(), hub.remembered()), (0, 0));
    assert!(hub.ledger().balances());
    // What is remembered is owed to nobody.
    assert_eq!((hub.ledger().published(), hub.ledger().delivered()), (4, 1));
}

#[test]
fn who_does_not_say_where_it_stood_missed_nothing() {
    let hub = Hub::new();
    let room = channel("chat");
    let _kept = hub.keep(&room, BOUNDS);
    say(&hub, "chat", "one");
    let (_place, missed) = hub.listen(&room, None, Queue::unbounded(&hub));
    assert_eq!((texts(&missed).len(), missed.gap), (0, Gap::None));
}

#[test]
fn what_is_no_longer_held_is_a_gap_of_that_many_messages() {
    let hub = Hub::new();
    let room = channel("chat");
    let _kept = hub.keep(&room, BOUNDS);
    let first = say(&hub, "chat", "1").unwrap();
    for number in 2..=7 {
        say(&hub, "chat", &number.to_string());
    }
    let (_place, missed) = hub.listen(&room, Some(first), Queue::unbounded(&hub));
    assert_eq!(texts(&missed), ["4", "5", "6", "7"]);
    assert_eq!(missed.gap, Gap::Messages(2));
}

#[test]
fn marks_of_another_life_or_of_the_future_are_a_gap_and_never_match() {
    let hub = Hub::new();
    let room = channel("chat");
    let kept = hub.keep(&room, BOUNDS);
    let before = say(&hub, "chat", "old").unwrap();
    drop(kept);
    let _kept = hub.keep(&room, BOUNDS);
    let now = say(&hub, "chat", "new").unwrap();
    assert_eq!(before.sequence, now.sequence);
    assert_ne!(before.epoch, now.epoch);
    let ahead = Mark { sequence: 9, ..now };
    let elsewhere = Hub::new();
    let _other = elsewhere.keep(&room, BOUNDS);
    let foreign = say(&elsewhere, "chat", "there").unwrap();
    for mark in [before, ahead, foreign] {
        let (_place, missed) = hub.listen(&room, Some(mark), Queue::unbounded(&hub));
        assert_eq!(missed.gap, Gap::Unknown, "{mark}");
        assert_eq!(texts(&missed), ["new"], "{mark}");
    }
}

#[test]
fn a_channel_that_is_not_kept_tells_only_how_much_was_missed() {
    let hub = Hub::new();
    let room = channel("chat");
    let _other = hub.subscribe(&room, speaker("c1"), Queue::unbounded(&hub));
    let first = say(&hub, "chat", "one").unwrap();
    say(&hub, "chat", "two");
    let now = say(&hub, "chat", "three").unwrap();
    for (mark, gap) in [
        (None, Gap::None),
        (Some(now), Gap::None),
        (Some(first), Gap::Messages(2)),
    ] {
        let (_place, missed) = hub.listen(&room, mark, Queue::unbounded(&hub));
        assert_eq!((missed.gap, missed.messages.len()), (gap, 0));
    }
}

#[test]
fn no_channel_holds_more_messages_or_octets_than_it_may() {
    let hub = Hub::new();
    let room = channel("chat");
    let _kept = hub.keep(&room, BOUNDS);
    for number in 0..1000 {
        say(&hub, "chat", &"x".repeat(number % 1500));
        assert!(hub.remembered() <= BOUNDS.octets, "{}", hub.remembered());
    }
    // One that is too large for the channel leaves nothing of what was before.
    let before = say(&hub, "chat", "small").unwrap();
    say(&hub, "chat", &"x".repeat(BOUNDS.octets));
    assert_eq!(hub.remembered(), 0);
    let (_place, missed) = hub.listen(&room, Some(before), Queue::unbounded(&hub));
    assert_eq!(missed.gap, Gap::Messages(1));
}

#[test]
fn all_channels_together_hold_no_more_than_they_may() {
    let hub = Hub::new();
    let bounds = Bounds {
        total: 10 * (REMEMBERED + 100),
        ..BOUNDS
    };
    let kept: Vec<_> = (0..1000)
        .map(|number| {
            let name = format!("room{number}");
            let kept = hub.keep(&channel(&name), bounds);
            for _ in 0..3 {
                say(&hub, &name, &"x".repeat(100));
            }
            assert!(hub.remembered() <= bounds.total);
            kept
        })
        .collect();
    drop(kept);
    assert_eq!((hub.channels(), hub.remembered()), (0, 0));
}

#[test]
fn what_is_remembered_keeps_no_buffer_of_others_alive() {
    let hub = Hub::new();
    let room = channel("chat");
    let _kept = hub.keep(&room, BOUNDS);
    let buffer = bytes::Bytes::from(vec![7; 3000]);
    let at = buffer.as_ptr();
    let message = Message::Binary(buffer.slice(..2500));
    let (_, mark) = hub.publish_marked(&room, message, None);
    let mark = mark.unwrap();
    let before = Mark {
        sequence: mark.sequence - 1,
        ..mark
    };
    let (_place, missed) = hub.listen(&room, Some(before), Queue::unbounded(&hub));
    let held = missed.messages[0].shared.message().payload();
    assert_eq!(held, &buffer[..2500]);
    assert_ne!(held.as_ptr(), at);
}

#[test]
fn hubs_apart_have_channels_of_their_own_and_one_ledger() {
    let hub = Hub::new();
    let apart = hub.apart();
    let (near, far) = (Queue::unbounded(&hub), Queue::unbounded(&apart));
    let room = channel("chat");
    let _near = hub.subscribe(&room, speaker("c1"), near.clone());
    let _far = apart.subscribe(&room, speaker("c2"), far.clone());
    say(&apart, "chat", "apart");
    assert_eq!((near.len(), far.len()), (0, 1));
    assert_eq!(hub.ledger(), apart.ledger());
    assert_eq!(hub.ledger().delivered(), 1);
}

#[test]
fn no_message_is_missed_or_had_twice_while_others_publish() {
    let hub = Hub::new();
    let room = channel("chat");
    let bounds = Bounds {
        messages: 100,
        octets: 1 << 20,
        total: 1 << 20,
    };
    let _kept = hub.keep(&room, bounds);
    let start = Mark {
        sequence: 0,
        ..say(&hub, "chat", "first").unwrap()
    };
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    say(&hub, "chat", "x");
                }
            });
        }
        for _ in 0..200 {
            let queue = Queue::unbounded(&hub);
            let (place, missed) = hub.listen(&room, Some(start), queue.clone());
            let had: Vec<u64> = missed.messages.iter().map(|e| e.sequence).collect();
            std::thread::yield_now();
            drop(place);
            let came: Vec<u64> = queue.take(usize::MAX).iter().map(|e| e.sequence).collect();
            let first = match missed.gap {
                Gap::None => 1,
                Gap::Messages(count) => 1 + count,
                Gap::Unknown => panic!("the channel lives on"),
            };
            let all: Vec<u64> = had.into_iter().chain(came).collect();
            let expected: Vec<u64> = (first..first + all.len() as u64).collect();
            assert_eq!(all, expected);
        }
        over.store(true, Relaxed);
    });
    assert!(hub.ledger().balances());
}
