//! How many of an address may be in their opening handshake at once: the rest
//! waits for its turn and is refused only when that does not come.

mod common;

use std::time::Duration;

use common::{ANSWER, Client, HIXIE_76, HYBI_13, KEY3, Raw, config, gateway, until};
use draftgate_core::Message;
use draftgate_gateway::config::Config;
use tokio::io::AsyncWriteExt;

/// Nothing in these tests is to end by a timeout that they do not mean.
const LONG: Duration = Duration::from_secs(3600);

fn at_a_time(openings: u32) -> Config {
    let mut config = config();
    let listener = &mut config.listeners[0];
    listener.limits.half_open_per_ip_loopback = Some(openings);
    listener.timeouts.turn = LONG;
    listener.timeouts.first_octet = LONG;
    listener.timeouts.head = LONG;
    listener.timeouts.key3 = LONG;
    config
}

#[tokio::test]
async fn an_opening_waits_until_another_one_has_ended() {
    let (running, address) = gateway(at_a_time(2));
    let silent = Raw::connect(address).await;
    let _half_a_head = Raw::say(address, &HYBI_13[..40]).await;
    until("both are there", || running.counts().accepted == 2).await;
    let mut waiting = Raw::say(address, HYBI_13).await;
    until("all are there", || running.counts().accepted == 3).await;
    assert!(running.counts().upgrades.is_empty());
    drop(silent);
    assert!(waiting.head().await.starts_with("HTTP/1.1 101 "));
    assert!(running.counts().refused.is_empty());
}

#[tokio::test]
async fn key3_belongs_to_the_handshake() {
    let (running, address) = gateway(at_a_time(1));
    let mut first = Raw::say(address, HIXIE_76).await;
    // With its key3 held back, the head comes alone.
    first.head().await;
    let mut second = Raw::say(address, HYBI_13).await;
    until("both are there", || running.counts().accepted == 2).await;
    assert_eq!(running.counts().open, 1);
    first.write(KEY3).await;
    assert_eq!(first.exactly(16).await, ANSWER);
    assert!(second.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(running.counts().open, 2);
}

#[tokio::test]
async fn an_open_connection_of_any_draft_takes_no_turn_and_a_refused_one_gives_it_back() {
    let (running, address) = gateway(at_a_time(1));
    let mut clients = Vec::new();
    for draft in draftgate_drafts::announced() {
        clients.push(Client::open(address, draft, "/echo").await);
        let nowhere = HYBI_13.replace("/echo", "/nowhere");
        // Still there, and not yet at its end.
        let mut refused = Raw::say(address, &nowhere).await;
        assert!(refused.head().await.starts_with("HTTP/1.1 404 "));
        clients.push(Client::open(address, draft, "/echo").await);
    }
    assert_eq!(running.counts().open, clients.len() as u64);
    for client in &mut clients {
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"));
    }
}

#[tokio::test]
async fn a_turn_that_does_not_come_is_refused_with_429() {
    let mut config = at_a_time(1);
    config.listeners[0].timeouts.turn = Duration::from_millis(50);
    let (running, address) = gateway(config);
    let _silent = Raw::connect(address).await;
    until("it is there", || running.counts().accepted == 1).await;
    let (head, body) = Raw::say(address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(head.contains("\r\nRetry-After: "), "{head}");
    assert!(body.contains("Code: too-many-half-open"), "{body}");
    assert_eq!(running.counts().refused_for("too-many-half-open"), 1);
}

/// Each address of 127.0.0.0/8 is one of its own; other systems have but one.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_of_half_openings_delays_nobody_but_its_address() {
    let (running, address) = gateway(at_a_time(2));
    let from = |host: u8| async move {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, host], 0).into()).unwrap();
        socket.connect(address).await.unwrap()
    };
    let mut flood = Vec::new();
    for number in 0..500_usize {
        let mut tcp = from(2).await;
        // Nothing, or the beginning of a head, or all but key3.
        let part = match number % 3 {
            0 => "",
            1 => &HYBI_13[..40],
            _ => HIXIE_76,
        };
        tcp.write_all(part.as_bytes()).await.unwrap();
        flood.push(tcp);
    }
    until("all are there", || running.counts().accepted == 500).await;
    let mut clients = Vec::new();
    for draft in draftgate_drafts::announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"));
        clients.push(client);
    }
    let counts = running.counts();
    assert!(counts.refused.is_empty(), "{:?}", counts.refused);
    // A hixie-76 client that owes its key3 counts here, once it is read.
    assert!(counts.open <= clients.len() as u64 + 2, "{}", counts.open);
}
