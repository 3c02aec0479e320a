//! `POST`: what becomes a message, for whom, and what does not.

use draftgate_core::Message;
use serde_json::json;

use crate::{
    client::{Reader, answer, ask, get, post, publish},
    common::{self, Client, Raw},
};

#[tokio::test]
async fn what_is_posted_arrives_in_every_draft() {
    let (running, address) = common::gateway(common::config());
    let mut clients = Vec::new();
    for draft in common::announced() {
        clients.push(Client::open(address, draft, "/bus/chat").await);
    }
    let mut reader = Reader::open(address, "/bus/chat").await;
    common::until("all are on the bus", || {
        running.hub().subscribers(&"chat".parse().unwrap()) == clients.len() + 1
    })
    .await;
    let told = publish(address, "/bus/chat", "Grüße").await;
    assert_eq!(told["delivered"], clients.len() + 1);
    assert_eq!(told["dropped"], 0);
    for client in &mut clients {
        assert_eq!(client.message().await, Message::from("Grüße"));
    }
    let event = reader.event().await.unwrap();
    assert_eq!(
        (event.data.as_str(), event.id.as_str()),
        ("Grüße", told["id"].as_str().unwrap())
    );
    assert!(running.ledger().balances());
    assert_eq!(running.counts().published, 1);
}

