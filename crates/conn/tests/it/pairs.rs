//! What a connection needs to be one of a pair that is relayed: a handler that
//! takes nothing for a while, a Close that somebody else answers, a queue that
//! is waited for, and the word that it is over.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use draftgate_conn::{By, End, Handler, Overflow, Peer, Sender, Settings, Why};
use draftgate_core::{Close, Message};
use draftgate_testkit::io::{Probe, settle};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    fake::{BREACH, CLOSE, Fake, close, coded, marker, text},
    rig::idle,
};

#[derive(Debug, Default)]
struct State {
    shut: bool,
    waker: Option<Waker>,
    heard: Vec<String>,
    ends: Vec<(By, Why, Option<u16>)>,
}

/// Takes messages while its gate is open, and leaves a Close to others.
#[derive(Debug, Clone, Default)]
struct Gated(Arc<Mutex<State>>);

impl Gated {
    fn shut(&self, shut: bool) {
        let mut state = self.0.lock().unwrap();
        state.shut = shut;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().heard.clone()
    }

    fn ends(&self) -> Vec<(By, Why, Option<u16>)> {
        self.0.lock().unwrap().ends.clone()
    }
}

impl Handler for Gated {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if !state.shut {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn message(&mut self, message: Message, _: &mut Peer<'_>) {
        let text = String::from_utf8_lossy(message.payload()).into_owned();
        self.0.lock().unwrap().heard.push(text);
    }

    fn closing(&mut self, _: Option<&Close>, peer: &mut Peer<'_>) {
        peer.hold();
    }

