//! What a strict client refuses and a lenient one forgives, in every draft
//! that is spoken: honest answers with one field changed.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use bytes::BytesMut;
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    FixedKeys, accept, has_hello, offer,
    opening::{AnswerChecks, Ask, Connected, LengthFrames, Refusal, RefusalKind, Terms, parts},
    spoken,
};
use draftgate_testkit::codecs::hear;

/// What a client that asks for `subprotocols` makes of the honest answer, after
/// `change`; `None` if that changes nothing.
fn answered(
    draft: Draft,
    checks: AnswerChecks,
    subprotocols: &[&str],
    change: &dyn Fn(Vec<u8>) -> Vec<u8>,
) -> Option<Result<Connected, Refusal>> {
    let mut keys = FixedKeys::new(b"a fixed run of octets for keys..");
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/demo",
        origin: Some("http://example.com"),
        subprotocols,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let mut offered = offer(draft, &ask, &mut keys).unwrap();
    let (request, head) = parts(&offered.request).unwrap().unwrap();
    let terms = Terms {
        subprotocol: subprotocols.first().copied(),
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let mut accepted = accept(draft, &request, &terms, &mut keys).unwrap();
    let heard = hear(&mut *accepted.codec, [&offered.request[head..]]);
    let honest = [accepted.head.to_bytes(), heard.wrote].concat();
    let changed = change(honest.clone());
    if changed == honest {
        return None;
    }
    offered.pending.judge(checks);
    let mut input = BytesMut::from(&changed[..]);
    let found = offered.pending.answer(&mut input).map(Option::unwrap);
    // A HELLO is read by the codec.
    Some(found.and_then(
        |mut connected| match hear(&mut *connected.codec, [&input[..]]).violation {
            None => Ok(connected),
            Some(breach) => Err(Refusal::with(
                RefusalKind::AnswerChallenge,
                breach.to_string(),
            )),
        },
    ))
}

/// Replaces the first `from` of the head, in octets.
fn replaced(octets: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = octets
        .windows(from.len())
        .position(|w| w == from.as_bytes());
    match at {
        Some(at) => [&octets[..at], to.as_bytes(), &octets[at + from.len()..]].concat(),
        None => octets.to_vec(),
    }
}

#[test]
fn what_is_forgiven_is_what_the_strict_client_would_have_said() {
    let mut forgiven = 0;
    for draft in spoken() {
        for (from, to) in [
            ("Web Socket Protocol", "Switching"),
            (
                "Upgrade: WebSocket\r\nC",
                "Server: x\r\nUpgrade: websocket\r\nC",
            ),
            ("Upgrade: websocket\r\n", "Upgrade: websocket, x\r\n"),
            ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
            ("-Origin: http://example.com", "-Origin: null"),
            (
                "-Origin: http://example.com",
                "-Origin:  http://example.com",
            ),
            (
                "-Location: ws://example.com",
                "-Location: wss://example.com",
            ),
            ("-Location: ws://example.com/demo", "-Elsewhere: x"),
            ("Protocol: sample", "Nothing: sample"),
        ] {
            let change = |octets: Vec<u8>| replaced(&octets, from, to);
            let judged = |checks| answered(draft, checks, &["sample"], &change);
            let Some(lenient) = judged(AnswerChecks::Lenient) else {
                continue;
            };
            let strict = judged(AnswerChecks::Strict).unwrap();
            // The choice of no subprotocol is allowed from hybi-04 on.
            let lenient = lenient.unwrap_or_else(|r| panic!("{draft} `{to}`: {r}"));
            let strict: Vec<_> = strict.err().into_iter().collect();
            assert_eq!(lenient.forgiven, strict, "{draft} `{to}`");
            forgiven += strict.len();
        }
    }
    assert!(forgiven >= 15, "{forgiven}");
}

#[test]
fn no_client_forgives_an_answer_that_agrees_to_something_else() {
    for draft in spoken() {
        let mut judged = 0;
        for (from, to) in [
            ("HTTP/1.1 101", "HTTP/1.1 200"),
            ("Protocol: sample", "Protocol: other"),
            ("Sec-WebSocket-Location", "WebSocket-Location"),
            ("-Accept: ", "-Accept: x"),
            ("-Accept: ", "-Nothing: "),
            ("-Accept: ", "-Extensions: x\r\nSec-WebSocket-Accept: "),
        ] {
            for checks in [AnswerChecks::Strict, AnswerChecks::Lenient] {
                let change = |octets: Vec<u8>| replaced(&octets, from, to);
                if let Some(found) = answered(draft, checks, &["sample"], &change) {
                    // Resin answers hello-00 so.
                    let resins = has_hello(draft) && to == "WebSocket-Location";
                    assert_eq!(found.is_ok(), resins, "{draft} {checks:?} `{to}`");
                    judged += 1;
                }
            }
        }
        assert!(judged >= 4, "{draft}");
    }
}

#[test]
fn no_client_forgives_a_wrong_proof_behind_the_head() {
    for draft in spoken() {
        let change = |mut octets: Vec<u8>| {
            if !octets.ends_with(b"\r\n") {
                *octets.last_mut().unwrap() ^= 1;
            }
            octets
        };
        for checks in [AnswerChecks::Strict, AnswerChecks::Lenient] {
            if let Some(found) = answered(draft, checks, &[], &change) {
                assert!(found.is_err(), "{draft} {checks:?}");
            }
        }
    }
}

#[test]
fn a_subprotocol_that_nobody_asked_for_is_forgiven_and_not_taken() {
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let change = |octets: Vec<u8>| {
            replaced(
                &octets,
                "Upgrade: ",
                "Sec-WebSocket-Protocol: own\r\nUpgrade: ",
            )
        };
        let judged = |checks| answered(draft, checks, &[], &change).unwrap();
        let refusal = judged(AnswerChecks::Strict).unwrap_err();
        let connected = judged(AnswerChecks::Lenient).unwrap();
        assert_eq!(
            (connected.subprotocol, connected.forgiven),
            (None, vec![refusal])
        );
    }
}

