//! Listeners with `proxy-protocol`: whom the header announces is the client,
//! for limits, log and the scheme; who may not announce, or announces wrongly, is told.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{
    ANSWER, HIXIE_76, HYBI_13, KEY3, Raw, announced, captured, config, gateway, soon, until,
};
use draftgate_core::{Draft, Message};
use draftgate_gateway::{Running, config::Config};
use tokio::io::AsyncWriteExt;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 4321 80\r\n";

/// Version 2, the same client, over TLS.
const OVER_TLS: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xC0\0\x02\x07\x0A\0\0\x01\x10\xE1\0\x50\x20\0\x05\x01\0\0\0\0";

/// Version 2, LOCAL: a health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn behind_a_proxy() -> Config {
    let mut config = config();
    config.listeners[0].proxy_protocol = true;
    config.listeners[0].trusted_proxies =
        vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    config
}

fn line(client: &str) -> String {
    format!("PROXY TCP4 {client} 10.0.0.1 4321 80\r\n")
}

/// What the line about the end of a connection says.
async fn access_line(lines: &common::Lines) -> serde_json::Value {
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    lines.with("target", "draftgate::access").remove(0)
}

/// A connection that carries `header` before anything else.
async fn open(address: SocketAddr, header: &[u8], draft: Draft) -> common::Client {
    let mut tcp = soon("connect", tokio::net::TcpStream::connect(address))
        .await
        .unwrap();
    tcp.write_all(header).await.unwrap();
    common::Client::over(tcp, &address.to_string(), draft, "/echo", &[]).await
}

#[tokio::test]
async fn the_announced_client_is_the_peer_in_every_draft() {
    for draft in announced() {
        let (lines, _guard) = captured();
        let (_running, address) = gateway(behind_a_proxy());
        let mut client = open(address, LINE, draft).await;
        let socket = client.tcp.local_addr().unwrap();
        client.send("Hello").await;
        assert_eq!(client.message().await, Message::from("Hello"), "{draft}");
        client.close(None).await;
        let line = access_line(&lines).await;
        assert_eq!(line["peer"], "192.0.2.7:4321", "{line}");
        assert_eq!(line["via"], socket.to_string(), "{line}");
        assert_eq!(line["draft"], draft.name());
    }
}

#[tokio::test]
async fn a_header_cut_at_each_octet_leaves_the_opening_and_key3_whole() {
    let (running, address) = gateway(behind_a_proxy());
    for header in [LINE, OVER_TLS, LOCAL] {
        let whole = [header, HIXIE_76.as_bytes(), KEY3].concat();
        for cut in 1..=header.len() + 4 {
            let mut raw = Raw::say(address, &whole[..cut]).await;
            raw.write(&whole[cut..]).await;
            raw.head().await;
            assert_eq!(raw.exactly(16).await, ANSWER, "{cut}");
        }
    }
    assert_eq!(running.counts().refused, [].into());
}

