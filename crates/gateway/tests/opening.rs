//! What a route agrees on while it opens: subprotocol, Location, origin.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{
    HIXIE_75, HIXIE_76, HYBI_13, Raw, announced, config, gateway, opening, versioned, with_route,
};
use draftgate_core::Draft;
use draftgate_gateway::config::{OriginRule, Origins};

/// The head of the answer to `request`, which must be a 101.
async fn accepted(address: std::net::SocketAddr, request: &str) -> String {
    let head = Raw::say(address, request).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{request}\n{head}");
    head
}

/// Status and code of the refusal of `request`.
async fn refused(address: std::net::SocketAddr, request: &str) -> (u16, String) {
    let (head, body) = Raw::say(address, request).await.refusal().await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let code = body.lines().find_map(|line| line.strip_prefix("Code: "));
    (status, code.unwrap_or_default().to_owned())
}

/// The drafts with a version.
fn with_a_version() -> impl Iterator<Item = Draft> {
    announced().into_iter().filter(|d| d.version().is_some())
}

/// `request` with `field` (and its line end) behind its Host.
fn with(request: &str, field: &str) -> String {
    request.replace(
        "Host: example.com\r\n",
        &format!("Host: example.com\r\n{field}"),
    )
}

fn value<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let field = format!("{name}: ");
    head.lines()
        .filter_map(|line| line.strip_prefix(field.as_str()))
        .collect()
}

#[tokio::test]
async fn a_client_that_asked_for_no_subprotocol_gets_none() {
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.subprotocols = vec!["a".into()];
    }));
    for draft in announced() {
        let head = accepted(address, &opening(draft)).await;
        assert!(!head.to_lowercase().contains("protocol:"), "{head}");
    }
}

#[tokio::test]
async fn one_of_the_subprotocols_asked_for_is_answered() {
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.subprotocols = vec!["b".into(), "a".into()];
    }));
    for draft in with_a_version() {
        for (asked, answer) in [
            ("a, b", &["b"][..]),
            ("a", &["a"]),
            ("c, a", &["a"]),
            ("c", &[]),
        ] {
            let field = format!("Sec-WebSocket-Protocol: {asked}\r\n");
            let head = accepted(address, &with(&versioned(draft), &field)).await;
            let chosen = value(&head, "Sec-WebSocket-Protocol");
            assert_eq!(chosen, answer, "{draft} {asked}");
        }
    }
    // In hixie the field is one name; it is answered under the draft's own.
    let old = accepted(address, &with(HIXIE_75, "WebSocket-Protocol: a\r\n")).await;
    assert_eq!(value(&old, "WebSocket-Protocol"), ["a"]);
    for name in ["Sec-WebSocket-Protocol", "WebSocket-Protocol"] {
        let head = accepted(address, &with(HIXIE_76, &format!("{name}: b\r\n"))).await;
        assert_eq!(value(&head, "Sec-WebSocket-Protocol"), ["b"]);
    }
}

#[tokio::test]
async fn a_route_without_subprotocols_grants_what_old_sets_insist_on() {
    let (_running, address) = gateway(config());
    let head = accepted(
        address,
        &with(HIXIE_76, "Sec-WebSocket-Protocol: sample\r\n"),
    )
    .await;
    assert_eq!(value(&head, "Sec-WebSocket-Protocol"), ["sample"]);
}

#[tokio::test]
async fn the_location_has_host_and_target_as_the_client_knows_them() {
    let (_running, address) = gateway(config());
    for (host, target, location) in [
        ("Example.COM:80", "/echo", "ws://example.com/echo"),
        (
            "example.com:8080",
            "/echo?a=b&c=%20",
            "ws://example.com:8080/echo?a=b&c=%20",
        ),
        ("[::1]:8080", "/echo", "ws://[::1]:8080/echo"),
    ] {
        for (request, name) in [
            (HIXIE_75, "WebSocket-Location"),
            (HIXIE_76, "Sec-WebSocket-Location"),
        ] {
            let request = request
                .replace("example.com", host)
                .replace("/echo", target);
            let head = accepted(address, &request).await;
            assert_eq!(value(&head, name), [location], "{request}");
        }
    }
}

#[tokio::test]
async fn the_locations_scheme_is_the_public_one() {
    let forwarded = with(HIXIE_76, "X-Forwarded-Proto: https\r\n");
    let (_untrusting, address) = gateway(config());
    let head = accepted(address, &forwarded).await;
    assert_eq!(
        value(&head, "Sec-WebSocket-Location"),
        ["ws://example.com/echo"]
    );

    let mut trusting = config();
    trusting.listeners[0].trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let (_trusting, address) = gateway(trusting);
    for field in ["X-Forwarded-Proto: https\r\n", "Forwarded: proto=https\r\n"] {
        let head = accepted(address, &with(HIXIE_76, field)).await;
        assert_eq!(
            value(&head, "Sec-WebSocket-Location"),
            ["wss://example.com/echo"]
        );
    }

    let mut configured = config();
    configured.listeners[0].public_url = Some("wss://public.example".parse().unwrap());
    let (_configured, address) = gateway(configured);
    let head = accepted(address, HIXIE_76).await;
    assert_eq!(
        value(&head, "Sec-WebSocket-Location"),
        ["wss://public.example/echo"]
    );
}