#[test]
fn hixie_75_forgives_no_answer_that_does_not_speak_of_websocket() {
    for (from, to) in [
        ("Upgrade: WebSocket", "Upgrade: TLS/1.0"),
        ("Connection: Upgrade", "Connection: close"),
        ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nX: a\n"),
    ] {
        let change = |octets: Vec<u8>| replaced(&octets, from, to);
        for checks in [AnswerChecks::Strict, AnswerChecks::Lenient] {
            let found = answered(draftgate_drafts::WITHOUT_KEYS, checks, &[], &change);
            assert!(found.unwrap().is_err(), "{checks:?} `{to}`");
        }
    }
}

/// Old servers behind a proxy answer with the URL that the proxy was asked for.
#[test]
fn a_location_may_be_the_one_that_the_request_forwards() {
    let fields = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "Push.example.com"),
    ];
    let fields = fields.map(|(name, value)| (name, http::HeaderValue::from_static(value)));
    let mut met = 0;
    for (draft, forwarding) in spoken().flat_map(|draft| [(draft, false), (draft, true)]) {
        for (location, passes) in [
            ("ws://example.com/demo", true),
            ("wss://push.example.com/demo", forwarding),
            ("ws://push.example.com/demo", forwarding),
            ("wss://example.com/demo", forwarding),
            ("wss://evil.example/demo", false),
        ] {
            let mut keys = FixedKeys::new(b"a fixed run of octets for keys..");
            let ask = Ask {
                secure: false,
                host: "example.com",
                resource: "/demo",
                origin: Some("http://example.com"),
                subprotocols: &[],
                fields: if forwarding { &fields } else { &[] },
                limits: Limits::default(),
                length_frames: LengthFrames::default(),
                extensions: None,
            };
            let mut offered = offer(draft, &ask, &mut keys).unwrap();
            let (request, head) = parts(&offered.request).unwrap().unwrap();
            let terms = Terms {
                subprotocol: None,
                public_url: location,
                limits: Limits::default(),
                length_frames: LengthFrames::default(),
                extension: None,
            };
            let mut accepted = accept(draft, &request, &terms, &mut keys).unwrap();
            let heard = hear(&mut *accepted.codec, [&offered.request[head..]]);
            let answer = [accepted.head.to_bytes(), heard.wrote].concat();
            if !String::from_utf8_lossy(&answer).contains("-Location: ") {
                continue;
            }
            let found = offered.pending.answer(&mut BytesMut::from(&answer[..]));
            // What Resin says there is compared by no client of hello-00.
            let passes = passes || has_hello(draft);
            assert_eq!(found.is_ok(), passes, "{draft} {location}: {found:?}");
            met += 1;
        }
    }
    assert!(met > 0);
}
