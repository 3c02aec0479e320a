//! Peers that speak TLS badly, slowly or not at all.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use draftgate_gateway::{Running, config::Config};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::ClientConnection;

use crate::{
    authority::{Authority, config},
    common::{HYBI_13, Lines, Raw, captured, gateway, until},
    tunnel,
};

fn impatient(authority: &Authority) -> Config {
    let mut config = config(&authority.sign("a", &["localhost"]));
    let timeouts = &mut config.listeners[0].timeouts;
    timeouts.tls = Duration::from_millis(50);
    timeouts.first_octet = Duration::from_millis(50);
    timeouts.turn = Duration::from_millis(50);
    config
}

/// A hello of today, as rustls says it.
fn hello(authority: &Authority) -> Vec<u8> {
    let client = Arc::new(tunnel::of_today(authority));
    let mut session = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    let mut octets = Vec::new();
    session.write_tls(&mut octets).unwrap();
    octets
}

async fn refused(running: &Running, code: &str, count: u64) {
    until(code, || running.counts().refused_for(code) == count).await;
}

#[tokio::test]
async fn a_hello_cut_at_each_octet_is_answered() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let hello = hello(&authority);
    for cut in 1..hello.len() {
        let mut raw = Raw::say(address, &hello[..cut]).await;
        raw.write(&hello[cut..]).await;
        // A handshake record: ServerHello.
        assert_eq!(raw.exactly(3).await, [0x16, 3, 3], "{cut}");
    }
    assert_eq!(running.counts().refused_for("tls-timeout"), 0);
}

#[tokio::test]
async fn a_hello_that_drips_in_is_answered() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let hello = hello(&authority);
    let mut raw = Raw::connect(address).await;
    for octet in &hello {
        raw.write([*octet]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.exactly(3).await, [0x16, 3, 3]);
}

#[tokio::test]
async fn garbage_gets_an_alert_and_a_line() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let all: [&[u8]; 6] = [
        b"\x16garbage behind the octet of TLS",
        &[0x16, 3, 1, 0, 0],
        &[0x16, 3, 1, 0, 4, 2, 0, 0, 0],
        &[0x16, 3, 1, 0, 4, 1, 0xFF, 0xFF, 0xFF],
        &[0x00; 64],
        &[0x80, 0x40, 9, 9, 9],
    ];
    for garbage in all {
        let mut raw = Raw::say(address, garbage).await;
        assert_eq!(raw.rest().await, [0x15, 3, 1, 0, 2, 2, 50], "{garbage:?}");
    }
    refused(&running, "tls-handshake", all.len() as u64).await;
    let line = &lines.with("code", "tls-handshake")[0];
    assert!(
        line["message"].to_string().contains("this is no TLS"),
        "{line}"
    );
}

#[tokio::test]
async fn versions_of_before_are_refused_with_a_sentence() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    for (hello, told) in [
        (
            tls_1_0(&[0x2F, 0x0A]),
            "the client offers TLS 1.0 with AES128-SHA, DES-CBC3-SHA",
        ),
        (
            ssl_2(),
            "the client offers TLS 1.0 in a hello of SSL 2 with AES128-SHA",
        ),
    ] {
        let mut raw = Raw::say(address, &hello).await;
        assert_eq!(raw.rest().await, [0x15, 3, 1, 0, 2, 2, 70]);
        lines
            .until(told, || {
                let lines = lines.with("code", "tls-handshake");
                lines
                    .iter()
                    .any(|line| line["message"].to_string().contains(told))
            })
            .await;
    }
    refused(&running, "tls-handshake", 2).await;
}

/// A hello of TLS 1.0 without extensions.
pub(crate) fn tls_1_0(suites: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 1];
    body.extend([7; 32]);
    body.extend([0, 0, u8::try_from(suites.len() * 2).unwrap()]);
    body.extend(suites.iter().flat_map(|suite| [0, *suite]));
    body.extend([1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length], &body[..]].concat()
}

/// TLS 1.0 as SSL 2 framed it.
pub(crate) fn ssl_2() -> Vec<u8> {
    let mut message = vec![1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2F];
    message.extend([5; 16]);
    let length = u8::try_from(message.len()).unwrap();
    [&[0x80, length], &message[..]].concat()
}

#[tokio::test]
async fn a_hello_of_ten_thousand_octets_is_served_and_one_of_a_million_is_not() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let mut client = tunnel::of_today(&authority);
    client.alpn_protocols = (0..50).map(|at| vec![b'a' + at % 26; 200]).collect();
    client.alpn_protocols.push(b"http/1.1".to_vec());
    let tls = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    let mut raw = Raw::say(address, [0x16, 3, 1, 0x40, 0, 1, 0x0F, 0x42, 0x40]).await;
    assert_eq!(raw.rest().await, [0x15, 3, 1, 0, 2, 2, 50]);
    refused(&running, "tls-handshake", 1).await;
}

