//! A server that is asked about each opening: what it is told, what it may
//! say, and every way in which it can fail.

use std::{
    net::SocketAddr,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use draftgate_core::{Draft, Message};
use tokio::net::TcpListener;

use crate::{
    common::{Raw, announced, captured},
    stage::{Does, Opening, Scripted, field, gateway, says},
};

/// A route `/echo` about which `server` is asked.
fn echo(server: SocketAddr, more: &str) -> String {
    format!(
        "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.auth]\nurl = \"http://{server}/check?by=gate\"\n{more}\n"
    )
}

#[tokio::test]
async fn an_opening_becomes_a_question_in_every_draft() {
    let server = Scripted::start(|_| says("204 No Content", "")).await;
    let (_running, address) = gateway(&echo(server.address, ""));
    for (number, draft) in announced().into_iter().enumerate() {
        let mut client = Opening::new(draft, "/echo?a=b")
            .field("Cookie", "session=1")
            .field("Authorization", "Basic abc")
            .field("User-Agent", "tv")
            .field("X-Forwarded-For", "192.0.2.66")
            .field("X-Original-URI", "/admin")
            .field("X-Draftgate-Channel", "forged")
            .field("Keep-Alive", "timeout=5")
            .field("Accept-Encoding", "gzip")
            .open(address)
            .await;
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"), "{draft}");
        let question = server.question(number).await;
        assert!(
            question.starts_with("GET /check?by=gate HTTP/1.1\r\n"),
            "{question}"
        );
        let host = server.address.to_string();
        for (name, value) in [
            ("Host", Some(host.as_str())),
            ("Cookie", Some("session=1")),
            ("Authorization", Some("Basic abc")),
            ("User-Agent", Some("tv")),
            ("X-Original-URI", Some("/echo?a=b")),
            ("X-Original-Method", Some("GET")),
            ("X-Forwarded-For", Some("127.0.0.1")),
            ("X-Forwarded-Host", Some(address.to_string().as_str())),
            ("X-Forwarded-Proto", Some("http")),
            ("X-Draftgate-Draft", Some(draft.name())),
            ("X-Draftgate-Channel", None),
            ("Keep-Alive", None),
            ("Accept-Encoding", None),
            ("Upgrade", None),
            ("Sec-WebSocket-Key", None),
            ("Sec-WebSocket-Key1", None),
            ("Sec-WebSocket-Version", None),
        ] {
            assert_eq!(field(&question, name), value, "{draft} {name}: {question}");
        }
        assert!(field(&question, "X-Draftgate-Id").is_some(), "{question}");
    }
    assert_eq!(server.connections(), 1, "connections are used again");
}

#[tokio::test]
async fn a_refusal_goes_to_the_client_with_the_first_kibibyte_of_its_body() {
    let long: &str = "x".repeat(5000).leak();
    let answers = [
        (
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"tv\"\r\nContent-Type: text/html\r\n",
            long,
        ),
        ("403 Forbidden", "X-Secret: 1\r\n", "not for you"),
        ("401 Unauthorized", "", ""),
        ("403 Forbidden", "", ""),
    ];
    let number = AtomicUsize::new(0);
    let server = Scripted::start(move |_| {
        let (status, fields, body) = answers[number.fetch_add(1, SeqCst) % answers.len()];
        let length = body.len();
        Does::Says(format!(
            "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        ))
    })
    .await;
    let (running, address) = gateway(&echo(server.address, ""));
    for draft in announced() {
        let opening = Opening::new(draft, "/echo");
        let told = opening.refused(address).await;
        assert_eq!(told.status(), 401, "{draft} {told:?}");
        assert_eq!(told.field("WWW-Authenticate"), Some("Basic realm=\"tv\""));
        assert_eq!(told.field("Content-Type"), Some("text/html"));
        assert_eq!(told.body, "x".repeat(1024), "{draft}");
        let told = opening.refused(address).await;
        assert_eq!(
            (told.status(), told.body.as_str()),
            (403, "not for you"),
            "{draft}"
        );
        assert_eq!(told.field("X-Secret"), None);
        let told = opening.refused(address).await;
        told.is(401, "auth-wrong");
        assert_eq!(
            told.field("WWW-Authenticate"),
            Some("Bearer realm=\"draftgate\"")
        );
        opening.refused(address).await.is(403, "auth-forbidden");
    }
    let drafts = announced().len() as u64;
    assert_eq!(running.counts().refused_for("auth-forbidden"), 2 * drafts);
}

#[tokio::test]
async fn whatever_else_a_server_does_lets_nobody_in() {
    let (lines, _guard) = captured();
    let huge = format!("HTTP/1.1 200 OK\r\nX-Huge: {}\r\n\r\n", "x".repeat(200_000));
    let many: String = (0..500).map(|n| format!("X-{n}: 1\r\n")).collect();
    let endless = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        "x".repeat(5)
    );
    for (does, why) in [
        (says("500 Oh", ""), "500"),
        (says("302 Found", "Location: /login\r\n"), "302"),
        (says("404 Not Found", ""), "404"),
        (
            Does::SaysAndEnds("HTTP/1.1 304 Not Modified\r\n\r\n".into()),
            "304",
        ),
        (Does::Hangs, "did not answer in 300ms"),
        (Does::Ends, ""),
        (Does::Resets, ""),
        (Does::SaysAndEnds("220 smtp ready\r\n".into()), ""),
        (Does::SaysAndEnds(huge), ""),
        (Does::Says(format!("HTTP/1.1 200 OK\r\n{many}\r\n")), ""),
        (Does::SaysAndEnds(endless.clone()), "broke off"),
        (Does::Says(endless), "did not answer in 300ms"),
        (says("200 OK", "X-Rights: {\r\n"), "is no JSON"),
        (
            says("200 OK", "X-Rights: {\"publsh\":\"none\"}\r\n"),
            "`publsh`, which is not known",
        ),
        (
            says(
                "200 OK",
                "X-Rights: {}\r\nX-Rights: {\"publish\":\"none\"}\r\n",
            ),
            "x-rights stands in its answer more than once",
        ),
        (
            says("200 OK", "X-User: alice\r\nx-user: bob\r\n"),
            "x-user stands in its answer more than once",
        ),
    ] {
        let shown = format!("{does:?}").chars().take(60).collect::<String>();
        let server = Scripted::start(move |_| does.clone()).await;
        let more = "timeout = \"300ms\"\nrights-field = \"X-Rights\"\nuser-field = \"X-User\"";
        let (_running, address) = gateway(&echo(server.address, more));
        let told = Opening::new(Draft::Hybi13, "/echo").refused(address).await;
        told.is(503, "auth-unavailable");
        assert_eq!(told.field("Retry-After"), Some("5"), "{shown}");
        assert!(!told.body.contains(&server.address.to_string()), "{told:?}");
        let refusals = lines.with("code", "auth-unavailable");
        let detail = refusals.last().unwrap()["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{shown}: {detail}");
    }
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = closed.local_addr().unwrap();
    drop(closed);
    let (_running, address) = gateway(&echo(nowhere, ""));
    for draft in announced() {
        Opening::new(draft, "/echo")
            .refused(address)
            .await
            .is(503, "auth-unavailable");
    }
}

#[tokio::test]
async fn a_connection_that_was_ended_meanwhile_is_made_again() {
    let server = Scripted::start(|_| {
        Does::SaysAndEnds("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned())
    })
    .await;
    let (_running, address) = gateway(&echo(server.address, ""));
    for _ in 0..20 {
        Opening::new(Draft::Hybi13, "/echo").open(address).await;
    }
    assert!(server.connections() >= 20, "{}", server.connections());
}

#[tokio::test]
async fn a_field_that_servers_take_for_ours_is_as_ours() {
    let yes = "X-User: alice\r\n";
    let server = Scripted::start(move |_| says("200 OK", yes)).await;
    let (_running, address) = gateway(&echo(server.address, "hand-on = [\"X-User\"]"));
    for (number, draft) in announced().into_iter().enumerate() {
        let mut opening = Opening::new(draft, "/echo").field("Api_Key", "kept");
        for name in [
            "X_Original_URI",
            "X-Original_Method",
            "X_Forwarded_For",
            "X_Forwarded-Host",
            "X.Forwarded.Proto",
            "X_Real_IP",
            "X_Draftgate_Channel",
            "x_draftgate_id",
            "Sec_WebSocket_Protocol",
            "If_None_Match",
            "X_User",
        ] {
            opening = opening.field(name, "forged");
        }
        opening.open(address).await;
        let question = server.question(number).await;
        assert!(!question.contains("forged"), "{draft} {question}");
        assert_eq!(field(&question, "Api_Key"), Some("kept"), "{question}");
    }
}

/// The answer of a server that knows everybody.
const YES: &str = "X-User: alice\r\nX-Level: 7\r\nSet-Cookie: seen=1\r\nX-Unasked: 1\r\n";

#[tokio::test]
async fn what_is_handed_on_reaches_the_upstream_and_nobody_else_can_say_it() {
    let server = Scripted::start(|_| says("200 OK", YES)).await;
    let upstream = Scripted::start(|_| {
        Does::SaysAndEnds("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".to_owned())
    })
    .await;
    let (_running, address) = gateway(&format!(
        "[[routes]]\npath = \"/{{rest}}\"\nservice = \"proxy\"\nupstream = \"ws://{}\"\nupstream-drafts = [\"13\"]\nupstream-pass = [\"X-User\", \"X-Group\"]\n\
         [routes.auth]\nurl = \"http://{}/\"\nhand-on = [\"X-User\", \"X-Level\", \"X-Group\", \"Set-Cookie\"]\n",
        upstream.address, server.address
    ));
    for (number, draft) in announced().into_iter().enumerate() {
        // The second says that these fields are for the gateway alone.
        for (turn, connection) in [None, Some("X-User, X-Level")].into_iter().enumerate() {
            let opening = Opening::new(draft, "/")
                .field("X-User", "root")
                .field("X-Group", "wheel")
                .field("x-level", "9000");
            let request = String::from_utf8(opening.request(address)).map_err(|e| e.into_bytes());
            let mut request =
                request.unwrap_or_else(|octets| octets.iter().copied().map(char::from).collect());
            if let Some(names) = connection {
                request = request.replacen(
                    "Connection: Upgrade",
                    &format!("Connection: Upgrade, {names}"),
                    1,
                );
            }
            let octets: Vec<u8> = request
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect();
            let head = Raw::say(address, octets).await.head().await;
            assert!(head.starts_with("HTTP/1.1 403"), "{draft} {head}");
            let before = number * 2 + turn;
            let question = server.question(before).await;
            assert!(
                !question.contains("root") && !question.contains("9000"),
                "{question}"
            );
            let passed = upstream.question(before).await;
            assert_eq!(field(&passed, "X-User"), Some("alice"), "{passed}");
            assert_eq!(field(&passed, "X-Level"), Some("7"), "{passed}");
            for never in ["root", "wheel", "9000", "X-Unasked", "seen=1"] {
                assert!(!passed.contains(never), "{draft} {never}: {passed}");
            }
        }
    }
}

#[tokio::test]
async fn a_cookie_that_is_handed_on_goes_to_the_client() {
    let server = Scripted::start(|_| says("200 OK", YES)).await;
    let more = "hand-on = [\"Set-Cookie\"]\nuser-field = \"X-User\"";
    let (lines, _guard) = captured();
    let (_running, address) = gateway(&echo(server.address, more));
    for draft in announced() {
        let head = Opening::new(draft, "/echo").head(address).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(field(&head, "Set-Cookie"), Some("seen=1"), "{draft}");
        assert_eq!(field(&head, "X-User"), None, "{draft}");
    }
    lines
        .until("the lines", || {
            lines.with("user", "alice").len() == announced().len()
        })
        .await;
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_refused_anyway() {
    let server = Scripted::start(|_| says("200 OK", "")).await;
    let text = format!(
        "{}\n[[routes]]\npath = \"/site\"\nservice = \"echo\"\norigins = [\"https://example.com\"]\ndrafts = [\"13\"]\nauth.url = \"http://{}/\"\n",
        echo(server.address, ""),
        server.address
    );
    let (_running, address) = gateway(&text);
    // Another path, a page of another site, a draft that is not spoken there.
    for (draft, path) in [
        (Draft::Hybi13, "/nowhere"),
        (Draft::Hybi13, "/site"),
        (Draft::Hixie76, "/site"),
    ] {
        let told = Opening::new(draft, path).refused(address).await;
        assert!(matches!(told.status(), 400 | 403 | 404), "{told:?}");
    }
    // No opening at all, and one that its own draft refuses.
    for request in [
        "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
    ] {
        let mut raw = Raw::say(address, request).await;
        let (head, _) = raw.refusal().await;
        assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    }
    assert_eq!(server.connections(), 0, "{:?}", server.asked());
}

#[tokio::test]
async fn a_client_that_goes_gives_its_turn_back() {
    let hangs = Arc::new(AtomicUsize::new(1));
    let script = Arc::clone(&hangs);
    let server = Scripted::start(move |_| match script.load(SeqCst) {
        0 => says("200 OK", ""),
        _ => Does::Hangs,
    })
    .await;
    let more = "at-once = 1\ntimeout = \"60s\"\nwait = \"60s\"";
    let (_running, address) = gateway(&echo(server.address, more));
    let first = Raw::say(
        address,
        Opening::new(Draft::Hybi13, "/echo").request(address),
    )
    .await;
    server.question(0).await;
    hangs.store(0, SeqCst);
    let next = Opening::new(Draft::Hybi13, "/echo");
    let mut next = Box::pin(next.open(address));
    let moment = tokio::time::timeout(Duration::from_millis(100), &mut next).await;
    assert!(moment.is_err(), "one is asked about at a time");
    drop(first);
    next.await;
}

#[tokio::test]
async fn who_waits_too_long_for_a_turn_is_told_to_come_back() {
    let server = Scripted::start(|_| Does::Hangs).await;
    let more = "at-once = 1\ntimeout = \"60s\"\nwait = \"100ms\"";
    let (_running, address) = gateway(&echo(server.address, more));
    let _first = Raw::say(
        address,
        Opening::new(Draft::Hybi13, "/echo").request(address),
    )
    .await;
    server.question(0).await;
    let told = Opening::new(Draft::Hybi13, "/echo").refused(address).await;
    told.is(503, "auth-unavailable");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_yes_is_remembered_for_the_same_question_and_no_other() {
    let yes = Arc::new(AtomicUsize::new(1));
    let script = Arc::clone(&yes);
    let server = Scripted::start(move |_| match script.load(SeqCst) {
        1 => says("200 OK", "X-User: alice\r\n"),
        2 => says("200 OK", "Set-Cookie: a=b\r\n"),
        3 => says("200 OK", "Cache-Control: private, no-store\r\n"),
        _ => says("403 Forbidden", ""),
    })
    .await;
    let (lines, _guard) = captured();
    let (_running, address) = gateway(&echo(
        server.address,
        "cache = \"1h\"\nuser-field = \"X-User\"",
    ));
    let with = |cookie: &str| Opening::new(Draft::Hybi13, "/echo").field("Cookie", cookie);
    for _ in 0..3 {
        with("session=1").open(address).await;
    }
    assert_eq!(server.asked().len(), 1);
    lines
        .until("the lines", || lines.with("user", "alice").len() == 3)
        .await;
    // Another cookie, another URL, another draft: other questions.
    yes.store(0, SeqCst);
    with("session=2")
        .refused(address)
        .await
        .is(403, "auth-forbidden");
    let other = Opening {
        path: "/echo?a".into(),
        ..with("session=1")
    };
    other.refused(address).await.is(403, "auth-forbidden");
    let other = Opening {
        draft: Draft::Hixie76,
        ..with("session=1")
    };
    other.refused(address).await.is(403, "auth-forbidden");
    // A no is not remembered, nor what sets a cookie, nor what says that it is not to be.
    for (answer, asked) in [(1, 5), (1, 5), (2, 6), (2, 7), (3, 8), (3, 9)] {
        yes.store(answer, SeqCst);
        let cookie = if answer == 1 {
            "session=2".to_owned()
        } else {
            format!("session=of-{answer}")
        };
        with(&cookie).open(address).await;
        assert_eq!(server.asked().len(), asked, "{answer}");
    }
}
