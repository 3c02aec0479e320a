//! Attacks by size: lengths that are announced, messages without an end, and
//! messages in a hundred thousand pieces.

use std::collections::BTreeMap;

use bytes::Bytes;
use draftgate_core::{Closing, Draft, Message, Outgoing, Rule, Text};
use draftgate_drafts::announced;
use draftgate_testkit::forged::{self, Kind};
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{Peer, swarm, watch},
    siege::{Log, Rules, Siege},
};

const LIMIT: u64 = 1 << 20;

const RULES: Rules = Rules {
    limits: "message = \"1MiB\"\nframe = \"1MiB\"",
    timeouts: "close = \"500ms\"\nclose-hixie-76 = \"500ms\"",
    second: "",
    tables: "",
};

/// Lets each draft whose capabilities `suit` say what `attack` makes, `each`
/// times at once, and checks that each was closed for one of `rules`, and told
/// so as its draft tells it.
fn breaches(
    name: &'static str,
    rules: &[Rule],
    each: usize,
    suits: impl Fn(&Peer) -> bool + Copy + Send + 'static,
    attack: impl Fn(&mut Peer, usize) -> Vec<Vec<u8>> + Copy + Send + 'static,
) {
    let siege = Siege::lay(name, RULES);
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let count = drafts.len();
    let found = siege.attack(swarm(each * count, |n| {
        let draft = drafts[n % count];
        async move {
            let mut peer = Peer::open(gateway, draft, "/echo").await;
            if !suits(&peer) {
                return None;
            }
            for octets in attack(&mut peer, n / count) {
                // The gateway may have had enough before the end.
                if !peer.write(&octets).await {
                    break;
                }
            }
            let close = peer.end().await;
            Some((peer, close))
        }
    }));
    let found: Vec<_> = found.into_iter().flatten().collect();
    assert!(!found.is_empty());
    let drafts: Vec<Draft> = found.iter().map(|(peer, _)| peer.draft).collect();
    for (peer, close) in &found {
        told(
            peer,
            close.as_ref().map(|c| c.as_ref().map(|c| c.code)),
            rules,
        );
    }
    let by: Vec<_> = rules.iter().map(|rule| rule.code()).collect();
    let log = siege.lift(&by.join(" or "), found);
    ended(&log, &drafts, rules);
}

/// What the draft can say of a breach was said, unless a reset overtook it.
fn told(peer: &Peer, close: Option<Option<u16>>, rules: &[Rule]) {
    let draft = peer.draft;
    match (peer.codec.capabilities().closing, close) {
        (Closing::Absent, close) => assert_eq!(close, None, "{draft}"),
        (_, None) => panic!("{draft} was told nothing"),
        (Closing::Coded, Some(code)) => {
            let codes: Vec<_> = rules.iter().map(|rule| rule.close_code(draft)).collect();
            assert!(codes.contains(&code), "{draft}: {code:?}");
        }
        (_, code) => assert_eq!(code, Some(None), "{draft}"),
    }
}

/// Each of `drafts` has its line, which names one of `rules`.
fn ended(log: &Log, drafts: &[Draft], rules: &[Rule]) {
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for draft in drafts {
        *wanted.entry(draft.name()).or_default() += 1;
    }
    for (draft, count) in wanted {
        let lines = log.with("why", "violation");
        let found = lines.iter().filter(|line| {
            line["draft"] == draft && rules.iter().any(|rule| line["rule"] == rule.code())
        });
        assert_eq!(found.count(), count, "{draft}: {lines:#?}");
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_when_it_is_announced() {
    breaches(
        "announced: one above the limit, and 2^63-1",
        &[Rule::FrameTooBig],
        10,
        |_| true,
        |peer, n| {
            let lengths = [LIMIT + 1, (1 << 63) - 1];
            vec![forged::announcing(&mut *peer.codec, lengths[n % 2])]
        },
    );
}

#[test]
fn a_length_beyond_63_bits_is_refused_when_it_is_announced() {
    breaches(
        "announced: 2^63 and 2^64-1",
        &[Rule::LengthOutOfRange],
        10,
        |_| true,
        |peer, n| {
            vec![forged::announcing(
                &mut *peer.codec,
                [1 << 63, u64::MAX][n % 2],
            )]
        },
    );
}

#[test]
fn a_length_without_an_end_is_out_of_range() {
    breaches(
        "endless lengths of hixie",
        &[Rule::LengthOutOfRange],
        20,
        by_sentinels,
        |_, _| vec![vec![0x80], vec![0xff; 64 << 10], vec![0xff; 64 << 10]],
    );
}

#[test]
fn a_text_without_an_end_ends_at_the_limit() {
    breaches(
        "endless texts of hixie, and frames of no known type",
        &[Rule::FrameTooBig],
        10,
        by_sentinels,
        |_, n| {
            [
                vec![vec![[0x00, 0x7f][n % 2]]],
                vec![vec![b'x'; 64 << 10]; 20],
            ]
            .concat()
        },
    );
}

#[test]
fn a_message_of_fragments_without_an_end_ends_at_the_limit() {
    breaches(
        "endless messages in fragments",
        &[Rule::MessageTooBig],
        3,
        in_fragments,
        |peer, _| {
            let first = forged::frame(&mut *peer.codec, Kind::Binary, &[7; 60_000], false);
            let next = forged::frame(&mut *peer.codec, Kind::Continuation, &[7; 60_000], false);
            [vec![first], vec![next; 20]].concat()
        },
    );
}

#[test]
fn a_hundred_thousand_fragments_are_too_many() {
    breaches(
        "100,000 fragments, of no octet and of one",
        &[Rule::TooManyFragments],
        2,
        in_fragments,
        |peer, n| {
            let payload = &[7][..n % 2];
            let first = forged::frame(&mut *peer.codec, Kind::Binary, payload, false);
            let next = forged::frame(&mut *peer.codec, Kind::Continuation, payload, false);
            vec![[first, next.repeat(100_000)].concat()]
        },
    );
}

#[test]
fn large_messages_of_every_draft_at_once_cost_no_more_than_their_double() {
    const LENGTH: usize = 4 << 20;
    let siege = Siege::lay("echoes of 4 MiB in every draft", Rules::default());
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let text = Bytes::from(vec![b'x'; LENGTH]);
    let held = siege.attack(swarm(drafts.len(), |n| {
        let (draft, text) = (drafts[n], text.clone());
        async move {
            let mut peer = Peer::open(gateway, draft, "/echo").await;
            let text = Text::from_utf8(text).unwrap();
            let octets = peer.octets(Outgoing::Message(Message::Text(text)));
            let close = peer.octets(Outgoing::Close(None));
            assert!(peer.write(&octets).await, "{draft}");
            assert!(peer.write(&close).await, "{draft}");
            if close.is_empty() {
                peer.tcp.shutdown().await.unwrap();
            }
            let end = watch(&mut peer.tcp).await;
            assert!(end.octets.len() > LENGTH, "{draft}: {}", end.octets.len());
            peer
        }
    }));
    siege.lift("its own close", held);
}

/// hixie-75 and -76: what has no length ends by an octet.
fn by_sentinels(peer: &Peer) -> bool {
    !in_fragments(peer)
}

fn in_fragments(peer: &Peer) -> bool {
    forged::has_headers(&*peer.codec)
}
