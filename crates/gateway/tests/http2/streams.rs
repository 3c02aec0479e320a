//! Streams beside each other: none holds up another, nor takes more than its part.

use draftgate_core::Message;
use tokio::io::AsyncWriteExt;

use crate::{
    common::{captured, config, gateway, soon, until, with_route},
    peer::Session,
};

/// A frame of text with so many octets, as clients mask it.
fn frame(octets: u16) -> Vec<u8> {
    let [high, low] = octets.to_be_bytes();
    let mut frame = vec![0x81, 0xFE, high, low, 0, 0, 0, 0];
    frame.resize(frame.len() + usize::from(octets), b'x');
    frame
}

#[tokio::test]
async fn of_a_hundred_streams_one_does_not_read_and_the_others_go_on() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut stalled = session.websocket("/echo").await;
    let mut others = Vec::new();
    for _ in 0..99 {
        others.push(session.websocket("/echo").await);
    }
    assert_eq!(running.counts().open, 100);
    // Its echo fills its window, then what waits here, and then nothing is read.
    let frame = frame(16_000);
    let mut written = 0;
    loop {
        let moment = std::time::Duration::from_millis(300);
        let write = stalled.stream.write_all(&frame);
        if tokio::time::timeout(moment, write).await.is_err() {
            break;
        }
        written += frame.len();
        assert!(written < 1 << 20, "it takes without end");
    }
    for (n, socket) in others.iter_mut().enumerate() {
        socket.echoes(&format!("{n}")).await;
    }
    let large = "y".repeat(300_000);
    let (first, rest) = others.split_at_mut(1);
    tokio::join!(
        first[0].echoes(&large[..60_000]),
        rest[0].echoes(&large[..60_000])
    );
    assert_eq!(running.counts().open, 100);
}

#[tokio::test]
async fn a_stream_that_never_reads_is_cut_and_no_other() {
    let (lines, _guard) = captured();
    let mut config = config();
    config.listeners[0].timeouts.write = std::time::Duration::from_millis(200);
    let (running, address) = gateway(config);
    let session = Session::open(address).await;
    let mut stalled = session.websocket("/echo").await;
    let mut other = session.websocket("/echo").await;
    let frame = frame(16_000);
    // Until it is reset.
    let error = soon("the reset", async {
        loop {
            if let Err(error) = stalled.stream.write_all(&frame).await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    let line = &lines.with("target", "draftgate::access")[0];
    assert_eq!(line["why"], "write-timeout");
    other.echoes("Hello").await;
    assert_eq!(running.counts().open, 1);
}

#[tokio::test]
async fn a_slow_subscriber_is_closed_by_its_policy_and_no_other_waits() {
    let (running, address) = gateway(with_route("/bus/{channel}", |route| {
        route.queue = 64 << 10;
    }));
    let session = Session::open(address).await;
    let slow = session.websocket("/bus/a").await;
    let mut quick = session.websocket("/bus/a").await;
    let mut sender = session.websocket("/bus/a").await;
    let channel = "a".parse().unwrap();
    until("all have joined", || {
        running.hub().subscribers(&channel) == 3
    })
    .await;
    let text = "z".repeat(10_000);
    for _ in 0..60 {
        sender.send(text.as_str()).await;
        assert_eq!(quick.message().await, Message::from(text.as_str()));
    }
    until("the slow one leaves", || {
        running.hub().subscribers(&channel) == 2
    })
    .await;
    drop(slow);
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn no_more_streams_than_the_limit_are_open_at_once() {
    let mut config = config();
    config.listeners[0].limits.http2_streams = 2;
    let (running, address) = gateway(config);
    let session = Session::open(address).await;
    let mut one = session.websocket("/echo").await;
    let _two = session.websocket("/echo").await;
    // The client knows the limit, and waits.
    let third = tokio::spawn(async move {
        let mut socket = session.websocket("/echo").await;
        socket.echoes("Hello").await;
    });
    // What is answered on the same connection would have come behind it.
    for _ in 0..10 {
        one.echoes("Hello").await;
    }
    assert_eq!(running.counts().http2_requests, 2);
    drop(one);
    soon("the third", third).await.unwrap();
    assert_eq!(running.counts().http2_requests, 3);
}