#[tokio::test]
async fn tls_at_the_proxy_is_the_scheme_of_the_location() {
    let (_running, address) = gateway(behind_a_proxy());
    for (header, url) in [
        (OVER_TLS, "wss://example.com/echo"),
        (LINE, "ws://example.com/echo"),
    ] {
        let mut raw = Raw::say(address, [header, HIXIE_76.as_bytes(), KEY3].concat()).await;
        let head = raw.head().await;
        assert!(
            head.contains(&format!("Sec-WebSocket-Location: {url}\r\n")),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_health_check_is_the_proxys_own_connection() {
    let (lines, _guard) = captured();
    let (running, address) = gateway(behind_a_proxy());
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let client = open(address, header, Draft::Hybi13).await;
        let socket = client.tcp.local_addr().unwrap();
        drop(client);
        until("its end", || running.counts().connections == 0).await;
        let line = lines.with("target", "draftgate::access").pop().unwrap();
        assert_eq!(line["peer"], socket.to_string(), "{line}");
        assert_eq!(line["via"], serde_json::Value::Null, "{line}");
    }
    // One that only looks whether the port is open is no event at all.
    drop(Raw::connect(address).await);
    until("it came", || running.counts().accepted == 3).await;
    until("its end", || running.counts().connections == 0).await;
    assert_eq!(running.counts().refused, [].into());
}

#[tokio::test]
async fn limits_count_the_announced_address() {
    let mut config = behind_a_proxy();
    config.listeners[0].limits.per_ip = Some(1);
    config.listeners[0].limits.per_ip_loopback = Some(1);
    let (running, address) = gateway(config);
    let first = open(address, line("192.0.2.1").as_bytes(), Draft::Hixie76).await;
    let _other = open(address, line("192.0.2.2").as_bytes(), Draft::Hybi13).await;
    let again = format!("{}{HYBI_13}", line("192.0.2.1"));
    let (head, body) = Raw::say(address, &again).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(body.contains("Code: too-many-from-address"), "{body}");
    drop(first);
    until("one leaves", || running.counts().connections == 1).await;
    let head = Raw::say(address, &again).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn a_proxy_is_not_counted_for_those_whom_it_has_not_named_yet() {
    let mut config = behind_a_proxy();
    config.listeners[0].limits.per_ip_loopback = Some(1);
    let (running, address) = gateway(config);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(Raw::say(address, "PROXY").await);
    }
    until("all came", || running.counts().connections == 3).await;
    for (number, raw) in (1..).zip(&mut waiting) {
        let rest = line(&format!("192.0.2.{number}")).split_off("PROXY".len());
        raw.write(format!("{rest}{HYBI_13}")).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    }
    assert_eq!(running.counts().refused, [].into());
}

#[tokio::test]
async fn a_proxy_that_is_announced_is_not_counted_for_those_whom_it_has_not_named_yet() {
    const BEHIND: &str = "10.0.0.9";
    let mut config = behind_a_proxy();
    let listener = &mut config.listeners[0];
    let behind = BEHIND.parse::<std::net::IpAddr>().unwrap();
    listener.trusted_proxies.push(behind.into());
    listener.limits.per_ip = Some(1);
    listener.limits.half_open_per_ip = Some(1);
    let (running, address) = gateway(config);
    let request = |client: &str| {
        let (first, fields) = HYBI_13.split_once("\r\n").unwrap();
        format!("{first}\r\nX-Forwarded-For: {client}\r\n{fields}")
    };
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(Raw::say(address, line(BEHIND) + "GET").await);
    }
    until("all came", || running.counts().connections == 3).await;
    for (number, raw) in (1..).zip(&mut waiting) {
        let rest = request(&format!("192.0.2.{number}")).split_off("GET".len());
        raw.write(rest).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    }
    assert_eq!(running.counts().refused, [].into());
    // Whom it named is counted.
    let again = line(BEHIND) + &request("192.0.2.2");
    let (_, body) = Raw::say(address, &again).await.refusal().await;
    assert!(body.contains("Code: too-many-from-address"), "{body}");
}

#[tokio::test]
async fn connections_without_their_header_count_in_the_whole() {
    let mut config = behind_a_proxy();
    config.listeners[0].limits.max_connections = 1;
    let (running, address) = gateway(config);
    let _silent = Raw::say(address, "PROXY").await;
    until("it came", || running.counts().connections == 1).await;
    let (head, _) = Raw::say(address, LINE).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
}

#[tokio::test]
async fn who_is_no_proxy_is_turned_away_unread() {
    let mut config = behind_a_proxy();
    config.listeners[0].trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let (lines, _guard) = captured();
    let (running, address) = gateway(config);
    let (head, body) = Raw::say(address, LINE).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(body.contains("Code: proxy-untrusted"), "{body}");
    assert_eq!(running.counts().refused_for("proxy-untrusted"), 1);
    let told = lines.with("code", "proxy-untrusted");
    assert_eq!(told.len(), 1, "{told:?}");
}

async fn told(running: &Running, address: SocketAddr, octets: &[u8], end: bool) -> String {
    let mut raw = Raw::say(address, octets).await;
    if end {
        raw.tcp.shutdown().await.unwrap();
    }
    let (head, body) = raw.refusal().await;
    let code = body.split("Code: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(running.counts().refused_for(code), 1, "{head}{body}");
    code.to_owned()
}

#[tokio::test]
async fn a_header_that_is_wrong_is_refused_with_its_own_code() {
    for (octets, end, code) in [
        (HYBI_13.as_bytes(), false, "proxy-header-missing"),
        (b"PROXY TCP4 a b c d\r\n", false, "proxy-header-malformed"),
        (&[b'P'; 200], false, "proxy-header-missing"),
        (b"PROXY UNKNOWN                                                                                              ", false, "proxy-header-too-long"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF", false, "proxy-header-too-long"),
        (&LINE[..20], true, "proxy-header-truncated"),
    ] {
        let (running, address) = gateway(behind_a_proxy());
        assert_eq!(told(&running, address, octets, end).await, code);
    }
    let mut config = behind_a_proxy();
    config.listeners[0].timeouts.first_octet = Duration::from_millis(50);
    let (running, address) = gateway(config);
    let code = told(&running, address, &LINE[..20], false).await;
    assert_eq!(code, "proxy-header-timeout");
}

#[tokio::test]
async fn what_comes_behind_the_header_is_told_apart_as_ever() {
    let mut config = behind_a_proxy();
    config.listeners[0].timeouts.first_octet = Duration::from_millis(50);
    let (running, address) = gateway(config);
    for (behind, answer, code) in [
        (
            &b"\x16\x03\x01\0"[..],
            &b"\x15\x03\x01\0\x02\x02\x46"[..],
            "tls",
        ),
        (b"<policy-file-request/>\0", b"", "policy-request"),
        (b"", b"", "first-octet-timeout"),
    ] {
        let mut raw = Raw::say(address, [LINE, behind].concat()).await;
        assert_eq!(raw.rest().await, answer, "{code}");
        assert_eq!(running.counts().refused_for(code), 1, "{code}");
    }
    let mut raw = Raw::say(
        address,
        [LINE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
    )
    .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn without_the_key_such_a_header_is_no_http() {
    let (running, address) = gateway(config());
    let (_, body) = Raw::say(address, [LINE, HYBI_13.as_bytes()].concat())
        .await
        .refusal()
        .await;
    assert!(body.contains("Code: head-malformed"), "{body}");
    assert_eq!(running.counts().upgrades_in(Draft::Hybi13), 0);
}
