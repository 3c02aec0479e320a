//! What tcpdump captured whole comes back as it was sent, octet by octet and in
//! the order of the sides' turns.

use draftgate_core::Role;
use draftgate_pcap::{Conversation, Did, Hints};
use draftgate_record::{Facts, Secrets};
use draftgate_vectors::Vector;

use crate::{
    Folder, archive,
    play::Play,
    tcpdump::{Tcpdump, ends, is, listener, of},
};

#[test]
fn foreign_exchanges_of_every_draft_come_back_from_a_capture() {
    let folder = Folder::new("archive");
    let (listener, filter, hints) = listener();
    let hints = Hints {
        // Of a request that no draft takes the draft cannot be told.
        draft: Some(draftgate_drafts::WITHOUT_KEYS),
        ..hints
    };
    let tcpdump = Tcpdump::start(folder.file("a.pcap"), &[], &filter);
    let vectors = archive();
    let first = |number: usize| match number % 2 {
        0 => Role::Client,
        _ => Role::Server,
    };
    let mut clients = Vec::new();
    for (number, vector) in vectors.iter().enumerate() {
        let mut play = Play::new(&listener);
        clients.push(play.client_address());
        play.steps(vector, 0);
        play.end(first(number));
        tcpdump.keeps_up(&hints, &clients);
    }
    for draft in draftgate_drafts::spoken() {
        assert!(vectors.iter().any(|it| it.about.draft == draft), "{draft}");
    }
    let conversations = tcpdump.until(&hints, |conversations| {
        for (number, vector) in vectors.iter().enumerate() {
            let conversation = of(conversations, &clients, number)?;
            let said = || format!("{}: {conversation:?}", vector.name);
            is(imported(conversation) == played(vector), said)?;
            let first = first(number);
            let eof = [(first, Did::Eof), (first.peer(), Did::Eof)];
            is(ends(conversation) == eof, said)?;
            is(conversation.partial.is_none(), said)?;
        }
        Ok(())
    });
    assert_eq!(conversations.len(), vectors.len());
    let secrets = Secrets {
        keep: true,
        more: Vec::new(),
    };
    for (number, vector) in vectors.iter().enumerate() {
        let name = &vector.name;
        let conversation = of(&conversations, &clients, number).unwrap();
        let exchange = conversation.exchange("one", &Facts::new("a test"), &secrets);
        for side in [Role::Client, Role::Server] {
            assert_eq!(exchange.octets(side), vector.octets(side), "{name}");
        }
        let (told, meant) = (conversation.draft, vector.about.draft);
        let refused = told == draftgate_drafts::WITHOUT_KEYS;
        let spoken = draftgate_drafts::spoken().any(|draft| draft == meant);
        assert!(
            draftgate_drafts::may_announce(meant, told) || refused || !spoken,
            "{name}: {told}, not {meant}"
        );
    }
}

#[test]
fn foreign_captures_of_all_interfaces_have_every_packet_twice() {
    let folder = Folder::new("any");
    let (listener, filter, mut hints) = listener();
    hints.draft = Some(draftgate_drafts::WITHOUT_KEYS);
    let file = folder.file("a.pcap");
    let tcpdump = Tcpdump::start_on("any", file, &[], &filter);
    let mut vectors = archive();
    vectors.truncate(50);
    let mut clients = Vec::new();
    for vector in &vectors {
        let mut play = Play::new(&listener);
        clients.push(play.client_address());
        play.steps(vector, 0);
        play.end(Role::Client);
        tcpdump.keeps_up(&hints, &clients);
    }
    tcpdump.until(&hints, |conversations| {
        for (number, vector) in vectors.iter().enumerate() {
            let conversation = of(conversations, &clients, number)?;
            let said = || format!("{}: {conversation:?}", vector.name);
            is(ends(conversation).len() == 2, said)?;
            is(imported(conversation) == played(vector), said)?;
            is(conversation.notes.is_empty(), said)?;
        }
        Ok(())
    });
}

#[test]
fn foreign_large_messages_and_a_reset_come_back_from_a_capture() {
    let folder = Folder::new("large");
    let (listener, filter, mut hints) = listener();
    hints.draft = draftgate_drafts::spoken().last();
    let tcpdump = Tcpdump::start(folder.file("a.pcap"), &[], &filter);
    let mut play = Play::new(&listener);
    let client = play.client_address();
    let large: Vec<u8> = (0..1_000_000u32)
        .map(|number| (number % 251) as u8)
        .collect();
    play.send(Role::Client, b"GET ");
    play.send(Role::Client, &large);
    play.send(Role::Server, &large);
    play.reset();
    tcpdump.until(&hints, |conversations| {
        let conversation = of(conversations, &[client], 0)?;
        let sent = [
            (Role::Client, [b"GET ", &large[..]].concat()),
            (Role::Server, large.clone()),
        ];
        is(imported(conversation) == sent, || {
            format!("{:?}", conversation.partial)
        })?;
        let reset = [(Role::Client, Did::Reset)];
        is(ends(conversation) == reset, || {
            format!("{:?}", ends(conversation))
        })
    });
}

/// The sides in the order in which they sent, a turn each, with all octets.
fn turns<'a>(parts: impl Iterator<Item = (Role, &'a [u8])>) -> Vec<(Role, Vec<u8>)> {
    let mut turns: Vec<(Role, Vec<u8>)> = Vec::new();
    for (from, octets) in parts.filter(|(_, octets)| !octets.is_empty()) {
        match turns.last_mut() {
            Some((last, turn)) if *last == from => turn.extend(octets),
            _ => turns.push((from, octets.to_vec())),
        }
    }
    turns
}

fn played(vector: &Vector) -> Vec<(Role, Vec<u8>)> {
    let parts = vector.steps.iter();
    turns(parts.filter_map(|step| Some((step.from, &step.content()?.octets[..]))))
}

fn imported(conversation: &Conversation) -> Vec<(Role, Vec<u8>)> {
    turns(
        conversation
            .moments
            .iter()
            .filter_map(|moment| match &moment.did {
                Did::Octets(octets) => Some((moment.from, &octets[..])),
                _ => None,
            }),
    )
}