#[tokio::test]
async fn the_embedded_configuration_takes_local_origins_and_no_others() {
    let (_running, address) = gateway(config());
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://[::1]:8443",
        "null",
        "file://",
    ] {
        for draft in announced() {
            accepted(address, &opening(draft).replace("http://localhost", origin)).await;
        }
    }
    for origin in ["http://evil.example", "http://localhost.evil.example"] {
        for draft in announced() {
            let request = opening(draft).replace("http://localhost", origin);
            let told = refused(address, &request).await;
            assert_eq!(told, (403, "origin-refused".into()), "{draft} {origin}");
        }
    }
    accepted(
        address,
        &HYBI_13.replace("Origin: http://localhost\r\n", ""),
    )
    .await;
}

#[tokio::test]
async fn either_header_names_the_origin_and_two_must_agree() {
    let (_running, address) = gateway(config());
    for draft in with_a_version() {
        let nameless = versioned(draft)
            .replace("Sec-WebSocket-Origin: http://localhost\r\n", "")
            .replace("Origin: http://localhost\r\n", "");
        for name in ["Origin", "Sec-WebSocket-Origin"] {
            let named = |origin: &str| with(&nameless, &format!("{name}: {origin}\r\n"));
            accepted(address, &named("http://localhost")).await;
            let told = refused(address, &named("http://evil.example")).await;
            assert_eq!(told, (403, "origin-refused".into()), "{draft} {name}");
        }
        let both = |one: &str, other: &str| {
            let fields = format!("Origin: {one}\r\nSec-WebSocket-Origin: {other}\r\n");
            with(&nameless, &fields)
        };
        accepted(address, &both("http://localhost", "http://localhost")).await;
        for (one, other) in [
            ("http://localhost", "http://evil.example"),
            ("http://evil.example", "http://localhost"),
            ("http://localhost", "http://127.0.0.1"),
        ] {
            let told = refused(address, &both(one, other)).await;
            assert_eq!(told, (400, "origin-ambiguous".into()), "{draft}");
        }
    }
}

#[tokio::test]
async fn the_target_may_be_a_whole_url() {
    let (running, address) = gateway(config());
    for scheme in ["ws", "http"] {
        let whole = format!("GET {scheme}://example.com/echo");
        for draft in with_a_version() {
            accepted(address, &versioned(draft).replace("GET /echo", &whole)).await;
        }
    }
    for draft in with_a_version() {
        assert_eq!(running.counts().upgrades_in(draft), 2, "{draft}");
    }
}

#[tokio::test]
async fn a_version_counts_for_its_draft_whatever_keys_stand_beside_it() {
    let (running, address) = gateway(config());
    for (before, draft) in with_a_version().enumerate() {
        let keys = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\
            Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n";
        let head = accepted(address, &with(&versioned(draft), keys)).await;
        let accept = value(&head, "Sec-WebSocket-Accept");
        assert_eq!(accept, ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], "{draft}");
        assert_eq!(running.counts().upgrades_in(draft), 1, "{draft}");
        let others = with_a_version().take(before);
        assert!(
            others
                .into_iter()
                .all(|d| running.counts().upgrades_in(d) == 1)
        );
    }
    assert_eq!(running.counts().upgrades_in(Draft::Hixie76), 0);
}

#[tokio::test]
async fn an_origin_is_accepted_as_the_route_says() {
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.origins = Origins::new([
            OriginRule::SameHost,
            "https://*.example.org".parse().unwrap(),
        ]);
    }));
    for origin in ["http://example.com", "https://a.example.org"] {
        accepted(address, &HIXIE_76.replace("http://localhost", origin)).await;
    }
    for origin in ["http://localhost", "https://example.org", "null"] {
        let request = HIXIE_76.replace("http://localhost", origin);
        assert_eq!(refused(address, &request).await.0, 403, "{origin}");
    }
    let none = HYBI_13.replace("Origin: http://localhost\r\n", "");
    assert_eq!(
        refused(address, &none).await,
        (403, "origin-refused".into())
    );
    let odd = HYBI_13.replace("http://localhost", "http://a b");
    assert_eq!(
        refused(address, &odd).await,
        (400, "unechoable-field".into())
    );
}

#[tokio::test]
async fn hixie_75_without_origin_is_taken_where_the_route_says_so() {
    let request = HIXIE_75.replace("Origin: http://localhost\r\n", "");
    let (_strict, address) = gateway(config());
    assert_eq!(
        refused(address, &request).await,
        (400, "origin-missing".into())
    );
    let (running, address) = gateway(with_route("/echo", |route| {
        route.hixie_75_without_origin = true;
    }));
    accepted(address, &request).await;
    assert_eq!(running.counts().upgrades_in(Draft::Hixie75), 1);
}

#[tokio::test]
async fn versions_9_to_12_are_taken_for_8_where_the_route_says_so() {
    let request = HYBI_13.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 10");
    let (_strict, address) = gateway(config());
    assert_eq!(
        refused(address, &request).await,
        (426, "version-unsupported".into())
    );
    let (running, address) = gateway(with_route("/echo", |route| {
        route.version_aliases = true;
    }));
    accepted(address, &request).await;
    assert_eq!(running.counts().upgrades_in(Draft::Hybi08), 1);
}
