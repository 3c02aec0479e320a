//! The last octets arrive: a peer that is still sending when it is refused or
//! closed gets the whole answer and then the end of TCP, not a reset, which
//! could take the answer with it.
//!
//! The clock stands still, so that no timeout ends a connection on a slow
//! machine; a test moves it on when it means one.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{net::SocketAddr, sync::mpsc, time::Duration};

use bytes::{Bytes, BytesMut};
use common::{Client, HYBI_13, announced, config, gateway, with_route};
use draftgate_core::{Close, Closing, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, LengthFrames},
};
use draftgate_gateway::Running;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::advance,
};

const MANY: usize = 1 << 20;

/// Keeps a paused clock from going on by itself while sockets are waited for;
/// it does so as long as a blocking task runs.
struct StandingStill {
    _end: mpsc::Sender<()>,
    _task: JoinHandle<()>,
}

fn stand_still() -> StandingStill {
    let (end, ended) = mpsc::channel();
    let task = tokio::task::spawn_blocking(move || {
        let _ = ended.recv();
    });
    StandingStill {
        _end: end,
        _task: task,
    }
}

/// Once the gateway has left, `tcp` must not have been reset. An end that was
/// read is not enough: on Linux it hides a reset that came behind it.
async fn assert_not_reset(running: &Running, tcp: &TcpStream, case: &str) {
    while running.counts().connections > 0 {
        tokio::task::yield_now().await;
    }
    assert!(tcp.take_error().unwrap().is_none(), "{case}: reset");
}

/// What comes up to the end of TCP.
async fn rest(tcp: &mut TcpStream) -> BytesMut {
    let mut read = BytesMut::new();
    while tcp.read_buf(&mut read).await.expect("no reset") > 0 {}
    read
}

fn opening(address: SocketAddr, draft: Draft, path: &str) -> Bytes {
    let host = address.to_string();
    let ask = Ask {
        secure: false,
        host: &host,
        resource: path,
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames {
            send: false,
            accept: false,
        },
        extensions: None,
    };
    let offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
    Bytes::copy_from_slice(&offer.request)
}

/// Sends `request` and a MiB behind it, most of it after the answer has begun.
async fn impatient(address: SocketAddr, request: &[u8]) -> (String, TcpStream) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(request).await.unwrap();
    tcp.write_all(&vec![b'x'; MANY / 8]).await.unwrap();
    let mut answer = [0; 12];
    tcp.read_exact(&mut answer).await.expect("no reset");
    tcp.write_all(&vec![b'x'; MANY - MANY / 8])
        .await
        .expect("no reset");
    tcp.shutdown().await.expect("no reset");
    let mut whole = BytesMut::from(&answer[..]);
    whole.unsplit(rest(&mut tcp).await);
    (String::from_utf8(whole.to_vec()).unwrap(), tcp)
}

