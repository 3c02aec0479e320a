//! The closing handshake (hybi-06 §4.5.1, RFC 6455 §7) from every state, in
//! both roles.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Close, Closing, Draft, Event, Limits, Outbox, Outgoing, Role, Rule, State};
use draftgate_drafts::{
    FixedKeys, offer,
    opening::{Ask, LengthFrames},
};
use draftgate_testkit::codecs::{hear, hex};

use crate::{close_of, codec, common::frames::from_peer, everywhere, has_codes, keyed};

/// `frames` of RFC 6455 as the peer of `role` sends them.
fn input(draft: Draft, role: Role, frames: &str) -> BytesMut {
    BytesMut::from(&from_peer(draft, role, &hex(frames))[..])
}

#[test]
fn a_close_is_told_and_answered_by_the_caller() {
    everywhere(|draft, role| {
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        let mut input = input(draft, role, "88 05 0f a0 62 79 65");
        let close = codec.receive(&mut input, &mut out).unwrap();
        let told = close_of(draft, Close::new(4000, "bye"));
        assert_eq!(close, Some(Event::Close(told)));
        let before = (out.is_empty(), codec.state());
        assert_eq!(before, (true, State::ClosingByPeer), "{draft}");
        // What waited in the queue still goes out before our Close.
        let last = Outgoing::Message("last".into());
        codec.send(last, &mut out).unwrap();
        let answer = Outgoing::Close(close_of(draft, Close::new(4000, "")));
        codec.send(answer, &mut out).unwrap();
        assert_eq!((codec.state(), codec.end()), (State::Closed, None));
        let body = match (codec.capabilities().closing, role) {
            (Closing::Coded, _) => "88 02 0f a0",
            (Closing::Lettered, Role::Client) => "88 01 43",
            (Closing::Lettered, Role::Server) => "88 01 53",
            // What the peer said, as it said it.
            _ => "88 05 0f a0 62 79 65",
        };
        let frames = hex(&format!("81 04 6c 61 73 74 {body}"));
        // A fixed key masks every frame anew, so one after the other is both.
        assert_eq!(out.take_all(), from_peer(draft, role.peer(), &frames));
    });
}

#[test]
fn any_body_will_do_in_an_answer_to_our_close() {
    everywhere(|draft, role| {
        // A reason that is not UTF-8 is repaired until hybi-09, later left out.
        let unreadable = if draft < Draft::Hybi08 {
            "\u{fffd}"
        } else {
            ""
        };
        for (body, heard) in [
            ("88 02 02 e5", Some((741, ""))),
            ("88 02 02 e7", Some((743, ""))),
            ("88 02 03 ed", Some((1005, ""))),
            ("88 01 00", None),
            ("88 00", None),
            ("88 03 03 e8 ff", Some((1000, unreadable))),
            ("88 05 02 e7 62 79 65", Some((743, "bye"))),
        ] {
            let (mut codec, mut out) = (codec(draft, role), Outbox::new());
            codec.send(Outgoing::Close(None), &mut out).unwrap();
            out.take_all();
            let close = codec.receive(&mut input(draft, role, body), &mut out);
            let want = heard.map(|(code, reason)| Close::new(code, reason));
            let want = want.filter(|_| has_codes(draft));
            assert_eq!(close, Ok(Some(Event::Close(want))), "{draft} {role:?}");
            assert_eq!((codec.state(), codec.end()), (State::Closed, None));
            assert!(out.is_empty(), "{draft} {role:?}: {body}");
        }
    });
}

#[test]
fn after_our_close_messages_still_come_but_no_ping_is_answered() {
    everywhere(|draft, role| {
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        out.take_all();
        let mut input = input(draft, role, "89 01 61 01 01 48 80 01 69 88 02 03 e8");
        let mut events = Vec::new();
        while let Some(event) = codec.receive(&mut input, &mut out).unwrap() {
            events.push(event);
        }
        assert_eq!(
            events,
            [
                Event::Ping(Bytes::from_static(b"a")),
                Event::Message("Hi".into()),
                Event::Close(close_of(draft, Close::new(1000, ""))),
            ]
        );
        assert_eq!((out.is_empty(), codec.end()), (true, None), "{draft}");
    });
}

