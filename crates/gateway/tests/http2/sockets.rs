//! WebSockets over streams.

use draftgate_core::{Draft, Event, Message, Outgoing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    common::{Client, captured, config, gateway, soon, until, with_route},
    peer::{Session, Ws},
};

#[tokio::test]
async fn messages_come_back_over_many_streams_of_one_connection() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(session.websocket("/echo").await);
    }
    for text in ["Hello", "", "Grüße, 世界"] {
        for socket in &mut sockets {
            socket.echoes(text).await;
        }
    }
    sockets[7].say(Outgoing::Ping("a".into())).await;
    assert_eq!(sockets[7].event().await, Some(Event::Pong("a".into())));
    let octets = Message::Binary((0..=255).collect::<Vec<u8>>().into());
    sockets[3].send(octets.clone()).await;
    assert_eq!(sockets[3].message().await, octets);
    let counts = running.counts();
    assert_eq!((counts.accepted, counts.connections), (1, 1));
    assert_eq!((counts.http2_connections, counts.http2_requests), (1, 20));
    assert_eq!((counts.http2_upgrades, counts.open), (20, 20));
    assert_eq!(counts.upgrades_in(Draft::Hybi13), 20);
    drop((sockets, session));
    until("all end", || {
        let counts = running.counts();
        (counts.connections, counts.open, counts.http2_connections) == (0, 0, 0)
    })
    .await;
}

#[tokio::test]
async fn the_answer_is_200_with_the_subprotocol_and_nothing_of_http_1() {
    let config = with_route("/echo", |route| {
        route.subprotocols = vec!["chat".to_owned()];
    });
    let (_running, address) = gateway(config);
    let session = Session::open(address).await;
    let head = session
        .connect("/echo")
        .header("sec-websocket-protocol", "news, chat")
        .header("sec-websocket-key", "ignored here");
    let (answer, stream) = session.stream(head).await;
    let names: Vec<&str> = answer.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["sec-websocket-protocol"]);
    assert_eq!(answer.headers["sec-websocket-protocol"], "chat");
    Ws::new(stream).echoes("Hello").await;
}

#[tokio::test]
async fn a_mebibyte_comes_back_and_so_do_fragments() {
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    let large: String = (0..1 << 20)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect();
    // Both ways at once, as more than any window holds is on its way.
    let (mut reading, mut writing) = tokio::io::split(socket.stream);
    let mut frame = vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0];
    frame.extend_from_slice(large.as_bytes());
    let mut back = vec![0; frame.len() - 4];
    let (wrote, read) = tokio::join!(
        soon("write", async {
            writing.write_all(&frame).await?;
            writing.flush().await
        }),
        soon("read", reading.read_exact(&mut back)),
    );
    wrote.unwrap();
    read.unwrap();
    assert!(back.ends_with(large.as_bytes()));
    socket.stream = reading.unsplit(writing);
    // `Hello` in three pieces, a ping between.
    let pieces = [
        &[0x01, 0x82, 0, 0, 0, 0, b'H', b'e'][..],
        &[0x89, 0x80, 0, 0, 0, 0],
        &[0x00, 0x81, 0, 0, 0, 0, b'l'],
        &[0x80, 0x82, 0, 0, 0, 0, b'l', b'o'],
    ];
    for octet in pieces.concat() {
        socket.stream.write_all(&[octet]).await.unwrap();
    }
    socket.stream.flush().await.unwrap();
    let mut back = [0; 9];
    soon("the echo", socket.stream.read_exact(&mut back))
        .await
        .unwrap();
    assert_eq!(&back, b"\x8A\x00\x81\x05Hello");
}

#[tokio::test]
async fn the_bus_carries_between_streams_and_the_oldest_drafts() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut new = session.websocket("/bus/a").await;
    let mut olds = Vec::new();
    for draft in [Draft::Hixie75, Draft::Hixie76] {
        olds.push(Client::open(address, draft, "/bus/a").await);
    }
    let channel = "a".parse().unwrap();
    until("all have joined", || {
        running.hub().subscribers(&channel) == 3
    })
    .await;
    for n in 0..20 {
        let text = format!("{n}: Grüße, 世界");
        new.send(text.as_str()).await;
        for old in &mut olds {
            assert_eq!(old.message().await, Message::from(text.as_str()));
        }
        olds[1].send(text.as_str()).await;
        assert_eq!(new.message().await, Message::from(text.as_str()));
        assert_eq!(olds[0].message().await, Message::from(text.as_str()));
    }
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn the_line_says_that_it_was_http_2() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    socket.echoes("Hello").await;
    socket.close(1000).await;
    assert!(matches!(socket.event().await, Some(Event::Close(Some(it))) if it.code == 1000));
    assert_eq!(socket.event().await, None);
    drop(socket);
    let mut old = Client::open(address, Draft::Hybi13, "/echo").await;
    old.close(None).await;
    while old.event().await.is_some() {}
    lines
        .until("two lines", || {
            lines.with("target", "draftgate::access").len() == 2
        })
        .await;
    let lines = lines.with("target", "draftgate::access");
    let (new, old) = match lines[0].get("http").is_some() {
        true => (&lines[0], &lines[1]),
        false => (&lines[1], &lines[0]),
    };
    assert_eq!((&new["http"], &new["code"]), (&"2".into(), &1000.into()));
    assert_eq!(new["origin"], "http://localhost");
    assert_eq!(old.get("http"), None);
}
