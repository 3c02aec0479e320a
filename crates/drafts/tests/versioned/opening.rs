//! The opening handshake of hybi-04 to RFC 6455 §4 in both roles: what the
//! texts agree on, and the name of the origin's field.

use bytes::BytesMut;
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    Detection, FixedKeys, accept, detect, offer,
    opening::{Accepted, Ask, Connected, LengthFrames, Refusal, RefusalKind, Terms, origin, parts},
    subprotocols,
};
use http::HeaderValue;

use crate::keyed;

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Nonce: H+cNj5elaybfGIQv1esl2w==\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

/// The octets of the nonce.
const NONCE: [u8; 16] = [
    0x1f, 0xe7, 0x0d, 0x8f, 0x97, 0xa5, 0x6b, 0x26, 0xdf, 0x18, 0x84, 0x2f, 0xd5, 0xeb, 0x25, 0xdb,
];

/// The worked answer of `draft`: in hybi-04 with a nonce.
fn worked(draft: Draft) -> String {
    match draft {
        Draft::Hybi04 => ANSWER.to_owned(),
        _ => ANSWER.replace("Sec-WebSocket-Nonce: H+cNj5elaybfGIQv1esl2w==\r\n", ""),
    }
}

/// The worked request, under a version and an origin's name.
fn request(draft: Draft) -> String {
    let (version, origin) = match draft {
        Draft::Hybi04 => (4, "Sec-WebSocket-Origin"),
        Draft::Hybi05 => (5, "Sec-WebSocket-Origin"),
        Draft::Hybi06 => (6, "Sec-WebSocket-Origin"),
        Draft::Hybi07 => (7, "Sec-WebSocket-Origin"),
        Draft::Hybi08 => (8, "Sec-WebSocket-Origin"),
        Draft::Hybi13 => (13, "Origin"),
        draft => panic!("write down how {draft} asks"),
    };
    format!(
        "GET /chat HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: {version}\r\n\
         {origin}: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Cookie: a=b\r\n\r\n"
    )
}

fn ask<'a>(origin: Option<&'a str>, fields: &'a [(&'a str, HeaderValue)]) -> Ask<'a> {
    Ask {
        secure: false,
        host: "server.example.com",
        resource: "/chat",
        origin,
        subprotocols: &["chat", "superchat"],
        fields,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    }
}

/// Whether the client of the worked request takes `answer`.
fn connect(draft: Draft, answer: &str) -> Result<Option<Connected>, Refusal> {
    let mut keys = FixedKeys::new(*b"the sample nonce");
    let ask = ask(Some("http://example.com"), &[]);
    let mut offer = offer(draft, &ask, &mut keys).unwrap();
    offer.pending.answer(&mut BytesMut::from(answer.as_bytes()))
}

