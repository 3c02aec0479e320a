//! Refused handshakes are remembered, with what their clients were told.

use std::time::Duration;

use draftgate_gateway::Unanswered;
use serde_json::Value;

use crate::{
    asking::{rig, rig_with},
    common::{HIXIE_76, HYBI_13, Raw, config, until},
};

#[tokio::test]
async fn what_a_client_was_told_is_found_by_its_id() {
    let rig = rig(config());
    let request = HYBI_13
        .replace("/echo", "/nowhere?access_token=s3cret")
        .replace(
            "Origin: ",
            "Cookie: session=s3cret\r\nAuthorization: Bearer s3cret\r\nOrigin: ",
        );
    let (head, body) = Raw::say(rig.address, &request).await.refusal().await;
    let id = body
        .lines()
        .find_map(|line| line.strip_prefix("Id: "))
        .unwrap();
    let told = rig.get(&format!("/api/handshakes/{id}")).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    for (key, value) in [
        ("code", "path-unknown"),
        ("stage", "handshake"),
        ("draft", "hybi-13"),
        ("method", "GET"),
        ("path", "/nowhere"),
    ] {
        assert_eq!(told[key], value, "{told}");
    }
    assert_eq!(told["status"], 404);
    // The same sentence and the same fix as in the body.
    for key in ["error", "what_to_do"] {
        assert!(
            body.contains(told[key].as_str().unwrap()),
            "{key}: {told}, {body}"
        );
    }
    let kept = told["head"].as_str().unwrap();
    assert!(
        kept.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "{kept}"
    );
    assert!(
        kept.starts_with("GET /nowhere?access_token=redacted "),
        "{kept}"
    );
    assert!(!told.to_string().contains("s3cret"), "{told}");
    let unknown = rig.ask("GET", "/api/handshakes/c999", "").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "admin-unknown")
    );
}

#[tokio::test]
async fn every_way_to_be_refused_is_remembered() {
    let mut config = config();
    let timeouts = &mut config.listeners[0].timeouts;
    timeouts.first_octet = Duration::from_millis(50);
    timeouts.head = Duration::from_millis(50);
    timeouts.key3 = Duration::from_millis(50);
    let rig = rig(config);
    for (octets, code, stage) in [
        (&b""[..], "first-octet-timeout", "connection"),
        (b"\x16\x03\x01\x00\x05hello", "tls", "connection"),
        (b"<policy-file-request/>\0", "policy-request", "connection"),
        (b"GET / HTTP/1.1\r\nHost", "head-timeout", "handshake"),
        (b"GET /a b HTTP/1.1\r\n\r\n", "head-malformed", "handshake"),
        (HIXIE_76.as_bytes(), "opening-timeout", "handshake"),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "not-websocket", "handshake"),
        (b"POST /bus/a HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n", "origin-refused", "http"),
    ] {
        let mut raw = Raw::say(rig.address, octets).await;
        if stage == "http" {
            raw.head().await;
        } else {
            raw.rest().await;
        }
        until(code, || rig.running.counts().refused_for(code) == 1).await;
        let listed = rig.get(&format!("/api/handshakes?code={code}")).await;
        assert_eq!(listed["total"], 1, "{code}: {listed}");
        let told = &listed["handshakes"][0];
        assert_eq!((told["code"].as_str(), told["stage"].as_str()), (Some(code), Some(stage)));
        let unanswered = Unanswered::ALL.iter().any(|it| it.code == code);
        assert_eq!(told["status"].is_null(), unanswered, "{told}");
        for key in ["error", "what_to_do", "id", "at", "peer"] {
            assert!(told[key].as_str().is_some_and(|it| !it.is_empty()), "{key}: {told}");
        }
        if stage == "handshake" {
            let kept = told["head"].as_str().unwrap();
            assert!(kept.starts_with("GET /"), "{code}: {kept}");
        }
    }
    let all = rig.get("/api/handshakes?limit=3").await;
    assert_eq!((&all["total"], &all["listed"]), (&8.into(), &3.into()));
    let last: Vec<&Value> = all["handshakes"].as_array().unwrap().iter().collect();
    assert_eq!(
        last[0]["code"], "origin-refused",
        "the last one comes first"
    );
    for (query, count) in [
        ("stage=connection", 3),
        ("draft=hixie-76", 1),
        ("path=/echo", 1),
        ("peer=127.0.0.1", 8),
        ("peer=192.0.2.0/24", 0),
    ] {
        assert_eq!(
            rig.get(&format!("/api/handshakes?{query}")).await["total"],
            count,
            "{query}"
        );
    }
}

#[tokio::test]
async fn as_many_are_remembered_as_the_configuration_says() {
    let rig = rig_with(config(), |admin| admin.handshakes = 3);
    for index in 0..10 {
        let request = HYBI_13.replace("/echo", &format!("/nowhere/{index}"));
        Raw::say(rig.address, &request).await.refusal().await;
    }
    let listed = rig.get("/api/handshakes").await;
    let paths: Vec<&str> = listed["handshakes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/nowhere/9", "/nowhere/8", "/nowhere/7"]);
    assert_eq!(listed["handshakes"][0]["number"], 10);
}

#[tokio::test]
async fn a_head_that_is_no_text_is_told_in_digits() {
    let rig = rig(config());
    let mut raw = Raw::say(rig.address, b"GET /\xff\xfe HTTP/1.1\r\nHost: \xe9\r\n\r\n").await;
    raw.rest().await;
    let listed = rig.get("/api/handshakes").await;
    let hex = listed["handshakes"][0]["head"]["hex"].as_str().unwrap();
    assert!(hex.starts_with("474554202ffffe20"), "{listed}");
}
