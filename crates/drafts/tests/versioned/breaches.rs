//! What every one of these drafts refuses, the code it is answered with, and
//! the limits that are ours.

use bytes::Bytes;
use draftgate_core::{
    Close, Draft, Event, Limits, Outbox, Outgoing, Role, Rule, SendError, Strictness,
};
use draftgate_testkit::codecs::{hear, hear_every_cut, hex};

use crate::{codec, codec_with, common::frames::from_peer, drafts, everywhere, has_codes, rule};

/// What the peer of `role` hears of a breach: one Close and nothing behind it, and
/// its code if the draft has any.
fn told(draft: Draft, role: Role, octets: &[u8], limits: Limits) -> (Option<Rule>, Option<u16>) {
    let heard = hear(&mut *codec_with(draft, role, limits), [octets]);
    let at_the_peer = hear(&mut *codec(draft, role.peer()), [&heard.wrote[..]]);
    match &at_the_peer.events[..] {
        [Event::Close(close)] => {
            assert_eq!(close.is_some(), has_codes(draft), "{draft}");
            let code = close.as_ref().map(|close| close.code);
            (heard.violation.map(|v| v.rule), code)
        }
        other => panic!("{draft}: told {other:?} of {octets:02x?}"),
    }
}

/// The code for what is too big.
fn too_big(draft: Draft) -> Option<u16> {
    has_codes(draft).then_some(if draft < Draft::Hybi13 { 1004 } else { 1009 })
}

#[test]
fn breaches_are_found_at_every_cut_and_answered_with_1002() {
    for draft in drafts() {
        for (octets, broken) in [
            ("83 00", Rule::UnknownOpcode),
            ("87 01 61", Rule::UnknownOpcode),
            ("8b 00", Rule::UnknownOpcode),
            ("8f 00", Rule::UnknownOpcode),
            ("03", Rule::UnknownOpcode),
            ("08 00", Rule::ControlFragmented),
            ("09 00", Rule::ControlFragmented),
            ("0a 01 61", Rule::ControlFragmented),
            ("80 00", Rule::ContinuationWithoutStart),
            ("00 01 61", Rule::ContinuationWithoutStart),
            ("81 01 61 80 01 62", Rule::ContinuationWithoutStart),
            ("01 00 81 00", Rule::InterleavedMessage),
            ("01 01 61 02 01 62", Rule::InterleavedMessage),
            ("02 00 00 00 82 00", Rule::InterleavedMessage),
            ("88 01 03", Rule::CloseBodyTooShort),
            ("82 7f 80 00 00 00 00 00 00 00", Rule::LengthOutOfRange),
            ("82 7f ff ff ff ff ff ff ff ff", Rule::LengthOutOfRange),
        ] {
            if broken == Rule::CloseBodyTooShort && !has_codes(draft) {
                continue;
            }
            let octets = hex(octets);
            assert_eq!(rule(draft, &octets), Some(broken), "{draft} {octets:02x?}");
            for role in [Role::Client, Role::Server] {
                let octets = from_peer(draft, role, &octets);
                let (found, code) = told(draft, role, &octets, Limits::default());
                let want = has_codes(draft).then_some(1002);
                assert_eq!((found, code), (Some(broken), want), "{draft}");
            }
        }
    }
}

/// hybi-06 has no bit for it: there a frame from the wrong side is octets that
/// mean something else.
#[test]
fn from_hybi_07_on_the_client_masks_and_the_server_does_not() {
    for draft in drafts().filter(|draft| *draft >= Draft::Hybi07) {
        let frame = hex("81 05 48 65 6c 6c 6f");
        for (role, broken) in [
            (Role::Server, Rule::MaskMissing),
            (Role::Client, Rule::MaskUnexpected),
        ] {
            // As it would be right for the other side.
            let octets = from_peer(draft, role.peer(), &frame);
            let heard = hear_every_cut(|| codec(draft, role), &octets);
            assert_eq!(heard.violation.map(|v| v.rule), Some(broken), "{draft}");
            let (_, code) = told(draft, role, &octets, Limits::default());
            assert_eq!(code, Some(1002), "{draft}");
        }
    }
}

#[test]
fn limits_hold_before_the_octets_come_and_say_too_big() {
    let limits = Limits {
        frame: 10,
        message: 15,
        fragments: 3,
        strictness: Strictness::STRICT,
    };
    everywhere(|draft, role| {
        for (octets, broken) in [
            ("81 0b", Rule::FrameTooBig),
            ("82 7e 00 0b", Rule::FrameTooBig),
            ("82 7f 00 00 00 01 00 00 00 00", Rule::FrameTooBig),
            ("82 7f 7f ff ff ff ff ff ff ff", Rule::FrameTooBig),
            (
                "02 0a 00 00 00 00 00 00 00 00 00 00 80 06",
                Rule::MessageTooBig,
            ),
            ("02 00 00 00 00 00 00 00", Rule::TooManyFragments),
        ] {
            // 11 octets in the form of 126 are a length too long before they are too many.
            if octets == "82 7e 00 0b" && draft >= Draft::Hybi13 {
                continue;
            }
            let octets = from_peer(draft, role, &hex(octets));
            let (found, code) = told(draft, role, &octets, limits);
            assert_eq!(found, Some(broken), "{draft} {role:?} {octets:02x?}");
            assert_eq!(code, too_big(draft), "{draft} {broken:?}");
        }
    });
}

