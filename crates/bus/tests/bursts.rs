//! Messages that are published together: in whatever way a subscriber takes
//! them, it hears the same, and the books agree.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{Overflow, Queue, assert_books, channel, speaker, text};
use draftgate_bus::{Bounds, Burst, Delivery, Envelope, Hub, Published, Reason, Verdict};
use draftgate_core::{Message, Rendering, WireClass};

/// Takes what is said together as one, and answers with a verdict of its own.
struct Together {
    verdict: Option<Verdict>,
    heard: Mutex<Vec<Vec<String>>>,
}

impl Together {
    fn new(verdict: Option<Verdict>) -> Arc<Self> {
        Arc::new(Self {
            verdict,
            heard: Mutex::default(),
        })
    }

    fn heard(&self) -> Vec<Vec<String>> {
        self.heard.lock().unwrap().clone()
    }
}

impl Delivery for Together {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        self.heard.lock().unwrap().push(vec![text(envelope)]);
        Verdict::Delivered
    }

    fn deliver_all(&self, burst: &Burst) -> Option<Verdict> {
        let verdict = self.verdict?;
        let texts = burst.envelopes().iter().map(|it| text(it)).collect();
        self.heard.lock().unwrap().push(texts);
        Some(verdict)
    }
}

fn messages(texts: &[&str]) -> Vec<Message> {
    texts.iter().map(|text| (*text).into()).collect()
}

#[test]
fn each_subscriber_takes_them_together_or_one_by_one() {
    let hub = Hub::new();
    let room = channel("chat");
    let together = Together::new(Some(Verdict::Delivered));
    let choosy = Together::new(None);
    let refusing = Together::new(Some(Verdict::Dropped(Reason::NoBinary)));
    let plain = Queue::unbounded(&hub);
    let own = Queue::unbounded(&hub);
    let publisher = hub.subscribe(&room, speaker("c0"), own.clone());
    let _held = [
        hub.subscribe(&room, speaker("c1"), together.clone()),
        hub.subscribe(&room, speaker("c2"), choosy.clone()),
        hub.subscribe(&room, speaker("c3"), refusing),
        hub.subscribe(&room, speaker("c4"), plain.clone()),
    ];
    let said = publisher.publish_all(messages(&["a", "b", "c"]), false);
    let expected = Published {
        delivered: 9,
        dropped: 3,
    };
    assert_eq!(said, expected);
    publisher.publish("d".into(), false);
    hub.publish_all(&room, messages(&["e", "f"]), None);

    assert_eq!(
        together.heard(),
        [vec!["a", "b", "c"], vec!["d"], vec!["e", "f"]]
    );
    let one_by_one = ["a", "b", "c", "d", "e", "f"];
    assert_eq!(choosy.heard().concat(), one_by_one);
    assert_eq!(choosy.heard().len(), 6);
    let taken = plain.take(9);
    assert!(taken.iter().map(|it| text(it)).eq(one_by_one));
    assert!(taken.iter().map(|it| it.sequence).eq(1..=6));
    assert!(own.take(9).iter().map(|it| text(it)).eq(["e", "f"]));
    assert_eq!(hub.ledger().published(), 6);
    // Who refuses all that comes together takes what comes alone.
    assert_books(&hub, 6 + 6 + 1 + 6 + 2, &[(Reason::NoBinary, 5)]);
}

#[test]
fn nobody_and_nothing_are_published_to_and_published() {
    let hub = Hub::new();
    let nobody = hub.publish_all(&channel("a"), messages(&["a", "b"]), None);
    assert_eq!(nobody, Published::default());
    assert_eq!(hub.ledger().published(), 2);
    let queue = Queue::unbounded(&hub);
    let _held = hub.subscribe(&channel("a"), speaker("c1"), queue.clone());
    let nothing = hub.publish_all(&channel("a"), Vec::new(), None);
    assert_eq!((nothing, queue.len()), (Published::default(), 0));
    assert_books(&hub, 0, &[]);
}

#[test]
fn a_panic_loses_what_came_together_and_a_full_queue_only_what_does_not_fit() {
    struct Panics;
    impl Delivery for Panics {
        fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
            Verdict::Delivered
        }
        fn deliver_all(&self, _: &Burst) -> Option<Verdict> {
            panic!("on purpose")
        }
    }
    let hub = Hub::new();
    let room = channel("chat");
    let small = Queue::new(&hub, 2, Overflow::DropNewest);
    let _held = [
        hub.subscribe(&room, speaker("c1"), Arc::new(Panics)),
        hub.subscribe(&room, speaker("c2"), small.clone()),
    ];
    let said = hub.publish_all(&room, messages(&["a", "b", "c"]), None);
    assert_eq!((said.delivered, said.dropped), (2, 4));
    assert!(small.take(9).iter().map(|it| text(it)).eq(["a", "b"]));
    assert_books(&hub, 2, &[(Reason::Panicked, 3), (Reason::QueueFull, 1)]);
}

#[test]
fn who_comes_back_is_told_of_each_message_of_a_burst() {
    let hub = Hub::new();
    let room = channel("news");
    let bounds = Bounds {
        messages: 10,
        octets: 1 << 20,
        total: 1 << 20,
    };
    let _kept = hub.keep(&room, bounds);
    let (_, mark) = hub.publish_marked(&room, "before".into(), None);
    hub.publish_all(&room, messages(&["a", "b", "c"]), None);
    let queue = Queue::unbounded(&hub);
    let (_place, missed) = hub.listen(&room, mark, queue);
    let texts = missed.messages.iter().map(|it| text(it));
    assert!(texts.eq(["a", "b", "c"]));
}

#[test]
fn a_batch_is_made_once_for_each_rendering_and_encodes_as_each_message_does() {
    struct Keeps(Mutex<Vec<Arc<draftgate_core::Batch>>>);
    impl Delivery for Keeps {
        fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
            panic!("they come together")
        }
        fn deliver_all(&self, burst: &Burst) -> Option<Verdict> {
            let batch = burst.batch(Rendering::AsIs, |it| it.shared.message().clone());
            self.0.lock().unwrap().push(batch);
            Some(Verdict::Delivered)
        }
    }
    let hub = Hub::new();
    let room = channel("chat");
    let all = [0; 2].map(|_| Arc::new(Keeps(Mutex::default())));
    let _held = all
        .each_ref()
        .map(|keeps| hub.subscribe(&room, speaker("c"), keeps.clone()));
    hub.publish_all(&room, messages(&["ab", "c"]), None);
    let [one, two] = all
        .each_ref()
        .map(|keeps| keeps.0.lock().unwrap()[0].clone());
    assert!(Arc::ptr_eq(&one, &two));
    let encode = |message: &Message| Ok(Bytes::copy_from_slice(message.payload()));
    let joined = one.joined(WireClass::Hybi07, encode).unwrap();
    assert_eq!(
        (&joined.octets[..], &joined.ends[..]),
        (&b"abc"[..], &[2, 3][..])
    );
}
