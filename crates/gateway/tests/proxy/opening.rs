//! The upstream is connected to first, and what it answers is answered.

use draftgate_core::Draft;
use draftgate_gateway::config::{HostField, Upstream};

use crate::{
    common::{Client, HIXIE_76, HYBI_13, Raw, announced, captured, gateway, soon, until},
    rig::{Rig, to},
};

#[tokio::test]
async fn the_clients_path_query_and_fields_reach_the_upstream() {
    let rig = Rig::with(Draft::Hybi13, |route| {
        let upstream = route.upstream.as_mut().unwrap();
        upstream.pass = vec!["x-device".parse().unwrap()];
        upstream.add = vec![("x-site".parse().unwrap(), "a".parse().unwrap())];
        upstream.remove = vec!["x-forwarded-host".parse().unwrap()];
    });
    let request = HYBI_13.replace("/echo", "/tv/news?id=7").replace(
        "Origin:",
        "Cookie: a=b\r\nAuthorization: Basic eDp5\r\nX-Device: tv\r\nX-Other: no\r\nX-Forwarded-For: 6.6.6.6\r\nTE: trailers\r\nOrigin:",
    );
    let mut raw = Raw::say(rig.address, &request).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(
        head.contains("\r\nset-cookie: session=abc; Path=/\r\n"),
        "{head}"
    );
    let opened = rig.behind.seen(|seen| seen.openings[0].clone());
    assert_eq!(opened.target, "/tv/news?id=7");
    assert_eq!(opened.origin.as_deref(), Some("http://localhost"));
    let field = |name: &str| {
        opened
            .fields
            .get(name)
            .map(|it| it.to_str().unwrap().to_owned())
    };
    for (name, value) in [
        ("cookie", Some("a=b")),
        ("authorization", Some("Basic eDp5")),
        ("x-device", Some("tv")),
        ("x-site", Some("a")),
        ("x-other", None),
        ("te", None),
        // The client's own claim is worth nothing.
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", None),
        (
            "forwarded",
            Some("for=127.0.0.1;host=\"example.com\";proto=http"),
        ),
    ] {
        assert_eq!(field(name).as_deref(), value, "{name}");
    }
    rig.end().await;
}

#[tokio::test]
async fn host_and_origin_may_be_fixed() {
    for far in announced() {
        let rig = Rig::with(far, |route| {
            let upstream = route.upstream.as_mut().unwrap();
            upstream.host = HostField::Fixed("plc.example:99".into());
            upstream.origin = Some("http://plc.example".into());
        });
        rig.open(Draft::Hybi13, "/").await;
        let opened = rig.behind.seen(|seen| seen.openings[0].clone());
        assert_eq!(opened.fields["host"], "plc.example:99", "{far}");
        assert_eq!(
            opened.origin.as_deref(),
            Some("http://plc.example"),
            "{far}"
        );
        rig.end().await;
    }
}

#[tokio::test]
async fn the_upstreams_choice_of_a_subprotocol_holds() {
    for near in announced() {
        for far in announced() {
            let rig = Rig::new(far);
            let client = Client::open_with(rig.address, near, "/", &["a", "b"][..one(near)]).await;
            let asked = rig
                .behind
                .seen(|seen| seen.openings[0].subprotocols.clone());
            assert_eq!(client.subprotocol, asked.last().cloned(), "{near}, {far}");
            assert!(client.subprotocol.is_some(), "{near}, {far}");
            rig.end().await;
        }
    }
}

/// How many subprotocols a client of `draft` can ask for.
fn one(draft: Draft) -> usize {
    if draftgate_drafts::asks_for_one_subprotocol(draft) {
        1
    } else {
        2
    }
}

#[tokio::test]
async fn the_upstreams_refusal_is_the_clients() {
    for near in announced() {
        let rig = Rig::new(Draft::Hybi13);
        let request = crate::common::opening(near).replace("/echo", "/no");
        let (head, body) = Raw::say(rig.address, &request).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 418 "), "{near}: {head}");
        assert!(
            head.contains("\r\ncontent-type: text/plain"),
            "{near}: {head}"
        );
        assert!(body.contains("this is a teapot"), "{near}: {body}");
        assert_eq!(rig.front.counts().refused_for("upstream-answered"), 1);
        rig.end().await;
    }
}