    fn ended(&mut self, end: &End<'_>) {
        let code = end.close.map(|close| close.code);
        self.0.lock().unwrap().ends.push((end.by, end.why, code));
    }
}

fn start(codec: Fake, settings: Settings) -> (Gated, Sender, Probe, JoinHandle<()>) {
    let gated = Gated::default();
    let (conn, probe) = idle(codec, settings);
    let (sender, mut handler) = (conn.sender(), gated.clone());
    let task = tokio::spawn(async move {
        let closed = conn.run(&mut handler).await;
        let ends = handler.ends();
        assert_eq!(ends.len(), 1, "told once");
        assert_eq!((ends[0].0, ends[0].2), (closed.by, closed.code));
    });
    (gated, sender, probe, task)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_not_ready_stops_the_reading() {
    let (gated, _sender, probe, _task) = start(coded(), Settings::server());
    settle().await;
    gated.shut(true);
    for _ in 0..1000 {
        probe.feed(&text(&"m".repeat(1000)));
    }
    settle().await;
    assert_eq!(gated.heard().len(), 0);
    assert!(probe.unread() > 990, "{} segments", probe.unread());
    gated.shut(false);
    settle().await;
    assert_eq!((gated.heard().len(), probe.unread()), (1000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_listened_to_is_not_taken_for_dead() {
    let (gated, _sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    gated.shut(true);
    probe.feed(&text("waits"));
    sleep(Duration::from_secs(600)).await;
    gated.shut(false);
    settle().await;
    assert_eq!(gated.heard(), ["waits"]);
    let begun = Instant::now();
    task.await.unwrap();
    // From then on its silence counts.
    assert_eq!(begun.elapsed().as_secs() / 10, 12);
    assert_eq!(gated.ends()[0].1, Why::IdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_behind_a_held_close_is_sent_before_its_answer() {
    for codec in [coded(), marker()] {
        let challenge = codec.challenge;
        let (gated, sender, probe, task) = start(codec, Settings::server());
        if challenge {
            probe.feed(b"KEY3");
        }
        settle().await;
        probe.writes();
        probe.feed(&if challenge {
            CLOSE.to_vec()
        } else {
            close(4321)
        });
        settle().await;
        // Later than a peer's own answer may come.
        sleep(Duration::from_secs(4)).await;
        for n in 0..100 {
            sender.send(Message::from(n.to_string())).unwrap();
        }
        sender.close(Some(Close::new(1000, "")));
        task.await.unwrap();
        let mut want: Vec<u8> = (0..100).flat_map(|n| text(&n.to_string())).collect();
        want.extend(if challenge {
            CLOSE.to_vec()
        } else {
            close(1000)
        });
        assert_eq!(probe.written(), want);
        assert_eq!(gated.ends()[0].1, Why::PeerClosed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_close_is_answered_with_its_own_code() {
    let (_gated, sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    probe.feed(&close(4321));
    settle().await;
    assert_eq!(probe.written(), b"");
    sender.send(Message::from("last")).unwrap();
    sender.answer_as(
        Some(Close::new(1001, "")),
        By::Upstream,
        Why::UpstreamClosed,
    );
    task.await.unwrap();
    assert_eq!(probe.written(), [text("last"), close(4321)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_held_close_that_nobody_answers_is_answered_after_5_s() {
    let (gated, sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    let begun = Instant::now();
    probe.feed(&close(4321));
    settle().await;
    sender.send(Message::from("last")).unwrap();
    task.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(probe.written(), [text("last"), close(4321)].concat());
    assert_eq!(
        gated.ends(),
        [(By::Peer, Why::PeerClosed, Some(4321))],
        "the peer closed, and properly"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_may_take_its_time_between_our_close_and_its_own_while_it_says_something() {
    let settings = Settings {
        idle_timeout: None,
        ..Settings::client()
    };
    let (gated, sender, probe, task) = start(coded(), settings);
    settle().await;
    sender.close(None);
    for _ in 0..5 {
        sleep(Duration::from_secs(4)).await;
        probe.feed(&text(&"m".repeat(4000)));
        settle().await;
    }
    assert_eq!(gated.heard().len(), 5);
    let begun = Instant::now();
    task.await.unwrap();
    assert_eq!(
        (begun.elapsed().as_secs_f64().round(), gated.ends()[0].1),
        (5.0, Why::CloseTimeout)
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nobody_hears_must_hurry_however_much_it_says() {
    let settings = Settings {
        idle_timeout: None,
        ..Settings::client()
    };
    for before in [true, false] {
        let (gated, sender, probe, task) = start(coded(), settings.clone());
        settle().await;
        if before {
            sender.unheard();
        }
        sender.close(None);
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await;
            probe.feed(&text(&"m".repeat(4000)));
        }
        sender.unheard();
        let begun = Instant::now();
        while !task.is_finished() {
            probe.feed(&text(&"m".repeat(4000)));
            sleep(Duration::from_millis(100)).await;
        }
        let left = if before { 2.0 } else { 5.0 };
        assert_eq!(begun.elapsed().as_secs_f64().round(), left);
        assert_eq!(gated.ends()[0].1, Why::CloseTimeout);
    }
}

#[tokio::test(start_paused = true)]
async fn the_handler_is_told_of_every_end_before_tcp_has_ended() {
    // A breach: the peer never ends its half of TCP.
    let (gated, _sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    probe.feed(&BREACH);
    settle().await;
    assert!(matches!(gated.ends()[0].1, Why::Violation(_)));
    assert!(!task.is_finished());
    task.await.unwrap();

    let (gated, sender, _probe, task) = start(coded(), Settings::server());
    settle().await;
    sender.abort();
    task.await.unwrap();
    assert_eq!(gated.ends(), [(By::Us, Why::Aborted, None)]);

    let (gated, sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    sender.close_as(Some(Close::new(1011, "")), By::Upstream, Why::UpstreamLost);
    settle().await;
    probe.feed(&close(1011));
    task.await.unwrap();
    let want = (By::Upstream, Why::UpstreamLost, Some(1011));
    assert_eq!(gated.ends(), [want]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_waits_takes_what_comes_and_tells_when_there_is_room() {
    let settings = Settings {
        queue: 4000,
        overflow: Overflow::Wait,
        ..Settings::server()
    };
    let (_gated, sender, probe, task) = start(coded(), settings);
    settle().await;
    probe.accept(Some(0));
    // The outbox takes 64 KiB and one message, then the queue fills.
    let mut sent = 0;
    while poll_fn(|cx| Poll::Ready(sender.poll_ready(cx))).await == Poll::Ready(Ok(())) {
        sender.send(Message::from("m".repeat(1000))).unwrap();
        settle().await;
        sent += 1;
        assert!(sent < 100, "the queue is bounded");
    }
    // More than there is room for is still not lost.
    sender.send(Message::from("m".repeat(10_000))).unwrap();
    let waits = tokio::spawn({
        let sender = sender.clone();
        async move { poll_fn(|cx| sender.poll_ready(cx)).await }
    });
    settle().await;
    assert!(!waits.is_finished());
    probe.accept(None);
    assert_eq!(waits.await.unwrap(), Ok(()));
    settle().await;
    assert_eq!(probe.written().len(), sent * 1003 + 10_003);
    // Nobody waits for room in a queue that is closing.
    probe.accept(Some(0));
    sender.send(Message::from("m".repeat(65_000))).unwrap();
    settle().await;
    sender.send(Message::from("m".repeat(10_000))).unwrap();
    sender.send(Message::from("m".repeat(10_000))).unwrap();
    let waits = tokio::spawn({
        let sender = sender.clone();
        async move { poll_fn(|cx| sender.poll_ready(cx)).await }
    });
    settle().await;
    assert!(!waits.is_finished());
    sender.close(None);
    assert!(waits.await.unwrap().is_err());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_heeds_a_close_is_left_after_30_s() {
    let (gated, sender, probe, task) = start(coded(), Settings::client());
    settle().await;
    let begun = Instant::now();
    sender.close(None);
    while gated.ends().is_empty() {
        probe.feed(&text(&"m".repeat(1000)));
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(begun.elapsed().as_secs_f64().round(), 30.0);
    task.await.unwrap();
    assert_eq!(gated.ends()[0].1, Why::CloseTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_held_close_is_answered_after_30_s_however_much_is_still_said() {
    let (gated, sender, probe, task) = start(coded(), Settings::server());
    settle().await;
    probe.feed(&close(4321));
    settle().await;
    let begun = Instant::now();
    while sender.send(Message::from("m".repeat(10_000))).is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    assert!((29..=31).contains(&begun.elapsed().as_secs()));
    task.await.unwrap();
    assert!(probe.written().ends_with(&close(4321)));
    assert_eq!(gated.ends()[0].1, Why::PeerClosed);
}

#[tokio::test(start_paused = true)]
async fn everybody_who_waits_for_room_is_told() {
    let settings = Settings {
        queue: 4000,
        overflow: Overflow::Wait,
        ..Settings::server()
    };
    let (_gated, sender, probe, task) = start(coded(), settings);
    settle().await;
    probe.accept(Some(0));
    sender.send(Message::from("m".repeat(65_000))).unwrap();
    settle().await;
    sender.send(Message::from("m".repeat(10_000))).unwrap();
    sender.send(Message::from("m".repeat(10_000))).unwrap();
    let waits: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { poll_fn(|cx| sender.poll_ready(cx)).await })
        })
        .collect();
    settle().await;
    probe.accept(None);
    for waits in waits {
        assert_eq!(waits.await.unwrap(), Ok(()));
    }
    task.abort();
}
