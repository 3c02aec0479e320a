//! How streams end: END_STREAM is what FIN is to TCP, RST_STREAM what RST is, and
//! GOAWAY what the gateway says when it stops.

use draftgate_core::Event;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    common::{Lines, captured, config, gateway, soon, until},
    peer::Session,
};

async fn line(lines: &Lines) -> serde_json::Value {
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    serde_json::to_value(&lines.with("target", "draftgate::access")[0]).unwrap()
}

#[tokio::test]
async fn a_close_ends_the_stream_in_order() {
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    socket.close(3000).await;
    let Some(Event::Close(Some(close))) = socket.event().await else {
        panic!("no close");
    };
    assert_eq!(close.code, 3000);
    // END_STREAM, and no reset.
    assert_eq!(socket.event().await, None);
}

#[tokio::test]
async fn an_end_without_a_close_is_a_peer_that_has_gone() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    socket.echoes("Hello").await;
    socket.stream.shutdown().await.unwrap();
    assert_eq!(socket.event().await, None, "END_STREAM is answered by it");
    let line = line(&lines).await;
    assert_eq!(
        (&line["why"], &line["by"]),
        (&"peer-gone".into(), &"peer".into())
    );
}

#[tokio::test]
async fn a_reset_is_a_broken_connection() {
    let (lines, _guard) = captured();
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut other = session.websocket("/echo").await;
    let mut socket = session.websocket("/echo").await;
    socket.echoes("Hello").await;
    drop(socket);
    let line = line(&lines).await;
    assert_eq!(line["why"], "io");
    other.echoes("Hello").await;
    assert_eq!(running.counts().open, 1);
}

#[tokio::test]
async fn what_breaks_the_draft_is_told_and_the_stream_ends() {
    let (_running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    // Not masked.
    socket.stream.write_all(&[0x81, 1, b'a']).await.unwrap();
    socket.stream.flush().await.unwrap();
    let mut said = [0; 4];
    let read = socket.stream.read_exact(&mut said);
    soon("the close", read).await.unwrap();
    assert_eq!((said[0], &said[2..]), (0x88, &1002_u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn the_gateway_stops_with_goaway_and_closes_as_the_draft_says() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(session.websocket("/echo").await);
    }
    let drained = tokio::spawn(running.drain());
    for socket in &mut sockets {
        let Some(Event::Close(Some(close))) = socket.event().await else {
            panic!("no close");
        };
        assert_eq!(close.code, 1001);
        socket.close(1001).await;
        socket.stream.shutdown().await.unwrap();
        assert_eq!(socket.event().await, None);
    }
    drop(sockets);
    let Session { send, driver, .. } = session;
    soon("the drain", drained).await.unwrap();
    // Nothing went wrong: the connection was ended in order.
    soon("the end", driver).await.unwrap().unwrap();
    assert!(send.ready().await.is_err());
}

#[tokio::test]
async fn what_is_left_is_cut_at_once_with_the_gateway() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut socket = session.websocket("/echo").await;
    socket.echoes("Hello").await;
    soon("the end", running.shutdown()).await;
    let mut octet = [0];
    let read = soon("the cut", socket.stream.read(&mut octet)).await;
    assert!(!matches!(read, Ok(1..)), "{read:?}");
    let _ = soon("the end", session.driver).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_streams_is_ended_after_a_while() {
    let (running, address) = gateway(config());
    let idle = config().listeners[0].timeouts.idle.unwrap();
    let session = Session::open(address).await;
    let began = tokio::time::Instant::now();
    let head = session.request("GET", "/");
    assert_eq!(session.ask(head, "").await.status(), 200);
    let ended = session.driver.await.unwrap();
    assert!(ended.is_ok() || ended.unwrap_err().reason() == Some(Reason::NO_ERROR));
    assert!(began.elapsed() >= idle, "{:?}", began.elapsed());
    until("it ends", || running.counts().connections == 0).await;
}
