//! Attacks on the opening: heads, bodies and key3 that come slowly or never.

use std::time::Duration;

use draftgate_drafts::{acceptor, announced};
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{End, Opening, connect, dribble, swarm, watch},
    siege::{Rules, Siege},
};

const EACH: usize = 20;

/// Drafts that send something behind their head.
fn with_key3() -> impl Iterator<Item = draftgate_core::Draft> {
    let has = |draft: &_| acceptor(*draft).is_ok_and(|it| it.octets_after_head() > 0);
    announced().filter(has)
}

fn refused(ends: &[(tokio::net::TcpStream, End)], code: &str) {
    assert!(!ends.is_empty());
    for (_, end) in ends {
        assert_eq!(end.refusal().as_deref(), Some(code), "{end:?}");
    }
}

#[test]
fn a_head_that_comes_octet_by_octet_ends_by_its_timeout() {
    let siege = Siege::lay(
        "slow heads, an octet in 100 ms",
        Rules {
            timeouts: "head = \"700ms\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(EACH * drafts.len(), |n| {
        let opening = Opening::of(gateway, drafts[n % drafts.len()], "/echo", &[]);
        async move {
            let mut tcp = connect(gateway).await;
            let end = dribble(&mut tcp, opening.head, Duration::from_millis(100)).await;
            (tcp, end)
        }
    }));
    refused(&held, "head-timeout");
    siege.lift("408 head-timeout", held);
}

#[test]
fn a_body_that_is_key3_and_is_dribbled_ends_by_key3s_timeout() {
    let siege = Siege::lay(
        "key3 as a body, an octet in 200 ms",
        Rules {
            timeouts: "key3 = \"500ms\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = with_key3().collect();
    let held = siege.attack(swarm(2 * EACH * drafts.len(), |n| {
        let draft = drafts[n % drafts.len()];
        let opening = Opening::of(gateway, draft, "/echo", &[("Content-Length", "8")]);
        async move {
            let mut tcp = connect(gateway).await;
            tcp.write_all(&opening.head).await.unwrap();
            let end = dribble(&mut tcp, opening.rest, Duration::from_millis(200)).await;
            (tcp, end)
        }
    }));
    refused(&held, "key3-timeout");
    siege.lift("408 key3-timeout", held);
}

#[test]
fn key3_that_comes_late_or_never_ends_by_its_timeout() {
    let siege = Siege::lay(
        "key3 never, or an octet in 200 ms",
        Rules {
            timeouts: "key3 = \"500ms\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = with_key3().collect();
    // As many lines of a kind has the log at once.
    let count = 100;
    let held = siege.attack(swarm(count, |n| {
        let turn = n / drafts.len();
        let opening = Opening::of(gateway, drafts[n % drafts.len()], "/echo", &[]);
        async move {
            let mut tcp = connect(gateway).await;
            tcp.write_all(&opening.head).await.unwrap();
            let end = match turn % 2 {
                0 => watch(&mut tcp).await,
                _ => dribble(&mut tcp, opening.rest, Duration::from_millis(200)).await,
            };
            (tcp, end)
        }
    }));
    for (_, end) in &held {
        // The head goes without key3, for the sake of proxies; nothing follows.
        assert!(end.octets.starts_with(b"HTTP/1.1 101 "), "{end:?}");
        assert!(end.octets.ends_with(b"\r\n\r\n"), "{end:?}");
    }
    let log = siege.lift("opening-timeout (FIN)", held);
    assert_eq!(log.with("why", "opening-timeout").len(), count);
}

#[test]
fn a_body_of_any_length_is_refused_before_it_comes() {
    let siege = Siege::lay(
        "announced bodies of 2^63 octets and chunks",
        Rules::default(),
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let held = siege.attack(swarm(EACH * drafts.len(), |n| {
        let field = match n % 2 {
            0 => ("Content-Length", "9223372036854775807"),
            _ => ("Transfer-Encoding", "chunked"),
        };
        let path = if n % 4 < 2 { "/echo" } else { "/" };
        let opening = Opening::of(gateway, drafts[n % drafts.len()], path, &[field]);
        async move {
            let mut tcp = connect(gateway).await;
            tcp.write_all(&opening.head).await.unwrap();
            let body = (0..).map(|_: u32| b'1');
            let end = dribble(&mut tcp, body, Duration::from_millis(100)).await;
            (tcp, path, end)
        }
    }));
    for (_, path, end) in &held {
        let code = match *path {
            "/" => "path-unknown",
            _ => "body-unexpected",
        };
        assert_eq!(end.refusal().as_deref(), Some(code), "{path} {end:?}");
    }
    siege.lift(
        "400 body-unexpected or 404 path-unknown, lingering 2 s at most",
        held,
    );
}

#[test]
fn a_policy_request_that_comes_octet_by_octet_ends_by_its_timeout() {
    let siege = Siege::lay(
        "policy requests, an octet in 100 ms",
        Rules {
            timeouts: "first-octet = \"500ms\"",
            tables: "[policy]\nallow = [\"http://localhost\"]",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let held = siege.attack(swarm(2 * EACH, |_| async move {
        let mut tcp = connect(gateway).await;
        let request = b"<policy-file-request/>\0".iter().copied();
        let end = dribble(&mut tcp, request, Duration::from_millis(100)).await;
        (tcp, end)
    }));
    for (_, end) in &held {
        assert!(end.octets.is_empty(), "{end:?}");
    }
    let log = siege.lift("policy-timeout, lingering 2 s at most", held);
    assert!(!log.with("code", "policy-timeout").is_empty());
}

#[test]
fn a_proxy_header_that_comes_octet_by_octet_ends_by_its_timeout() {
    let siege = Siege::lay(
        "PROXY headers of both versions, an octet in 100 ms",
        Rules {
            timeouts: "first-octet = \"500ms\"",
            second: "proxy-protocol = true\ntrusted-proxies = [\"127.0.0.0/8\"]",
            ..Rules::default()
        },
    );
    let gateway = siege.second();
    let held = siege.attack(swarm(2 * EACH, |n| async move {
        let header: &[u8] = match n % 2 {
            0 => b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n",
            // It announces 65,535 octets.
            _ => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff\xc0\0\x02\x01\xc0\0\x02\x02",
        };
        let mut tcp = connect(gateway).await;
        let octets = header.iter().copied();
        let end = dribble(&mut tcp, octets, Duration::from_millis(100)).await;
        (tcp, end)
    }));
    refused(&held, "proxy-header-timeout");
    siege.lift("408 proxy-header-timeout", held);
}
