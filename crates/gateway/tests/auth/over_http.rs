//! The bus over plain HTTP: the same guard, and one setting that decides.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    common::{self, Raw},
    stage::{Does, SECRET, Scripted, TOKEN, Told, field, gateway, hs256, in_seconds, says},
};

const BUS: &str = "[[routes]]\npath = \"/bus/{channel}\"\nservice = \"bus\"\n";

async fn ask(address: SocketAddr, method: &str, target: &str, fields: &str, body: &str) -> Told {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n{body}"
    );
    let mut raw = Raw::say(address, request).await;
    let (head, body) = raw.refusal().await;
    Told { head, body }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn granted(grant: Value) -> String {
    bearer(&hs256(
        &json!({"sub": "x", "exp": in_seconds(3600), "draftgate": grant}),
    ))
}

fn jwt(route: &str) -> String {
    format!("{BUS}{route}\n[routes.auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n")
}

#[tokio::test]
async fn every_way_in_asks_the_same_guard() {
    let (running, address) = gateway(&jwt(""));
    let ways = [("POST", "/bus/a"), ("GET", "/bus/a?poll=0")];
    for (method, target) in ways {
        ask(address, method, target, "", "x")
            .await
            .is(401, "auth-missing");
        ask(address, method, target, &bearer("no.jwt.x"), "x")
            .await
            .is(401, "auth-wrong");
        let told = ask(address, method, target, &granted(json!({})), "x").await;
        assert!(matches!(told.status(), 200 | 204), "{told:?}");
        for other in ["subscribe", "publish"] {
            let told = ask(
                address,
                method,
                target,
                &granted(json!({other: "none"})),
                "x",
            )
            .await;
            let own = (method == "POST") == (other == "publish");
            match own {
                true => drop(told.is(403, "auth-forbidden")),
                false => assert!(matches!(told.status(), 200 | 204), "{told:?}"),
            }
        }
    }
    let events = "Accept: text/event-stream\r\n";
    ask(address, "GET", "/bus/a", events, "")
        .await
        .is(401, "auth-missing");
    let fields = format!("{events}{}", granted(json!({"subscribe": "none"})));
    ask(address, "GET", "/bus/a", &fields, "")
        .await
        .is(403, "auth-forbidden");
    // A browser asks before it shows anything.
    let preflight = "Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n";
    let nobody = jwt("subscribe = \"none\"\npublish = \"none\"");
    let (_other, where_tokens_grant_all) = gateway(&nobody);
    for address in [address, where_tokens_grant_all] {
        let told = ask(address, "OPTIONS", "/bus/a", preflight, "").await;
        assert_eq!(told.status(), 204, "{told:?}");
    }
    assert_eq!(running.counts().published, 2);
}

#[tokio::test]
async fn the_token_of_http_opens_nothing_beside_auth() {
    let (_running, address) = gateway(&format!(
        "{BUS}http.token = \"publishers-0123456789\"\nhttp.trust-loopback = true\n[routes.auth]\ntoken = \"{TOKEN}\"\nfrom = [\"header\", \"query:token\"]\n"
    ));
    ask(address, "POST", "/bus/a", "", "x")
        .await
        .is(401, "auth-missing");
    let other = bearer("publishers-0123456789");
    ask(address, "POST", "/bus/a", &other, "x")
        .await
        .is(401, "auth-wrong");
    let told = ask(address, "POST", "/bus/a", &bearer(TOKEN), "x").await;
    assert_eq!(told.status(), 200, "{told:?}");
    let told = ask(address, "POST", &format!("/bus/a?token={TOKEN}"), "", "x").await;
    assert_eq!(told.status(), 200, "{told:?}");
}

