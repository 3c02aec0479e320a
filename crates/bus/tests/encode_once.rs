//! A message is encoded once per wire class and rendering, however many
//! subscribers there are, and a refusal is not asked for twice.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use common::{assert_books, channel, speaker};
use draftgate_bus::{Delivery, Envelope, Hub, Reason, Verdict};
use draftgate_core::{Draft, Message, Rendering, SendError, WireClass};

/// A subscriber of one class, which encodes in its own delivery.
struct Peer {
    class: WireClass,
    rendering: Rendering,
    rendered: Arc<AtomicUsize>,
    encoded: Arc<AtomicUsize>,
    received: AtomicUsize,
}

impl Peer {
    fn encode(&self, message: &Message) -> Result<Bytes, SendError> {
        self.encoded.fetch_add(1, SeqCst);
        match (self.class, message) {
            (WireClass::Hybi07, _) => Ok([&b"\x81"[..], message.payload()].concat().into()),
            (_, Message::Text(text)) => Ok([b"\0", &text.as_bytes()[..], b"\xff"].concat().into()),
            (WireClass::SentinelLengthFrames, Message::Binary(octets)) => {
                Ok([&b"\x80"[..], octets].concat().into())
            }
            (_, Message::Binary(_)) => Err(SendError::NoBinary(Draft::Hixie76)),
        }
    }
}

impl Delivery for Peer {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        let message = envelope.shared.rendered(self.rendering, |_| {
            self.rendered.fetch_add(1, SeqCst);
            "rendered".into()
        });
        let octets = envelope
            .shared
            .encoded(self.class, self.rendering, || self.encode(&message));
        match octets {
            Ok(octets) => {
                self.received.fetch_add(octets.len(), SeqCst);
                Verdict::Delivered
            }
            Err(SendError::NoBinary(_)) => Verdict::Dropped(Reason::NoBinary),
            Err(_) => Verdict::Dropped(Reason::Unsendable),
        }
    }
}

#[test]
fn ten_thousand_subscribers_of_three_classes_cost_one_encoding_per_class_and_rendering() {
    const KINDS: [(WireClass, Rendering, u64); 5] = [
        (WireClass::Hybi07, Rendering::AsIs, 4000),
        (WireClass::Sentinel, Rendering::AsIs, 3000),
        (WireClass::Sentinel, Rendering::Base64, 1500),
        (WireClass::SentinelLengthFrames, Rendering::AsIs, 1000),
        (WireClass::Hybi07, Rendering::Envelope, 500),
    ];
    let hub = Hub::new();
    let room = channel("chat");
    let (rendered, encoded) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut peers = Vec::new();
    let mut held = Vec::new();
    for (class, rendering, count) in KINDS {
        for _ in 0..count {
            let peer = Arc::new(Peer {
                class,
                rendering,
                rendered: Arc::clone(&rendered),
                encoded: Arc::clone(&encoded),
                received: AtomicUsize::new(0),
            });
            held.push(hub.subscribe(&room, speaker("c"), peer.clone()));
            peers.push(peer);
        }
    }
    // One more subscriber tells how many encodings the envelope holds at the end.
    struct Last(AtomicUsize);
    impl Delivery for Last {
        fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
            self.0.store(envelope.shared.encodings(), SeqCst);
            Verdict::Delivered
        }
    }
    let last = Arc::new(Last(AtomicUsize::new(0)));
    held.push(hub.subscribe(&room, speaker("last"), last.clone()));
    assert_eq!(hub.subscribers(&room), 10_001);

    let published = hub.publish(&room, "Hello".into(), None);
    assert_eq!((published.delivered, published.dropped), (10_001, 0));
    assert_eq!(last.0.load(SeqCst), KINDS.len());
    assert_eq!(encoded.load(SeqCst), KINDS.len());
    assert_eq!(rendered.load(SeqCst), 2, "base64 and envelope, once each");
    assert!(peers.iter().all(|p| p.received.load(SeqCst) >= 6));

    // Binary: the refusal for the 3,000 is one encoding too.
    let binary = Message::Binary(Bytes::from_static(b"\xff"));
    let published = hub.publish(&room, binary, None);
    assert_eq!((published.delivered, published.dropped), (7001, 3000));
    assert_eq!(last.0.load(SeqCst), KINDS.len());
    assert_eq!(encoded.load(SeqCst), 2 * KINDS.len());
    assert_books(&hub, 17_002, &[(Reason::NoBinary, 3000)]);

    drop(held);
    assert_eq!(hub.channels(), 0);
}
