//! Microsoft's test client and Resin's client, as their sources and recordings have
//! them, and peers that prove nothing.

use std::time::Duration;

use bytes::BytesMut;
use draftgate_core::{Draft, Limits, Message, Outbox};
use draftgate_drafts::{
    FixedKeys,
    opening::{LengthFrames, Resume},
};
use draftgate_gateway::config::{Config, Nonce, Route};

use crate::common::{Client, Raw, captured, config, gateway, until, with_route};

/// The nonce of the server that Microsoft's client was written for.
const NONCE: Nonce = Nonce([0x15, 0xf0, 0xd2, 0x27, 0x8b, 0xcd, 0x45, 0x7f]);

const MICROSOFTS: &str = "GET /echo HTTP/1.1\r\nHost: example.com:4502\r\n\
    Upgrade:   WebSocket\r\nconnection: upgrade\r\nOrigin: http://localhost\r\n\
    Sec-WebSocket-Draft: 3\r\nSec-WebSocket-Nonce: A23F2BCA452DDE01\r\n\r\n";

const CLIENTS_HELLO: &[u8] =
    b"\x8f\x10\x33\x12\x20\x35\xd1\x12\x58\xfd\x7c\x76\x43\x14\x58\x0e\x53\x9c";

const SERVERS_HELLO: &[u8] = b"\x8f\x18\x15\xf0\xd2\x27\x8b\xcd\x45\x7f\
    \xee\x7e\xbe\x0c\x36\x9c\xbf\x25\x5a\x44\x51\xfc\x58\xd7\xcc\x4f";

const ANSWER: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
    Upgrade: WebSocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Origin: http://localhost\r\n\
    Sec-WebSocket-Location: ws://example.com:4502/echo\r\n\r\n";

const RESINS: &str = "WEBSOCKET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n\
    Sec-WebSocket-Nonce: 0000000000000000\r\nUpgrade: WebSocket\r\n\
    Connection: Upgrade\r\nOrigin: http://localhost\r\n\r\n";

fn with_echo(change: impl FnOnce(&mut Route)) -> Config {
    with_route("/echo", change)
}

/// It sends its HELLO at once and its text after that, in one segment for a few
/// octets each.
#[tokio::test]
async fn microsofts_test_client_is_served_with_the_nonce_that_it_knows() {
    let (running, address) = gateway(with_echo(|echo| echo.hello.nonce = Some(NONCE)));
    let octets = [MICROSOFTS.as_bytes(), CLIENTS_HELLO, b"\x84\x05Hello"].concat();
    let said = [ANSWER.as_bytes(), SERVERS_HELLO, b"\x84\x05Hello"].concat();
    for size in [1, 3, 1000] {
        let mut raw = Raw::connect(address).await;
        for piece in octets.chunks(size) {
            raw.write(piece).await;
        }
        assert_eq!(raw.exactly(said.len()).await, said, "{size}");
    }
    assert_eq!(running.counts().upgrades_in(Draft::Hello00), 3);
}

/// A nonce of its own makes that HELLO wrong, and nobody is told why but the log.
#[tokio::test]
async fn a_wrong_hello_ends_tcp_without_a_word() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    for hello in [CLIENTS_HELLO, b"\x84\x05Hello", b"\x8f\x0f"] {
        let octets = [MICROSOFTS.as_bytes(), hello].concat();
        let mut raw = Raw::say(address, octets).await;
        assert_eq!(raw.head().await, ANSWER);
        assert_eq!(raw.rest().await.len(), SERVERS_HELLO.len(), "{hello:02x?}");
    }
    let told = || {
        let access = lines.with("target", "draftgate::access");
        let rule = |line: &serde_json::Value| line["rule"] == "hello-invalid";
        access.iter().filter(|line| rule(line)).count()
    };
    lines.until("three lines", || told() == 3).await;
}

/// The delay that lets the 16 octets of hixie-76 leave with their head would keep
/// back what this client waits for.
#[tokio::test]
async fn the_servers_hello_waits_for_nothing() {
    let mut config = config();
    config.listeners[0].timeouts.head_delay = Duration::from_secs(1000);
    let (_running, address) = gateway(config);
    let mut client = Client::open(address, Draft::Hello00, "/echo").await;
    client.send("Hello").await;
    assert_eq!(client.message().await, Message::from("Hello"));
}

/// As recorded: its own method, sixteen zeros, binary in fragments.
#[tokio::test]
async fn resins_client_is_served_where_its_method_is_allowed() {
    let (running, address) = gateway(config());
    let mut raw = Raw::say(address, RESINS).await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert!(body.contains("method-not-get"), "{body}");
    assert_eq!(running.counts().upgrades_in(Draft::Hello00), 0);

    let resins = with_echo(|echo| echo.hello.websocket_method = true);
    let (running, address) = gateway(resins);
    let mut raw = Raw::say(address, RESINS).await;
    let answer = [raw.head().await.as_bytes(), &raw.exactly(26).await].concat();
    let terms = Resume {
        secure: false,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offerer = draftgate_drafts::offerer(Draft::Hello00).unwrap();
    let mut pending = offerer
        .resume(RESINS.as_bytes(), terms, &mut FixedKeys::new([0]))
        .unwrap();
    let connected = pending.answer(&mut BytesMut::from(&answer[..]));
    let mut codec = connected.unwrap().unwrap().codec;
    let mut out = Outbox::new();
    codec.start(&mut out);
    raw.write(out.take_all()).await;
    raw.write(b"\x05\x03abc\x00\x01d\x80\x01e").await;
    assert_eq!(raw.exactly(7).await, b"\x85\x05abcde");
    // It ends by the end of TCP.
    drop(raw);
    until("it is gone", || running.counts().open == 0).await;

    // No other draft has that method.
    let other = RESINS.replace("Sec-WebSocket-Nonce: 0000000000000000\r\n", "");
    let (head, _) = Raw::say(address, other).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
}
