//! Whatever is said arrives, in any order, at any cut and under any keys.

use bytes::Bytes;
use draftgate_core::{Close, Event, Limits, Message, Notice, Outbox, Outgoing};
use draftgate_testkit::codecs::hear;
use proptest::prelude::*;

use crate::{
    common::{ROLES, pair_with},
    drafts, has_codes,
};

fn said() -> impl Strategy<Value = Outgoing> {
    let body = || prop::collection::vec(any::<u8>(), 0..126).prop_map(Bytes::from);
    prop_oneof![
        any::<String>().prop_map(|text| Outgoing::Message(text.into())),
        (prop::char::any(), 0_usize..20_000)
            .prop_map(|(c, n)| Outgoing::Message(c.to_string().repeat(n).into())),
        any::<Vec<u8>>().prop_map(|octets| Outgoing::Message(Message::Binary(octets.into()))),
        body().prop_map(Outgoing::Ping),
        body().prop_map(Outgoing::Pong),
    ]
}

fn close() -> impl Strategy<Value = Option<Close>> {
    // Codes that every draft from hybi-06 on may send.
    let code = prop_oneof![1000_u16..1004, 3000_u16..5000];
    prop::option::of((code, "[^\\x00]{0,30}").prop_map(|(code, why)| Close::new(code, why)))
}

fn heard(what: &Outgoing) -> Event {
    match what.clone() {
        Outgoing::Message(message) => Event::Message(message),
        Outgoing::Ping(body) => Event::Ping(body),
        Outgoing::Pong(_) => Event::Notice(Notice::UnsolicitedPong),
        Outgoing::Close(close) => Event::Close(close),
        Outgoing::Filler => unreachable!("nobody says it here"),
    }
}

proptest! {
    #[test]
    fn what_is_said_is_heard(
        said in prop::collection::vec(said(), 0..8),
        close in close(),
        keys: [u8; 31],
        sizes in prop::collection::vec(1_usize..5000, 1..8),
    ) {
        for draft in drafts() {
            let close = close.clone().filter(|_| has_codes(draft));
            let said = [said.clone(), vec![Outgoing::Close(close)]].concat();
            let want: Vec<_> = said.iter().map(heard).collect();
            for role in ROLES {
                let (client, server) = pair_with(draft, Limits::default(), &keys);
                let (mut ours, mut theirs) = match role {
                    draftgate_core::Role::Client => (client, server),
                    draftgate_core::Role::Server => (server, client),
                };
                let mut out = Outbox::new();
                for what in &said {
                    ours.send(what.clone(), &mut out).unwrap();
                }
                let octets = out.take_all();
                let mut rest = &octets[..];
                let runs = sizes.iter().cycle().map_while(|size| {
                    let (run, after) = rest.split_at(rest.len().min(*size));
                    rest = after;
                    (!run.is_empty()).then_some(run)
                });
                let heard = hear(&mut *theirs, runs);
                prop_assert!(heard.events == want, "{} {:?}", draft, role);
                prop_assert_eq!(heard.violation, None);
                prop_assert!(heard.left.is_empty());
            }
        }
    }
}
