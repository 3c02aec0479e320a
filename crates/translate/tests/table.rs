//! Every set of capabilities × every kind of message × every policy, against
//! a table written from the documentation; and what holds for any input.

use draftgate_core::{Capabilities, Close, Closing, Draft, Message, Rendering, Shared, Speaker};
use draftgate_translate::{
    BinaryPolicy, DropReason, Outcome, Policy, REASON_OCTETS, close, inbound, message, render,
};
use proptest::prelude::*;

const CLOSINGS: [Closing; 5] = [
    Closing::Absent,
    Closing::Marker,
    Closing::Echoed,
    Closing::Lettered,
    Closing::Coded,
];

fn shared(message: &Message) -> Shared {
    Shared::new(message.clone())
}

fn every_capability() -> impl Iterator<Item = Capabilities> {
    CLOSINGS.into_iter().flat_map(|closing| {
        (0..8).map(move |bits| Capabilities {
            binary: bits & 1 != 0,
            ping: bits & 2 != 0,
            fragments: bits & 4 != 0,
            closing,
        })
    })
}

/// The table for a peer without binary: policy, then what becomes of binary
/// that is UTF-8 and of binary that is not.
fn without_binary(binary: BinaryPolicy) -> (Outcome, Outcome) {
    let both = |outcome: Outcome| (outcome.clone(), outcome);
    match binary {
        BinaryPolicy::Base64 => both(Outcome::Send(Rendering::Base64)),
        BinaryPolicy::Hex => both(Outcome::Send(Rendering::Hex)),
        BinaryPolicy::TextIfUtf8 => (
            Outcome::Send(Rendering::Utf8),
            Outcome::Drop(DropReason::NotUtf8),
        ),
        BinaryPolicy::LengthFrame | BinaryPolicy::Drop => both(Outcome::Drop(DropReason::NoBinary)),
        BinaryPolicy::Close => both(Outcome::Close(Close::new(
            1003,
            "a binary message came, which this draft cannot carry",
        ))),
    }
}

