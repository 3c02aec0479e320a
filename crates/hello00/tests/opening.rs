//! The whole opening of both roles, octet by octet and at every cut, and what each
//! refuses of the other.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use bytes::BytesMut;
use draftgate_core::{Close, Event, Limits, Outgoing, Rule};
use draftgate_hello00::{ACCEPTOR, OFFERER};
use draftgate_testkit::codecs::{Heard, hear, hear_every_cut};
use draftgate_wire::{
    FixedKeys,
    opening::{Accepted, Ask, Connected, LengthFrames, Refusal, RefusalKind, Resume, Terms, parts},
};

/// What both sides draw in the worked example: its nonces.
const CLIENTS: [u8; 8] = [0xa2, 0x3f, 0x2b, 0xca, 0x45, 0x2d, 0xde, 0x01];
const SERVERS: [u8; 8] = [0x15, 0xf0, 0xd2, 0x27, 0x8b, 0xcd, 0x45, 0x7f];

const REQUEST: &str = "GET /demo HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: sample\r\n\
    Sec-WebSocket-Draft: 3\r\n\
    Sec-WebSocket-Nonce: A23F2BCA452DDE01\r\n\r\n";

const ANSWER: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
    Upgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Origin: http://example.com\r\n\
    Sec-WebSocket-Location: ws://example.com/demo\r\n\
    Sec-WebSocket-Protocol: sample\r\n\r\n";

const SERVERS_HELLO: &[u8] = b"\x8f\x18\x15\xf0\xd2\x27\x8b\xcd\x45\x7f\
    \xee\x7e\xbe\x0c\x36\x9c\xbf\x25\x5a\x44\x51\xfc\x58\xd7\xcc\x4f";

const CLIENTS_HELLO: &[u8] =
    b"\x8f\x10\x33\x12\x20\x35\xd1\x12\x58\xfd\x7c\x76\x43\x14\x58\x0e\x53\x9c";

const TEXT: &[u8] = b"\x84\x05Hello";

