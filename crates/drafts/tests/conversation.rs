//! One suite over every draft and both roles: what is sent arrives, limits
//! hold, either side closes, and what a draft cannot say is refused.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::{Bytes, BytesMut};
use common::{ROLES, end};
use draftgate_core::{
    Close, Closing, Codec, Draft, Event, Limits, Message, Outbox, Outgoing, Role, SendError, State,
    Strictness,
};
use draftgate_drafts::spoken;

/// Runs `check` for every draft and role: (draft, one end, its peer).
fn everywhere(check: impl Fn(Draft, &mut dyn Codec, &mut dyn Codec)) {
    everywhere_with(Limits::default(), |draft, _, ours, theirs| {
        check(draft, ours, theirs);
    });
}

fn everywhere_with(limits: Limits, check: impl Fn(Draft, Role, &mut dyn Codec, &mut dyn Codec)) {
    for draft in spoken() {
        for role in ROLES {
            let (mut ours, mut theirs) = end(draft, role, limits);
            check(draft, role, &mut *ours, &mut *theirs);
        }
    }
}

fn send(codec: &mut dyn Codec, what: Outgoing) -> Result<Bytes, SendError> {
    let mut out = Outbox::new();
    codec.send(what, &mut out)?;
    Ok(out.take_all())
}

/// What `codec` hears in `octets` cut into runs of `size`, and what it answers.
fn hear(codec: &mut dyn Codec, octets: &[u8], size: usize) -> (Vec<Event>, Bytes) {
    let (mut input, mut out, mut events) = (BytesMut::new(), Outbox::new(), Vec::new());
    for run in octets.chunks(size) {
        input.extend_from_slice(run);
        while let Some(event) = codec.receive(&mut input, &mut out).unwrap() {
            events.push(event);
        }
    }
    (events, out.take_all())
}

fn texts() -> Vec<String> {
    let mut texts = vec![
        String::new(),
        "Hello".into(),
        "Grüße ✓ 𝄞".into(),
        "\0".into(),
    ];
    texts.extend([125, 126, 127, 2048, 2049, 65_535, 65_536, 70_000].map(|n| "x".repeat(n)));
    texts
}

#[test]
fn text_of_every_length_arrives_whole_and_in_pieces() {
    everywhere(|draft, ours, theirs| {
        for text in texts() {
            for size in [usize::MAX, 1000, 7, 1] {
                let octets = send(ours, Outgoing::Message(text.as_str().into())).unwrap();
                let (events, _) = hear(theirs, &octets, size.min(octets.len()));
                let message = Event::Message(text.as_str().into());
                assert_eq!(events, [message], "{draft}, {} octets", text.len());
            }
        }
    });
}

#[test]
fn many_messages_in_one_read_arrive_in_order() {
    everywhere(|draft, ours, theirs| {
        let mut octets = Vec::new();
        for n in 0..1000 {
            octets.extend(send(ours, Outgoing::Message(n.to_string().into())).unwrap());
        }
        let (events, _) = hear(theirs, &octets, octets.len());
        let want: Vec<_> = (0..1000)
            .map(|n| Event::Message(n.to_string().into()))
            .collect();
        assert_eq!(events, want, "{draft}");
    });
}

#[test]
fn binary_arrives_or_is_refused_as_the_capabilities_say() {
    everywhere(|draft, ours, theirs| {
        let binary = Message::Binary(Bytes::from_static(b"\x00\xff\x80"));
        match send(ours, Outgoing::Message(binary.clone())) {
            Ok(octets) => {
                assert!(ours.capabilities().binary, "{draft}");
                assert_eq!(
                    hear(theirs, &octets, 1).0,
                    [Event::Message(binary)],
                    "{draft}"
                );
            }
            Err(error) => {
                assert!(!ours.capabilities().binary, "{draft}");
                assert_eq!(error, SendError::NoBinary(draft));
            }
        }
    });
}

#[test]
fn ping_is_answered_or_refused_as_the_capabilities_say() {
    everywhere(|draft, ours, theirs| {
        let body = Bytes::from_static(b"Hello");
        match send(ours, Outgoing::Ping(body.clone())) {
            Ok(octets) => {
                assert!(ours.capabilities().ping, "{draft}");
                let (events, pong) = hear(theirs, &octets, 1);
                assert_eq!(events, [Event::Ping(body.clone())], "{draft}");
                assert_eq!(hear(ours, &pong, 1).0, [Event::Pong(body)], "{draft}");
            }
            Err(error) => {
                assert!(!ours.capabilities().ping, "{draft}");
                assert_eq!(error, SendError::NoPing(draft));
                assert_eq!(
                    send(ours, Outgoing::Pong(body)),
                    Err(SendError::NoPing(draft))
                );
            }
        }
    });
}

#[test]
fn either_side_closes_as_its_draft_closes() {
    everywhere(|draft, ours, theirs| {
        let octets = send(ours, Outgoing::Close(None)).unwrap();
        if ours.capabilities().closing == Closing::Absent {
            assert_eq!((octets.len(), ours.state()), (0, State::Closed), "{draft}");
            assert_eq!(theirs.end(), None, "{draft}");
            return;
        }
        assert_eq!(ours.state(), State::ClosingByUs, "{draft}");
        let (events, answer) = hear(theirs, &octets, 1);
        assert_eq!(
            (events, answer.len()),
            (vec![Event::Close(None)], 0),
            "{draft}"
        );
        assert_eq!(theirs.state(), State::ClosingByPeer, "{draft}");
        // Messages still on their way go out before the answer.
        let last = send(theirs, Outgoing::Message("last".into())).unwrap();
        let answer = send(theirs, Outgoing::Close(None)).unwrap();
        assert_eq!(theirs.state(), State::Closed, "{draft}");
        let (events, _) = hear(ours, &[&last[..], &answer].concat(), 1);
        assert_eq!(
            events,
            [Event::Message("last".into()), Event::Close(None)],
            "{draft}"
        );
        assert_eq!(
            (ours.state(), ours.end(), theirs.end()),
            (State::Closed, None, None)
        );
    });
}

