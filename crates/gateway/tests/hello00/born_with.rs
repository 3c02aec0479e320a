//! `profile = "html5labs-2010"`: a listener with the limits of the prototype.

use std::net::SocketAddr;

use draftgate_core::{Draft, Event, Message};
use draftgate_gateway::{
    Running,
    config::{Config, Environment, Profile},
};

use crate::common::{
    Client, Raw, captured, config, gateway, is_challenged, opening, spoken, until,
};

/// A listener that is like the prototype, on whatever port is free.
fn prototype() -> (Running, SocketAddr) {
    let mut config = config();
    config.listeners[0].profile = Some(Profile::Html5Labs2010);
    config.listeners[0].limits.max_connections = 5;
    gateway(config)
}

async fn open(address: SocketAddr) -> Client {
    Client::open(address, Draft::Hello00, "/echo").await
}

#[tokio::test]
async fn text_has_125_octets_and_nothing_else_is_said() {
    let (lines, _guard) = captured();
    let (_running, address) = prototype();
    let mut client = open(address).await;
    for text in ["", "Hello", &"x".repeat(125)] {
        client.send(text).await;
        assert_eq!(client.message().await, Message::from(text));
    }
    for (wrong, rule) in [
        (Message::from("x".repeat(126)), "frame-too-big"),
        (Message::Binary(vec![1, 2, 3].into()), "unknown-opcode"),
    ] {
        let mut client = open(address).await;
        client.send(wrong).await;
        assert_eq!(client.event().await, Some(Event::Close(None)), "{rule}");
        let broken = || {
            let access = lines.with("target", "draftgate::access");
            access.iter().any(|line| line["rule"] == rule)
        };
        lines.until("a line", broken).await;
    }
}

#[tokio::test]
async fn no_other_draft_is_spoken() {
    let (running, address) = prototype();
    for draft in spoken().into_iter().filter(|it| *it != Draft::Hello00) {
        let mut raw = Raw::say(address, opening(draft)).await;
        if is_challenged(draft) {
            raw.write(crate::common::KEY3).await;
        }
        let (head, body) = raw.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{draft}: {head}");
        assert!(body.contains("draft-not-enabled"), "{draft}: {body}");
    }
    assert_eq!(running.counts().upgrades_in(Draft::Hello00), 0);
}

#[tokio::test]
async fn the_sixth_connection_is_one_too_many() {
    let (running, address) = prototype();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(open(address).await);
    }
    let (head, body) = Raw::say(address, opening(Draft::Hello00))
        .await
        .refusal()
        .await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.contains("too-many-connections"), "{body}");
    drop(clients.pop());
    until("one has gone", || running.counts().open == 4).await;
    open(address).await;
}

const ROUTE: &str = "drafts = \"all\"\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n";

fn read(listener: &str) -> Result<Config, String> {
    let text = format!("{ROUTE}[[listeners]]\n{listener}\nprofile = \"html5labs-2010\"\n");
    let parsed = Config::parse(&text, "gate.toml", &spoken(), &Environment::default());
    parsed.map_err(|error| error.to_string())
}

#[test]
fn a_file_has_it_on_the_ports_of_silverlight_without_tls_or_proxy() {
    let config = read("address = \"127.0.0.1:4502\"").unwrap();
    let listener = &config.listeners[0];
    assert_eq!(listener.profile, Some(Profile::Html5Labs2010));
    assert_eq!(
        (listener.limits.max_connections, listener.http2),
        (5, false)
    );
    assert!(read("address = \"127.0.0.1:4534\"").is_ok());
    for (more, why) in [
        ("address = \"127.0.0.1:4535\"", "cannot be on port 4535"),
        ("address = \"127.0.0.1:0\"", "cannot be on port 0"),
        (
            "address = \"127.0.0.1:4502\"\ntls = { certificate = \"a.pem\" }",
            "cannot be beside `tls`",
        ),
        (
            "address = \"127.0.0.1:4502\"\ntrusted-proxies = [\"10.0.0.1\"]",
            "cannot be beside `trusted-proxies`",
        ),
    ] {
        let error = read(more).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
