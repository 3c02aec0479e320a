//! How many and how long: connections in all and from one address, first
//! octet, head. Waits are configured short and have no upper bound in a test.

mod common;

use std::time::Duration;

use common::{Client, HYBI_13, Raw, config, gateway, until};
use draftgate_core::{Draft, Message};

#[tokio::test]
async fn a_full_listener_says_503_and_takes_the_next_when_one_leaves() {
    let mut config = config();
    config.listeners[0].limits.max_connections = 2;
    let (running, address) = gateway(config);
    let first = Client::open(address, Draft::Hybi13, "/echo").await;
    let _second = Client::open(address, Draft::Hixie76, "/echo").await;
    let (head, body) = Raw::say(address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("\r\nRetry-After: "), "{head}");
    assert!(body.contains("Code: too-many-connections"), "{body}");
    drop(first);
    until("one leaves", || running.counts().connections == 1).await;
    Client::open(address, Draft::Hixie75, "/echo").await;
}

#[tokio::test]
async fn one_address_may_have_so_many_connections() {
    let mut config = config();
    config.listeners[0].limits.per_ip_loopback = Some(1);
    let (_running, address) = gateway(config);
    let mut first = Client::open(address, Draft::Hixie76, "/echo").await;
    let (head, body) = Raw::say(address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(body.contains("Code: too-many-from-address"), "{body}");
    first.send("still here").await;
    assert_eq!(first.message().await, Message::from("still here"));
}

#[tokio::test]
async fn loopback_is_not_limited_by_default() {
    let mut config = config();
    config.listeners[0].limits.per_ip = Some(1);
    let (running, address) = gateway(config);
    let _first = Client::open(address, Draft::Hybi13, "/echo").await;
    let _second = Client::open(address, Draft::Hybi13, "/echo").await;
    assert_eq!(running.counts().open, 2);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let mut config = config();
    config.listeners[0].timeouts.first_octet = Duration::from_millis(50);
    let (running, address) = gateway(config);
    assert_eq!(Raw::connect(address).await.rest().await, b"");
    assert_eq!(running.counts().refused_for("first-octet-timeout"), 1);
}

#[tokio::test]
async fn a_head_that_is_not_finished_in_time_is_told_so() {
    let mut config = config();
    config.listeners[0].timeouts.head = Duration::from_millis(50);
    let (_running, address) = gateway(config);
    // `PRI` is how HTTP/2 begins: a sniffer that waits for the rest hangs here.
    for part in ["G", "PRI", "GET /echo HTTP/1.1\r\nHost: a\r\n", "\r\n"] {
        let (head, body) = Raw::say(address, part).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 408 "), "{part:?} {head}");
        assert!(body.contains("Code: head-timeout"), "{part:?} {body}");
    }
}

#[tokio::test]
async fn a_connection_kept_alive_in_silence_is_closed_without_a_word() {
    let mut config = config();
    config.listeners[0].timeouts.head = Duration::from_millis(50);
    let (running, address) = gateway(config);
    let mut raw = Raw::say(address, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(raw.rest().await, b"");
    assert_eq!(running.counts().refused_for("head-timeout"), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_anywhere_in_the_opening_leaves_nothing_behind() {
    let (running, address) = gateway(config());
    for cut in 0..HYBI_13.len() {
        drop(Raw::say(address, &HYBI_13[..cut]).await);
    }
    let all = HYBI_13.len() as u64;
    until("all came", || running.counts().accepted == all).await;
    until("all end", || running.counts().connections == 0).await;
    assert_eq!(running.counts().upgrades_in(Draft::Hybi13), 0);
    let mut client = Client::open(address, Draft::Hybi13, "/echo").await;
    client.send("Hello").await;
    assert_eq!(client.message().await, Message::from("Hello"));
}