#[tokio::test]
async fn what_the_draft_refuses_reaches_no_upstream() {
    let rig = Rig::new(Draft::Hybi13);
    let short = HYBI_13.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==");
    let spaceless = HIXIE_76.replace("4 @1  46546xW%0l 1 5", "4@146546xW%0l15") + "^n:ds[4U";
    for request in [short, spaceless] {
        let (head, _) = Raw::say(rig.address, &request).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    }
    rig.behind.seen(|seen| assert_eq!(seen.openings.len(), 0));
    rig.end().await;
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_explained() {
    let (lines, _logging) = captured();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let (running, address) = gateway(to(&format!("ws://{closed}"), |_| {}));
    let (head, body) = Raw::say(address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert!(body.contains("Code: upstream-unreachable"), "{body}");
    // Whom it is relayed to is not the client's affair, but the log's.
    assert!(!body.contains(&closed.to_string()), "{body}");
    let line = &lines.with("code", "upstream-unreachable")[0];
    let detail = line["detail"].as_str().unwrap();
    assert!(detail.contains(&closed.to_string()), "{line}");
    running.shutdown().await;
}

#[tokio::test]
async fn a_client_that_goes_while_it_waits_takes_the_opening_with_it() {
    // Accepts, and answers nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (running, address) = gateway(to(&format!("ws://{at}"), |_| {}));
    let client = Raw::say(address, HYBI_13).await;
    let (mut silent, _) = soon("accept", listener.accept()).await.unwrap();
    drop(client);
    let mut octets = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut octets);
    soon("the end of the upstream's connection", read)
        .await
        .unwrap();
    until("the end of the task", || running.counts().connections == 0).await;
    running.shutdown().await;
}

#[tokio::test]
async fn one_slot_is_waited_for_or_refused() {
    let rig = Rig::with(Draft::Hixie76, |route| {
        let upstream = route.upstream.as_mut().unwrap();
        upstream.max_connections = Some(1);
        upstream.wait = std::time::Duration::ZERO;
    });
    let first = rig.open(Draft::Hybi13, "/").await;
    let (head, body) = Raw::say(rig.address, HYBI_13).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.contains("Code: upstream-busy"), "{body}");
    drop(first);
    rig.behind
        .until("the end of the first", |seen| !seen.ends.is_empty())
        .await;
    let upstream = &rig.upstream;
    until("a free slot", || upstream.counts().connections == 0).await;
    rig.open(Draft::Hixie75, "/").await;
    rig.end().await;
}

#[test]
fn an_upstream_has_the_defaults_that_the_keys_say() {
    let upstream = Upstream::new(Vec::new());
    assert_eq!(upstream.host, HostField::Upstream);
    assert!(upstream.max_connections.is_none() && !upstream.insecure);
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_told_at_the_start() {
    let config = to("wss://127.0.0.1:1", |route| {
        route.upstream.as_mut().unwrap().ca = vec!["/nowhere.pem".into()];
    });
    let error = draftgate_gateway::Gateway::bind(config).unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with("route /{rest}: cannot read certificates from /nowhere.pem"),
        "{told}"
    );
}

