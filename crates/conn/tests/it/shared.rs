//! One message to many peers: encoded once for each class.

use std::sync::{Arc, atomic::Ordering};

use draftgate_conn::{Fate, Loss, Queued, Settings};
use draftgate_core::{Draft, Message, Rendering, SendError, Shared};
use draftgate_testkit::io::settle;

use crate::{
    fake::{Fake, absent, coded, frame, text},
    rig::{Book, run},
};

/// As the bus delivers it: with more around it.
struct Envelope(Shared);

impl AsRef<Shared> for Envelope {
    fn as_ref(&self) -> &Shared {
        &self.0
    }
}

fn envelope(message: Message) -> Arc<Envelope> {
    Arc::new(Envelope(Shared::new(message)))
}

fn as_is(envelope: &Arc<Envelope>) -> Queued {
    let message = envelope.0.message().clone();
    Queued::shared(Arc::clone(envelope), Rendering::AsIs, message)
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_hundred_peers_is_encoded_once_per_class() {
    let hello = envelope("Hello".into());
    let encoded = Arc::default();
    let rigs: Vec<_> = (0..100)
        .map(|i| {
            let kind = if i % 2 == 0 { coded() } else { absent() };
            let encoded = Arc::clone(&encoded);
            run(Fake { encoded, ..kind }, Settings::server())
        })
        .collect();
    for rig in &rigs {
        rig.sender.send(as_is(&hello)).unwrap();
    }
    settle().await;
    for rig in rigs {
        assert_eq!(rig.probe.writes(), [text("Hello")]);
        rig.probe.end();
        let stats = rig.closed().await.stats;
        assert_eq!((stats.messages_out, stats.payload_out), (1, 5));
    }
    assert_eq!(hello.0.encodings(), 2);
    assert_eq!(encoded.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn each_rendering_is_encoded_by_itself() {
    let octets = envelope(Message::Binary("\x01".into()));
    let hex = octets.0.rendered(Rendering::Hex, |_| "01".into());
    let rig = run(coded(), Settings::server());
    rig.sender.send(as_is(&octets)).unwrap();
    let rendered = Queued::shared(Arc::clone(&octets), Rendering::Hex, hex);
    rig.sender.send(rendered).unwrap();
    settle().await;
    assert_eq!(
        rig.probe.written(),
        [frame(b'B', b"\x01"), text("01")].concat()
    );
    assert_eq!(octets.0.encodings(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_no_class_is_encoded_for_alone() {
    let hello = envelope("Hello".into());
    let alone = Fake {
        class: None,
        ..coded()
    };
    let rig = run(alone, Settings::client());
    rig.sender.send(as_is(&hello)).unwrap();
    settle().await;
    assert_eq!(rig.probe.written(), text("Hello"));
    assert_eq!(hello.0.encodings(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_asked_for_once_and_reported_to_each() {
    let octets = envelope(Message::Binary("b".into()));
    let book = Book::default();
    for n in 0..3 {
        let rig = run(absent(), Settings::server());
        let item = as_is(&octets).with_receipt(book.receipt(n));
        rig.sender.send(item).unwrap();
        settle().await;
        assert_eq!(rig.probe.written(), b"");
    }
    let fate = Fate::Lost(Loss::Unsayable(SendError::NoBinary(Draft::Hixie75)));
    assert_eq!(book.fates(), [(0, fate), (1, fate), (2, fate)]);
    assert_eq!(octets.0.encodings(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_closes_leaves_no_refusal_for_others() {
    let hello = envelope("Hello".into());
    let (closing, open) = (
        run(coded(), Settings::server()),
        run(coded(), Settings::server()),
    );
    settle().await;
    closing.sender.send(as_is(&hello)).unwrap();
    closing.sender.abort();
    settle().await;
    open.sender.send(as_is(&hello)).unwrap();
    settle().await;
    assert_eq!(open.probe.written(), text("Hello"));
}
