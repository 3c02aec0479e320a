//! What the log says: one line for each connection at its end, the same code
//! and id as in the refusal's body, and never a payload, a cookie or a query.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{Client, HYBI_13, Raw, captured, config, gateway, until, with_route};
use draftgate_core::{Close, Draft, Event, Message};
use draftgate_gateway::config::{Allowed, BinaryPolicy};

#[tokio::test]
async fn a_connection_leaves_one_line_at_its_end() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let mut client = Client::open_with(address, Draft::Hybi13, "/echo?token=s3cret", &["a"]).await;
    client.send("p4yload").await;
    client.message().await;
    assert!(lines.with("target", "draftgate::access").is_empty());
    client.close(Some(Close::new(4000, "done"))).await;
    client.end().await;
    drop(client);
    lines
        .until("the line", || {
            lines.with("target", "draftgate::access").len() == 1
        })
        .await;
    let line = lines.with("target", "draftgate::access").remove(0);
    for (key, value) in [
        ("draft", "hybi-13"),
        ("path", "/echo"),
        ("origin", "http://localhost"),
        ("subprotocol", "a"),
        ("by", "peer"),
        ("why", "peer-closed"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    for (key, value) in [("messages_in", 1), ("messages_out", 1), ("code", 4000)] {
        assert_eq!(line[key], value, "{line}");
    }
    assert!(
        line["octets_in"].as_u64() > Some(7) && line["octets_out"].as_u64() > Some(100),
        "{line}"
    );
    assert!(line["seconds"].is_number() && line["id"].is_string() && line["peer"].is_string());
    let everything = format!("{:?}", lines.all());
    assert!(
        !everything.contains("p4yload") && !everything.contains("s3cret"),
        "{everything}"
    );
}

#[tokio::test]
async fn what_a_draft_cannot_carry_and_what_may_not_be_published_are_counted() {
    let (lines, _guard) = captured();
    let (running, address) = gateway(with_route("/bus/{channel}", |_| {}));
    let mut old = Client::open(address, Draft::Hixie76, "/bus/x").await;
    let mut new = Client::open(address, Draft::Hybi13, "/bus/x").await;
    new.send(Message::Binary(vec![1, 2, 3].into())).await;
    new.send("text").await;
    assert_eq!(old.message().await, Message::from("text"));
    drop(old);
    lines
        .until("the line", || !lines.with("draft", "hixie-76").is_empty())
        .await;
    let line = lines.with("draft", "hixie-76").remove(0);
    assert_eq!(
        (&line["dropped"], &line["muted"]),
        (&1.into(), &0.into()),
        "{line}"
    );
    drop(running);

    let (_running, address) = gateway(with_route("/bus/{channel}", |route| {
        route.publish = Allowed::None;
    }));
    let mut mute = Client::open(address, Draft::Hixie75, "/bus/x").await;
    mute.send("one").await;
    mute.send("two").await;
    mute.close(None).await;
    lines
        .until("the line", || !lines.with("draft", "hixie-75").is_empty())
        .await;
    let line = lines.with("draft", "hixie-75").remove(0);
    assert_eq!(
        (&line["dropped"], &line["muted"]),
        (&0.into(), &2.into()),
        "{line}"
    );
}

#[tokio::test]
async fn a_close_without_a_code_is_told_in_those_of_rfc_6455() {
    for (draft, code) in [
        (Draft::Hixie75, serde_json::Value::Null),
        (Draft::Hixie76, 1000.into()),
        (Draft::Hybi13, 1005.into()),
    ] {
        let (lines, _guard) = captured();
        let (_running, address) = gateway(config());
        let mut client = Client::open(address, draft, "/echo").await;
        client.close(None).await;
        lines
            .until("the line", || !lines.with("draft", draft.name()).is_empty())
            .await;
        let line = lines.with("draft", draft.name()).remove(0);
        assert_eq!(line["code"], code, "{line}");
    }
}

#[tokio::test]
async fn a_close_by_policy_stands_in_the_log_with_its_code() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(with_route("/bus/{channel}", |route| {
        route.binary = BinaryPolicy::Close;
    }));
    let mut old = Client::open(address, Draft::Hixie76, "/bus/x").await;
    let mut new = Client::open(address, Draft::Hybi13, "/bus/x").await;
    new.send(Message::Binary(vec![1, 2, 3].into())).await;
    assert_eq!(old.event().await, Some(Event::Close(None)));
    old.close(None).await;
    lines
        .until("the line", || !lines.with("draft", "hixie-76").is_empty())
        .await;
    let line = lines.with("draft", "hixie-76").remove(0);
    assert_eq!(
        (&line["code"], &line["by"]),
        (&1003.into(), &"us".into()),
        "{line}"
    );
}