/// The draft found in `request`, and our answer to it.
fn answer(request: &str, subprotocol: Option<&str>) -> Result<(Draft, Accepted), Refusal> {
    let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
    let draft = detect(&request, Detection::default())?;
    let terms = Terms {
        subprotocol,
        public_url: "ws://server.example.com/chat",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = accept(draft, &request, &terms, &mut FixedKeys::new(NONCE))?;
    Ok((draft, accepted))
}

#[test]
fn the_request_is_written_with_every_field_once() {
    let cookie = [("Cookie", HeaderValue::from_static("a=b"))];
    for draft in keyed() {
        let mut keys = FixedKeys::new(*b"the sample nonce");
        let ask = ask(Some("http://example.com"), &cookie);
        let offer = offer(draft, &ask, &mut keys).unwrap();
        let written = std::str::from_utf8(&offer.request).unwrap();
        assert_eq!(written, request(draft), "{draft}");
    }
}

#[test]
fn a_program_names_no_origin_and_no_subprotocol() {
    for draft in keyed() {
        let mut keys = FixedKeys::new(*b"the sample nonce");
        let ask = Ask {
            subprotocols: &[],
            ..ask(None, &[])
        };
        let offer = offer(draft, &ask, &mut keys).unwrap();
        let written = std::str::from_utf8(&offer.request).unwrap();
        assert!(!written.contains("Origin"), "{draft}: {written}");
        assert!(!written.contains("Protocol"), "{draft}: {written}");
        let (found, accepted) = answer(written, None).unwrap();
        assert_eq!(found, draft);
        let head = accepted.head.to_bytes();
        assert!(!head.windows(9).any(|w| w == b"-Protocol"), "{draft}");
    }
}

#[test]
fn the_worked_request_is_answered_octet_for_octet() {
    for draft in keyed() {
        let (found, accepted) = answer(&request(draft), Some("chat")).unwrap();
        assert_eq!((found, accepted.codec.draft()), (draft, draft));
        let head = accepted.head.to_bytes();
        assert_eq!(
            std::str::from_utf8(&head).unwrap(),
            worked(draft),
            "{draft}"
        );
        for (key, accept) in [
            ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
            ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        ] {
            let request = request(draft).replace("dGhlIHNhbXBsZSBub25jZQ==", key);
            let head = answer(&request, None).unwrap().1.head.to_bytes();
            let head = std::str::from_utf8(&head).unwrap();
            assert!(head.contains(&format!("Sec-WebSocket-Accept: {accept}\r\n")));
        }
    }
}

#[test]
fn a_key_that_is_not_16_octets_is_refused() {
    for draft in keyed() {
        // The last is what ws 0.4.32 sends in Version 8: draft number and time, 15 octets.
        for key in ["", "AQIDBAUG", "OC0xNzk1MjMxMDA1Mjcz"] {
            let request = request(draft).replace("dGhlIHNhbXBsZSBub25jZQ==", key);
            let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
            let terms = Terms {
                subprotocol: None,
                public_url: "ws://server.example.com/chat",
                limits: Limits::default(),
                length_frames: LengthFrames::default(),
                extension: None,
            };
            let refusal = accept(draft, &request, &terms, &mut FixedKeys::new([0])).unwrap_err();
            let told = (refusal.kind, refusal.status());
            assert_eq!(told, (RefusalKind::KeyInvalid, 400), "{draft}: `{key}`");
        }
    }
}

#[test]
fn a_request_of_the_time_is_taken_in_any_shape() {
    for draft in keyed() {
        let ours = request(draft);
        for (from, to) in [
            // Firefox 6 to 10; Perl; libwebsockets; Netty; Microsoft's test client.
            ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
            ("Upgrade: websocket", "Upgrade: WebSocket"),
            ("Cookie", "Sec-WebSocket-Extensions: \r\nCookie"),
            ("Sec-WebSocket-Key", "sec-websocket-key"),
            ("Upgrade: websocket", "Upgrade:   WebSocket"),
            ("Connection: Upgrade", "connection: upgrade"),
            // From -08 on the request may name an absolute URL.
            ("GET /chat", "GET ws://server.example.com/chat"),
            // What is offered need not be taken.
            (
                "Cookie",
                "Sec-WebSocket-Extensions: deflate-stream\r\nCookie",
            ),
            // Programs name no origin.
            ("Sec-WebSocket-Origin: http://example.com\r\n", ""),
            ("\r\nOrigin: http://example.com\r\n", "\r\n"),
        ] {
            let (found, accepted) = answer(&ours.replacen(from, to, 1), Some("chat")).unwrap();
            let head = accepted.head.to_bytes();
            assert_eq!(found, draft, "{to}");
            assert_eq!(
                std::str::from_utf8(&head).unwrap(),
                worked(draft),
                "{draft}: {to}"
            );
        }
    }
}

#[test]
fn the_origin_is_read_under_either_name_and_two_must_agree() {
    for draft in keyed() {
        let bare = request(draft)
            .replace("Sec-WebSocket-Origin: http://example.com\r\n", "")
            .replace("Origin: http://example.com\r\n", "");
        let named = |fields: &str| {
            let request = bare.replacen("Cookie", fields, 1);
            let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
            let found = detect(&request, Detection::default());
            assert_eq!(found, Ok(draft), "an origin tells no draft");
            origin(&request.headers).map(|found| found.cloned())
        };
        let one = Some(HeaderValue::from_static("http://a"));
        assert_eq!(named("Cookie"), Ok(None));
        assert_eq!(named("Origin: http://a\r\nCookie"), Ok(one.clone()));
        assert_eq!(
            named("Sec-WebSocket-Origin: http://a\r\nCookie"),
            Ok(one.clone())
        );
        assert_eq!(
            named("Sec-WebSocket-Origin: http://a\r\nOrigin: http://a\r\nCookie"),
            Ok(one)
        );
        let differ = named("Origin: http://a\r\nSec-WebSocket-Origin: http://b\r\nCookie");
        let refusal = differ.unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.status()),
            (RefusalKind::OriginAmbiguous, 400)
        );
    }
}

#[test]
fn subprotocols_are_a_list_in_any_number_of_fields() {
    for draft in keyed() {
        let fields = "Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Protocol: ,c ,";
        let request = request(draft).replace("Cookie: a=b", fields);
        let (request, _) = parts(request.as_bytes()).unwrap().unwrap();
        let asked = subprotocols(draft, &request.headers);
        assert_eq!(asked, ["chat", "superchat", "b", "c"], "{draft}");
    }
}

