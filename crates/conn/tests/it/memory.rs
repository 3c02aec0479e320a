//! What a connection keeps in memory: nothing while it waits, and never much
//! more than what was received.

use std::{
    mem::size_of_val,
    sync::{Arc, Mutex},
};

use bytes::{Bytes, BytesMut};
use draftgate_conn::{Conn, Handler, Peer, Settings, Start};
use draftgate_core::{
    Capabilities, Close, Codec, Draft, Event, Message, Outbox, Outgoing, SendError, State,
    Violation, WireClass,
};
use draftgate_testkit::io::{scripted, settle};

use crate::{
    fake::{Fake, coded, frame, text},
    rig::Recorder,
};

/// Notes the capacity of the buffer each time it is asked to read from it.
#[derive(Debug)]
struct Weighing {
    codec: Fake,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Codec for Weighing {
    fn draft(&self) -> Draft {
        self.codec.draft()
    }

    fn capabilities(&self) -> Capabilities {
        self.codec.capabilities()
    }

    fn wire_class(&self) -> Option<WireClass> {
        self.codec.wire_class()
    }

    fn state(&self) -> State {
        self.codec.state()
    }

    fn is_within_message(&self) -> bool {
        self.codec.is_within_message()
    }

    fn start(&mut self, out: &mut Outbox) {
        self.codec.start(out);
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        self.seen.lock().unwrap().push(input.capacity());
        self.codec.receive(input, out)
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        self.codec.send(what, out)
    }

    fn fail(&mut self, violation: &Violation, out: &mut Outbox) {
        self.codec.fail(violation, out);
    }

    fn end(&mut self) -> Option<Close> {
        self.codec.end()
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_connection_holds_no_read_buffer() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let codec = Weighing {
        codec: coded(),
        seen: Arc::clone(&seen),
    };
    let most = || std::mem::take(&mut *seen.lock().unwrap()).into_iter().max();
    let (io, probe) = scripted();
    // hyper hands over what it read in a buffer of its own size.
    let mut received = BytesMut::with_capacity(1 << 20);
    received.extend_from_slice(&text("early"));
    let start = Start {
        received,
        ..Start::new(Box::new(codec))
    };
    let conn = Conn::new(io, start, Settings::server());
    tokio::spawn(async move { conn.run(&mut Recorder::default()).await });
    settle().await;
    assert_eq!(most(), Some(text("early").len()));

    // A full buffer that is wholly consumed, then little.
    let large = frame(b'B', &[0; 60_000]);
    probe.feed(&large);
    settle().await;
    assert_eq!(most(), Some(large.len()));
    probe.feed(&text("x"));
    settle().await;
    assert!(most() <= Some(64));

    // A full buffer with the beginning of a frame at its end, then the rest of it.
    probe.feed(&[&large[..], b"T\0"].concat());
    settle().await;
    most();
    probe.feed(b"\x01x");
    settle().await;
    assert!(most() <= Some(64));
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_dribbles_in_takes_twice_its_size_at_most() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let codec = Weighing {
        codec: coded(),
        seen: Arc::clone(&seen),
    };
    let (io, probe) = scripted();
    let conn = Conn::new(io, Start::new(Box::new(codec)), Settings::server());
    tokio::spawn(async move { conn.run(&mut Recorder::default()).await });
    probe.dribble(&frame(b'B', &[0; 20_000]));
    settle().await;
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 20_000);
    assert!(
        seen.iter().max() <= Some(&40_006),
        "{:?}",
        seen.iter().max()
    );
}

#[tokio::test(start_paused = true)]
async fn the_task_of_a_connection_is_small() {
    let (io, _probe) = scripted();
    let conn = Conn::new(io, Start::new(coded().boxed()), Settings::server());
    let mut handler = Recorder::default();
    let size = size_of_val(&conn.run(&mut handler));
    assert!(size <= 512, "{size} octets");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_keeps_no_more_than_twice_its_size_alive() {
    /// For each message, whether keeping it made a copy.
    struct Keeper(Vec<(usize, bool)>);
    impl Handler for Keeper {
        fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
            let place = message.payload().as_ptr();
            let kept = peer.keep(message);
            self.0.push((kept.len(), kept.payload().as_ptr() != place));
        }
    }
    let (io, probe) = scripted();
    // All in one read.
    let octets: Vec<u8> = [10, 2048, 3000, 50_000]
        .iter()
        .flat_map(|n| frame(b'B', &vec![0; *n]))
        .collect();
    probe.feed(&octets);
    probe.end();
    let mut keeper = Keeper(Vec::new());
    let conn = Conn::new(io, Start::new(coded().boxed()), Settings::server());
    conn.run(&mut keeper).await;
    let want = [(10, true), (2048, true), (3000, true), (50_000, false)];
    assert_eq!(keeper.0, want);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_back_keeps_no_read_buffer_alive() {
    struct Echo(Arc<Mutex<Vec<Bytes>>>);
    impl Handler for Echo {
        fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
            self.0.lock().unwrap().push(message.payload().clone());
            peer.send(Outgoing::Message(message)).unwrap();
        }
    }
    let (io, probe) = scripted();
    probe.accept(Some(0));
    let heard = Arc::default();
    let mut echo = Echo(Arc::clone(&heard));
    let conn = Conn::new(io, Start::new(coded().boxed()), Settings::server());
    tokio::spawn(async move { conn.run(&mut echo).await });
    // A little to answer in a large read, or nothing else.
    let little = [frame(b'B', &[0; 3000]), frame(b'N', &[0; 50_000])].concat();
    for (octets, kept) in [(little, false), (frame(b'B', &[0; 3000]), true)] {
        probe.feed(&octets);
        settle().await;
        let payload: Bytes = heard.lock().unwrap().pop().unwrap();
        assert_eq!(!payload.is_unique(), kept);
    }
}
