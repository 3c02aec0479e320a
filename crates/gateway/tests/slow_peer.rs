//! A peer that does not read slows nobody: its own queue fills, and what
//! happens then is the route's policy, counted in the books.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{
    hint,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{Client, HIXIE_76, KEY3, Raw, announced, gateway, soon, until, with_route};
use draftgate_bus::{Channel, Delivery, Envelope, Hub, Reason, Verdict};
use draftgate_core::{Draft, Message, Speaker};
use draftgate_gateway::{
    Running,
    config::{self, Config, Overflow, Route},
    service::Bus,
};
use socket2::SockRef;
use tokio::{task::yield_now, time::Instant};

const TEXT: usize = 64 << 10;

/// More than the sockets and queues between here and a slow peer can hold.
const MESSAGES: usize = 400;

fn with(overflow: Overflow) -> Config {
    with_route("/bus/{channel}", |route| {
        route.overflow = overflow;
        route.queue = 4 * TEXT;
    })
}

/// A peer of hixie-76 that has joined and reads nothing from now on.
async fn slow(running: &Running, address: std::net::SocketAddr) -> Raw {
    let members = || running.hub().subscribers(&"a".parse().unwrap());
    let before = members();
    let request = HIXIE_76.replace("/echo", "/bus/a");
    let mut raw = Raw::connect(address).await;
    // Small, so that the test need not send much before it is full.
    SockRef::from(&raw.tcp)
        .set_recv_buffer_size(16 << 10)
        .unwrap();
    raw.write([request.as_bytes(), KEY3].concat()).await;
    raw.head().await;
    raw.exactly(16).await;
    until("it has joined", || members() == before + 1).await;
    raw
}

fn text(number: usize) -> Message {
    let mut text = format!("{number}:");
    text.push_str(&"x".repeat(TEXT - text.len()));
    text.into()
}

/// Sends [`MESSAGES`] through the bus while `fast` reads them all.
async fn stream(sender: &mut Client, fast: &mut [Client]) {
    for number in 0..MESSAGES {
        let message = text(number);
        sender.send(message.clone()).await;
        for fast in &mut *fast {
            // One by one: a slow peer in the same channel is the only one behind.
            assert_eq!(fast.message().await, message);
        }
    }
}

#[tokio::test]
async fn a_slow_peer_is_closed_and_the_others_get_everything() {
    let (running, address) = gateway(with(Overflow::Close));
    let mut sender = Client::open(address, Draft::Hybi13, "/bus/a").await;
    let mut fast = Vec::new();
    for draft in announced() {
        fast.push(Client::open(address, draft, "/bus/a").await);
    }
    let mut slow = slow(&running, address).await;
    stream(&mut sender, &mut fast).await;
    // It ends although it reads nothing.
    until("it is out", || {
        running.counts().open == fast.len() as u64 + 1
    })
    .await;
    let ledger = running.ledger();
    assert!(ledger.balances(), "{ledger}");
    assert!(
        ledger.dropped(Reason::SlowConsumer) + ledger.dropped(Reason::Closing) > 0,
        "{ledger}"
    );
    // What it got is the beginning, without a gap.
    let got = slow.rest().await;
    assert!(
        got.starts_with(b"\x000:xxx"),
        "{:?}",
        &got[..20.min(got.len())]
    );
}

#[tokio::test]
async fn a_slow_peer_may_lose_the_newest_or_the_oldest() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let (running, address) = gateway(with(overflow));
        let mut sender = Client::open(address, Draft::Hybi13, "/bus/a").await;
        let mut fast = [Client::open(address, Draft::Hixie75, "/bus/a").await];
        let mut slow = slow(&running, address).await;
        stream(&mut sender, &mut fast).await;
        let lost = running.ledger().dropped(Reason::QueueFull) as usize;
        assert!(
            lost > 0,
            "{overflow:?}: nothing was lost, so nothing was tested"
        );
        // Now it reads: all that was not lost, in order.
        let mut numbers = Vec::new();
        for _ in 0..MESSAGES - lost {
            let message = slow.exactly(TEXT + 2).await;
            assert_eq!((message[0], message[TEXT + 1]), (0, 0xff));
            let digits = message[1..].split(|octet| *octet == b':').next().unwrap();
            let number: usize = std::str::from_utf8(digits).unwrap().parse().unwrap();
            numbers.push(number);
        }
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers[0], 0);
        let has_last = numbers.last() == Some(&(MESSAGES - 1));
        assert_eq!(
            has_last,
            overflow == Overflow::DropOldest,
            "{overflow:?} {numbers:?}"
        );
        // The newest would come now if the books were wrong.
        sender.send("the end").await;
        assert_eq!(slow.exactly(9).await, b"\x00the end\xff");
        let ledger = running.ledger();
        assert!(ledger.balances(), "{ledger}");
    }
}

#[tokio::test]
async fn an_echo_stops_reading_from_a_peer_that_does_not_read() {
    let (running, address) = gateway(common::config());
    let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    raw.head().await;
    raw.exactly(16).await;
    let frame = [b"\x00", &vec![b'x'; TEXT][..], b"\xff"].concat();
    // Fills every buffer on the way there and back; then a write waits.
    let mut sent = 0;
    loop {
        match raw.tcp.try_write(&frame[sent % frame.len()..]) {
            Ok(count) => sent += count,
            Err(_) => {
                let stalled = common::stalled(&raw.tcp).await;
                if stalled {
                    break;
                }
            }
        }
        assert!(
            sent < 1 << 30,
            "a GiB went in and nothing came out: nothing holds it back"
        );
    }
    // Reading makes it go on, and nothing was lost.
    let got = raw.exactly(sent / frame.len() * frame.len()).await;
    assert!(got.chunks(frame.len()).all(|echo| echo == frame));
    assert_eq!(running.counts().open, 1);
}

/// A subscriber for whom a write takes as long as a whole turn may, on any machine.
struct Laborious {
    /// What another task has had by now.
    turns: Arc<AtomicUsize>,
    /// What it had had at each write.
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Delivery for Laborious {
    fn deliver(&self, _: &Arc<Envelope>) -> Verdict {
        Verdict::Delivered
    }

    fn flush(&self) {
        let turns = self.turns.load(Relaxed);
        self.seen.lock().unwrap().push(turns);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1) {
            hint::spin_loop();
        }
    }
}

#[tokio::test]
async fn long_writes_to_many_subscribers_leave_other_tasks_their_turn() {
    const MEMBERS: usize = 64;
    let path = "/bus/{channel}".parse().unwrap();
    let route = Route::new(path, config::Service::Bus, announced());
    let hub = Hub::new();
    let _bus = Bus::new(&route, hub.clone(), Arc::default());
    let channel: Channel = "a".parse().unwrap();
    let (turns, seen) = (Arc::default(), Arc::default());
    let members = (0..MEMBERS).map(|number| {
        let member = Laborious {
            turns: Arc::clone(&turns),
            seen: Arc::clone(&seen),
        };
        let speaker = Speaker::new(number.to_string(), Draft::Hybi13);
        hub.subscribe(&channel, speaker, Arc::new(member))
    });
    let _members: Vec<_> = members.collect();
    hub.publish(&channel, "x".into(), None);
    soon("everybody is written to", async {
        while seen.lock().unwrap().len() < MEMBERS {
            turns.fetch_add(1, Relaxed);
            yield_now().await;
        }
    })
    .await;
    let seen = seen.lock().unwrap();
    let longest = seen.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
    // The time is looked at after every few of them, and was over each time.
    assert!(longest < Some(MEMBERS / 4), "{seen:?}");
}
