//! Two connections with each other, over transports that are not scripted.

use std::sync::{Arc, Mutex};

use draftgate_conn::{By, Closed, Conn, Settings, Start, Why};
use draftgate_core::{Close, Message};
use tokio::io::{AsyncRead, AsyncWrite, BufStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    fake::{Fake, absent, coded},
    rig::Recorder,
};

/// A client says 300 messages of all sizes to an echo server and closes when
/// it has heard them all back. How both ended, and what the client heard.
async fn talk(
    client: impl AsyncRead + AsyncWrite + Send + 'static,
    server: impl AsyncRead + AsyncWrite + Send + 'static,
    codec: fn() -> Fake,
) -> (Closed, Closed) {
    let server = Conn::new(server, Start::new(codec().boxed()), Settings::server());
    let server = tokio::spawn(async move {
        let mut echo = Recorder {
            echo: true,
            ..Recorder::default()
        };
        server.run(&mut echo).await
    });
    let unshared = Fake {
        class: None,
        ..codec()
    };
    let client = Conn::new(client, Start::new(unshared.boxed()), Settings::client());
    let sender = client.sender();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut recorder = Recorder {
        told: Arc::clone(&told),
        ..Recorder::default()
    };
    let client = tokio::spawn(async move { client.run(&mut recorder).await });
    let said: Vec<String> = (0..300).map(|n| "x".repeat(n * 200)).collect();
    for text in &said {
        sender.ready().await.unwrap();
        sender.send(Message::from(text.clone())).unwrap();
    }
    sender.drained().await.unwrap();
    while told.lock().unwrap().len() < 1 + said.len() {
        tokio::task::yield_now().await;
    }
    sender.close(Some(Close::new(1000, "done")));
    let (client, server) = (client.await.unwrap(), server.await.unwrap());
    assert_eq!(told.lock().unwrap()[1..=300], said);
    assert_eq!(client.stats.octets_out, server.stats.octets_in);
    assert_eq!(client.stats.octets_in, server.stats.octets_out);
    assert_eq!(server.stats.messages_in, 300);
    (client, server)
}

fn as_agreed((client, server): (Closed, Closed)) {
    let by_us = (By::Us, Why::Requested, Some(1000));
    assert_eq!((client.by, client.why, client.code), by_us);
    let by_peer = (By::Peer, Why::PeerClosed, Some(1000));
    assert_eq!((server.by, server.why, server.code), by_peer);
}

#[tokio::test]
async fn two_ends_agree_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    as_agreed(talk(client, server, coded).await);
}

#[tokio::test]
async fn two_ends_agree_over_a_narrow_pipe() {
    let (client, server) = duplex(1000);
    as_agreed(talk(client, server, coded).await);
}

#[tokio::test]
async fn a_transport_that_buffers_is_flushed() {
    let (client, server) = duplex(1 << 20);
    let ends = talk(BufStream::new(client), BufStream::new(server), coded).await;
    as_agreed(ends);
}

#[tokio::test]
async fn two_ends_part_without_a_closing_handshake() {
    let (client, server) = duplex(1000);
    let (client, server) = talk(client, server, absent).await;
    assert_eq!((client.by, client.why), (By::Us, Why::Requested));
    assert_eq!((server.by, server.why), (By::Peer, Why::PeerClosed));
    assert_eq!(server.code, None);
}