#[tokio::test]
async fn a_server_is_asked_about_requests_too() {
    let server = Scripted::start(|head| match field(head, "Cookie") {
        Some("session=1") => says("200 OK", ""),
        Some("session=2") => Does::Says("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno".into()),
        _ => Does::Says("HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 4\r\n\r\nwho?".into()),
    })
    .await;
    let (_running, address) = gateway(&format!("{BUS}auth.url = \"http://{}/\"\n", server.address));
    let told = ask(address, "POST", "/bus/a", "Cookie: session=1\r\n", "x").await;
    assert_eq!(told.status(), 200, "{told:?}");
    let question = server.question(0).await;
    assert_eq!(
        field(&question, "X-Original-Method"),
        Some("POST"),
        "{question}"
    );
    assert_eq!(
        field(&question, "X-Draftgate-Draft"),
        Some("http"),
        "{question}"
    );
    assert_eq!(
        field(&question, "X-Draftgate-Channel"),
        Some("a"),
        "{question}"
    );
    assert_eq!(field(&question, "Content-Length"), None, "{question}");
    let told = ask(address, "GET", "/bus/a?poll=0", "Cookie: session=2\r\n", "").await;
    assert_eq!((told.status(), told.body.as_str()), (403, "no"), "{told:?}");
    let told = ask(address, "GET", "/bus/a?poll=0", "", "").await;
    assert_eq!(
        (told.status(), told.body.as_str()),
        (401, "who?"),
        "{told:?}"
    );
    assert_eq!(told.field("WWW-Authenticate"), Some("Basic realm=\"a\""));
    // A page of another site causes no question.
    let asked = server.asked().len();
    let (_running, address) = gateway(&format!(
        "{BUS}origins = [\"https://example.com\"]\nauth.url = \"http://{}/\"\n",
        server.address
    ));
    let told = ask(
        address,
        "POST",
        "/bus/a",
        "Origin: https://evil.example\r\n",
        "x",
    )
    .await;
    told.is(403, "origin-refused");
    assert_eq!(server.asked().len(), asked);
}

#[tokio::test]
async fn a_stream_of_events_ends_when_its_token_expires() {
    let (_running, address) = gateway(&jwt(""));
    let claims = json!({"sub": "x", "exp": in_seconds(2)});
    let token = bearer(&hs256(&claims));
    let route = jwt("").replace("algorithm", "leeway = \"0s\"\nalgorithm");
    let (_strict, strict) = gateway(&route);
    let begun = Instant::now();
    let request = |address| {
        format!(
            "GET /bus/a HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{token}\r\n"
        )
    };
    let mut lenient = Raw::say(address, request(address)).await;
    let mut raw = Raw::say(strict, request(strict)).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
    assert!(lenient.head().await.starts_with("HTTP/1.1 200 "));
    // The last chunk ends the stream; the connection may go on.
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        rest.extend(raw.exactly(1).await);
    }
    assert!(begun.elapsed().as_secs() <= 30);
}

#[tokio::test]
async fn who_publishes_too_fast_is_told_when_to_come_back() {
    let limits = "limits.message-rate = 1\nlimits.message-burst = 3\nlimits.message = 100\nlimits.frame = 100";
    let (running, address) = gateway(&jwt(limits));
    let publish = async |fields: &str| ask(address, "POST", "/bus/a", fields, "x").await;
    let one = granted(json!({}));
    for _ in 0..3 {
        assert_eq!(publish(&one).await.status(), 200);
    }
    let mut refused = 0;
    // Each is a connection of its own, and one a second is free.
    while refused == 0 {
        let told = publish(&one).await;
        if told.status() != 200 {
            told.is(429, "publishing-too-fast");
            assert_eq!(told.field("Retry-After"), Some("1"), "{told:?}");
            refused += 1;
        }
    }
    // Somebody else is not held up, nor who may send as much as he likes.
    let other = bearer(&hs256(&json!({"sub": "y", "exp": in_seconds(3600)})));
    assert_eq!(publish(&other).await.status(), 200);
    let free = bearer(&hs256(
        &json!({"sub": "z", "exp": in_seconds(3600), "draftgate": {"message-rate": "unlimited", "message": 10}}),
    ));
    for _ in 0..10 {
        assert_eq!(publish(&free).await.status(), 200);
    }
    ask(address, "POST", "/bus/a", &free, "12345678901")
        .await
        .is(413, "message-too-large");
    common::until("it is counted", || running.counts().too_fast == 1).await;
}

#[tokio::test]
async fn without_auth_the_rate_is_that_of_an_address_and_not_of_the_token() {
    let text = format!(
        "{BUS}http.token = \"publishers-0123456789\"\nlimits.message-rate = 1\nlimits.message-burst = 1\n"
    );
    let (_running, address) = gateway(&text);
    let token = bearer("publishers-0123456789");
    for _ in 0..10 {
        assert_eq!(
            ask(address, "POST", "/bus/a", &token, "x").await.status(),
            200
        );
    }
    let mut told = ask(address, "POST", "/bus/a", "", "x").await;
    while told.status() == 200 {
        told = ask(address, "POST", "/bus/a", "", "x").await;
    }
    told.is(429, "publishing-too-fast");
}
