//! The closing handshake of RFC 6455 §7 from every state, in both roles.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::{Bytes, BytesMut};
use common::{ROLES, codec_with, from_peer, open};
use draftgate_core::{Close, Event, Limits, Outbox, Outgoing, Role, Rule, State};
use draftgate_testkit::codecs::hex;

#[test]
fn a_close_is_told_and_answered_by_the_caller() {
    for role in ROLES {
        let mut codec = open(role);
        let mut out = Outbox::new();
        let mut input = BytesMut::from(&from_peer(role, &hex("88 05 0f a0 62 79 65"))[..]);
        let close = codec.receive(&mut input, &mut out).unwrap();
        assert_eq!(close, Some(Event::Close(Some(Close::new(4000, "bye")))));
        assert_eq!(
            (out.is_empty(), codec.state()),
            (true, State::ClosingByPeer)
        );
        // What waited in the queue still goes out before our Close.
        codec
            .send(Outgoing::Message("last".into()), &mut out)
            .unwrap();
        codec
            .send(Outgoing::Close(Some(Close::new(4000, ""))), &mut out)
            .unwrap();
        assert_eq!((codec.state(), codec.end()), (State::Closed, None));
    }
}

#[test]
fn any_code_will_do_in_an_answer_to_our_close() {
    for body in [
        "88 02 02 e5",
        "88 01 00",
        "88 00",
        "88 02 03 ed",
        "88 03 03 e8 ff",
    ] {
        let mut codec = open(Role::Server);
        let mut out = Outbox::new();
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        let mut input = BytesMut::from(&from_peer(Role::Server, &hex(body))[..]);
        let close = codec.receive(&mut input, &mut out);
        assert!(
            matches!(close, Ok(Some(Event::Close(_)))),
            "{body}: {close:?}"
        );
        assert_eq!(codec.state(), State::Closed);
    }
}

#[test]
fn after_our_close_messages_still_come_but_no_ping_is_answered() {
    for role in ROLES {
        let (mut codec, mut out) = (open(role), Outbox::new());
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        out.take_all();
        let octets = from_peer(role, &hex("89 01 61 01 01 48 80 01 69 88 02 03 e8"));
        let (mut input, mut events) = (BytesMut::from(&octets[..]), Vec::new());
        while let Some(event) = codec.receive(&mut input, &mut out).unwrap() {
            events.push(event);
        }
        assert_eq!(
            events,
            [
                Event::Ping(Bytes::from_static(b"a")),
                Event::Message("Hi".into()),
                Event::Close(Some(Close::new(1000, ""))),
            ]
        );
        assert_eq!((out.is_empty(), codec.end()), (true, None), "{role:?}");
    }
}

#[test]
fn a_breach_after_our_close_ends_it_without_a_second_close() {
    for role in ROLES {
        let (mut codec, mut out) = (open(role), Outbox::new());
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        out.take_all();
        let mut input = BytesMut::from(&from_peer(role, &hex("83 00"))[..]);
        let breach = codec.receive(&mut input, &mut out).unwrap_err();
        codec.fail(&breach, &mut out);
        assert_eq!((out.is_empty(), codec.state()), (true, State::Closed));
    }
}

#[test]
fn a_failure_after_the_peers_close_answers_it_with_the_code() {
    let (mut codec, mut out) = (open(Role::Server), Outbox::new());
    let octets = from_peer(Role::Server, &hex("88 02 03 e8"));
    codec
        .receive(&mut BytesMut::from(&octets[..]), &mut out)
        .unwrap();
    codec.fail(&Rule::MessageTooBig.into(), &mut out);
    assert_eq!(out.take_all()[2..4], 1009_u16.to_be_bytes());
    assert_eq!(codec.state(), State::Closed);
}

#[test]
fn tcp_ending_is_1006_unless_the_peer_has_closed() {
    for role in ROLES {
        let mut out = Outbox::new();
        assert_eq!(open(role).end().map(|c| c.code), Some(1006));
        let mut closing = open(role);
        closing.send(Outgoing::Close(None), &mut out).unwrap();
        assert_eq!(closing.end().map(|c| c.code), Some(1006));
        let mut unopened = codec_with(role, Limits::default());
        assert_eq!((unopened.end(), unopened.state()), (None, State::Closed));
    }
}
