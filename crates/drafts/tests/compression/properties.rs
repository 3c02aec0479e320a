//! Any messages survive any parameters; any octets are survived.

use draftgate_core::{Draft, Event, Limits, Message, Role};
use draftgate_drafts::compression::Settings;
use draftgate_testkit::codecs::hear;
use proptest::prelude::*;

use crate::{
    ALL, codec,
    common::frames::{octets, pieces},
    messages, pair, say,
};

const OFFERS: [(Draft, &str); 9] = [
    (Draft::Hybi13, "permessage-deflate"),
    (Draft::Hybi13, "permessage-deflate; client_max_window_bits"),
    (
        Draft::Hybi13,
        "permessage-deflate; client_max_window_bits=8",
    ),
    (
        Draft::Hybi13,
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    ),
    (
        Draft::Hybi13,
        "permessage-deflate; server_no_context_takeover",
    ),
    (
        Draft::Hybi13,
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    ),
    (Draft::Hybi13, "x-webkit-deflate-frame"),
    (
        Draft::Hybi08,
        "deflate-frame; max_window_bits=10; no_context_takeover",
    ),
    (Draft::Hybi07, "deflate-stream"),
];

fn settings() -> impl Strategy<Value = Settings> {
    let parts = (
        1..=9u8,
        prop_oneof![Just(1u32), Just(40)],
        9..=15u8,
        any::<bool>(),
    );
    parts.prop_map(|(level, least, window_bits, takeover)| Settings {
        level,
        least,
        window_bits,
        takeover,
        stream: true,
    })
}

/// Repetitive, random and long ones.
fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        "[ab]{0,300}".prop_map(Message::from),
        ".{0,60}".prop_map(Message::from),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(|it| Message::Binary(it.into())),
        (any::<u8>(), 0..90_000usize).prop_map(|(it, n)| Message::Binary(vec![it; n].into())),
        (1..3000u32).prop_map(|n| (0..n).map(|it| it.to_string()).collect::<String>().into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_survive_any_parameters(
        (draft, words) in prop::sample::select(&OFFERS[..]),
        client in settings(),
        server in settings(),
        said in prop::collection::vec((message(), any::<bool>()), 1..6),
        size in 1..5000usize,
    ) {
        let (mut client, mut server) = pair(draft, words, (client, server), Limits::default());
        for (message, up) in said {
            let (from, to) = match up {
                true => (&mut client, &mut server),
                false => (&mut server, &mut client),
            };
            let octets = say(&mut **from, message.clone());
            let heard = hear(&mut **to, octets.chunks(size));
            prop_assert_eq!(heard.violation, None);
            prop_assert_eq!(messages(&heard.events), [message]);
        }
    }

    #[test]
    fn any_octets_are_survived(
        (draft, words) in prop::sample::select(&OFFERS[..]),
        pieces in pieces(),
        deflated in prop::collection::vec(any::<u8>(), 0..100),
        size in 1..40usize,
    ) {
        for role in [Role::Client, Role::Server] {
            let mut frame = vec![0xc2, deflated.len() as u8];
            frame.extend_from_slice(&deflated);
            let frame = crate::common::frames::from_peer(draft, role, &frame);
            let all = [octets(draft, role, &pieces), frame].concat();
            let whole = hear(&mut *codec(draft, role, words), [&all[..]]);
            let cut = hear(&mut *codec(draft, role, words), all.chunks(size));
            let said = |events: &[Event]| {
                let messages = events.iter().filter(|it| matches!(it, Event::Message(_)));
                messages.cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(said(&whole.events), said(&cut.events));
            // Of two breaches in one frame either may be met first.
            prop_assert_eq!(whole.violation.is_some(), cut.violation.is_some());
        }
    }
}

#[test]
fn a_window_of_8_bits_is_inflated_and_never_made() {
    let (mut client, mut server) = pair(
        Draft::Hybi13,
        "permessage-deflate; client_max_window_bits=8",
        (ALL, ALL),
        Limits::default(),
    );
    // Our client sends as it is, for it was told 8; our server compresses.
    let text = "8 bits ".repeat(100);
    assert_eq!(say(&mut *client, text.clone())[0], 0x81);
    let octets = say(&mut *server, text.clone());
    assert_eq!(octets[0], 0xc1);
    assert_eq!(
        messages(&hear(&mut *client, [&octets[..]]).events),
        [text.into()]
    );
}
