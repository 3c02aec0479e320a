//! Octets in and out: batches, cuts, back-pressure, fairness.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use draftgate_conn::{By, Conn, Handler, Peer, Settings, Start, Traffic, Why};
use draftgate_core::{Draft, Message, Outgoing, Rule, SendError};
use draftgate_testkit::io::settle;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};

use crate::{
    fake::{BREACH, PING, coded, frame, marker, text},
    rig::{Recorder, echo, idle, run, spawn},
};

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_in_one_read_are_answered_in_one_write() {
    let rig = echo(coded(), Settings::server());
    let all: Vec<u8> = (0..100).flat_map(|i| text(&i.to_string())).collect();
    rig.probe.feed(&all);
    settle().await;
    assert_eq!(rig.probe.reads(), 1);
    assert_eq!(rig.probe.writes(), [all]);
}

#[tokio::test(start_paused = true)]
async fn what_went_over_it_is_told_while_it_lasts() {
    let rig = echo(coded(), Settings::server());
    settle().await;
    assert_eq!(rig.sender.traffic(), Traffic::default());
    let (text, binary) = (text("two"), frame(b'B', &[7; 300]));
    for round in 1..=2 {
        rig.probe.feed(&[&text[..], &binary, &binary].concat());
        settle().await;
        let octets = round * (text.len() + 2 * binary.len()) as u64;
        let told = Traffic {
            text_in: round,
            text_out: round,
            binary_in: 2 * round,
            binary_out: 2 * round,
            octets_in: octets,
            octets_out: octets,
        };
        assert_eq!(rig.sender.traffic(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_is_there_is_read_before_one_write() {
    let rig = echo(coded(), Settings::server());
    settle().await;
    let (ping, pong) = (frame(b'P', b"?"), frame(b'O', b"?"));
    rig.probe.feed(&text("one"));
    rig.probe.feed(&ping);
    rig.probe.feed(&text("two"));
    settle().await;
    let answers = [text("one"), pong, text("two")].concat();
    assert_eq!(rig.probe.writes(), [answers]);
}

#[tokio::test(start_paused = true)]
async fn every_cut_gives_the_same_events_and_answers() {
    let all = [
        text("a"),
        frame(b'B', &[7; 300]),
        PING.to_vec(),
        frame(b'N', b""),
        text(""),
    ]
    .concat();
    let whole = echo(coded(), Settings::server());
    whole.probe.feed(&all);
    settle().await;
    let (events, answers) = (whole.heard(), whole.probe.written());
    assert_eq!(events.len(), 5);
    for cut in 0..all.len() {
        let rig = echo(coded(), Settings::server());
        rig.probe.feed(&all[..cut]);
        settle().await;
        rig.probe.feed(&all[cut..]);
        settle().await;
        assert_eq!(rig.heard(), events, "cut at {cut}");
        assert_eq!(rig.probe.written(), answers, "cut at {cut}");
    }
    let rig = echo(coded(), Settings::server());
    rig.probe.dribble(&all);
    settle().await;
    assert_eq!((rig.heard(), rig.probe.written()), (events, answers));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_not_read_from() {
    let rig = echo(coded(), Settings::server());
    rig.probe.accept(Some(0));
    let kibibyte = text(&"k".repeat(1021));
    (0..1000).for_each(|_| rig.probe.feed(&kibibyte));
    settle().await;
    // 64 answers fill the mark, the 65th goes over it.
    assert_eq!(rig.probe.reads(), 65);
    // As the peer reads on, so do we; nothing is lost.
    rig.probe.accept(Some(10 * 1024));
    settle().await;
    assert_eq!(rig.probe.reads(), 75);
    rig.probe.accept(None);
    settle().await;
    assert_eq!(rig.probe.unread(), 0);
    assert_eq!(rig.probe.written(), kibibyte.repeat(1000));
}

#[tokio::test(start_paused = true)]
async fn one_read_of_many_requests_stops_being_decoded_at_64_kib_of_answers() {
    let rig = echo(coded(), Settings::server());
    rig.probe.accept(Some(0));
    let kibibyte = text(&"k".repeat(1021));
    rig.probe.feed(&kibibyte.repeat(200));
    settle().await;
    assert_eq!(rig.heard().len(), 1 + 65);
    rig.probe.accept(None);
    settle().await;
    assert_eq!(rig.heard().len(), 1 + 200);
}

#[tokio::test(start_paused = true)]
async fn timers_run_while_nothing_is_read() {
    let begun = Instant::now();
    let rig = echo(coded(), Settings::server());
    rig.probe.accept(Some(0));
    let kibibyte = text(&"k".repeat(1021));
    (0..100).for_each(|_| rig.probe.feed(&kibibyte));
    let closed = rig.closed().await;
    assert_eq!((closed.by, closed.why), (By::Us, Why::WriteTimeout));
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn small_writes_and_large_payloads_arrive_in_order() {
    let rig = run(coded(), Settings::server());
    settle().await;
    let sizes = [1, 5000, 2, 60_000, 2048, 2049, 0];
    for size in sizes {
        rig.sender.send(Message::from("x".repeat(size))).unwrap();
    }
    // Seven octets a write, then all.
    for _ in 0..50 {
        rig.probe.accept(Some(7));
        settle().await;
    }
    rig.probe.accept(None);
    settle().await;
    let want: Vec<u8> = sizes.iter().flat_map(|n| text(&"x".repeat(*n))).collect();
    assert_eq!(rig.probe.written(), want);
}

#[tokio::test(start_paused = true)]
async fn a_breach_ends_what_follows_it_but_not_what_came_before() {
    let rig = echo(coded(), Settings::server());
    rig.probe
        .feed(&[text("good"), BREACH.to_vec(), text("late")].concat());
    rig.probe.end();
    let (probe, told) = (rig.probe.clone(), rig.told.clone());
    let closed = rig.closed().await;
    assert_eq!(closed.why, Why::Violation(Rule::UnknownOpcode));
    assert_eq!((closed.by, closed.code), (By::Us, Some(1002)));
    assert_eq!(*told.lock().unwrap(), ["opened", "good"]);
    let answer = [text("good"), crate::fake::close(1002)].concat();
    assert_eq!(probe.written(), answer);
}

#[tokio::test(start_paused = true)]
async fn what_goes_over_the_connection_is_counted() {
    let rig = echo(coded(), Settings::server());
    let input = [
        text("four"),
        PING.to_vec(),
        frame(b'O', b""),
        frame(b'N', b""),
    ]
    .concat();
    rig.probe.feed(&input);
    settle().await;
    rig.sender.send(Outgoing::Ping("?".into())).unwrap();
    settle().await;
    rig.probe.end();
    let stats = rig.closed().await.stats;
    assert_eq!((stats.messages_in, stats.messages_out), (1, 1));
    assert_eq!((stats.payload_in, stats.payload_out), (4, 4));
    assert_eq!(stats.octets_in, input.len() as u64);
    assert_eq!(stats.octets_out, 7 + 3 + 4);
    assert_eq!((stats.pings_in, stats.pings_out), (1, 1));
    assert_eq!((stats.pongs_in, stats.notices), (1, 1));
    assert_eq!((stats.dropped, stats.unsayable, stats.lost), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_of_pongs_and_their_bodies() {
    let rig = run(coded(), Settings::server());
    rig.probe
        .feed(&[frame(b'O', b"one"), frame(b'O', b"")].concat());
    settle().await;
    assert_eq!(rig.heard(), ["opened", "pong one", "pong "]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_what_its_peer_cannot_be_told() {
    struct Teller(Vec<Result<(), SendError>>);
    impl Handler for Teller {
        fn message(&mut self, _: Message, peer: &mut Peer<'_>) {
            assert!(!peer.capabilities().binary);
            let binary = Message::Binary("b".into());
            self.0.push(peer.send(Outgoing::Message(binary)));
            self.0.push(peer.send(Outgoing::Ping("p".into())));
            self.0.push(peer.send(Outgoing::Message("text".into())));
        }
    }
    let (conn, probe) = idle(marker(), Settings::server());
    probe.feed(&[b"KEY3".to_vec(), text("go")].concat());
    probe.end();
    let mut teller = Teller(Vec::new());
    conn.run(&mut teller).await;
    let draft = Draft::Hixie76;
    assert_eq!(
        teller.0,
        [
            Err(SendError::NoBinary(draft)),
            Err(SendError::NoPing(draft)),
            Ok(())
        ]
    );
    assert_eq!(probe.written(), [&b"KEY!"[..], &text("text")].concat());
}

/// Always has more to read.
struct Endless {
    frame: Vec<u8>,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        while buffer.remaining() >= self.frame.len() {
            buffer.put_slice(&self.frame);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_peer_that_always_has_more_leaves_others_their_turn() {
    // Answered and unanswered, large and empty messages, and what comes after a breach.
    let inputs = [
        text("x"),
        frame(b'B', &[0; 60_000]),
        frame(b'N', b""),
        BREACH.to_vec(),
    ];
    for frame in inputs {
        let reads = Arc::new(AtomicUsize::new(0));
        let io = Endless {
            frame,
            reads: Arc::clone(&reads),
        };
        let conn = Conn::new(io, Start::new(coded().boxed()), Settings::server());
        let mut counter = Counter(Arc::default());
        let mut run = pin!(conn.run(&mut counter));
        let mut all = 0;
        for _ in 0..50 {
            let polled = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
            let turn = reads.swap(0, Ordering::Relaxed);
            assert!(turn <= 5, "{turn} reads in one turn");
            all += turn;
            if polled.is_ready() {
                break;
            }
        }
        assert!(all >= 5, "only {all} reads in all");
    }
}

#[tokio::test]
async fn a_read_of_tiny_messages_is_handled_in_several_turns() {
    let (conn, probe) = idle(coded(), Settings::server());
    let count = Arc::new(AtomicUsize::new(0));
    let mut counter = Counter(Arc::clone(&count));
    probe.feed(&text("").repeat(20_000));
    let mut run = pin!(conn.run(&mut counter));
    let mut turns = 0;
    while count.load(Ordering::Relaxed) < 20_000 {
        let before = count.load(Ordering::Relaxed);
        let polled = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        let turn = count.load(Ordering::Relaxed) - before;
        assert!((1..=4096).contains(&turn), "{turn} messages in one turn");
        turns += 1;
    }
    assert!(turns > 4, "{turns} turns");
}

struct Counter(Arc<AtomicUsize>);

impl Handler for Counter {
    fn message(&mut self, _: Message, _: &mut Peer<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes a while for each message, as one does that goes to thousands.
struct Laborious {
    /// How often others had their turn, at each message.
    seen: Vec<usize>,
    others: Arc<AtomicUsize>,
}

impl Handler for Laborious {
    fn message(&mut self, _: Message, _: &mut Peer<'_>) {
        self.seen.push(self.others.load(Ordering::Relaxed));
        // The thread itself, for that is what others wait for.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(3) {
            std::hint::spin_loop();
        }
    }
}

#[tokio::test]
async fn a_message_that_takes_long_is_the_last_of_its_turn() {
    let (conn, probe) = idle(coded(), Settings::server());
    probe.feed(&text("much to do").repeat(20));
    let others = Arc::new(AtomicUsize::new(0));
    let mut handler = Laborious {
        seen: Vec::new(),
        others: Arc::clone(&others),
    };
    let other = tokio::spawn(async move {
        loop {
            others.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    probe.end();
    conn.run(&mut handler).await;
    other.abort();
    assert_eq!(handler.seen.len(), 20);
    assert!(
        handler.seen.is_sorted_by(|a, b| a < b),
        "{:?}",
        handler.seen
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_under_way_reads_and_writes_at_the_same_time() {
    // Neither direction waits for the other: the peer talks while much more
    // than the mark is on its way to it.
    let (conn, probe) = idle(coded(), Settings::server());
    let rig = spawn(conn, probe, Recorder::default());
    rig.probe.accept(Some(100));
    for _ in 0..4 {
        rig.sender.send(Message::from("x".repeat(50_000))).unwrap();
    }
    for i in 0..10 {
        rig.probe.feed(&text(&i.to_string()));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(rig.heard().len(), 1 + 10);
    assert_eq!(rig.probe.written().len(), 100);
}