#[test]
fn after_the_peers_close_nothing_it_sends_matters() {
    everywhere(|draft, role| {
        for behind in ["89 00", "81 02 48 69", "8b 00", "88 02 03 e8"] {
            let frames = format!("88 02 03 e8 {behind}");
            let octets = from_peer(draft, role, &hex(&frames));
            let heard = hear(&mut *codec(draft, role), [&octets[..]]);
            let close = Event::Close(close_of(draft, Close::new(1000, "")));
            assert_eq!(heard.events, [close], "{draft} {role:?}: {behind}");
            let quiet = (heard.violation, heard.wrote.len(), heard.left.len());
            assert_eq!(quiet, (None, 0, 0), "{draft} {role:?}: {behind}");
        }
    });
}

/// Until March 2011 libwebsockets left the code out of the length it wrote.
#[test]
fn a_code_behind_an_empty_close_does_not_matter() {
    let frames = hex("37 fa 21 3d b6 fa 22 d5");
    let heard = hear(&mut *codec(Draft::Hybi06, Role::Server), [&frames[..]]);
    assert_eq!(heard.events, [Event::Close(None)]);
    assert_eq!((heard.violation, heard.left.len()), (None, 0));
}

#[test]
fn a_breach_after_our_close_ends_it_without_a_second_close() {
    everywhere(|draft, role| {
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        out.take_all();
        let mut input = input(draft, role, "83 00");
        let breach = codec.receive(&mut input, &mut out).unwrap_err();
        codec.fail(&breach, &mut out);
        assert_eq!((out.is_empty(), codec.state()), (true, State::Closed));
    });
}

#[test]
fn a_failure_after_the_peers_close_answers_it_with_the_code() {
    everywhere(|draft, role| {
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        let close = codec.receive(&mut input(draft, role, "88 02 03 e8"), &mut out);
        assert!(matches!(close, Ok(Some(Event::Close(_)))), "{draft}");
        codec.fail(&Rule::MessageTooBig.into(), &mut out);
        assert_eq!(codec.state(), State::Closed, "{draft}");
        let told = hear(
            &mut *crate::codec(draft, role.peer()),
            [&out.take_all()[..]],
        );
        let code = if draft < Draft::Hybi13 { 1004 } else { 1009 };
        let [Event::Close(close)] = &told.events[..] else {
            panic!("{draft}: {:?}", told.events);
        };
        let told = close.as_ref().map(|close| close.code);
        assert_eq!(told, has_codes(draft).then_some(code), "{draft} {role:?}");
    });
}

#[test]
fn tcp_ending_is_1006_unless_the_peer_has_closed() {
    everywhere(|draft, role| {
        let mut out = Outbox::new();
        let abnormal = Some(Close::new(1006, ""));
        assert_eq!(codec(draft, role).end(), abnormal, "{draft}");
        let mut closing = codec(draft, role);
        closing.send(Outgoing::Close(None), &mut out).unwrap();
        assert_eq!(closing.end(), abnormal, "{draft}");
        let mut within = codec(draft, role);
        let mut part = input(draft, role, "01 03 48");
        assert_eq!(within.receive(&mut part, &mut out), Ok(None), "{draft}");
        assert_eq!(within.end(), abnormal, "{draft}");
    });
}

#[test]
fn what_never_opened_has_nothing_to_close() {
    for draft in keyed() {
        let ask = Ask {
            secure: false,
            host: "example.com",
            resource: "/demo",
            origin: None,
            subprotocols: &[],
            fields: &[],
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extensions: None,
        };
        let keys = &mut FixedKeys::new(*b"the sample nonce");
        let mut pending = offer(draft, &ask, keys).unwrap().pending;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
            Sec-WebSocket-Nonce: H+cNj5elaybfGIQv1esl2w==\r\n\r\n";
        let connected = pending.answer(&mut BytesMut::from(&answer[..]));
        let mut codec = connected.unwrap().unwrap().codec;
        assert_eq!(codec.state(), State::Opening, "{draft}");
        assert_eq!((codec.end(), codec.state()), (None, State::Closed));
    }
}
