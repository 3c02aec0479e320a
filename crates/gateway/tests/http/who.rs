//! Who may publish and who may read: tokens, loopback, proxies, web pages.

use std::net::SocketAddr;

use draftgate_gateway::config::{Allowed, Config, Origins, Route, Token};

use crate::{
    client::{Answer, Reader, answer, ask, get, post},
    common::{self, Raw},
};

pub(crate) const TOKEN: &str = "0123456789abcdef-secret";

pub(crate) fn with(change: impl FnOnce(&mut Route)) -> Config {
    common::with_route("/bus/{channel}", change)
}

pub(crate) fn with_token() -> Config {
    with(|route| route.http.token = Some(Token::new(TOKEN).unwrap()))
}

/// The address is that of a proxy, so that a client can be anybody.
fn behind_a_proxy(mut config: Config) -> Config {
    config.listeners[0].trusted_proxies =
        vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    config
}

pub(crate) async fn publish(address: SocketAddr, fields: &str) -> Answer {
    ask(address, &post(address, "/bus/chat", fields, "x")).await
}

pub(crate) async fn read(address: SocketAddr, fields: &str) -> Answer {
    ask(address, &get(address, "/bus/chat?poll=0", fields)).await
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (status, Some(code)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn another_machine_needs_the_token() {
    let (_running, address) = common::gateway(behind_a_proxy(with_token()));
    let client = "X-Forwarded-For: 192.0.2.1\r\n";
    let told = publish(address, client).await;
    refused(&told, 401, "token-missing");
    assert_eq!(
        told.field("www-authenticate"),
        Some("Bearer realm=\"draftgate\"")
    );
    for wrong in [
        "0123456789abcdef-secreu",
        "0123456789abcdef",
        "0123456789abcdef-secret0",
        "x",
    ] {
        let told = publish(
            address,
            &format!("{client}Authorization: Bearer {wrong}\r\n"),
        )
        .await;
        refused(&told, 401, "token-wrong");
        assert!(
            !told.body.contains(TOKEN) && !told.body.contains("abcdef"),
            "{told:?}"
        );
    }
    let told = publish(
        address,
        &format!("{client}Authorization: Basic {TOKEN}\r\n"),
    )
    .await;
    refused(&told, 401, "token-missing");
    for scheme in ["Bearer", "bearer"] {
        let told = publish(
            address,
            &format!("{client}Authorization: {scheme} {TOKEN}\r\n"),
        )
        .await;
        assert_eq!(told.status, 200, "{told:?}");
    }
    // To read it is not needed, as it is not over WebSocket.
    assert_eq!(read(address, client).await.status, 204);
    refused(
        &read(address, &format!("{client}Authorization: Bearer no\r\n")).await,
        401,
        "token-wrong",
    );
}

#[tokio::test]
async fn without_a_token_only_this_machine_publishes() {
    let (_running, address) = common::gateway(behind_a_proxy(common::config()));
    let told = publish(address, "X-Forwarded-For: 192.0.2.1\r\n").await;
    refused(&told, 403, "token-unset");
    let (_running, address) = common::gateway(common::config());
    assert_eq!(publish(address, "").await.status, 200);
}

#[tokio::test]
async fn what_a_proxy_brings_is_not_this_machine() {
    let (_running, address) = common::gateway(common::config());
    for field in [
        "Via: 1.1 nginx",
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: localhost",
        "Forwarded: for=127.0.0.1",
    ] {
        refused(
            &publish(address, &format!("{field}\r\n")).await,
            403,
            "token-unset",
        );
    }
    let old = post(address, "/bus/chat", "", "x").replace("HTTP/1.1", "HTTP/1.0");
    refused(&ask(address, &old).await, 403, "token-unset");
    // Nor is one that is known for a proxy and names nobody, or says loopback.
    let (_running, address) = common::gateway(behind_a_proxy(common::config()));
    for fields in [
        "",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-For: ::1\r\n",
    ] {
        refused(&publish(address, fields).await, 403, "token-unset");
    }
}

/// nginx with `proxy_http_version 1.1` and nothing else passes for a program.
#[tokio::test]
async fn where_peers_may_not_publish_loopback_shows_the_token_unless_it_is_said() {
    for (said, status) in [(None, 401), (Some(false), 401), (Some(true), 200)] {
        let (_running, address) = common::gateway(with(|route| {
            route.publish = Allowed::None;
            route.http.trust_loopback = said;
            route.http.token = Some(Token::new(TOKEN).unwrap());
        }));
        assert_eq!(publish(address, "").await.status, status, "{said:?}");
        let told = publish(address, &format!("Authorization: Bearer {TOKEN}\r\n")).await;
        assert_eq!(told.status, 200);
    }
}

/// As nginx asks where `proxy_set_header Connection "upgrade"` holds for all.
#[tokio::test]
async fn a_request_that_would_upgrade_to_nothing_comes_from_a_proxy() {
    let (_running, address) = common::gateway(common::config());
    let told = publish(address, "Connection: upgrade\r\n").await;
    refused(&told, 403, "token-unset");
    for connection in ["close", "keep-alive"] {
        let told = publish(address, &format!("Connection: {connection}\r\n")).await;
        assert_eq!(told.status, 200, "{connection}");
    }
}

#[tokio::test]
async fn loopback_can_be_made_to_show_the_token_too() {
    let (_running, address) = common::gateway(with(|route| {
        route.http.token = Some(Token::new(TOKEN).unwrap());
        route.http.trust_loopback = Some(false);
    }));
    refused(&publish(address, "").await, 401, "token-missing");
    let told = publish(address, &format!("Authorization: Bearer {TOKEN}\r\n")).await;
    assert_eq!(told.status, 200);
}

#[tokio::test]
async fn a_wrong_token_is_refused_from_loopback_too() {
    let (_running, address) = common::gateway(with_token());
    assert_eq!(publish(address, "").await.status, 200);
    refused(
        &publish(address, "Authorization: Bearer no\r\n").await,
        401,
        "token-wrong",
    );
}

#[tokio::test]
async fn where_peers_may_not_publish_a_back_end_may() {
    let (_running, address) = common::gateway(behind_a_proxy(with(|route| {
        route.http.token = Some(Token::new(TOKEN).unwrap());
        route.publish = Allowed::None;
    })));
    let mut reader = Reader::open(address, "/bus/chat").await;
    let fields = format!("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer {TOKEN}\r\n");
    assert_eq!(publish(address, &fields).await.status, 200);
    assert_eq!(reader.data().await, "x");
    // From loopback a program may where it was said, and no page, whatever its origin.
    let (_running, address) = common::gateway(with(|route| {
        route.origins = Origins::any();
        route.publish = Allowed::None;
        route.http.trust_loopback = Some(true);
    }));
    assert_eq!(publish(address, "").await.status, 200);
    for page in [
        "Origin: http://localhost",
        "Origin: null",
        "Sec-Fetch-Site: same-origin",
        "Referer: http://localhost/x",
    ] {
        refused(
            &publish(address, &format!("{page}\r\n")).await,
            403,
            "token-unset",
        );
    }
}

#[tokio::test]
async fn behind_a_public_url_nobody_is_of_this_machine() {
    let mut config = common::config();
    config.listeners[0].public_url = Some("wss://push.example.com".parse().unwrap());
    let (_running, address) = common::gateway(config);
    for host in ["push.example.com", "127.0.0.1", "localhost"] {
        let foreign = |request: String| request.replace(&address.to_string(), host);
        let told = ask(address, &foreign(post(address, "/bus/chat", "", "x"))).await;
        refused(&told, 403, "token-unset");
        let told = ask(address, &foreign(get(address, "/bus/chat?poll=0", ""))).await;
        assert_eq!(told.status, 204, "{host}");
    }
}

#[tokio::test]
async fn a_request_has_one_host() {
    let (_running, address) = common::gateway(common::config());
    for host in ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n"] {
        let request = format!("POST /bus/chat HTTP/1.1\r\n{host}Content-Length: 1\r\n\r\nx");
        refused(&ask(address, &request).await, 400, "host-missing");
    }
}

#[tokio::test]
async fn no_token_is_in_the_log() {
    let (lines, _guard) = common::captured();
    let (running, address) = common::gateway(with_token());
    publish(address, &format!("Authorization: Bearer {TOKEN}\r\n")).await;
    publish(address, "Authorization: Bearer not-the-token-at-all\r\n").await;
    running.drain().await;
    let text = format!("{:?}", lines.all());
    assert!(text.contains("token-wrong"), "{text}");
    assert!(
        !text.contains("secret") && !text.contains("not-the-token"),
        "{text}"
    );
}

#[tokio::test]
async fn readers_count_for_the_client_that_a_proxy_names() {
    let mut config = behind_a_proxy(common::config());
    config.listeners[0].limits.per_ip = Some(2);
    let (running, address) = common::gateway(config);
    let from = |client: &str| format!("X-Forwarded-For: {client}\r\n");
    let mut readers = Vec::new();
    for _ in 0..2 {
        readers.push(Reader::open_with(address, "/bus/chat", &from("192.0.2.1")).await);
    }
    let accept = format!("{}Accept: text/event-stream\r\n", from("192.0.2.1"));
    let told = ask(address, &get(address, "/bus/chat", &accept)).await;
    refused(&told, 429, "too-many-from-address");
    readers.push(Reader::open_with(address, "/bus/chat", &from("192.0.2.2")).await);
    readers.remove(0);
    common::until("one has left", || running.counts().streaming == 2).await;
    readers.push(Reader::open_with(address, "/bus/chat", &from("192.0.2.1")).await);
}

fn with_one_turn() -> Config {
    let mut config = common::config();
    let listener = &mut config.listeners[0];
    listener.limits.half_open_per_ip_loopback = Some(1);
    listener.timeouts.turn = std::time::Duration::from_secs(3600);
    config
}

#[tokio::test]
async fn publishers_that_keep_their_connections_take_no_turns_of_openings() {
    let (_running, address) = common::gateway(with_one_turn());
    let mut publishers = Vec::new();
    for _ in 0..5 {
        let mut raw = Raw::say(address, post(address, "/bus/chat", "", "x")).await;
        assert_eq!(answer(&mut raw).await.status, 200);
        publishers.push(raw);
    }
    // One whose body is still to come takes none, either.
    let request = post(address, "/bus/chat", "Expect: 100-continue\r\n", "x");
    let mut slow = Raw::say(address, &request[..request.len() - 1]).await;
    assert!(slow.head().await.starts_with("HTTP/1.1 100 "));
    let mut raw = Raw::say(address, common::HYBI_13).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    slow.write("x").await;
    assert_eq!(answer(&mut slow).await.status, 200);
}

#[tokio::test]
async fn streams_take_no_turns_of_openings() {
    let (_running, address) = common::gateway(with_one_turn());
    let mut readers = Vec::new();
    for _ in 0..5 {
        readers.push(Reader::open(address, "/bus/chat").await);
    }
    let mut raw = Raw::say(address, common::HYBI_13).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
}
