//! Attacks by not reading: answers, echoes, pages and a channel's messages
//! pile up; and by reading or writing so slowly that nothing comes to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use draftgate_core::{Closing, Draft, Event, Message, Outgoing};
use draftgate_drafts::announced;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    peer::{Peer, connect_narrow, swarm},
    siege::{Log, Rules, Siege},
};

const EACH: usize = 3;

const RULES: Rules = Rules {
    limits: "",
    timeouts: "write = \"700ms\"\nclose = \"500ms\"\nclose-hixie-76 = \"500ms\"",
    second: "",
    tables: "",
};

/// What the gateway and the kernels on both sides may take for a peer that
/// does not read.
const TAKEN: u64 = 1 << 20;

/// One with little room for what it does not read.
async fn narrow(gateway: std::net::SocketAddr, draft: Draft, path: &str) -> Peer {
    let tcp = connect_narrow(gateway).await;
    Peer::open_on(tcp, gateway, draft, path).await
}

/// Writes `octets` over and over until the gateway cuts.
async fn pour(peer: &mut Peer, octets: &[u8]) {
    while peer.write(octets).await {}
}

/// Reads 100 octets a second until the gateway cuts.
async fn sip(reader: &mut (impl AsyncRead + Unpin)) {
    let mut ticks = interval(Duration::from_millis(10));
    // None is made up for: it is the slowness that attacks.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while reader.read_u8().await.is_ok() {
        ticks.tick().await;
    }
}

/// All `count` ended by the write timeout, and none was sent much before.
fn stuck(log: &Log, count: usize) {
    let lines = log.with("why", "write-timeout");
    assert_eq!(lines.len(), count);
    for line in lines {
        assert!(line["octets_out"].as_u64().unwrap() < TAKEN, "{line}");
    }
}

#[test]
fn pings_whose_pongs_nobody_reads_end_by_the_write_timeout() {
    let siege = Siege::lay("pings, pongs unread", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        async move {
            let mut peer = narrow(gateway, draft, "/echo").await;
            if !peer.codec.capabilities().ping {
                return None;
            }
            let ping = peer.octets(Outgoing::Ping(vec![b'p'; 125].into()));
            pour(&mut peer, &ping.repeat(500)).await;
            Some(peer)
        }
    }));
    let held: Vec<_> = held.into_iter().flatten().collect();
    let count = held.len();
    stuck(&siege.lift("write-timeout", held), count);
}

#[test]
fn echoes_that_nobody_reads_end_by_the_write_timeout() {
    let siege = Siege::lay("messages, echoes unread", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(2 * EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        let length = if n / drafts.len() % 2 == 0 {
            10
        } else {
            100_000
        };
        async move {
            let mut peer = narrow(gateway, draft, "/echo").await;
            let octets = peer.octets(Outgoing::Message("x".repeat(length).into()));
            let times = (200_000 / octets.len()).max(1);
            pour(&mut peer, &octets.repeat(times)).await;
            peer
        }
    }));
    let count = held.len();
    stuck(&siege.lift("write-timeout", held), count);
}

#[test]
fn echoes_read_an_octet_now_and_then_end_by_the_write_timeout() {
    let siege = Siege::lay("messages, echoes read at 100 octets a second", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        async move {
            let mut peer = narrow(gateway, draft, "/echo").await;
            let octets = peer.octets(Outgoing::Message("x".repeat(100_000).into()));
            let (mut reader, mut writer) = peer.tcp.split();
            tokio::select! {
                () = async { while writer.write_all(&octets).await.is_ok() {} } => {}
                () = sip(&mut reader) => {}
            }
            peer
        }
    }));
    let count = held.len();
    stuck(&siege.lift("write-timeout", held), count);
}

#[test]
fn echoes_that_nobody_reads_end_although_the_peer_ended_its_half() {
    let siege = Siege::lay("messages, then FIN, echoes unread", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        async move {
            let mut peer = narrow(gateway, draft, "/echo").await;
            let octets = peer.octets(Outgoing::Message("x".repeat(300_000).into()));
            peer.write(&octets).await;
            let _ = peer.tcp.shutdown().await;
            peer
        }
    }));
    siege.lift("the closing timeouts", held);
}

#[test]
fn pages_read_an_octet_now_and_then_end_by_the_write_timeout() {
    let siege = Siege::lay(
        "requests for the page, answers read at 100 octets a second",
        RULES,
    );
    let gateway = siege.gateway();
    let request = format!("GET / HTTP/1.1\r\nHost: {gateway}\r\n\r\n").repeat(100);
    let held = siege.attack(swarm(30, |_| {
        let request = request.clone();
        async move {
            let mut tcp = connect_narrow(gateway).await;
            let (mut reader, mut writer) = tcp.split();
            tokio::select! {
                () = async { while writer.write_all(request.as_bytes()).await.is_ok() {} } => {}
                () = sip(&mut reader) => {}
            }
            tcp
        }
    }));
    siege.lift("the write timeout", held);
}

