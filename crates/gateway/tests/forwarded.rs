//! What HTTP proxies forward: the client's address in log, access line and
//! limits, its scheme and host in Location and `same-host`, and nothing of it
//! from anybody who is not trusted.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{ANSWER, HIXIE_76, HYBI_13, KEY3, Lines, Raw, captured, config, gateway, until};
use draftgate_gateway::config::{Config, Origins};
use serde_json::Value;

const FOR: &str = "X-Forwarded-For: 8.8.8.8, 192.0.2.1, 10.0.0.2\r\n";

fn trusting() -> Config {
    let mut config = config();
    config.listeners[0].trusted_proxies = vec![
        "127.0.0.0/8".parse().unwrap(),
        "10.0.0.0/8".parse().unwrap(),
    ];
    config
}

/// `request` with more fields.
fn with(request: &str, fields: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\n{fields}\r\n"))
}

async fn line(lines: &Lines, key: &str, value: &str) -> Value {
    lines
        .until("a line", || !lines.with(key, value).is_empty())
        .await;
    lines.with(key, value).remove(0)
}

#[tokio::test]
async fn the_forwarded_client_is_the_peer_in_the_access_line() {
    for (fields, peer) in [
        (FOR, "192.0.2.1"),
        (
            "Forwarded: for=\"[2001:db8::1]:77\"\r\n",
            "[2001:db8::1]:77",
        ),
    ] {
        let (lines, _guard) = captured();
        let (_running, address) = gateway(trusting());
        let mut raw = Raw::say(address, with(HYBI_13, fields)).await;
        raw.head().await;
        let socket = raw.tcp.local_addr().unwrap();
        drop(raw);
        let line = line(&lines, "target", "draftgate::access").await;
        assert_eq!(line["peer"], peer, "{line}");
        assert_eq!(line["via"], socket.to_string(), "{line}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_forwarded_client() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(trusting());
    let request = with(HYBI_13, FOR).replace("/echo", "/nowhere");
    Raw::say(address, request).await.refusal().await;
    let line = line(&lines, "code", "path-unknown").await;
    assert_eq!(line["peer"], "192.0.2.1", "{line}");
}

#[tokio::test]
async fn who_is_not_trusted_forwards_nothing() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let fields = format!("{FOR}X-Forwarded-Proto: https\r\nX-Forwarded-Host: forged\r\n");
    let request = [with(HIXIE_76, &fields).as_bytes(), KEY3].concat();
    let mut raw = Raw::say(address, request).await;
    let head = raw.head().await;
    assert!(
        head.contains("\r\nSec-WebSocket-Location: ws://example.com/echo\r\n"),
        "{head}"
    );
    let socket = raw.tcp.local_addr().unwrap();
    drop(raw);
    let line = line(&lines, "target", "draftgate::access").await;
    assert_eq!(line["peer"], socket.to_string(), "{line}");
    assert_eq!(line["via"], Value::Null);
    let malformed = with(HYBI_13, "Forwarded: for=\"\r\n");
    let head = Raw::say(address, malformed).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn scheme_and_host_are_in_the_location_and_decide_what_is_same_host() {
    let mut config = trusting();
    for route in &mut config.routes {
        route.origins = Origins::default();
    }
    let (_running, address) = gateway(config);
    let from_page = HIXIE_76.replace("http://localhost", "https://www.example.org");
    for fields in [
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n",
        "Forwarded: for=192.0.2.1;proto=https;host=www.example.org\r\n",
    ] {
        let request = [with(&from_page, fields).as_bytes(), KEY3].concat();
        let mut raw = Raw::say(address, request).await;
        let head = raw.head().await;
        let expected = "\r\nSec-WebSocket-Location: wss://www.example.org/echo\r\n";
        assert!(head.contains(expected), "{head}");
        assert_eq!(raw.exactly(16).await, ANSWER);
    }
    let (head, body) = Raw::say(address, &from_page).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(body.contains("Code: origin-refused"), "{body}");
}

#[tokio::test]
async fn nothing_forwarded_breaks_out_of_the_location() {
    let (_running, address) = gateway(trusting());
    for host in [
        "a b", "a\"b", "a@b", "a/b?c#d", "<script>", "a:99999", "\u{e9}",
    ] {
        let field = format!("X-Forwarded-Host: {host}\r\n");
        let request = [with(HIXIE_76, &field).as_bytes(), KEY3].concat();
        let head = Raw::say(address, request).await.head().await;
        let expected = "\r\nSec-WebSocket-Location: ws://example.com/echo\r\n";
        assert!(head.contains(expected), "{head}");
    }
}

#[tokio::test]
async fn limits_count_the_forwarded_client_once_it_is_known() {
    let mut config = trusting();
    config.listeners[0].limits.per_ip = Some(1);
    config.listeners[0].limits.per_ip_loopback = Some(1);
    let (running, address) = gateway(config);
    let of = |client: &str| with(HYBI_13, &format!("X-Forwarded-For: {client}\r\n"));
    let mut first = Raw::say(address, of("192.0.2.1")).await;
    assert!(first.head().await.starts_with("HTTP/1.1 101 "));
    let mut other = Raw::say(address, of("192.0.2.2")).await;
    assert!(other.head().await.starts_with("HTTP/1.1 101 "));
    // What is forged in front changes nothing.
    let (head, body) = Raw::say(address, of("8.8.8.8, 192.0.2.1"))
        .await
        .refusal()
        .await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(body.contains("Code: too-many-from-address"), "{body}");
    drop(first);
    until("one leaves", || running.counts().connections == 1).await;
    let head = Raw::say(address, of("192.0.2.1")).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // Who forwards nobody speaks for itself.
    let mut own = Raw::say(address, HYBI_13).await;
    assert!(own.head().await.starts_with("HTTP/1.1 101 "));
    let (head, _) = Raw::say(address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
}

#[tokio::test]
async fn an_open_quote_is_refused_where_it_could_hide_the_client() {
    let (running, address) = gateway(trusting());
    let request = with(HYBI_13, "Forwarded: for=\"8.8.8.8, for=192.0.2.1\r\n");
    let (head, body) = Raw::say(address, request).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(body.contains("Code: forwarded-malformed"), "{body}");
    assert_eq!(running.counts().refused_for("forwarded-malformed"), 1);
}

#[tokio::test]
async fn who_is_announced_by_the_proxy_protocol_is_who_must_be_trusted() {
    let mut config = trusting();
    config.listeners[0].proxy_protocol = true;
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config);
    for (announced, peer) in [
        ("10.0.0.9", "192.0.2.1"),
        ("198.51.100.1", "198.51.100.1:77"),
    ] {
        let header = format!("PROXY TCP4 {announced} 10.0.0.1 77 80\r\n");
        let request = format!("{header}{}", with(HYBI_13, FOR));
        let head = Raw::say(address, request).await.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        line(&lines, "peer", peer).await;
    }
}