#[test]
fn every_peer_gets_every_message_as_its_policy_says() {
    let text = Message::from("Hello");
    let utf8 = Message::Binary("Grün".into());
    let octets = Message::Binary(vec![0, 0xff].into());
    let mut rows = 0;
    for peer in every_capability() {
        for binary in BinaryPolicy::ALL {
            let plain = Policy {
                binary,
                ..Policy::default()
            };
            let as_is = Outcome::Send(Rendering::AsIs);
            let (for_utf8, for_octets) = if peer.binary {
                (as_is.clone(), as_is.clone())
            } else {
                without_binary(binary)
            };
            assert_eq!(message(&shared(&text), &peer, &plain), as_is);
            assert_eq!(
                message(&shared(&utf8), &peer, &plain),
                for_utf8,
                "{binary} to {peer:?}"
            );
            assert_eq!(
                message(&shared(&octets), &peer, &plain),
                for_octets,
                "{binary} to {peer:?}"
            );
            for what in [&text, &utf8, &octets] {
                let agreed = |base64, envelope| Policy {
                    base64,
                    envelope,
                    ..plain
                };
                let base64 = Outcome::Send(Rendering::Base64);
                let envelope = Outcome::Send(Rendering::Envelope);
                assert_eq!(message(&shared(what), &peer, &agreed(true, false)), base64);
                assert_eq!(
                    message(&shared(what), &peer, &agreed(false, true)),
                    envelope
                );
                assert_eq!(message(&shared(what), &peer, &agreed(true, true)), envelope);
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 40 * 6 * 3);
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        ".{0,40}".prop_map(Message::from),
        ".{0,40}".prop_map(|text| Message::Binary(text.into())),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|o| Message::Binary(o.into())),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (prop::sample::select(&BinaryPolicy::ALL[..]), 0..4_u8).prop_map(|(binary, bits)| Policy {
        binary,
        base64: bits & 1 != 0,
        envelope: bits & 2 != 0,
    })
}

/// The octets that a lower-case hexadecimal text stands for.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let lower = |o: &u8| matches!(o, b'0'..=b'9' | b'a'..=b'f');
    if !text.len().is_multiple_of(2) || !text.as_bytes().iter().all(lower) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

proptest! {
    #[test]
    fn a_peer_without_binary_is_never_sent_binary(what in any_message(), policy in any_policy()) {
        for peer in every_capability() {
            if let Outcome::Send(rendering) = message(&shared(&what), &peer, &policy) {
                let sent = render(&what, rendering, Some(&Speaker::new("c1", Draft::Hixie75)));
                prop_assert!(peer.binary || matches!(sent, Message::Text(_)), "{rendering:?}");
                if let Message::Text(text) = &sent {
                    prop_assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                }
            }
        }
    }

    #[test]
    fn what_goes_out_as_base64_comes_back_the_same(what in any_message()) {
        let sent = render(&what, Rendering::Base64, None);
        let back = inbound(sent, true).unwrap();
        prop_assert_eq!(back, Message::Binary(what.payload().clone()));
    }

    #[test]
    fn what_goes_out_as_hex_comes_back_the_same(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let Message::Text(text) = render(&Message::Binary(octets.clone().into()), Rendering::Hex, None) else {
            return Err(TestCaseError::fail("hex is binary"));
        };
        prop_assert_eq!(unhex(text.as_str()), Some(octets));
    }

    #[test]
    fn what_is_utf8_goes_out_as_the_same_octets(text in ".{0,40}") {
        let binary = Message::Binary(text.clone().into());
        prop_assert_eq!(render(&binary, Rendering::Utf8, None), Message::from(text));
    }

    #[test]
    fn the_envelope_is_json_that_holds_the_message(what in any_message(), id in ".{0,12}") {
        let speaker = Speaker::new(id.as_str(), Draft::Hixie76);
        let Message::Text(text) = render(&what, Rendering::Envelope, Some(&speaker)) else {
            return Err(TestCaseError::fail("the envelope is binary"));
        };
        let json: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
        prop_assert_eq!(&json["from"]["id"], &serde_json::json!(id));
        prop_assert_eq!(&json["from"]["draft"], "hixie-76");
        let payload = ["text", "text-base64", "base64"].map(|name| json[name].as_str());
        let decoded = |base64: &str| inbound(base64.into(), true).unwrap();
        let held = match payload {
            [Some(text), None, None] => Message::from(text),
            [None, Some(text), None] => match decoded(text) {
                Message::Binary(octets) => String::from_utf8(octets.into()).unwrap().into(),
                Message::Text(_) => return Err(TestCaseError::fail("base64 became text")),
            },
            [None, None, Some(base64)] => decoded(base64),
            others => return Err(TestCaseError::fail(format!("{others:?}"))),
        };
        prop_assert_eq!(held, what);
    }

    #[test]
    fn any_text_is_base64_or_a_violation(text in "[A-Za-z0-9+/= \r\n]{0,20}|.{0,20}") {
        match inbound(text.clone().into(), true) {
            Ok(Message::Binary(octets)) => prop_assert!(octets.len() <= text.len()),
            Ok(Message::Text(_)) => return Err(TestCaseError::fail("text stayed text")),
            Err(violation) => prop_assert_eq!(violation.rule.code(), "not-base64"),
        }
    }

    #[test]
    fn no_peer_is_told_a_code_its_draft_lacks_or_too_long_a_reason(
        code in prop_oneof![990..1020_u16, any::<u16>()],
        reason in ".{0,200}",
    ) {
        for peer in every_capability() {
            for draft in Draft::ALL {
                let told = close(Some(Close::new(code, reason.as_str())), &peer, draft);
                let Some(told) = told else { continue };
                prop_assert_eq!(peer.closing, Closing::Coded);
                prop_assert!(Close::may_be_sent(told.code, draft), "{} to {draft}", told.code);
                prop_assert!(told.reason.len() <= REASON_OCTETS);
                prop_assert!(reason.starts_with(told.reason.as_str()));
                prop_assert!(told.reason.len() == reason.len() || told.reason.len() > REASON_OCTETS - 4);
            }
        }
    }
}