#[test]
fn a_client_takes_either_subprotocol_it_asked_for() {
    for draft in keyed() {
        for name in ["chat", "superchat"] {
            let answer = ANSWER.replace("chat", name);
            let connected = connect(draft, &answer).unwrap().unwrap();
            assert_eq!(connected.subprotocol.as_deref(), Some(name), "{draft}");
        }
        let none = ANSWER.replace("Sec-WebSocket-Protocol: chat\r\n", "");
        let connected = connect(draft, &none).unwrap().unwrap();
        assert_eq!(connected.subprotocol, None, "{draft}");
    }
}

#[test]
fn a_client_refuses_an_answer_that_does_not_prove_itself() {
    let status = RefusalKind::AnswerStatus;
    for (from, to, kind) in [
        ("101 Switching", "403 Switching", status),
        ("101 Switching", "200 Switching", status),
        ("websocket", "h2c", RefusalKind::AnswerUpgrade),
        ("Upgrade: websocket\r\n", "", RefusalKind::AnswerField),
        (
            "Connection: Upgrade",
            "Connection: close",
            RefusalKind::AnswerConnection,
        ),
        ("Connection: Upgrade\r\n", "", RefusalKind::AnswerConnection),
        ("s3pP", "S3pP", RefusalKind::AnswerAccept),
        // The example that circulated with -04: over the decoded key and GUID.
        (
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "me89jWimTRKTWwrS3aRrL53YZSo=",
            RefusalKind::AnswerAccept,
        ),
        ("Sec-WebSocket-Accept", "X-Accept", RefusalKind::AnswerField),
        ("chat", "cheat", RefusalKind::AnswerSubprotocol),
        ("chat", "chat, superchat", RefusalKind::AnswerSubprotocol),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: x\r\n\r\n",
            RefusalKind::AnswerExtension,
        ),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: deflate-stream\r\n\r\n",
            RefusalKind::AnswerExtension,
        ),
    ] {
        for draft in keyed() {
            let answer = ANSWER.replacen(from, to, 1);
            // Nobody can tell which of the two the servers of -04 were.
            if draft == Draft::Hybi04 && to.starts_with("me89") {
                assert!(matches!(connect(draft, &answer), Ok(Some(_))));
                continue;
            }
            let refusal = connect(draft, &answer).unwrap_err();
            assert_eq!(refusal.kind, kind, "{draft}: {from} -> {to}: {refusal}");
        }
    }
}

#[test]
fn a_client_takes_the_answers_of_the_time() {
    for (from, to) in [
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        // Jetty writes WebSocket until Version 13.
        ("Upgrade: websocket", "Upgrade: WebSocket"),
        ("Upgrade: websocket", "upgrade: WebSocket"),
        ("Sec-WebSocket-Accept", "sec-websocket-accept"),
        // Perl's reason phrase is that of hixie-75.
        ("Switching Protocols", "WebSocket Protocol Handshake"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: \r\n\r\n"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions:\r\n\r\n"),
        ("\r\n\r\n", "\r\nServer: x\r\nDate: y\r\n\r\n"),
        ("Sec-WebSocket-Protocol: chat\r\n", ""),
    ] {
        for draft in keyed() {
            let answer = ANSWER.replacen(from, to, 1);
            let connected = connect(draft, &answer);
            assert!(matches!(connected, Ok(Some(_))), "{draft}: {to}");
        }
    }
}

#[test]
fn the_nonce_of_hybi_04_is_asked_for_once_and_no_other_draft_has_one() {
    let line = "Sec-WebSocket-Nonce: H+cNj5elaybfGIQv1esl2w==\r\n";
    let twice = [line, line].concat();
    for draft in keyed() {
        let needed = draft == Draft::Hybi04;
        for other in ["", &twice, "Sec-WebSocket-Nonce: H+cNj5elayY=\r\n"] {
            let connected = connect(draft, &ANSWER.replace(line, other));
            let kind = connected.as_ref().err().map(|refusal| refusal.kind);
            assert_eq!(
                kind,
                needed.then_some(RefusalKind::AnswerField),
                "{draft} {other}"
            );
        }
        let (_, accepted) = answer(&request(draft), None).unwrap();
        let nonce = accepted
            .head
            .fields
            .iter()
            .filter(|(name, _)| name == "Sec-WebSocket-Nonce");
        assert_eq!(nonce.count(), usize::from(needed), "{draft}");
    }
}
