//! Every worked frame of RFC 6455 and its breaches, in both roles, whole and
//! cut at each octet.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::{Bytes, BytesMut};
use common::{KEY, ROLES, codec_with, from_peer, open};
use draftgate_core::{
    Close, Event, Limits, Message, Notice, Outbox, Outgoing, Role, Rule, SendError,
};
use draftgate_testkit::codecs::{Heard, hear, hear_every_cut, hex};

/// What both roles hear of the same frames.
fn hear_in_both_roles(unmasked: &[u8]) -> Heard {
    let [server, client] = ROLES.map(|role| {
        let octets = from_peer(role, unmasked);
        hear_every_cut(|| codec_with(role, Limits::default()), &octets)
    });
    assert_eq!(
        (&server.events, server.violation),
        (&client.events, client.violation)
    );
    server
}

fn violation(unmasked: &[u8]) -> Option<Rule> {
    hear_in_both_roles(unmasked).violation.map(|v| v.rule)
}

fn messages(unmasked: &[u8]) -> Vec<Event> {
    let heard = hear_in_both_roles(unmasked);
    assert_eq!(heard.violation, None);
    heard.events[1..].to_vec()
}

#[test]
fn the_rfcs_frames_are_read() {
    let hello = Event::Message("Hello".into());
    assert_eq!(
        messages(&hex("81 05 48 65 6c 6c 6f")),
        std::slice::from_ref(&hello)
    );
    assert_eq!(
        messages(&hex("01 03 48 65 6c 80 02 6c 6f")),
        std::slice::from_ref(&hello)
    );
    let masked = hex("81 85 37 fa 21 3d 7f 9f 4d 51 58");
    assert_eq!(
        masked,
        from_peer(Role::Server, &hex("81 05 48 65 6c 6c 6f"))
    );
    let heard = hear_every_cut(|| codec_with(Role::Server, Limits::default()), &masked);
    assert_eq!(heard.events[1], hello);
    for length in [256_usize, 65_536] {
        let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let head = match length {
            256 => hex("82 7e 01 00"),
            _ => hex("82 7f 00 00 00 00 00 01 00 00"),
        };
        let frame = [&head[..], &payload].concat();
        for role in ROLES {
            let octets = from_peer(role, &frame);
            for cut in [
                1,
                2,
                3,
                4,
                5,
                9,
                10,
                13,
                14,
                15,
                octets.len() / 2,
                octets.len(),
            ] {
                let (front, back) = octets.split_at(cut);
                let mut codec = codec_with(role, Limits::default());
                let heard = hear(&mut *codec, [front, back]);
                let binary = Event::Message(Message::Binary(payload.clone().into()));
                assert_eq!(heard.events[1..], [binary], "{length} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_ping_is_answered_with_its_body_between_fragments() {
    for role in ROLES {
        let octets = from_peer(
            role,
            &hex("01 03 48 65 6c 89 05 48 65 6c 6c 6f 80 02 6c 6f"),
        );
        let heard = hear_every_cut(|| codec_with(role, Limits::default()), &octets);
        assert_eq!(
            heard.events[1..],
            [
                Event::Ping(Bytes::from_static(b"Hello")),
                Event::Message("Hello".into())
            ]
        );
        let pong = match role {
            Role::Server => hex("8a 05 48 65 6c 6c 6f"),
            Role::Client => hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
        };
        assert_eq!(heard.wrote, pong);
    }
}

#[test]
fn the_examples_are_written() {
    let written = |role, what| {
        let mut out = Outbox::new();
        open(role).send(what, &mut out).unwrap();
        out.take_all().to_vec()
    };
    let hello = || Bytes::from_static(b"Hello");
    let close = || Outgoing::Close(Some(Close::new(1000, "")));
    for (role, what, octets) in [
        (
            Role::Server,
            Outgoing::Message("Hello".into()),
            "81 05 48 65 6c 6c 6f",
        ),
        (
            Role::Client,
            Outgoing::Message("Hello".into()),
            "81 85 37 fa 21 3d 7f 9f 4d 51 58",
        ),
        (
            Role::Server,
            Outgoing::Ping(hello()),
            "89 05 48 65 6c 6c 6f",
        ),
        (
            Role::Client,
            Outgoing::Ping(hello()),
            "89 85 37 fa 21 3d 7f 9f 4d 51 58",
        ),
        (
            Role::Client,
            Outgoing::Pong(hello()),
            "8a 85 37 fa 21 3d 7f 9f 4d 51 58",
        ),
        (Role::Server, close(), "88 02 03 e8"),
        (Role::Client, close(), "88 82 37 fa 21 3d 34 12"),
        (Role::Server, Outgoing::Close(None), "88 00"),
    ] {
        assert_eq!(
            written(role, what.clone()),
            hex(octets),
            "{role:?} {what:?}"
        );
    }
}

#[test]
fn breaches_are_found_and_answered_with_their_code() {
    for (octets, rule, code) in [
        ("c1 00", Rule::ReservedBits, 1002),
        ("83 00", Rule::UnknownOpcode, 1002),
        ("8b 00", Rule::UnknownOpcode, 1002),
        ("09 00", Rule::ControlFragmented, 1002),
        ("80 00", Rule::ContinuationWithoutStart, 1002),
        ("01 00 81 00", Rule::InterleavedMessage, 1002),
        ("81 7e 00 7d", Rule::LengthNotMinimal, 1002),
        ("89 7e 00 7e", Rule::ControlTooLong, 1002),
        ("88 01 03", Rule::CloseBodyTooShort, 1002),
        ("88 02 03 ed", Rule::CloseCode, 1002),
        ("88 02 03 ee", Rule::CloseCode, 1002),
        ("88 02 03 f7", Rule::CloseCode, 1002),
        ("88 02 00 00", Rule::CloseCode, 1002),
        ("88 02 0b b7", Rule::CloseCode, 1002),
        ("88 02 13 88", Rule::CloseCode, 1002),
        ("88 03 03 e8 ff", Rule::CloseReasonNotUtf8, 1007),
        ("81 02 c3 28", Rule::NotUtf8, 1007),
        ("81 01 c3", Rule::NotUtf8, 1007),
        ("01 02 c3 28", Rule::NotUtf8, 1007),
    ] {
        let octets = hex(octets);
        assert_eq!(violation(&octets), Some(rule), "{octets:02x?}");
        let octets = from_peer(Role::Server, &octets);
        let heard = hear(
            &mut *codec_with(Role::Server, Limits::default()),
            [&octets[..]],
        );
        assert_eq!(heard.wrote[..1], [0x88]);
        assert_eq!(heard.wrote[2..4], u16::to_be_bytes(code), "{rule:?}");
    }
}

#[test]
fn text_that_cannot_become_valid_fails_at_once() {
    // The frame announces 20 octets; the fourth is enough.
    for role in ROLES {
        let frame = [&[0x81, 20][..], &[b'a'; 20]].concat();
        let mut octets = from_peer(role, &frame);
        let at = octets.len() - 17;
        octets[at] = match role {
            Role::Server => 0xff ^ KEY[3],
            Role::Client => 0xff,
        };
        let heard = hear(&mut *codec_with(role, Limits::default()), [&octets[..=at]]);
        assert_eq!(
            heard.violation.map(|v| v.rule),
            Some(Rule::NotUtf8),
            "{role:?}"
        );
    }
}

#[test]
fn masking_is_one_sided() {
    let frame = hex("81 05 48 65 6c 6c 6f");
    let server = hear(
        &mut *codec_with(Role::Server, Limits::default()),
        [&frame[..]],
    );
    assert_eq!(server.violation.map(|v| v.rule), Some(Rule::MaskMissing));
    let masked = from_peer(Role::Server, &frame);
    let client = hear(
        &mut *codec_with(Role::Client, Limits::default()),
        [&masked[..]],
    );
    assert_eq!(client.violation.map(|v| v.rule), Some(Rule::MaskUnexpected));
}

#[test]
fn limits_hold_before_the_octets_come() {
    let limits = Limits {
        frame: 10,
        message: 15,
        fragments: 3,
    };
    for (octets, rule) in [
        ("81 0b", Rule::FrameTooBig),
        ("82 7f 00 00 00 01 00 00 00 00", Rule::FrameTooBig),
        (
            "02 0a 00 00 00 00 00 00 00 00 00 00 80 06",
            Rule::MessageTooBig,
        ),
        ("02 00 00 00 00 00 00 00", Rule::TooManyFragments),
    ] {
        let octets = hex(octets);
        for role in ROLES {
            let octets = from_peer(role, &octets);
            let heard = hear(&mut *codec_with(role, limits), [&octets[..]]);
            assert_eq!(
                heard.violation.map(|v| v.rule),
                Some(rule),
                "{role:?} {octets:02x?}"
            );
            if role == Role::Server && rule != Rule::FrameTooBig {
                assert_eq!(heard.wrote[2..4], 1009_u16.to_be_bytes());
            }
        }
    }
}

#[test]
fn without_fragments_a_message_in_one_frame_passes_at_any_cut() {
    for fragments in [0, 1] {
        let limits = Limits {
            fragments,
            ..Limits::default()
        };
        for role in ROLES {
            let octets = from_peer(role, &hex("81 05 48 65 6c 6c 6f"));
            let heard = hear_every_cut(|| codec_with(role, limits), &octets);
            assert_eq!(heard.events[1..], [Event::Message("Hello".into())]);
            let octets = from_peer(role, &hex("01 01 48 80 01 69"));
            let heard = hear_every_cut(|| codec_with(role, limits), &octets);
            let rule = heard.violation.map(|v| v.rule);
            assert_eq!(rule, Some(Rule::TooManyFragments));
        }
    }
}

#[test]
fn control_frames_of_125_octets_are_sent() {
    for role in ROLES {
        let longest = Bytes::from(vec![b'x'; 125]);
        let close = Close::new(1000, "x".repeat(123));
        for what in [
            Outgoing::Ping(longest.clone()),
            Outgoing::Pong(longest),
            Outgoing::Close(Some(close)),
        ] {
            let mut out = Outbox::new();
            open(role).send(what, &mut out).unwrap();
            assert_eq!(out.take_all()[1] & 0x7f, 125, "{role:?}");
        }
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    for role in ROLES {
        let mut codec = open(role);
        let mut out = Outbox::new();
        let long = Bytes::from(vec![b'x'; 126]);
        let reason = "x".repeat(124);
        for (what, error) in [
            (Outgoing::Ping(long.clone()), SendError::ControlTooLong(126)),
            (Outgoing::Pong(long), SendError::ControlTooLong(126)),
            (
                Outgoing::Close(Some(Close::new(1006, ""))),
                SendError::CloseCode(1006),
            ),
            (
                Outgoing::Close(Some(Close::new(1000, reason))),
                SendError::ControlTooLong(126),
            ),
        ] {
            assert_eq!(codec.send(what, &mut out), Err(error));
        }
        assert!(out.is_empty());
        assert_eq!(codec.end().map(|c| c.code), Some(1006));
    }
}

#[test]
fn a_pong_nobody_asked_for_is_a_notice() {
    let pong = hex("8a 00");
    assert_eq!(messages(&pong), [Event::Notice(Notice::UnsolicitedPong)]);
    let mut codec = open(Role::Client);
    let mut out = Outbox::new();
    for _ in 0..2 {
        codec.send(Outgoing::Ping(Bytes::new()), &mut out).unwrap();
    }
    let mut input = BytesMut::from(&[&pong[..], &pong].concat()[..]);
    let first = codec.receive(&mut input, &mut out).unwrap();
    let second = codec.receive(&mut input, &mut out).unwrap();
    assert_eq!(first, Some(Event::Pong(Bytes::new())));
    assert_eq!(second, Some(Event::Notice(Notice::UnsolicitedPong)));
}
