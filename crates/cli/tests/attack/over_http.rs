//! Attacks on the bus over HTTP: bodies that never end, readers that do not
//! read, and names without end.

use std::{sync::Arc, time::Duration};

use draftgate_core::{Event, Message, Outgoing};
use draftgate_drafts::announced;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Barrier,
    time::sleep,
};

use crate::{
    peer::{Peer, connect, connect_narrow, dribble, swarm, watch},
    siege::{Rules, Siege},
};

const RULES: Rules = Rules {
    limits: "message = \"1MiB\"\nframe = \"1MiB\"",
    timeouts: "message = \"700ms\"\nwrite = \"700ms\"\nhead = \"1s\"\nclose = \"500ms\"",
    second: "",
    tables: "",
};

#[test]
fn a_published_body_that_comes_octet_by_octet_ends_by_the_message_timeout() {
    let siege = Siege::lay("published bodies, an octet in 50 ms", RULES);
    let gateway = siege.gateway();
    let held = siege.attack(swarm(40, |n| async move {
        let mut tcp = connect(gateway).await;
        let (fields, body) = match n % 2 {
            0 => ("Content-Length: 5000", "x".repeat(4999)),
            _ => ("Transfer-Encoding: chunked", "1\r\nx\r\n".repeat(1000)),
        };
        let head = format!("POST /bus/a HTTP/1.1\r\nHost: {gateway}\r\n{fields}\r\n\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        let end = dribble(&mut tcp, body.into_bytes(), Duration::from_millis(50)).await;
        (tcp, end)
    }));
    for (_, end) in &held {
        assert_eq!(end.refusal().as_deref(), Some("body-timeout"), "{end:?}");
    }
    siege.lift("408 body-timeout", held);
}

#[test]
fn a_published_body_without_an_end_ends_at_the_limit() {
    let siege = Siege::lay("published bodies without an end", RULES);
    let gateway = siege.gateway();
    let held = siege.attack(swarm(20, |n| async move {
        let mut tcp = connect(gateway).await;
        let fields = match n % 2 {
            0 => "Content-Length: 9223372036854775807",
            _ => "Transfer-Encoding: chunked",
        };
        let head = format!("POST /bus/a HTTP/1.1\r\nHost: {gateway}\r\n{fields}\r\n\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let (mut reader, mut writer) = tcp.split();
        let mut octets = Vec::new();
        tokio::join!(
            async { while writer.write_all(chunk.as_bytes()).await.is_ok() {} },
            async {
                let _ = reader.read_to_end(&mut octets).await;
            }
        );
        tcp
    }));
    let count = held.len();
    let log = siege.lift("413 message-too-large", held);
    let refused = log.with("code", "message-too-large").len();
    assert!(refused > 0 && refused <= count, "{refused}");
}

/// A stream of events of `/bus/a`, its head read.
async fn stream(gateway: std::net::SocketAddr) -> tokio::net::TcpStream {
    let mut tcp = connect_narrow(gateway).await;
    let request =
        format!("GET /bus/a HTTP/1.1\r\nHost: {gateway}\r\nAccept: text/event-stream\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.windows(7).any(|w| w == b"retry: ") {
        head.push(tcp.read_u8().await.unwrap());
    }
    tcp
}

/// Has `times` large texts published, and one member of the channel read them.
async fn publish(gateway: std::net::SocketAddr, times: usize) {
    let newest = announced().last().unwrap();
    let mut publisher = Peer::open(gateway, newest, "/bus/a").await;
    let mut reader = Peer::open(gateway, newest, "/bus/a").await;
    let text: Message = "x".repeat(60_000).into();
    for _ in 0..times {
        let octets = publisher.octets(Outgoing::Message(text.clone()));
        assert!(publisher.write(&octets).await);
        while !matches!(reader.event().await, Some(Event::Message(_))) {}
    }
    for peer in [&mut publisher, &mut reader] {
        let close = peer.octets(Outgoing::Close(None));
        peer.write(&close).await;
        peer.end().await;
    }
}

#[test]
fn streams_of_events_that_nobody_reads_are_slow_consumers() {
    let rules = Rules {
        timeouts: "write = \"60s\"",
        ..RULES
    };
    let siege = Siege::lay("event streams that nobody reads", rules);
    let gateway = siege.gateway();
    let held = siege.attack(async {
        let streams = swarm(30, |_| stream(gateway)).await;
        publish(gateway, 100).await;
        streams
    });
    let count = held.len();
    let log = siege.lift("slow-consumer", held);
    assert_eq!(log.with("why", "slow-consumer").len(), count);
}

#[test]
fn streams_of_events_read_an_octet_now_and_then_end() {
    let siege = Siege::lay("event streams read at 100 octets a second", RULES);
    let gateway = siege.gateway();
    let held = siege.attack(async {
        let all_are_there = Arc::new(Barrier::new(31));
        let sipping = swarm(30, |_| {
            let all_are_there = Arc::clone(&all_are_there);
            async move {
                let mut tcp = stream(gateway).await;
                all_are_there.wait().await;
                // What the kernel has taken for it would last for hours.
                for _ in 0..200 {
                    if tcp.read_u8().await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
                tcp
            }
        });
        let publishing = async {
            all_are_there.wait().await;
            publish(gateway, 100).await;
        };
        tokio::join!(sipping, publishing).0
    });
    let count = held.len();
    let log = siege.lift("slow-consumer, the write timeout", held);
    assert_eq!(log.with("draft", "events").len(), count);
}

#[test]
fn ten_thousand_names_are_forgotten() {
    let rules = Rules {
        tables: "[http]\nhistory-time = \"1s\"",
        ..RULES
    };
    let siege = Siege::lay("10,000 names of channels, read and written", rules);
    let gateway = siege.gateway();
    let held = siege.attack(swarm(20, |n| async move {
        let mut tcp = connect(gateway).await;
        let (mut reader, mut writer) = tcp.split();
        let write = async {
            for number in 0..500 {
                let path = format!("/bus/{}{n}-{number}", "a".repeat(200));
                let body = "x".repeat(1000);
                let requests = format!(
                    "GET {path}?poll=0 HTTP/1.1\r\nHost: {gateway}\r\n\r\n\
                     POST {path} HTTP/1.1\r\nHost: {gateway}\r\nContent-Length: 1000\r\n\r\n{body}"
                );
                writer.write_all(requests.as_bytes()).await.unwrap();
            }
        };
        let mut answers = Vec::new();
        // It ends with the silence that follows.
        let read = async {
            let _ = reader.read_to_end(&mut answers).await;
        };
        tokio::join!(write, read);
        let count = |what: &[u8]| answers.windows(what.len()).filter(|w| *w == what).count();
        assert_eq!(
            (count(b"HTTP/1.1 204 "), count(b"HTTP/1.1 200 ")),
            (500, 500)
        );
        tcp
    }));
    siege.lift("the silence between two requests", held);
}

#[test]
fn polls_that_wait_end_and_so_do_their_connections() {
    let rules = Rules {
        tables: "[http]\npoll = \"1s\"",
        ..RULES
    };
    let siege = Siege::lay("polls that wait", rules);
    let gateway = siege.gateway();
    let held = siege.attack(swarm(300, |n| async move {
        let mut tcp = connect(gateway).await;
        let request =
            format!("GET /bus/room{n}?poll=4000000000 HTTP/1.1\r\nHost: {gateway}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let end = watch(&mut tcp).await;
        assert!(end.octets.starts_with(b"HTTP/1.1 204 "), "{end:?}");
        tcp
    }));
    siege.lift("`http.poll`, and the silence that follows", held);
}