#[tokio::test]
async fn a_refusal_has_the_same_code_and_id_in_body_and_log() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let request = HYBI_13
        .replace("/echo", "/none")
        .replace("Host:", "Cookie: s3cret\r\nHost:");
    let (_, body) = Raw::say(address, &request).await.refusal().await;
    let said = |name: &str| {
        body.lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let line = lines.with("code", &said("Code: ")).remove(0);
    assert_eq!(line["id"], said("Id: "), "{line}");
    assert_eq!(
        (&line["status"], &line["path"]),
        (&404.into(), &"/none".into()),
        "{line}"
    );
    let fields = line["fields"].as_str().unwrap();
    assert!(
        fields.starts_with("Cookie, Host, Upgrade, Connection, "),
        "{line}"
    );
    assert!(!format!("{:?}", lines.all()).contains("s3cret"));
}

#[tokio::test]
async fn a_line_stays_short_whatever_the_client_wrote() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let long = "x".repeat(15_000);
    let refused = HYBI_13.replace("/echo", &format!("/{long}"));
    Raw::say(address, refused).await.refusal().await;
    let mut served = Raw::say(
        address,
        HYBI_13.replace(
            "Origin:",
            &format!("Sec-WebSocket-Protocol: {long}\r\nOrigin:"),
        ),
    )
    .await;
    served.head().await;
    drop(served);
    let access = || lines.with("target", "draftgate::access");
    until("the line", || access().len() == 1).await;
    assert_eq!(lines.with("code", "path-unknown").len(), 1);
    for line in lines.all() {
        assert!(line.to_string().len() < 4096, "{line}");
    }
}

#[tokio::test]
async fn hixie_75_without_origin_is_logged() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.hixie_75_without_origin = true;
    }));
    let request = common::HIXIE_75.replace("Origin: http://localhost\r\n", "");
    Raw::say(address, request).await.head().await;
    let told = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("hixie-75 without Origin"))
    };
    assert_eq!(lines.all().iter().filter(|line| told(line)).count(), 1);
}

#[tokio::test]
async fn a_breach_is_named_with_its_section_and_its_field() {
    for (octets, rule, section, field) in [
        (
            &b"\x81\x05Hello"[..],
            "mask-missing",
            "RFC 6455 §5.1",
            Some("MASK 0"),
        ),
        (
            b"\xc1\x85",
            "reserved-bits",
            "RFC 6455 §5.2",
            Some("RSV1 1"),
        ),
        (b"\x83", "unknown-opcode", "RFC 6455 §5.2", Some("opcode 3")),
        // What is wrong with a frame that was taken is its payload's.
        (
            b"\x81\x81\0\0\0\0\xff\x83",
            "not-utf8",
            "RFC 6455 §8.1",
            None,
        ),
    ] {
        let (lines, _guard) = captured();
        let (_running, address) = gateway(config());
        let mut client = Raw::say(address, [HYBI_13.as_bytes(), octets].concat()).await;
        client.head().await;
        let access = || lines.with("target", "draftgate::access");
        drop(client);
        until("the line", || access().len() == 1).await;
        let line = access().remove(0);
        assert_eq!(line["rule"], rule, "{line}");
        assert_eq!(line["section"], section, "{line}");
        assert_eq!(line["field"].as_str(), field, "{line}");
    }
}

#[tokio::test]
async fn no_line_is_written_where_the_configuration_wants_none() {
    let (lines, _guard) = captured();
    let mut config = config();
    config.log.access = false;
    let (running, address) = gateway(config);
    drop(Client::open(address, Draft::Hixie76, "/echo").await);
    until("it ends", || running.counts().connections == 0).await;
    assert!(lines.with("target", "draftgate::access").is_empty());
}
