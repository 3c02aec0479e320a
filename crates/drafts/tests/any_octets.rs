//! Arbitrary octets at detection and at every codec in every role: no panic,
//! no hang, no memory beyond what came, and the cut changes nothing.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::BytesMut;
use common::{
    ROLES, end,
    frames::{octets, pieces},
};
use draftgate_core::{COPIED, Codec, Event, Limits, Message, Outbox, Outgoing, Role, Strictness};
use draftgate_drafts::{Detection, FixedKeys, detect, offer, opening, spoken};
use draftgate_testkit::codecs::{Heard, hear, hear_passing};
use http::Request;
use proptest::prelude::*;

/// Octets of payload in what was heard.
fn delivered(heard: &Heard) -> usize {
    let length = |event: &Event| match event {
        Event::Message(message) => message.len(),
        Event::Ping(body) | Event::Pong(body) => body.len(),
        Event::Close(Some(close)) => close.reason.len(),
        Event::Opened | Event::Close(None) | Event::Notice(_) => 0,
    };
    heard.events.iter().map(length).sum()
}

/// The usual ones, and some that most pieces exceed.
fn limits() -> impl Strategy<Value = Limits> {
    let small = (0_u64..150, 0_u64..150, 0_u32..4).prop_map(|(frame, message, fragments)| Limits {
        frame,
        message,
        fragments,
        strictness: Strictness::STRICT,
    });
    prop_oneof![Just(Limits::default()), small]
}