/// Jetty 7.3 and 7.4 put the low half of a 64-bit length into both: 70,000
/// octets are announced as 300 terabytes.
#[test]
fn a_doubled_length_is_too_large_and_nothing_is_kept_for_it() {
    everywhere(|draft, role| {
        let head = hex("81 7f 00 01 11 70 00 01 11 70");
        let octets = from_peer(draft, role, &[&head[..], &[b'c'; 100]].concat());
        let (found, code) = told(draft, role, &octets, Limits::default());
        assert_eq!(found, Some(Rule::FrameTooBig), "{draft} {role:?}");
        assert_eq!(code, too_big(draft), "{draft} {role:?}");
    });
}

#[test]
fn without_fragments_a_message_in_one_frame_passes_at_any_cut() {
    everywhere(|draft, role| {
        for fragments in [0, 1] {
            let limits = Limits {
                fragments,
                ..Limits::default()
            };
            let octets = from_peer(draft, role, &hex("81 05 48 65 6c 6c 6f"));
            let heard = hear_every_cut(|| codec_with(draft, role, limits), &octets);
            assert_eq!(heard.events, [Event::Message("Hello".into())], "{draft}");
            let octets = from_peer(draft, role, &hex("01 01 48 80 01 69"));
            let heard = hear_every_cut(|| codec_with(draft, role, limits), &octets);
            let rule = heard.violation.map(|v| v.rule);
            assert_eq!(rule, Some(Rule::TooManyFragments), "{draft}");
        }
    });
}

#[test]
fn text_that_cannot_become_valid_fails_at_once_where_it_fails() {
    for draft in drafts().filter(|draft| *draft >= Draft::Hybi08) {
        for role in [Role::Client, Role::Server] {
            // The frame announces 20 octets; the fourth is enough.
            let frame = [&[0x81, 20, b'a', b'a', b'a', 0xff][..], &[b'a'; 16]].concat();
            let octets = from_peer(draft, role, &frame);
            let enough = octets.len() - 16;
            let heard = hear(&mut *codec(draft, role), [&octets[..enough]]);
            let rule = heard.violation.map(|v| v.rule);
            assert_eq!(rule, Some(Rule::NotUtf8), "{draft} {role:?}");
            let heard = hear(&mut *codec(draft, role), [&octets[..enough - 1]]);
            assert_eq!(heard.violation, None, "{draft} {role:?}");
        }
    }
}

#[test]
fn control_frames_of_125_octets_are_sent_and_no_longer_ones() {
    everywhere(|draft, role| {
        let longest = Bytes::from(vec![b'x'; 125]);
        let close = |octets| Outgoing::Close(Some(Close::new(1000, "x".repeat(octets))));
        let pings = [Outgoing::Ping(longest.clone()), Outgoing::Pong(longest)];
        let coded = has_codes(draft).then(|| close(123));
        for what in pings.into_iter().chain(coded) {
            let octets = crate::written(draft, role, what.clone());
            let masked = role == Role::Client && draftgate_drafts::is_masked(draft);
            let header = if masked { 6 } else { 2 };
            assert_eq!(octets.len(), header + 125, "{draft} {role:?} {what:?}");
        }
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        let long = Bytes::from(vec![b'x'; 126]);
        for (what, error) in [
            (Outgoing::Ping(long.clone()), SendError::ControlTooLong(126)),
            (Outgoing::Pong(long), SendError::ControlTooLong(126)),
            (close(124), SendError::ControlTooLong(126)),
            (
                Outgoing::Close(Some(Close::new(1006, ""))),
                SendError::CloseCode(1006),
            ),
            (Outgoing::Filler, SendError::NoFiller(draft)),
        ] {
            let error = match &what {
                Outgoing::Close(_) if !has_codes(draft) => SendError::NoCloseCode(draft),
                _ => error,
            };
            assert_eq!(codec.send(what, &mut out), Err(error), "{draft}");
        }
        assert!(out.is_empty(), "{draft}");
        assert_eq!(codec.end().map(|c| c.code), Some(1006), "{draft}");
    });
}

#[test]
fn the_first_wrong_octet_is_answered_without_waiting_for_the_next() {
    for draft in drafts() {
        let octets = from_peer(draft, Role::Server, &[0x83]);
        let heard = hear(&mut *codec(draft, Role::Server), [&octets[..]]);
        let rule = heard.violation.map(|v| v.rule);
        assert_eq!(rule, Some(Rule::UnknownOpcode), "{draft}");
    }
}
