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
use draftgate_testkit::io::{Probe, scripted, settle};

use crate::{
    fake::{Fake, coded, frame, text},
    rig::Recorder,
};

/// Notes the buffer each time it is asked to read from it.
#[derive(Debug)]
struct Weighing {
    codec: Fake,
    seen: Arc<Mutex<Vec<Buffer>>>,
}

/// A buffer with something to read.
#[derive(Debug, Clone, Copy)]
struct Buffer {
    /// Where it lies.
    place: usize,
    len: usize,
    capacity: usize,
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
        let buffer = Buffer {
            place: input.as_ptr().addr(),
            len: input.len(),
            capacity: input.capacity(),
        };
        self.seen.lock().unwrap().push(buffer);
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

/// A connection that `received` some octets before, and what its codec sees.
fn weighed(received: BytesMut) -> (Probe, impl Fn() -> Vec<Buffer>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let codec = Weighing {
        codec: coded(),
        seen: Arc::clone(&seen),
    };
    let (io, probe) = scripted();
    let start = Start {
        received,
        ..Start::new(Box::new(codec))
    };
    let conn = Conn::new(io, start, Settings::server());
    tokio::spawn(async move { conn.run(&mut Recorder::default()).await });
    (probe, move || std::mem::take(&mut *seen.lock().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn what_came_with_the_request_is_held_in_its_own_size() {
    // hyper hands over what it read in a buffer of its own size.
    let mut received = BytesMut::with_capacity(1 << 20);
    received.extend_from_slice(&text("early"));
    let (_probe, seen) = weighed(received);
    settle().await;
    let most = seen().into_iter().map(|buffer| buffer.capacity).max();
    assert_eq!(most, Some(text("early").len()));
}

#[tokio::test(start_paused = true)]
async fn connections_of_a_thread_read_into_one_buffer() {
    let (a, seen_a) = weighed(BytesMut::new());
    let (b, seen_b) = weighed(BytesMut::new());
    settle().await;
    seen_a();
    seen_b();
    let place = |seen: &dyn Fn() -> Vec<Buffer>| seen().first().map(|first| first.place);
    // A full buffer with the beginning of a frame at its end: that is kept.
    a.feed(&[&frame(b'B', &[0; 60_000])[..], b"T\0"].concat());
    settle().await;
    let first = place(&seen_a);
    assert!(first.is_some());
    b.feed(&text("another"));
    settle().await;
    assert_eq!(place(&seen_b), first);
    // Then the rest of it.
    a.feed(b"\x01x");
    settle().await;
    assert_eq!(place(&seen_a), first);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_dribbles_in_takes_twice_its_size_at_most() {
    let (probe, seen) = weighed(BytesMut::new());
    probe.dribble(&frame(b'B', &[0; 20_000]));
    settle().await;
    let seen = seen();
    assert!(seen.len() > 20_000);
    // What is short lies in the thread's buffer while it is looked at.
    let own = seen.iter().filter(|buffer| buffer.len > 1000);
    let most = own.map(|buffer| buffer.capacity).max();
    assert!(most <= Some(40_006), "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_small_as_a_whole() {
    let (io, _probe) = scripted();
    let conn = Conn::new(io, Start::new(coded().boxed()), Settings::server());
    let mut handler = Recorder::default();
    let size = size_of_val(&conn.run(&mut handler));
    assert!(size <= 704, "{size} octets");
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
    for octets in [little, frame(b'B', &[0; 3000])] {
        probe.feed(&octets);
        settle().await;
        // The thread reads into another buffer now, for this one is still seen here.
        probe.feed(&frame(b'N', b""));
        settle().await;
        let payload: Bytes = heard.lock().unwrap().pop().unwrap();
        assert!(payload.is_unique());
    }
}