proptest! {
    #[test]
    fn any_octets_are_heard_alike_at_any_cut(
        pieces in pieces(),
        cut in 0_usize..400,
        limits in limits(),
    ) {
        for draft in spoken() {
            for role in ROLES {
                let octets = octets(draft, role, &pieces);
                let codec = || end(draft, role, limits).0;
                let whole = hear(&mut *codec(), [&octets[..]]);
                let (front, back) = octets.split_at(cut.min(octets.len()));
                prop_assert_eq!(&hear(&mut *codec(), [front, back]), &whole, "{}", draft);
                prop_assert_eq!(&hear(&mut *codec(), octets.chunks(1)), &whole, "{}", draft);
                prop_assert_eq!(&hear_passing(&mut *codec(), [&octets[..]]), &whole, "{}", draft);
                prop_assert_eq!(&hear_passing(&mut *codec(), [front, back]), &whole, "{}", draft);
                // U+FFFD is three octets where one bad octet stood.
                prop_assert!(delivered(&whole) <= 3 * octets.len());
            }
        }
    }

    #[test]
    fn a_codec_that_was_failed_says_nothing_more(pieces in pieces()) {
        for draft in spoken() {
            for role in ROLES {
                let octets = octets(draft, role, &pieces);
                let (mut codec, _) = end(draft, role, Limits::default());
                let heard = hear(&mut *codec, [&octets[..]]);
                if heard.violation.is_some() {
                    let (mut input, mut out) = (BytesMut::from(&octets[..]), Outbox::new());
                    let more = codec.receive(&mut input, &mut out);
                    prop_assert!(!matches!(more, Ok(Some(Event::Message(_))) | Err(_)));
                    prop_assert!(out.is_empty());
                }
            }
        }
    }

    #[test]
    fn any_answer_is_taken_or_refused(octets: Vec<u8>, fields in "(HTTP/1.1 101 [ -~]{0,20}\r\n)?([A-Za-z-]{1,12}: ?[ -~]{0,20}\r\n){0,6}(\r\n)?") {
        for draft in spoken() {
            let ask = opening::Ask {
                secure: false,
                host: "example.com",
                resource: "/",
                origin: None,
                subprotocols: &[],
                fields: &[],
                limits: Limits::default(),
                length_frames: opening::LengthFrames::default(),
                extensions: None,
            };
            for answer in [&octets[..], fields.as_bytes()] {
                let mut pending = offer(draft, &ask, &mut FixedKeys::new([1, 2, 3, 4, 5])).unwrap().pending;
                let taken = pending.answer(&mut BytesMut::from(answer));
                prop_assert!(!matches!(taken, Ok(Some(_))), "{} took {:?}", draft, answer);
            }
        }
    }

    #[test]
    fn any_fields_are_detected_or_refused(
        picks in prop::collection::vec((0_usize..14, prop_oneof!["[ -~]{0,30}", Just("13".to_owned()), Just("websocket".to_owned()), Just("Upgrade".to_owned())]), 0..10),
        without_origin: bool,
    ) {
        const NAMES: [&str; 14] = [
            "upgrade", "connection", "host", "origin", "sec-websocket-origin",
            "sec-websocket-version", "sec-websocket-key", "sec-websocket-key1",
            "sec-websocket-key2", "sec-websocket-draft", "sec-websocket-nonce",
            "sec-websocket-protocol", "websocket-protocol", "sec-websocket-extensions",
        ];
        let mut request = Request::get("/").header("Upgrade", "WebSocket").header("Connection", "Upgrade");
        for (name, value) in &picks {
            request = request.header(NAMES[*name], value.as_str());
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        match detect(&request, Detection { without_origin, version_aliases: without_origin, short_keys: without_origin, websocket_method: without_origin }) {
            Ok(draft) => prop_assert!(!draft.name().is_empty()),
            Err(refusal) => prop_assert!((400..500).contains(&refusal.status())),
        }
    }
}

#[test]
fn a_whole_message_passes_and_a_copy_of_it_is_sent_as_the_message_is() {
    let sizes = [0, 1, 7, 16, 125, 126, 300, COPIED];
    for (draft, role, size) in spoken().flat_map(|draft| {
        ROLES
            .map(move |role| sizes.map(|size| (draft, role, size)))
            .concat()
    }) {
        let (mut codec, mut peer) = end(draft, role, Limits::default());
        for text in ["x".repeat(size), "ü".repeat(size / 2)] {
            let message = Message::from(text);
            let (mut out, mut own) = (Outbox::new(), Outbox::new());
            peer.send(Outgoing::Message(message.clone()), &mut out)
                .unwrap();
            let mut octets = out.take_all().to_vec();
            let length = octets.len();
            octets.push(0);
            assert!(
                codec.pass(&mut octets[..length - 1]).is_none(),
                "{draft}, {size}"
            );
            let passed = codec.pass(&mut octets).unwrap();
            assert_eq!((passed.message, passed.octets), (message.as_ref(), length));
            assert_eq!(codec.receive(&mut BytesMut::new(), &mut out), Ok(None));
            codec.send_ref(passed.message, &mut out).unwrap();
            let (mut again, _) = end(draft, role, Limits::default());
            again
                .send(Outgoing::Message(message.clone()), &mut own)
                .unwrap();
            if role == Role::Server {
                assert_eq!(out.take_all(), own.take_all(), "{draft}, {size}");
            } else {
                assert_eq!(out.len(), own.len(), "{draft}, {size}");
            }
        }
    }
}

#[test]
fn what_is_longer_than_a_copy_is_worth_or_allowed_does_not_pass() {
    for (draft, role) in spoken().flat_map(|draft| ROLES.map(|role| (draft, role))) {
        for (limit, length) in [(u64::MAX, COPIED + 1), (u64::MAX, 0x1_0000), (9, 10)] {
            for (frame, message) in [(limit, u64::MAX), (u64::MAX, limit)] {
                let limits = Limits {
                    frame,
                    message,
                    ..Limits::default()
                };
                let (mut codec, mut peer) = end(draft, role, limits);
                let (text, mut out) = (Message::from("x".repeat(length)), Outbox::new());
                peer.send(Outgoing::Message(text), &mut out).unwrap();
                let mut octets = out.take_all().to_vec();
                assert!(codec.pass(&mut octets).is_none(), "{draft}, {limits:?}");
            }
        }
    }
}

#[test]
fn what_dribbles_in_is_taken_as_it_comes() {
    for draft in spoken() {
        for role in ROLES {
            let (mut codec, mut peer) = end(draft, role, Limits::default());
            let mut out = Outbox::new();
            let text = "x".repeat(100_000);
            let what = Outgoing::Message(text.as_str().into());
            peer.send(what, &mut out).unwrap();
            let octets = out.take_all();
            let (mut input, mut out) = (BytesMut::new(), Outbox::new());
            let mut got = None;
            for octet in &octets {
                input.extend_from_slice(&[*octet]);
                while let Some(event) = codec.receive(&mut input, &mut out).unwrap() {
                    got = Some(event);
                }
                assert!(
                    input.len() < 16,
                    "{draft}: {} octets lie unread",
                    input.len()
                );
            }
            assert_eq!(got, Some(Event::Message(text.into())), "{draft}");
        }
    }
}

#[test]
fn a_codec_is_small() {
    for draft in spoken() {
        let (codec, _) = end(draft, ROLES[1], Limits::default());
        let size = size_of_val::<dyn Codec>(&*codec);
        assert!(size <= 320, "{draft}: {size} octets for an idle connection");
    }
}