#[tokio::test]
async fn what_a_client_claims_of_itself_behind_a_balancer_is_not_passed_on() {
    // The balancer announces the client by the PROXY protocol; the fields are
    // the client's own.
    let rig = Rig::with_config(Draft::Hybi13, |config| {
        let listener = &mut config.listeners[0];
        listener.proxy_protocol = true;
        listener.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let claims = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nOrigin:";
    let request = HYBI_13.replace("Origin:", claims);
    let announced = format!("PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n{request}");
    let head = Raw::say(rig.address, &announced).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let opened = rig.behind.seen(|seen| seen.openings[0].clone());
    assert_eq!(opened.fields["x-forwarded-for"], "198.51.100.7");
    assert_eq!(
        opened.fields["forwarded"],
        "for=198.51.100.7;host=\"example.com\";proto=http"
    );
    rig.end().await;
}

#[tokio::test]
async fn of_two_fields_only_the_one_that_a_trusted_proxy_wrote_is_passed_on() {
    let rig = Rig::with_config(Draft::Hybi13, |config| {
        config.listeners[0].trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    for (fields, for_, forwarded) in [
        (
            "X-Forwarded-For: 198.51.100.7\r\nForwarded: for=6.6.6.6",
            "198.51.100.7, 127.0.0.1",
            "for=198.51.100.7;host=\"example.com\";proto=http",
        ),
        (
            "Forwarded: for=198.51.100.7;proto=https",
            "198.51.100.7",
            "for=198.51.100.7;proto=https, for=127.0.0.1",
        ),
    ] {
        let request = HYBI_13.replace("Origin:", &format!("{fields}\r\nOrigin:"));
        Raw::say(rig.address, &request).await.head().await;
        let opened = rig.behind.seen(|seen| seen.openings.pop().unwrap());
        assert_eq!(opened.fields["x-forwarded-for"], for_);
        assert_eq!(opened.fields["forwarded"], forwarded);
    }
    rig.end().await;
}

#[tokio::test]
async fn a_field_that_the_client_lists_as_for_us_alone_is_not_passed_on() {
    let rig = Rig::new(Draft::Hybi13);
    let request = HYBI_13
        .replace("Connection: Upgrade", "Connection: Upgrade, Cookie")
        .replace(
            "Origin:",
            "Cookie: a=b\r\nAuthorization: Basic eDp5\r\nOrigin:",
        );
    Raw::say(rig.address, &request).await.head().await;
    let opened = rig.behind.seen(|seen| seen.openings[0].clone());
    assert!(!opened.fields.contains_key("cookie"));
    assert!(opened.fields.contains_key("authorization"));
    rig.end().await;
}

#[tokio::test]
async fn a_path_that_leads_up_reaches_no_upstream() {
    let rig = Rig::new(Draft::Hybi13);
    for path in [
        "/app/../admin",
        "/app/%2e%2E/admin",
        "/./x",
        "/app/..",
        "/a\\..\\b",
    ] {
        let request = HYBI_13.replace("/echo", path);
        let (head, body) = Raw::say(rig.address, &request).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{path}: {head}");
        assert!(
            body.contains("Code: path-leads-up") || body.contains("Code: head-malformed"),
            "{path}: {body}"
        );
    }
    for path in ["/app/...", "/a..b/c", "/.well-known/x"] {
        let request = HYBI_13.replace("/echo", path);
        let head = Raw::say(rig.address, &request).await.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
    }
    let targets = rig.behind.seen(|seen| seen.openings.len());
    assert_eq!(targets, 3);
    rig.end().await;
}

#[tokio::test]
async fn openings_that_wait_for_an_upstream_take_no_turns() {
    // Accepts, and answers nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut config = to(&format!("ws://{at}"), |_| {});
    config.listeners[0].limits.half_open_per_ip_loopback = Some(1);
    config.listeners[0].timeouts.turn = std::time::Duration::from_secs(3600);
    let (running, address) = gateway(config);
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(Raw::say(address, HYBI_13).await);
        soon("the upstream's connection", listener.accept())
            .await
            .unwrap();
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_tcp_server_is_given_no_subprotocol_of_others() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (running, address) = gateway(to(&format!("tcp://{at}"), |_| {}));
    for (asked, answered) in [
        ("mqtt", None),
        ("binary", Some("binary")),
        ("base64", Some("base64")),
    ] {
        let client = Client::open_with(address, Draft::Hybi13, "/", &[asked]).await;
        assert_eq!(client.subprotocol.as_deref(), answered, "{asked}");
    }
    running.shutdown().await;
}