#[test]
fn pages_that_nobody_reads_end_by_the_write_timeout() {
    let siege = Siege::lay("requests for the page, answers unread", RULES);
    let gateway = siege.gateway();
    let request = format!("GET / HTTP/1.1\r\nHost: {gateway}\r\n\r\n").repeat(100);
    let held = siege.attack(swarm(30, |_| {
        let request = request.clone();
        async move {
            let mut tcp = connect_narrow(gateway).await;
            while tcp.write_all(request.as_bytes()).await.is_ok() {}
            tcp
        }
    }));
    siege.lift("the write timeout", held);
}

#[test]
fn members_of_a_channel_who_do_not_read_are_slow_consumers() {
    let siege = Siege::lay("members of a channel that do not read", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(async {
        let members = swarm(2 * EACH * drafts.len(), |n| {
            narrow(gateway, drafts[n % drafts.len()], "/bus/a")
        })
        .await;
        let newest = *drafts.last().unwrap();
        let mut publisher = Peer::open(gateway, newest, "/bus/a").await;
        let mut reader = Peer::open(gateway, newest, "/bus/a").await;
        // More than sockets and queues between can hold.
        let text: Message = "x".repeat(60_000).into();
        for _ in 0..100 {
            let octets = publisher.octets(Outgoing::Message(text.clone()));
            assert!(publisher.write(&octets).await);
            // One that reads gets it all.
            while !matches!(reader.event().await, Some(Event::Message(_))) {}
        }
        for peer in [&mut publisher, &mut reader] {
            let close = peer.octets(Outgoing::Close(None));
            peer.write(&close).await;
            peer.end().await;
        }
        members
    });
    let count = held.len();
    let log = siege.lift("slow-consumer", held);
    assert_eq!(log.with("why", "slow-consumer").len(), count);
}

#[test]
fn a_publisher_without_end_holds_up_nobody() {
    let siege = Siege::lay("publishers of tiny messages to a channel", RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let count = 2 * drafts.len();
    let left = Arc::new(AtomicUsize::new(count));
    let held = siege.attack(swarm(count, |n| {
        let (draft, left) = (drafts[n % drafts.len()], Arc::clone(&left));
        async move {
            // It reads nothing of what the others publish.
            let mut peer = narrow(gateway, draft, "/bus/a").await;
            let octets = peer.octets(Outgoing::Message("x".into())).repeat(1000);
            // The last of them speaks to nobody, and nothing is wrong with that.
            while left.load(Relaxed) > 1 && peer.write(&octets).await {}
            left.fetch_sub(1, Relaxed);
            let _ = peer.tcp.shutdown().await;
            peer
        }
    }));
    siege.lift("slow-consumer", held);
}

#[test]
fn messages_that_come_octet_by_octet_end_by_the_message_timeout() {
    let siege = Siege::lay(
        "frames, an octet in 50 ms",
        Rules {
            timeouts: "message = \"700ms\"\nclose = \"500ms\"\nclose-hixie-76 = \"500ms\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(2 * EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        let what = match n / drafts.len() % 2 {
            0 => Outgoing::Message("x".repeat(5000).into()),
            // Some drafts close by it, and none is done before its last octet.
            _ => Outgoing::Close(None),
        };
        async move {
            let mut peer = Peer::open(gateway, draft, "/echo").await;
            let mut octets = peer.octets(what);
            octets.truncate(octets.len().saturating_sub(1));
            for octet in octets {
                if !peer.write(&[octet]).await {
                    break;
                }
                let answer = peer.tcp.readable();
                if timeout(Duration::from_millis(50), answer).await.is_ok() {
                    break;
                }
            }
            if peer.codec.capabilities().closing == Closing::Absent {
                // Its Close has no octets: it has said nothing wrong, and leaves.
                peer.tcp.shutdown().await.unwrap_or(());
            }
            let close = peer.end().await;
            (peer, close)
        }
    }));
    let absent = |(peer, _): &&(Peer, _)| peer.codec.capabilities().closing == Closing::Absent;
    let left = held.iter().filter(absent).count() / 2;
    let count = held.len() - left;
    let log = siege.lift("message-timeout", held);
    assert_eq!(log.with("why", "message-timeout").len(), count);
}
