//! The opening handshake of RFC 6455 in both roles.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use common::{ANSWER, accept, connect};
use draftgate_core::Limits;
use draftgate_hybi13::OFFERER;
use draftgate_wire::{
    FixedKeys,
    opening::{Ask, LengthFrames, RefusalKind},
};
use http::HeaderValue;

#[test]
fn the_worked_openings() {
    let accepted = accept("dGhlIHNhbXBsZSBub25jZQ==", Limits::default()).unwrap();
    assert_eq!(
        std::str::from_utf8(&accepted.head.to_bytes()).unwrap(),
        ANSWER
    );
    for (key, value) in [
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    ] {
        let head = accept(key, Limits::default()).unwrap().head.to_bytes();
        assert!(std::str::from_utf8(&head).unwrap().contains(value));
    }
    assert_eq!(
        accept("AQIDBAUG", Limits::default()).unwrap_err().kind,
        RefusalKind::KeyInvalid
    );
}

#[test]
fn the_request_is_written_with_every_field_once() {
    let ask = Ask {
        secure: false,
        host: "server.example.com",
        resource: "/chat",
        origin: Some("http://example.com"),
        subprotocols: &["chat", "superchat"],
        fields: &[("Cookie", HeaderValue::from_static("a=b"))],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    let mut keys = FixedKeys::new(*b"the sample nonce");
    let offer = OFFERER.offer(&ask, &mut keys).unwrap();
    assert_eq!(
        std::str::from_utf8(&offer.request).unwrap(),
        "GET /chat HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Origin: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Cookie: a=b\r\n\r\n"
    );
}

#[test]
fn a_client_checks_the_answer() {
    for (from, to, kind) in [
        ("101 Switching", "403 Switching", RefusalKind::AnswerStatus),
        ("websocket", "h2c", RefusalKind::AnswerUpgrade),
        (
            "Connection: Upgrade",
            "Connection: close",
            RefusalKind::AnswerConnection,
        ),
        ("s3pP", "S3pP", RefusalKind::AnswerAccept),
        ("chat", "cheat", RefusalKind::AnswerSubprotocol),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: x\r\n\r\n",
            RefusalKind::AnswerExtension,
        ),
    ] {
        let answer = ANSWER.replacen(from, to, 1);
        let refusal = connect(answer.as_bytes(), Limits::default()).unwrap_err();
        assert_eq!(refusal.kind, kind, "{from} -> {to}: {refusal}");
    }
    for (from, to) in [
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        ("Upgrade: websocket", "upgrade: WebSocket"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: \r\n\r\n"),
        ("Sec-WebSocket-Protocol: chat\r\n", ""),
    ] {
        let answer = ANSWER.replacen(from, to, 1);
        assert!(
            connect(answer.as_bytes(), Limits::default())
                .unwrap()
                .is_some(),
            "{to}"
        );
    }
}