#[tokio::test]
async fn binary_arrives_as_what_each_draft_has() {
    let (running, address) = common::gateway(common::config());
    let mut clients = Vec::new();
    for draft in common::announced() {
        clients.push(Client::open(address, draft, "/bus/chat").await);
    }
    let mut reader = Reader::open(address, "/bus/chat").await;
    let mut raw = Raw::connect(address).await;
    let head = "POST /bus/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\n";
    raw.write([head.as_bytes(), &[0, 255, 10]].concat()).await;
    assert_eq!(answer(&mut raw).await.status, 200);
    for client in &mut clients {
        if client.codec.capabilities().binary {
            assert_eq!(
                client.message().await,
                Message::Binary(vec![0, 255, 10].into())
            );
        }
    }
    let event = reader.event().await.unwrap();
    assert_eq!(
        (event.kind.as_str(), event.data.as_str()),
        ("binary", "AP8K")
    );
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn the_type_of_the_body_says_what_it_is() {
    let (_running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    for (kind, body, becomes) in [
        ("", "text", ("message", "text")),
        ("text/plain", "text", ("message", "text")),
        ("text/html; charset=UTF-8", "<b>", ("message", "<b>")),
        ("application/json", "{}", ("message", "{}")),
        ("application/vnd.x+json", "[]", ("message", "[]")),
        (
            "application/x-www-form-urlencoded",
            "a=b&c",
            ("message", "a=b&c"),
        ),
        ("application/octet-stream", "abc", ("binary", "YWJj")),
        ("image/png", "abc", ("binary", "YWJj")),
        ("text/plain", "", ("message", "")),
    ] {
        let fields = match kind {
            "" => String::new(),
            kind => format!("Content-Type: {kind}\r\n"),
        };
        let told = ask(address, &post(address, "/bus/chat", &fields, body)).await;
        assert_eq!(told.status, 200, "{kind}: {told:?}");
        let event = reader.event().await.unwrap();
        assert_eq!(
            (event.kind.as_str(), event.data.as_str()),
            becomes,
            "{kind}"
        );
    }
    for (kind, status, code) in [
        ("multipart/form-data; boundary=x", 415, "media-type"),
        ("text/plain; charset=iso-8859-1", 415, "media-type"),
    ] {
        let fields = format!("Content-Type: {kind}\r\n");
        let told = ask(address, &post(address, "/bus/chat", &fields, "x")).await;
        assert_eq!((told.status, told.code()), (status, Some(code)), "{kind}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused_and_is_binary_where_nothing_is_said() {
    let (_running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    let post = |fields: &str| {
        let head = format!(
            "POST /bus/chat HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 2\r\n\r\n"
        );
        [head.as_bytes(), &[0xc3, 0x28]].concat()
    };
    let mut raw = Raw::say(address, post("Content-Type: text/plain\r\n")).await;
    let told = answer(&mut raw).await;
    assert_eq!((told.status, told.code()), (400, Some("not-text")));
    let mut raw = Raw::say(address, post("")).await;
    assert_eq!(answer(&mut raw).await.status, 200);
    let event = reader.event().await.unwrap();
    assert_eq!(
        (event.kind.as_str(), event.data.as_str()),
        ("binary", "wyg=")
    );
}

#[tokio::test]
async fn a_message_to_nobody_has_no_id() {
    let (running, address) = common::gateway(common::config());
    let told = publish(address, "/bus/chat", "x").await;
    assert_eq!(told, json!({ "id": null, "delivered": 0, "dropped": 0 }));
    assert_eq!(running.hub().channels(), 0);
    let told = ask(address, &post(address, "/bus/a%20b", "", "x")).await;
    assert_eq!((told.status, told.code()), (404, Some("channel-invalid")));
}

#[tokio::test]
async fn one_connection_carries_many_messages_and_then_an_opening() {
    let (running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    let mut raw = Raw::connect(address).await;
    for number in 0..20 {
        let text = format!("message {number}");
        let request = match number % 3 {
            0 => post(address, "/bus/chat", "", &text),
            1 => format!(
                "POST /bus/chat HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\r\n{:x};a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
                &text[..3],
                text.len() - 3,
                &text[3..]
            ),
            _ => post(address, "/bus/chat", "Expect: 100-continue\r\n", &text),
        };
        raw.write(request).await;
        assert_eq!(answer(&mut raw).await.status, 200);
        assert_eq!(reader.data().await, text);
    }
    // What was a body is not taken for the head of what follows.
    raw.write(format!(
        "{}{}",
        post(address, "/bus/chat", "", "GET /x HTTP/1.1\r\n\r\n"),
        common::HIXIE_76
    ))
    .await;
    raw.write(common::KEY3).await;
    assert_eq!(answer(&mut raw).await.status, 200);
    assert_eq!(raw.head().await, common::HIXIE_76_HEAD);
    assert_eq!(raw.exactly(16).await, common::ANSWER);
    assert_eq!(running.counts().published, 21);
    assert_eq!(running.counts().accepted, 2);
}

#[tokio::test]
async fn a_client_that_expects_to_be_asked_for_the_body_is() {
    let (_running, address) = common::gateway(common::config());
    let request = post(address, "/bus/chat", "Expect: 100-continue\r\n", "Hello");
    let (head, body) = request.split_at(request.len() - 5);
    let mut raw = Raw::say(address, head).await;
    assert_eq!(raw.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.write(body).await;
    assert_eq!(answer(&mut raw).await.status, 200);
    // One that may not publish is not asked.
    let request = request.replace("Host: 127.0.0.1", "Host: example.com");
    let mut raw = Raw::say(address, &request[..request.len() - 5]).await;
    assert_eq!(answer(&mut raw).await.status, 403);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_however_it_comes() {
    let config = common::with_route("/bus/{channel}", |route| route.limits.message = 1000);
    let (running, address) = common::gateway(config);
    let mut reader = Reader::open(address, "/bus/chat").await;
    let fits = "x".repeat(1000);
    publish(address, "/bus/chat", &fits).await;
    assert_eq!(reader.data().await, fits);
    let chunked = format!(
        "POST /bus/chat HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{fits}x\r\n0\r\n\r\n"
    );
    let announced = format!(
        "POST /bus/chat HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9223372036854775807\r\n\r\n"
    );
    for request in [
        post(address, "/bus/chat", "", &format!("{fits}x")),
        chunked,
        announced,
    ] {
        let told = ask(address, &request).await;
        assert_eq!((told.status, told.code()), (413, Some("message-too-large")));
        assert_eq!(told.field("connection"), Some("close"));
    }
    assert_eq!(running.counts().refused_for("message-too-large"), 3);
}

#[tokio::test]
async fn a_large_body_that_is_refused_gets_its_answer() {
    let config = common::with_route("/bus/{channel}", |route| route.limits.message = 1000);
    let (_running, address) = common::gateway(config);
    let body = "x".repeat(3 << 20);
    let told = ask(address, &post(address, "/bus/chat", "", &body)).await;
    assert_eq!(told.status, 413);
}

#[tokio::test]
async fn a_body_that_drips_in_is_refused() {
    let mut config = common::config();
    config.listeners[0].timeouts.message = Some(std::time::Duration::from_millis(300));
    let (_running, address) = common::gateway(config);
    let request = post(address, "/bus/chat", "", &"x".repeat(1000));
    let mut raw = Raw::say(address, &request[..request.len() - 999]).await;
    for _ in 0..100 {
        // Until it is answered, which must not be lost over what follows.
        let pause = std::time::Duration::from_millis(20);
        if tokio::time::timeout(pause, raw.tcp.readable())
            .await
            .is_ok()
        {
            break;
        }
        // Refused meanwhile, it takes nothing more.
        if tokio::io::AsyncWriteExt::write_all(&mut raw.tcp, b"x")
            .await
            .is_err()
        {
            break;
        }
    }
    let told = answer(&mut raw).await;
    assert_eq!((told.status, told.code()), (408, Some("body-timeout")));
}

#[tokio::test]
async fn only_what_is_for_the_bus_is_taken_for_it() {
    let (_running, address) = common::gateway(common::config());
    for (request, status, code) in [
        (post(address, "/echo", "", "x"), 405, "method-not-get"),
        (post(address, "/nowhere", "", "x"), 404, "path-unknown"),
        (get(address, "/bus/chat", ""), 426, "not-websocket"),
        (
            get(address, "/bus/chat", "").replace("GET", "DELETE"),
            405,
            "method-not-get",
        ),
        (
            get(address, "/bus/chat?poll=soon", ""),
            400,
            "query-invalid",
        ),
    ] {
        let told = ask(address, &request).await;
        assert_eq!(
            (told.status, told.code()),
            (status, Some(code)),
            "{request}"
        );
    }
    // What may be done there instead is said.
    let told = ask(address, &get(address, "/bus/chat", "")).await;
    let how = "Accept: text/event-stream";
    assert!(told.body.contains(how), "{}", told.body);
    let delete = get(address, "/bus/chat", "").replace("GET", "DELETE");
    let told = ask(address, &delete).await;
    assert_eq!(told.field("allow"), Some("GET, POST"));
    let config = common::with_route("/bus/{channel}", |route| route.http.enabled = false);
    let (_running, address) = common::gateway(config);
    let told = ask(address, &post(address, "/bus/chat", "", "x")).await;
    assert_eq!(told.status, 405);
}