#[tokio::test]
async fn whoever_speaks_only_other_protocols_inside_is_told() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let mut client = tunnel::of_today(&authority);
    client.alpn_protocols = vec![b"h3".to_vec()];
    let error = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
    refused(&running, "tls-handshake", 1).await;
    client.alpn_protocols.push(b"http/1.1".to_vec());
    let tls = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn silence_before_within_and_behind_the_hello_has_an_end() {
    let authority = Authority::new();
    let (running, address) = gateway(impatient(&authority));
    let mut silent = Raw::connect(address).await;
    assert!(silent.rest().await.is_empty());
    refused(&running, "first-octet-timeout", 1).await;
    let hello = hello(&authority);
    let mut half = Raw::say(address, &hello[..hello.len() / 2]).await;
    assert!(half.rest().await.is_empty());
    refused(&running, "tls-timeout", 1).await;
    let mut whole = Raw::say(address, &hello).await;
    assert_eq!(whole.exactly(1).await, [0x16]);
    whole.rest().await;
    refused(&running, "tls-timeout", 2).await;
    let client = tunnel::of_today(&authority);
    let mut tls = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap();
    let mut nothing = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut tls, &mut nothing).await;
    refused(&running, "first-octet-timeout", 2).await;
}

/// One that begins a handshake and goes no further.
async fn half(authority: &Authority, address: SocketAddr) -> Raw {
    let hello = hello(authority);
    Raw::say(address, &hello[..hello.len() / 2]).await
}

#[tokio::test]
async fn half_handshakes_count_as_half_openings() {
    let authority = Authority::new();
    let mut config = impatient(&authority);
    config.listeners[0].timeouts.tls = Duration::from_secs(60);
    config.listeners[0].limits.half_open_per_ip_loopback = Some(2);
    let (running, address) = gateway(config);
    let both = [
        half(&authority, address).await,
        half(&authority, address).await,
    ];
    // The third waits for its turn in vain, and is told in the words of TLS.
    let mut third = Raw::say(address, hello(&authority)).await;
    assert_eq!(third.rest().await, [0x15, 3, 1, 0, 2, 2, 80]);
    refused(&running, "too-many-half-open", 1).await;
    drop(both);
}

#[tokio::test]
async fn a_listener_that_is_full_says_so_in_the_words_of_tls() {
    let authority = Authority::new();
    let mut config = config(&authority.sign("a", &["localhost"]));
    config.listeners[0].limits.max_connections = 1;
    let (_running, address) = gateway(config);
    let first = half(&authority, address).await;
    let mut second = Raw::connect(address).await;
    assert_eq!(second.rest().await, [0x15, 3, 1, 0, 2, 2, 80]);
    drop(first);
}

/// Sends echoes without end over `io` and reads none.
pub(crate) async fn reads_nothing(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    io.write_all(HYBI_13.as_bytes()).await.unwrap();
    let mut octets = vec![0; 1 << 20];
    // A frame of 1 MiB, masked with zeros.
    let head = [0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0];
    octets.splice(..0, head);
    while io.write_all(&octets).await.is_ok() && io.flush().await.is_ok() {}
}

/// Waits for the line of a connection that was ended because its peer took nothing.
pub(crate) async fn takes_too_little(lines: &Lines) {
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    let line = &lines.with("target", "draftgate::access")[0];
    assert_eq!(line["why"], "write-timeout", "{line}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let mut config = impatient(&authority);
    config.listeners[0].timeouts.write = Duration::from_millis(100);
    config.listeners[0].timeouts.tls = Duration::from_secs(60);
    let (_running, address) = gateway(config);
    let client = tunnel::of_today(&authority);
    let tls = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap();
    let writing = tokio::spawn(reads_nothing(tls));
    takes_too_little(&lines).await;
    writing.abort();
}

#[tokio::test]
async fn clients_that_go_within_the_handshake_leave_nothing() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let hello = hello(&authority);
    for cut in [1, 5, hello.len() / 2, hello.len()] {
        let mut raw = Raw::say(address, &hello[..cut]).await;
        raw.tcp.shutdown().await.unwrap();
        raw.rest().await;
    }
    until("all gone", || running.counts().connections == 0).await;
    refused(&running, "tls-handshake", 4).await;
}
