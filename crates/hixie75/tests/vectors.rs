//! Every worked example of the text of hixie-75, in both roles, whole and cut
//! at each octet.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use bytes::BytesMut;
use draftgate_core::{Codec, Event, Limits, Message, Notice, Outbox, Outgoing, SendError, State};
use draftgate_hixie75::{ACCEPTOR, OFFERER};
use draftgate_testkit::codecs::{hear, hear_every_cut};
use draftgate_wire::{
    FixedKeys,
    opening::{Accepted, Ask, Connected, LengthFrames, Refusal, RefusalKind, Terms, parts},
};

const REQUEST: &str = "GET /demo HTTP/1.1\r\n\
    Upgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\
    Host: example.com\r\n\
    Origin: http://example.com\r\n\
    WebSocket-Protocol: sample\r\n\r\n";

const ANSWER: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
    Upgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\
    WebSocket-Origin: http://example.com\r\n\
    WebSocket-Location: ws://example.com/demo\r\n\
    WebSocket-Protocol: sample\r\n\r\n";

fn keys() -> FixedKeys {
    FixedKeys::new([0])
}

fn accepted() -> Accepted {
    let terms = Terms {
        subprotocol: Some("sample"),
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    ACCEPTOR
        .accept(
            &parts(REQUEST.as_bytes()).unwrap().unwrap().0,
            &terms,
            &mut keys(),
        )
        .unwrap()
}

fn ask<'a>(subprotocols: &'a [&'a str]) -> Ask<'a> {
    Ask {
        secure: false,
        host: "Example.com",
        resource: "/demo",
        origin: Some("HTTP://example.com"),
        subprotocols,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    }
}

fn answered(answer: &[u8]) -> Result<Option<Connected>, Refusal> {
    let mut pending = OFFERER
        .offer(&ask(&["sample"]), &mut keys())
        .unwrap()
        .pending;
    pending.answer(&mut BytesMut::from(answer))
}

fn both() -> [fn() -> Box<dyn Codec>; 2] {
    [
        || accepted().codec,
        || answered(ANSWER.as_bytes()).unwrap().unwrap().codec,
    ]
}

#[test]
fn the_answer_is_byte_exact() {
    let head = accepted().head.to_bytes();
    assert_eq!(std::str::from_utf8(&head).unwrap(), ANSWER);
    assert_eq!(head[..44].last_chunk(), Some(b"\r\n"));
}

#[test]
fn a_request_without_origin_is_told_null() {
    let request = REQUEST.replace("Origin: http://example.com\r\n", "");
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
    let head = ACCEPTOR.accept(&request, &terms, &mut keys()).unwrap().head;
    let head = head.to_bytes();
    let fields = std::str::from_utf8(&head[85..]).unwrap();
    assert_eq!(
        fields,
        "WebSocket-Origin: null\r\nWebSocket-Location: ws://example.com/demo\r\n\r\n"
    );
}

#[test]
fn the_request_is_byte_exact() {
    let offer = OFFERER.offer(&ask(&["sample"]), &mut keys()).unwrap();
    assert_eq!(std::str::from_utf8(&offer.request).unwrap(), REQUEST);
}

#[test]
fn a_client_takes_the_answer_at_any_cut_and_no_octet_more() {
    let octets = [ANSWER.as_bytes(), b"\0Hi\xff"].concat();
    for cut in 0..octets.len() {
        let mut pending = OFFERER
            .offer(&ask(&["sample"]), &mut keys())
            .unwrap()
            .pending;
        let mut input = BytesMut::from(&octets[..cut]);
        let early = pending.answer(&mut input).unwrap();
        input.extend_from_slice(&octets[cut..]);
        let connected = early
            .or_else(|| pending.answer(&mut input).unwrap())
            .unwrap();
        assert_eq!(connected.subprotocol.as_deref(), Some("sample"));
        assert_eq!(&input[..], b"\0Hi\xff");
    }
}

#[test]
fn a_client_compares_the_first_85_octets() {
    for (from, to) in [
        ("Web Socket", "WebSocket"),
        ("Upgrade: WebSocket", "Upgrade: websocket"),
        ("Upgrade: WebSocket", "upgrade: WebSocket"),
        (
            "Upgrade: WebSocket\r\nConnection: Upgrade",
            "Connection: Upgrade\r\nUpgrade: WebSocket",
        ),
        ("Upgrade: WebSocket", "Server: x\r\nUpgrade: WebSocket"),
    ] {
        let refusal = answered(ANSWER.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::AnswerStatusLine, "{to}");
    }
}

#[test]
fn a_client_checks_every_field() {
    for (from, to, kind) in [
        ("101", "200", RefusalKind::AnswerStatus),
        (
            "Origin: http://e",
            "Origin: http://f",
            RefusalKind::AnswerOrigin,
        ),
        ("ws://", "wss://", RefusalKind::AnswerLocation),
        ("sample", "simple", RefusalKind::AnswerSubprotocol),
        (
            "WebSocket-Protocol: sample\r\n",
            "",
            RefusalKind::AnswerField,
        ),
        (
            "\r\n\r\n",
            "\r\nWebSocket-Origin: x\r\n\r\n",
            RefusalKind::AnswerField,
        ),
        (
            "\r\n\r\n",
            "\r\nA: b\nC: d\r\n\r\n",
            RefusalKind::AnswerMalformed,
        ),
        ("\r\n\r\n", "\r\n: b\r\n\r\n", RefusalKind::AnswerMalformed),
    ] {
        let refusal = answered(ANSWER.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, kind, "{from} -> {to}: {refusal}");
    }
    // Field names in any case, a space after the colon or none.
    let other = ANSWER.replace("WebSocket-Origin: ", "websocket-origin:");
    assert!(answered(other.as_bytes()).unwrap().is_some());
}

#[test]
fn a_second_subprotocol_cannot_be_asked_for() {
    let refusal = OFFERER.offer(&ask(&["a", "b"]), &mut keys()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::AskUnspeakable);
}

#[test]
fn hello_is_read_in_both_roles() {
    for codec in both() {
        let heard = hear_every_cut(codec, b"\x00Hello\xff\x00\xff");
        assert_eq!(
            heard.events,
            [
                Event::Opened,
                Event::Message("Hello".into()),
                Event::Message("".into())
            ]
        );
    }
}

#[test]
fn hello_is_written_in_both_roles() {
    for codec in both() {
        let mut codec = codec();
        hear(&mut *codec, []);
        let mut out = Outbox::new();
        codec
            .send(Outgoing::Message("Hello".into()), &mut out)
            .unwrap();
        assert_eq!(&out.take_all()[..], b"\x00Hello\xff");
    }
}

#[test]
fn frames_of_other_types_are_discarded_with_a_notice() {
    let notice = |frame_type, octets| Event::Notice(Notice::Discarded { frame_type, octets });
    for codec in both() {
        let octets = [b"\x01abc\xff\x80\x03abc\xff\x00".as_slice(), b"\x00x\xff"].concat();
        let heard = hear_every_cut(codec, &octets);
        assert_eq!(
            heard.events,
            [
                Event::Opened,
                notice(0x01, 3),
                notice(0x80, 3),
                notice(0xff, 0),
                Event::Message("x".into())
            ]
        );
    }
}

#[test]
fn bad_utf8_becomes_replacements() {
    for codec in both() {
        let heard = hear_every_cut(codec, b"\x00a\xfeb\xff");
        let repaired = Event::Notice(Notice::Repaired { replacements: 1 });
        let message = Event::Message("a\u{fffd}b".into());
        assert_eq!(heard.events, [Event::Opened, repaired, message]);
    }
}

#[test]
fn there_is_no_closing_handshake() {
    for codec in both() {
        let mut codec = codec();
        hear(&mut *codec, []);
        let mut out = Outbox::new();
        codec.send(Outgoing::Filler, &mut out).unwrap();
        assert_eq!(&out.take_all()[..], b"\x80\x00");
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        assert!(out.is_empty());
        assert_eq!((codec.state(), codec.end()), (State::Closed, None));
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    use draftgate_core::{Close, Draft};
    for codec in both() {
        let mut codec = codec();
        let mut out = Outbox::new();
        let early = codec.send(Outgoing::Message("x".into()), &mut out);
        assert_eq!(early, Err(SendError::Opening));
        hear(&mut *codec, []);
        let draft = Draft::Hixie75;
        for (what, error) in [
            (
                Outgoing::Ping(bytes::Bytes::new()),
                SendError::NoPing(draft),
            ),
            (
                Outgoing::Pong(bytes::Bytes::new()),
                SendError::NoPing(draft),
            ),
            (
                Outgoing::Message(Message::Binary(bytes::Bytes::new())),
                SendError::NoBinary(draft),
            ),
            (
                Outgoing::Close(Some(Close::new(1000, ""))),
                SendError::NoCloseCode(draft),
            ),
        ] {
            assert_eq!(codec.send(what, &mut out), Err(error));
        }
        assert!(out.is_empty());
    }
}
