//! What is exported and imported again is the same, but for what a capture
//! cannot carry: what people know about it, which octets are fresh, and a
//! number of missing octets that is not known.

use std::path::Path;

use draftgate_record::{Facts, Secrets};
use draftgate_vectors::{Action, Ending, Vector, load_dir};
use proptest::prelude::*;

use super::*;
use crate::export;
use GapReason::{Lost, OneDirection, Snapped};
use Role::{Client, Server};

/// All that is written down of a connection, and nothing added.
const SECRETS: Secrets = Secrets {
    keep: true,
    more: Vec::new(),
};

fn exchange(conversation: &Conversation) -> Vector {
    conversation.exchange("an-exchange", &Facts::new("a test"), &SECRETS)
}

fn imported(exchange: &Vector) -> Conversation {
    let mut capture = Vec::new();
    export([exchange], &mut capture).unwrap();
    let hints = Hints {
        ports: vec![80],
        draft: Some(exchange.about.draft),
    };
    let mut import = Import::new(Bounds::default(), hints);
    import.read(&capture[..]).unwrap();
    let found: Vec<_> = import.finish().collect();
    match &found[..] {
        [Found::Conversation(one)] => one.clone(),
        other => panic!("{}: {other:?}", exchange.name),
    }
}

/// What a capture can carry, with the time since the first of it; octets of one
/// side in a row together, when the last of them came.
fn carried(moments: impl Iterator<Item = (Role, Duration, Did)>) -> Vec<(Role, Duration, Did)> {
    let mut carried: Vec<(Role, Duration, Did)> = Vec::new();
    for (from, time, what) in moments {
        match (&what, carried.last_mut()) {
            (Did::Octets(octets), _) if octets.is_empty() => {}
            (Did::Gap(gap), _) if gap.octets.is_none() => {}
            (Did::Octets(octets), Some((last, at, Did::Octets(before)))) if *last == from => {
                *before = [&before[..], octets].concat().into();
                *at = time;
            }
            _ => carried.push((from, time, what)),
        }
    }
    carried
}

fn carried_of(exchange: &Vector) -> Vec<(Role, Duration, Did)> {
    let mut time = Duration::ZERO;
    let mut first = true;
    carried(exchange.steps.iter().filter_map(|step| {
        if !std::mem::take(&mut first) {
            time += step.pause.unwrap_or_default();
        }
        let what = match &step.action {
            Action::Send(content) => Did::Octets(content.octets.clone()),
            Action::Gap(gap) => Did::Gap(*gap),
            Action::Eof | Action::Close(Ending::Fin) => Did::Eof,
            Action::Close(Ending::Reset) => Did::Reset,
            Action::Timeout(_) => return None,
        };
        Some((step.from, time, what))
    }))
}

fn carried_by(conversation: &Conversation) -> Vec<(Role, Duration, Did)> {
    let begins = conversation.moments[0].time.unwrap();
    let moments = conversation.moments.iter();
    carried(moments.map(|it| (it.from, it.time.unwrap() - begins, it.did.clone())))
}