fn accepted(request: &str, nonce: [u8; 8]) -> Result<Accepted, Refusal> {
    let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
    let terms = Terms {
        subprotocol: Some("sample"),
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    ACCEPTOR.accept(&request, &terms, &mut FixedKeys::new(nonce))
}

fn ask<'a>(subprotocols: &'a [&'a str]) -> Ask<'a> {
    Ask {
        secure: false,
        host: "example.com",
        resource: "/demo",
        origin: Some("http://example.com"),
        subprotocols,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    }
}

/// What the client that sent `request` makes of `answer`, and what follows it.
fn connected(request: &str, answer: &[u8]) -> Result<Option<(Connected, BytesMut)>, Refusal> {
    let terms: Resume = ask(&[]).resume();
    let keys = &mut FixedKeys::new([0]);
    let mut pending = OFFERER.resume(request.as_bytes(), terms, keys)?;
    let mut input = BytesMut::from(answer);
    let connected = pending.answer(&mut input)?;
    Ok(connected.map(|connected| (connected, input)))
}

fn opened_with_text(heard: &Heard) {
    assert_eq!(heard.violation, None);
    assert_eq!(
        heard.events,
        [Event::Opened, Event::Message("Hello".into())]
    );
}

#[test]
fn a_client_asks_and_proves_octet_for_octet_at_every_cut() {
    let offer = OFFERER.offer(&ask(&["sample"]), &mut FixedKeys::new(CLIENTS));
    assert_eq!(offer.unwrap().request, REQUEST);
    let answer = [ANSWER.as_bytes(), SERVERS_HELLO].concat();
    for cut in 0..answer.len() {
        assert!(connected(REQUEST, &answer[..cut]).unwrap().is_none());
    }
    let octets = [&answer[..], TEXT].concat();
    let (open, rest) = connected(REQUEST, &octets).unwrap().unwrap();
    assert_eq!((open.head, &rest[..]), (ANSWER.into(), TEXT));
    let codec = || connected(REQUEST, &answer).unwrap().unwrap().0.codec;
    let heard = hear_every_cut(codec, TEXT);
    opened_with_text(&heard);
    assert_eq!(heard.wrote, CLIENTS_HELLO);
}

#[test]
fn a_server_answers_and_proves_octet_for_octet_at_every_cut() {
    let head = accepted(REQUEST, SERVERS).unwrap().head;
    assert_eq!(head.to_bytes(), ANSWER);
    let octets = [CLIENTS_HELLO, TEXT].concat();
    let heard = hear_every_cut(|| accepted(REQUEST, SERVERS).unwrap().codec, &octets);
    opened_with_text(&heard);
    assert_eq!(heard.wrote, SERVERS_HELLO);
}

/// Its HELLO is a constant: it opens with the server that it was written for.
#[test]
fn microsofts_client_opens_only_with_the_nonce_that_it_knows() {
    let request = REQUEST
        .replace("Upgrade: WebSocket", "Upgrade:   WebSocket")
        .replace("Connection: Upgrade", "connection: upgrade");
    let octets = [CLIENTS_HELLO, TEXT].concat();
    let mut codec = accepted(&request, SERVERS).unwrap().codec;
    opened_with_text(&hear(&mut *codec, [&octets[..]]));
    let mut codec = accepted(&request, [7; 8]).unwrap().codec;
    let heard = hear(&mut *codec, [&octets[..]]);
    let breach = heard.violation.map(|violation| violation.rule);
    assert_eq!((breach, heard.events.len()), (Some(Rule::HelloInvalid), 0));
}

/// Before both proofs nothing else is said, and nothing after a wrong one.
#[test]
fn who_proves_nothing_is_left_without_a_word() {
    for octets in [TEXT, SERVERS_HELLO] {
        let mut codec = accepted(REQUEST, SERVERS).unwrap().codec;
        let heard = hear(&mut *codec, [octets]);
        assert_eq!(heard.violation, Some(Rule::HelloInvalid.into()));
        assert_eq!(heard.wrote, SERVERS_HELLO);
        let mut out = draftgate_core::Outbox::new();
        let close = Outgoing::Close(Some(Close::new(1000, "")));
        assert!(codec.send(close, &mut out).is_err());
        assert!(out.is_empty());
    }
    let wrong = [&SERVERS_HELLO[..25], b"\0"].concat();
    for octets in [TEXT, CLIENTS_HELLO, &wrong] {
        let answer = [ANSWER.as_bytes(), octets].concat();
        let refusal = connected(REQUEST, &answer).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::AnswerHello);
    }
}

#[test]
fn resins_client_may_leave_the_proof_out() {
    let request = "WEBSOCKET /demo HTTP/1.1\r\nHost: example.com\r\n\
        Sec-WebSocket-Protocol: unmasked\r\nUpgrade: WebSocket\r\n\
        Connection: Upgrade\r\nOrigin: Foo\r\n\r\n";
    let resins = "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
        Connection: Upgrade\r\nServer: Resin\r\nWebSocket-Protocol: unmasked\r\n\
        Content-Length: 0\r\n\r\n";
    let (mut open, rest) = connected(request, resins.as_bytes()).unwrap().unwrap();
    assert!(rest.is_empty());
    let heard = hear(&mut *open.codec, [TEXT]);
    opened_with_text(&heard);
    assert!(heard.wrote.is_empty());
    let other = request.replace("unmasked", "sample");
    let refusal = connected(&other, resins.as_bytes()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::AskUnspeakable);
}

#[test]
fn an_answer_must_switch_to_websocket() {
    for (from, to, kind) in [
        ("101", "200", RefusalKind::AnswerStatus),
        (
            "Upgrade: WebSocket",
            "Upgrade: TLS/1.0",
            RefusalKind::AnswerUpgrade,
        ),
        (
            "Connection: Upgrade",
            "Connection: close",
            RefusalKind::AnswerConnection,
        ),
        ("sample", "other", RefusalKind::AnswerSubprotocol),
    ] {
        let refusal = connected(REQUEST, ANSWER.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, kind);
    }
}

#[test]
fn a_nonce_is_sixteen_digits() {
    for bad in ["A23F2BCA452DDE0", "A23F2BCA452DDE011", "+23F2BCA452DDE01"] {
        let request = REQUEST.replace("A23F2BCA452DDE01", bad);
        let refusal = accepted(&request, SERVERS).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NonceInvalid, "{bad}");
    }
    assert!(accepted(&REQUEST.replace("DDE01", "dde01"), SERVERS).is_ok());
}

/// The reserved bits, byte 1's top one among them, are of no account (Resin).
#[test]
fn reserved_bits_are_let_pass_and_a_second_hello_is_not() {
    let mut codec = accepted(REQUEST, SERVERS).unwrap().codec;
    let octets = [CLIENTS_HELLO, b"\xf4\x85Hello", CLIENTS_HELLO].concat();
    let heard = hear(&mut *codec, [&octets[..]]);
    let hello = Event::Message("Hello".into());
    assert_eq!(heard.events.last(), Some(&hello));
    assert_eq!(heard.violation, Some(Rule::UnknownOpcode.into()));
}