#[test]
fn a_close_with_code_and_reason_arrives_or_is_refused() {
    everywhere(|draft, ours, theirs| {
        let close = Close::new(4000, "bye ✓");
        match send(ours, Outgoing::Close(Some(close.clone()))) {
            Ok(octets) => {
                assert_eq!(ours.capabilities().closing, Closing::Coded, "{draft}");
                assert_eq!(
                    hear(theirs, &octets, 1).0,
                    [Event::Close(Some(close))],
                    "{draft}"
                );
            }
            Err(error) => {
                assert_ne!(ours.capabilities().closing, Closing::Coded, "{draft}");
                assert_eq!(error, SendError::NoCloseCode(draft));
                assert_eq!(
                    ours.state(),
                    State::Open,
                    "{draft}: an error of ours changes nothing"
                );
            }
        }
    });
}

#[test]
fn both_sides_closing_at_once_is_a_proper_close() {
    everywhere(|draft, ours, theirs| {
        let from_us = send(ours, Outgoing::Close(None)).unwrap();
        let from_them = send(theirs, Outgoing::Close(None)).unwrap();
        if ours.capabilities().closing == Closing::Absent {
            return;
        }
        let closed = |codec: &mut dyn Codec, octets: &[u8]| {
            assert_eq!(hear(codec, octets, 1).0, [Event::Close(None)], "{draft}");
            assert_eq!(
                (codec.state(), codec.end()),
                (State::Closed, None),
                "{draft}"
            );
        };
        closed(ours, &from_them);
        closed(theirs, &from_us);
    });
}

#[test]
fn nothing_is_sent_after_our_close() {
    everywhere(|draft, ours, _| {
        send(ours, Outgoing::Close(None)).unwrap();
        for what in [
            Outgoing::Message("late".into()),
            Outgoing::Close(None),
            Outgoing::Filler,
        ] {
            assert_eq!(send(ours, what), Err(SendError::Closing), "{draft}");
        }
    });
}

#[test]
fn a_message_at_the_limit_passes_and_one_octet_more_fails() {
    let limits = Limits {
        frame: 3000,
        message: 3000,
        fragments: 4,
        strictness: Strictness::STRICT,
    };
    everywhere_with(limits, |draft, _, ours, theirs| {
        let fits = send(ours, Outgoing::Message("x".repeat(3000).into())).unwrap();
        assert_eq!(hear(theirs, &fits, 100).0.len(), 1, "{draft}");
        let more = send(ours, Outgoing::Message("x".repeat(3001).into())).unwrap();
        let (mut input, mut out) = (BytesMut::from(&more[..]), Outbox::new());
        let breach = theirs.receive(&mut input, &mut out).unwrap_err();
        theirs.fail(&breach, &mut out);
        assert_eq!(theirs.state(), State::Closed, "{draft}");
        // The other side hears what the draft can say about it.
        let (events, _) = hear(ours, &out.take_all(), 1);
        let want = match ours.capabilities().closing {
            Closing::Absent => vec![],
            Closing::Coded => {
                let code = breach.rule.close_code(draft).unwrap();
                vec![Event::Close(Some(Close::new(code, breach.to_string())))]
            }
            _ => vec![Event::Close(None)],
        };
        assert_eq!(events, want, "{draft}");
    });
}

#[test]
fn peers_of_one_class_are_sent_the_same_octets() {
    let mut encodings = std::collections::HashMap::new();
    everywhere_with(Limits::default(), |draft, role, ours, _| {
        let mut hello = || send(ours, Outgoing::Message("Hello".into())).unwrap();
        // The first keys of the run are all the same.
        let sent: std::collections::HashSet<_> = (0..8).map(|_| hello()).collect();
        let shared = ours.wire_class().is_some();
        assert!(
            shared || role == Role::Client,
            "{draft}: frames can be shared"
        );
        let fresh_keys = role == Role::Client && draftgate_drafts::is_masked(draft);
        assert_eq!(sent.len() > 1, fresh_keys, "{draft} {role}");
    });
    for draft in spoken() {
        let (mut server, _) = end(draft, Role::Server, Limits::default());
        let octets = send(&mut *server, Outgoing::Message("Hello".into())).unwrap();
        let class = server.wire_class().unwrap();
        let earlier = encodings.insert(class, octets.clone());
        assert!(earlier.is_none_or(|e| e == octets), "{draft}");
    }
}

#[test]
fn an_acceptor_promises_what_its_codec_can_do() {
    for acceptor in draftgate_drafts::ACCEPTORS {
        let (server, _) = end(acceptor.draft(), Role::Server, Limits::default());
        assert_eq!(
            server.capabilities(),
            acceptor.capabilities(draftgate_drafts::opening::LengthFrames::default()),
            "{}",
            acceptor.draft()
        );
    }
}