#[test]
fn every_exchange_of_the_archive_comes_back() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut compared = 0;
    for vector in load_dir(archive).unwrap() {
        let recorded = |side| vector.about.stream(side).is_some_and(|it| it.octets > 0);
        if !recorded(Client) && !recorded(Server) {
            continue; // nothing was sent
        }
        let name = &vector.name;
        let conversation = imported(&vector);
        assert_eq!(carried_by(&conversation), carried_of(&vector), "{name}");
        let again = exchange(&conversation);
        for side in [Client, Server] {
            let (had, has) = (vector.about.stream(side), again.about.stream(side));
            assert_eq!(has, had, "{name}: {side}");
        }
        // What was imported once stays as it is.
        assert_eq!(exchange(&imported(&again)), again, "{name}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn gaps_come_back() {
    let mut cut = opened();
    cut.extend([
        client(101, b"GET abcdef").snap(4).at(1),
        client(111, b"ghi").at(2),
        server(201, b"x").at(30),
        server(205, b"y").at(31),
        packet(Client, 120, "F", b"").at(40),
        packet(Server, 206, "R", b"").at(50),
    ]);
    let expected = [
        octets(Client, b"GET ab"),
        gap(Client, 4, Snapped),
        octets(Client, b"ghi"),
        octets(Server, b"x"),
        gap(Server, 3, Lost),
        octets(Server, b"y"),
        gap(Client, 6, Lost),
        (Client, Did::Eof),
        (Server, Did::Reset),
    ];
    let once = conversation(&cut);
    assert_eq!(told(&once), expected);
    let again = imported(&exchange(&once));
    assert_eq!(told(&again), expected);
    assert_eq!(exchange(&again), exchange(&once));
}

#[test]
fn a_gap_beyond_what_sequence_numbers_tell_is_said_and_not_shown() {
    let mut cut = opened();
    cut.extend([
        client(101, b"GET abcdef").snap(4),
        packet(Client, 111, "F", b""),
    ]);
    for reason in [Snapped, Lost] {
        let mut vector = exchange(&conversation(&cut));
        for step in &mut vector.steps {
            if let Action::Gap(gap) = &mut step.action {
                (gap.octets, gap.reason) = (Some(u64::MAX >> 1), reason);
            }
        }
        let mut capture = Vec::new();
        export([&vector], &mut capture).unwrap();
        assert!(capture.len() < 4000, "{reason:?}: {}", capture.len());
        let said = b"9223372036854775807, more than is shown";
        assert!(capture.windows(said.len()).any(|it| it == said));
        assert_eq!(
            told(&imported(&vector)),
            [octets(Client, b"GET ab"), (Client, Did::Eof)]
        );
    }
}

#[test]
fn a_direction_that_is_missing_comes_back() {
    let once = conversation(&[
        packet(Client, 100, "S", b""),
        packet(Client, 101, "", b"").ack(201),
        client(101, b"GET a").ack(201),
        packet(Client, 106, "", b"").ack(331),
        client(106, b"b").ack(331),
        packet(Client, 107, "", b"").ack(341),
    ]);
    let first = exchange(&once);
    assert_eq!(first.about.stream(Server), None);
    let again = imported(&first);
    assert_eq!(
        told_of(&once, Server),
        [
            gap(Server, 130, OneDirection),
            gap(Server, None, OneDirection)
        ]
    );
    // The last number may have been a FIN's, so it is not counted again.
    assert_eq!(told_of(&again, Server), [gap(Server, None, OneDirection)]);
    assert_eq!(told_of(&again, Client), told_of(&once, Client));
    assert_eq!(exchange(&again).about.stream(Server), None);
}

#[test]
fn what_begins_in_the_middle_comes_back() {
    let once = conversation(&[
        server(9_000, b"xy").ack(4_000),
        client(4_000, b"abc").ack(9_002).at(7),
        packet(Server, 9_002, "F", b"").at(8),
    ]);
    let again = imported(&exchange(&once));
    assert_eq!(told(&again), told(&once));
    assert_eq!(again.partial, once.partial);
}

#[test]
fn the_day_comes_back_and_what_people_know_is_in_comments() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let dated = load_dir(archive).unwrap().into_iter().find(|vector| {
        let date = vector.about.date.as_deref();
        date.is_some_and(|date| crate::date::parse(date).is_some())
    });
    let dated = dated.unwrap();
    assert_eq!(exchange(&imported(&dated)).about.date, dated.about.date);
    let mut capture = Vec::new();
    export([&dated], &mut capture).unwrap();
    let text = String::from_utf8_lossy(&capture);
    for known in [
        &dated.name,
        &dated.about.client,
        &dated.about.server,
        &dated.about.source,
    ] {
        assert!(text.contains(known), "{known}");
    }
}

proptest! {
    #[test]
    fn any_conversation_without_a_gap_of_unknown_length_comes_back(
        sent in prop::collection::vec((any::<bool>(), 0..4000usize, 0..50u64, 0..4u8), 1..12),
    ) {
        let mut packets = opened();
        let (mut next, mut now) = ([101u32, 201], 0);
        packets.push(client(101, b"GET "));
        next[0] += 4;
        for (from_client, length, pause, lost) in sent {
            now += pause;
            let side = usize::from(!from_client);
            let data: Vec<u8> = (0..length).map(|place| (place % 253) as u8).collect();
            let from = if from_client { Client } else { Server };
            if lost > 0 {
                packets.push(packet(from, next[side], "P", &data).at(now));
            }
            next[side] += length as u32;
        }
        packets.push(packet(Client, next[0], "F", b"").at(now));
        packets.push(packet(Server, next[1], "F", b"").at(now));
        let once = conversation(&packets);
        let again = imported(&exchange(&once));
        for side in [Client, Server] {
            prop_assert_eq!(told_of(&again, side), told_of(&once, side));
        }
        prop_assert_eq!(&again.partial, &once.partial);
        prop_assert_eq!(exchange(&imported(&exchange(&again))), exchange(&again));
    }
}
