//! Attacks by number: connections that say nothing, openings that are never
//! finished, all from one address; and peers that do nothing wrong but never
//! stop.

use std::time::Duration;

use draftgate_core::Outgoing;
use draftgate_drafts::announced;
use tokio::{
    io::{AsyncWriteExt, copy, sink},
    net::TcpStream,
    time::timeout,
};

use crate::{
    peer::{End, Opening, Peer, connect, connect_from, swarm, watch},
    siege::{Rules, Siege},
};

const FROM_ONE: usize = 600;

#[test]
fn thousands_of_silent_connections_end_by_the_first_octets_timeout() {
    const SILENT: usize = 3000;
    let siege = Siege::lay(
        "silent connections",
        Rules {
            timeouts: "first-octet = \"1s\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let held = siege.attack(swarm(SILENT, |_| async move {
        let mut tcp = connect_from(gateway, 2).await;
        let end = watch(&mut tcp).await;
        (tcp, end)
    }));
    for (_, end) in &held {
        assert!(end.octets.is_empty(), "{end:?}");
    }
    siege.lift("first-octet-timeout", held);
}

#[test]
fn openings_left_half_done_wait_for_their_turn_or_end_by_the_heads_timeout() {
    let siege = Siege::lay(
        "half openings from one address, 100 at a time",
        Rules {
            limits: "half-open-per-ip-loopback = 100",
            timeouts: "head = \"700ms\"\nturn = \"1s\"",
            ..Rules::default()
        },
    );
    let held = half_openings(&siege);
    let (late, no_turn) = (
        count(&held, "head-timeout"),
        count(&held, "too-many-half-open"),
    );
    assert!(late >= 100 && no_turn > 0, "{late} {no_turn}");
    assert_eq!(late + no_turn, FROM_ONE, "everyone is told why");
    let by = format!("408 head-timeout ({late}), 429 too-many-half-open ({no_turn})");
    siege.lift(&by, held);
}

#[test]
fn connections_of_one_address_beyond_its_limit_are_turned_away() {
    let siege = Siege::lay(
        "half openings from one address, 100 connections allowed",
        Rules {
            limits: "per-ip-loopback = 100",
            timeouts: "head = \"700ms\"",
            ..Rules::default()
        },
    );
    let held = half_openings(&siege);
    let (late, away) = (
        count(&held, "head-timeout"),
        count(&held, "too-many-from-address"),
    );
    // In a flood not everyone is told why.
    assert!(late >= 100 && away > 0, "{late} {away}");
    let by = format!("408 head-timeout ({late}), 429 too-many-from-address ({away} were told)");
    siege.lift(&by, held);
}

#[test]
fn pages_asked_for_without_end_hold_up_nobody() {
    let siege = Siege::lay("requests for the page, all answers read", Rules::default());
    let gateway = siege.gateway();
    let request = format!("GET / HTTP/1.1\r\nHost: {gateway}\r\n\r\n").repeat(1000);
    let held = siege.attack(swarm(12, |_| {
        let request = request.clone();
        async move {
            flood(connect(gateway).await, request.as_bytes()).await;
        }
    }));
    siege.lift("its own reset", held);
}

#[test]
fn messages_without_end_hold_up_nobody() {
    let siege = Siege::lay(
        "tiny messages without end, all echoes read",
        Rules::default(),
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(2 * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        async move {
            let mut peer = Peer::open(gateway, draft, "/echo").await;
            let octets = peer.octets(Outgoing::Message("x".into())).repeat(10_000);
            flood(peer.tcp, &octets).await;
        }
    }));
    siege.lift("its own reset", held);
}

/// Writes `octets` over and over for a while, reading all that comes, and
/// resets: what waits to be answered by then would take minutes.
async fn flood(mut tcp: TcpStream, octets: &[u8]) {
    const LONG: Duration = Duration::from_millis(1500);
    let (mut reader, mut writer) = tcp.split();
    let write = async { while writer.write_all(octets).await.is_ok() {} };
    let read = async {
        let _ = copy(&mut reader, &mut sink()).await;
    };
    let _ = timeout(LONG, async { tokio::join!(write, read) }).await;
    tcp.set_zero_linger().unwrap();
}

/// From another address than the honest client's.
fn half_openings(siege: &Siege) -> Vec<(TcpStream, End)> {
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    siege.attack(swarm(FROM_ONE, |n| {
        let opening = Opening::of(gateway, drafts[n % drafts.len()], "/echo", &[]);
        async move {
            let mut tcp = connect_from(gateway, 2).await;
            let half = &opening.head[..opening.head.len() / 2];
            // It may have been turned away already.
            let _ = tcp.write_all(half).await;
            let end = watch(&mut tcp).await;
            (tcp, end)
        }
    }))
}

fn count(ended: &[(TcpStream, End)], code: &str) -> usize {
    let codes = ended.iter().filter_map(|(_, end)| end.refusal());
    codes.filter(|found| found == code).count()
}
