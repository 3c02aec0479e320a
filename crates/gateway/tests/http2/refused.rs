//! What is refused is refused as over HTTP/1.1: by status, code and body.

use draftgate_core::Draft;
use draftgate_gateway::config::Origins;
use http::Request;

use crate::{
    common::{HYBI_13, Raw, config, gateway, with_route},
    peer::Session,
};

fn code(body: &str) -> &str {
    let line = body.lines().find_map(|line| line.strip_prefix("Code: "));
    line.unwrap_or_else(|| panic!("no code: {body}"))
}

#[tokio::test]
async fn only_version_13_is_spoken_and_the_answer_says_so() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    for (version, status, wanted) in [
        (None, 400, "version-missing"),
        (Some("8"), 426, "version-unsupported"),
        (Some("14"), 426, "version-unsupported"),
        (Some("013"), 400, "version-malformed"),
        (Some("13, 8"), 400, "version-malformed"),
    ] {
        let mut head = session.connect("/echo");
        let fields = head.headers_mut().unwrap();
        fields.remove("sec-websocket-version");
        if let Some(version) = version {
            fields.insert("sec-websocket-version", version.parse().unwrap());
        }
        let answer = session.refused(head).await;
        assert_eq!(
            (answer.status().as_u16(), code(answer.body())),
            (status, wanted)
        );
        assert_eq!(answer.headers()["sec-websocket-version"], "13");
        assert!(running.counts().refused_for(wanted) > 0);
    }
    // The connection goes on.
    session.websocket("/echo").await.echoes("Hello").await;
}

#[tokio::test]
async fn a_route_without_rfc_6455_lists_no_version() {
    let drafts = vec![Draft::Hixie76, Draft::Hybi08];
    let (_running, address) = gateway(with_route("/echo", |route| route.drafts = drafts));
    let session = Session::open(address).await;
    let head = session.connect("/echo");
    let answer = session.refused(head).await;
    assert_eq!(code(answer.body()), "draft-not-enabled");
    assert!(!answer.headers().contains_key("sec-websocket-version"));
}

#[tokio::test]
async fn origins_paths_and_other_protocols_are_refused_with_the_same_codes() {
    let origins = Origins::new(["https://example.org".parse().unwrap()]);
    let (_running, address) = gateway(with_route("/echo", |route| route.origins = origins));
    let session = Session::open(address).await;
    let head = session.connect("/echo");
    let answer = session.refused(head).await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (403, "origin-refused")
    );
    // Word for word what HTTP/1.1 is told, but for the connection's name.
    let mut raw = Raw::say(address, HYBI_13).await;
    let (_, body) = raw.refusal().await;
    let without = |body: &str| body.split("Id: ").next().unwrap().to_owned();
    assert_eq!(without(answer.body()), without(&body));

    let head = session.connect("/nowhere");
    let answer = session.refused(head).await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (404, "path-unknown")
    );

    let mut head = session.connect("/echo");
    head = head.extension(h2::ext::Protocol::from_static("connect-udp"));
    let answer = session.refused(head).await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (501, "connect-unknown")
    );

    let head = Request::connect("example.com:443");
    let answer = session.refused(head).await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (501, "connect-unknown")
    );

    // A GET is none, whatever it has besides.
    let head = session.request("GET", "/echo");
    let answer = session.ask(head, "").await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (426, "not-websocket")
    );
    let head = session
        .request("GET", "/echo")
        .header("sec-websocket-version", "13");
    let answer = session.ask(head, "").await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (400, "upgrade-missing")
    );
}

#[tokio::test]
async fn a_stream_counts_as_a_connection_of_its_address() {
    let mut config = config();
    config.listeners[0].limits.per_ip_loopback = Some(3);
    let (_running, address) = gateway(config);
    let session = Session::open(address).await;
    let mut one = session.websocket("/echo").await;
    let two = session.websocket("/echo").await;
    let head = session.connect("/echo");
    let answer = session.refused(head).await;
    assert_eq!(
        (answer.status().as_u16(), code(answer.body())),
        (429, "too-many-from-address")
    );
    assert_eq!(answer.headers()["retry-after"], "10");
    one.echoes("Hello").await;
    drop(two);
    crate::common::until_so("a place is free", async || {
        let head = session.connect("/echo");
        let (answer, sending) = session.begin(head, false).await;
        let answer = answer.await.unwrap();
        drop(sending);
        answer.status() == 200
    })
    .await;
}
