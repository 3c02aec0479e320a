//! Peers that know HTTP/2 and mean no good, or do not know it.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    common::{Lines, Raw, captured, config, gateway, soon, until},
    peer::Session,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame's header and payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

/// A literal field with a new name, without Huffman.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        field.push(u8::try_from(text.len()).unwrap());
        field.extend(text.as_bytes());
    }
    field
}

/// The head of a request for a WebSocket.
fn opening() -> Vec<u8> {
    [
        field(":method", "CONNECT"),
        field(":protocol", "websocket"),
        field(":scheme", "http"),
        field(":path", "/echo"),
        field(":authority", "example.com"),
        field("sec-websocket-version", "13"),
    ]
    .concat()
}

/// The payload of the last GOAWAY in `octets`: its error's number.
fn goaway(mut octets: &[u8]) -> Option<u32> {
    let mut found = None;
    while let Some((header, behind)) = octets.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let (payload, rest) = behind.split_at_checked(length)?;
        if header[3] == 7 {
            found = payload[4..].first_chunk().map(|it| u32::from_be_bytes(*it));
        }
        octets = rest;
    }
    found
}

fn refusals(lines: &Lines, code: &str) -> usize {
    lines.with("code", code).len()
}

#[tokio::test]
async fn a_preface_in_single_octets_is_one_and_what_only_begins_like_it_is_not() {
    let (_running, address) = gateway(config());
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    for octet in PREFACE {
        tcp.write_all(&[*octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut raw = Raw::connect(address).await;
    raw.tcp = tcp;
    raw.write(settings()).await;
    // Its own settings come first: type 4, on stream 0.
    let header = raw.exactly(9).await;
    assert_eq!((header[3], &header[5..]), (4, &[0; 4][..]));

    let mut raw = Raw::say(address, b"P").await;
    raw.write(b"OST /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 404 "));
    let mut raw = Raw::say(address, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn half_a_preface_ends_with_the_time_for_a_head() {
    let mut config = config();
    config.listeners[0].timeouts.head = Duration::from_millis(50);
    let (running, address) = gateway(config);
    let mut raw = Raw::say(address, &PREFACE[..10]).await;
    let (head, body) = raw.refusal().await;
    assert!(
        head.starts_with("HTTP/1.1 408 ") && body.contains("head-timeout"),
        "{head}"
    );
    // A whole one, and nothing behind it: no request, no connection.
    let mut raw = Raw::say(address, PREFACE).await;
    raw.write(settings()).await;
    assert_eq!(goaway(&raw.rest().await), Some(0));
    until("both are gone", || running.counts().connections == 0).await;
}

#[tokio::test]
async fn what_breaks_http_2_ends_the_connection_and_is_logged() {
    let broken: [(&str, Vec<u8>); 5] = [
        ("DATA on stream 0", frame(0, 0, 0, b"x")),
        (
            "a frame of 16 MiB",
            [&[0xFF; 3][..], &[0, 0, 0, 0, 0, 1]].concat(),
        ),
        ("a head that is none", frame(1, 5, 1, &[0xFF; 40])),
        ("WINDOW_UPDATE of 0", frame(8, 0, 0, &[0; 4])),
        ("an even stream", frame(1, 5, 2, &opening())),
    ];
    for (what, octets) in broken {
        let (lines, _guard) = captured();
        let (running, address) = gateway(config());
        let mut raw = Raw::say(address, [PREFACE, &settings(), &octets].concat()).await;
        let error = goaway(&raw.rest().await);
        assert!(error.is_some_and(|it| it > 0), "{what}: {error:?}");
        lines
            .until(what, || refusals(&lines, "http2-broken") == 1)
            .await;
        assert_eq!(running.counts().refused_for("http2-broken"), 1, "{what}");
        until(what, || running.counts().connections == 0).await;
    }
}

#[tokio::test]
async fn a_rapid_reset_is_a_flood_and_its_connection_ends() {
    let (running, address) = gateway(config());
    let mut octets = [PREFACE, &settings()].concat();
    for n in 0..2_000 {
        let stream = 2 * n + 1;
        octets.extend(frame(1, 4, stream, &opening()));
        octets.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut raw = Raw::connect(address).await;
    // It may be ended before all is written.
    let _ = raw.tcp.write_all(&octets).await;
    let _ = raw.rest().await;
    until("it is gone", || running.counts().connections == 0).await;
    let counts = running.counts();
    assert!(counts.http2_requests < 1_000, "{}", counts.http2_requests);
    assert_eq!(counts.refused_for("http2-broken"), 1);
    // Others are served.
    let session = Session::open(address).await;
    session.websocket("/echo").await.echoes("Hello").await;
}

#[tokio::test]
async fn a_head_of_too_many_octets_or_fields_is_refused() {
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let head = session
        .connect("/echo")
        .header("cookie", "x".repeat(15_000));
    let (_, stream) = session.stream(head).await;
    drop(stream);
    let head = session
        .connect("/echo")
        .header("cookie", "x".repeat(17_000));
    let (answer, _sending) = session.begin(head, false).await;
    assert_eq!(soon("431", answer).await.unwrap().status(), 431);
    let mut head = session.connect("/echo");
    for n in 0..101 {
        head = head.header(format!("x-{n}"), "y");
    }
    let answer = session.refused(head).await;
    assert_eq!(answer.status(), 431);
    assert!(answer.body().contains("Code: head-too-large"));
}

#[tokio::test]
async fn continuations_without_end_are_cut() {
    let (running, address) = gateway(config());
    let mut octets = [PREFACE, &settings()].concat();
    octets.extend(frame(1, 0, 1, &opening()));
    for _ in 0..20_000 {
        octets.extend(frame(9, 0, 1, &field("x", "y")));
    }
    let mut raw = Raw::connect(address).await;
    let _ = raw.tcp.write_all(&octets).await;
    let _ = raw.rest().await;
    until("it is gone", || running.counts().connections == 0).await;
    assert_eq!(running.counts().open, 0);
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_left() {
    let mut config = config();
    config.listeners[0].timeouts.ping = Some(Duration::from_millis(20));
    config.listeners[0].timeouts.write = Duration::from_millis(100);
    let (running, address) = gateway(config);
    let octets = [PREFACE, &settings(), &frame(1, 4, 1, &opening())].concat();
    let mut raw = Raw::say(address, octets).await;
    // It reads, and its TCP is there; no PING has an answer.
    assert!(goaway(&raw.rest().await).is_some());
    until("it is gone", || running.counts().connections == 0).await;
}