fn assert_whole(answer: &str, status: u16, code: &str, case: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect(case);
    assert!(
        head.starts_with(&format!("HTTP/1.1 {status} ")),
        "{case}: {head}"
    );
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{case}: {answer}"
    );
    assert!(
        body.contains(&format!("Code: {code}\nId: c")),
        "{case}: {body}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_of_any_draft_that_sends_a_mib_behind_a_refused_opening_reads_why() {
    let _still = stand_still();
    let (running, address) = gateway(config());
    for draft in announced() {
        let request = opening(address, draft, "/nowhere");
        let (answer, tcp) = impatient(address, &request).await;
        assert_whole(&answer, 404, "path-unknown", draft.name());
        assert_not_reset(&running, &tcp, draft.name()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_to_refuse_a_client_that_sends_a_mib_is_read_whole() {
    let _still = stand_still();
    let mut config = config();
    let second = config.listeners[0].clone();
    config.listeners.push(second);
    config.listeners[1].limits.per_ip_loopback = Some(1);
    let (running, address) = gateway(config);
    let body = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {MANY}\r\n\r\n");
    let large = format!(
        "GET /echo HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let nothing = "\0\r\n\r\n".to_owned();
    for (request, status, code) in [
        (body, 405, "method-not-get"),
        (large, 431, "head-too-large"),
        (nothing, 400, "head-malformed"),
    ] {
        let (answer, tcp) = impatient(address, request.as_bytes()).await;
        assert_whole(&answer, status, code, code);
        assert_not_reset(&running, &tcp, code).await;
    }
    // Refused before anything was read.
    let second = running.addrs()[1];
    let first = Client::open(second, Draft::Hybi13, "/echo").await;
    let (answer, tcp) = impatient(second, HYBI_13.as_bytes()).await;
    assert_whole(&answer, 429, "too-many-from-address", "the gate");
    drop(first);
    assert_not_reset(&running, &tcp, "the gate").await;
}

/// A text of one MiB as `client` sends it.
fn mib(client: &mut Client) -> Bytes {
    let mut out = Outbox::new();
    let message = Message::from("x".repeat(MANY).as_str());
    client
        .codec
        .send(Outgoing::Message(message), &mut out)
        .unwrap();
    out.take_all()
}

/// Reads up to the peer's Close, or to the end of TCP where the draft has
/// none: its code, and what the codec answers.
async fn closed(client: &mut Client) -> (Option<Close>, Bytes) {
    let (mut read, mut out) = (BytesMut::new(), Outbox::new());
    let absent = client.codec.capabilities().closing == Closing::Absent;
    loop {
        while let Some(event) = client.codec.receive(&mut read, &mut out).unwrap() {
            if let Event::Close(close) = event {
                return (close, out.take_all());
            }
        }
        let count = client.tcp.read_buf(&mut read).await.expect("no reset");
        if count == 0 {
            assert!(absent, "{}: no Close", client.codec.draft());
            return (None, Bytes::new());
        }
    }
}

/// `code`, where the client's draft has codes.
fn said(client: &Client, code: u16) -> Option<u16> {
    let coded = client.codec.capabilities().closing == Closing::Coded;
    coded
        .then(|| Close::nearest_code(code, client.codec.draft()))
        .flatten()
}

#[tokio::test(start_paused = true)]
async fn a_client_of_any_draft_that_is_closed_within_a_message_of_a_mib_reads_the_close() {
    let _still = stand_still();
    let (running, address) = gateway(with_route("/echo", |route| {
        route.limits.message = 100_000;
        route.limits.frame = 100_000;
    }));
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        let mut octets = mib(&mut client);
        let first = octets.split_to(MANY / 4);
        client.tcp.write_all(&first).await.unwrap();
        let (close, _) = closed(&mut client).await;
        let code = close.map(|close| close.code);
        assert_eq!(code, said(&client, Close::TOO_BIG), "{draft}");
        client.tcp.write_all(&octets).await.expect("no reset");
        client.tcp.shutdown().await.expect("no reset");
        assert!(rest(&mut client.tcp).await.is_empty(), "{draft}");
        assert_not_reset(&running, &client.tcp, draft.name()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_any_draft_that_is_within_a_message_when_the_gateway_drains_ends_it_in_peace() {
    let _still = stand_still();
    for draft in announced() {
        let (running, address) = gateway(config());
        let mut client = Client::open(address, draft, "/echo").await;
        let mut octets = mib(&mut client);
        let first = octets.split_to(MANY / 4);
        client.tcp.write_all(&first).await.unwrap();
        let drained = tokio::spawn(running.drain());
        let (close, answer) = closed(&mut client).await;
        let code = close.map(|close| close.code);
        assert_eq!(code, said(&client, Close::GOING_AWAY), "{draft}");
        client.tcp.write_all(&octets).await.expect("no reset");
        client.tcp.write_all(&answer).await.expect("no reset");
        client.tcp.shutdown().await.expect("no reset");
        rest(&mut client.tcp).await;
        drained.await.unwrap();
        let error = client.tcp.take_error().unwrap();
        assert!(error.is_none(), "{draft}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_never_answers_the_marker_has_two_seconds_and_then_tcp_ends() {
    let _still = stand_still();
    let mut marked = 0;
    for draft in announced() {
        let (running, address) = gateway(config());
        let mut client = Client::open(address, draft, "/echo").await;
        if client.codec.capabilities().closing != Closing::Marker {
            continue;
        }
        marked += 1;
        let drained = tokio::spawn(running.drain());
        let mut marker = [0; 2];
        client.tcp.read_exact(&mut marker).await.unwrap();
        assert_eq!(marker, [0xFF, 0]);
        // As PhantomJS 1.9 does: no marker, no FIN, only what a page still says.
        client.tcp.write_all(b"\0late\xFF").await.unwrap();
        advance(Duration::from_millis(1_900)).await;
        let mut octet = [0];
        tokio::select! {
            biased;
            read = client.tcp.read(&mut octet) => panic!("{read:?} before its time"),
            () = turns() => {}
        }
        assert!(!drained.is_finished());
        advance(Duration::from_millis(200)).await;
        assert_eq!(client.tcp.read(&mut octet).await.expect("no reset"), 0);
        // That is all the time it takes.
        drained.await.unwrap();
        assert!(client.tcp.take_error().unwrap().is_none());
    }
    assert!(marked > 0);
}

/// Lets the other tasks do what they can.
async fn turns() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}
