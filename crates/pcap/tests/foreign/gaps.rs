//! What tcpdump did not capture, or cut off, is a gap of the right length, and
//! nothing is made up in its place.

use draftgate_core::Role;
use draftgate_pcap::{Bounds, Conversation, Did, Found, Import};
use draftgate_vectors::{Gap, GapReason, Vector};

use crate::{
    Folder, archive,
    play::Play,
    tcpdump::{Tcpdump, ends, is, listener, of},
};

#[test]
fn foreign_a_short_snapshot_length_leaves_gaps_of_the_right_length() {
    let folder = Folder::new("snapped");
    let (listener, filter, mut hints) = listener();
    let tcpdump = Tcpdump::start(folder.file("a.pcap"), &["-s", "96"], &filter);
    hints.draft = draftgate_drafts::spoken().last();
    let vectors = archive();
    let mut clients = Vec::new();
    for vector in &vectors {
        let mut play = Play::new(&listener);
        clients.push(play.client_address());
        play.steps(vector, 0);
        play.end(Role::Server);
        tcpdump.keeps_up(&hints, &clients);
    }
    let conversations = tcpdump.until(&hints, |conversations| {
        for number in 0..clients.len() {
            is(
                ends(of(conversations, &clients, number)?).len() == 2,
                || format!("no end of the {number}th"),
            )?;
        }
        Ok(())
    });
    let mut cut = 0;
    for (number, vector) in vectors.iter().enumerate() {
        let conversation = of(&conversations, &clients, number).unwrap();
        for side in [Role::Client, Role::Server] {
            let stream = vector.octets(side);
            let (held, place) = held(conversation, side, &stream, 0);
            assert_eq!(place, stream.len(), "{}", vector.name);
            cut += stream.len() - held;
        }
        for moment in &conversation.moments {
            if let Did::Gap(gap) = &moment.did {
                assert_eq!(gap.reason, GapReason::Snapped, "{}", vector.name);
            }
        }
    }
    assert!(cut > 1000, "{cut} octets were cut off");
}

#[test]
fn foreign_one_direction_tells_how_much_the_other_sent() {
    let vectors = archive();
    for (direction, captured) in [("dst", Role::Client), ("src", Role::Server)] {
        let folder = Folder::new(direction);
        let (listener, filter, mut hints) = listener();
        let filter = filter.replace("tcp port", &format!("tcp {direction} port"));
        let tcpdump = Tcpdump::start(folder.file("a.pcap"), &[], &filter);
        hints.draft = draftgate_drafts::spoken().last();
        let mut clients = Vec::new();
        for vector in &vectors {
            let mut play = Play::new(&listener);
            clients.push(play.client_address());
            play.steps(vector, 0);
            play.end(captured);
            tcpdump.keeps_up(&hints, &clients);
        }
        tcpdump.until(&hints, |conversations| {
            for (number, vector) in vectors.iter().enumerate() {
                let conversation = of(conversations, &clients, number)?;
                let eof = [(captured, Did::Eof)];
                is(ends(conversation) == eof, || {
                    format!("{}: {conversation:?}", vector.name)
                })?;
                let stream = vector.octets(captured);
                let (held, _) = held(conversation, captured, &stream, 0);
                is(held == stream.len(), || {
                    format!("{}: {held} octets", vector.name)
                })?;
                let other = vector.octets(captured.peer());
                let missing = conversation.moments.iter().filter(|it| it.from != captured);
                let mut counted = 0;
                for moment in missing {
                    let Did::Gap(gap) = &moment.did else {
                        panic!("{}: {moment:?} was not captured", vector.name);
                    };
                    assert_eq!(gap.reason, GapReason::OneDirection);
                    counted += gap.octets.unwrap_or_default();
                }
                // The last number may be a FIN, so what came with it is not counted.
                assert!(counted <= other.len() as u64, "{}", vector.name);
                assert!(conversation.partial.is_some());
            }
            Ok(())
        });
    }
}

#[test]
fn foreign_a_capture_begun_in_the_middle_says_so() {
    let folder = Folder::new("middle");
    let (listener, filter, mut hints) = listener();
    hints.draft = draftgate_drafts::spoken().last();
    let rest = |vector: &Vector, side| {
        let steps = vector.steps.iter().skip(2).filter(|step| step.from == side);
        let octets = steps.filter_map(|step| Some(step.content()?.octets.to_vec()));
        octets.collect::<Vec<_>>().concat()
    };
    let mut vectors = archive();
    vectors.retain(|vector| {
        !(rest(vector, Role::Client).is_empty() && rest(vector, Role::Server).is_empty())
    });
    assert!(!vectors.is_empty());
    let mut plays = Vec::new();
    for vector in &vectors {
        let mut play = Play::new(&listener);
        for step in vector.steps.iter().take(2) {
            play.send(step.from, step.content().map_or(&[][..], |it| &it.octets));
        }
        plays.push(play);
    }
    let tcpdump = Tcpdump::start(folder.file("a.pcap"), &[], &filter);
    let mut clients = Vec::new();
    for (mut play, vector) in plays.into_iter().zip(&vectors) {
        clients.push(play.client_address());
        play.steps(vector, 2);
        play.end(Role::Client);
        tcpdump.keeps_up(&hints, &clients);
    }
    tcpdump.until(&hints, |conversations| {
        for (number, vector) in vectors.iter().enumerate() {
            let conversation = of(conversations, &clients, number)?;
            is(ends(conversation).len() == 2, || {
                format!("no end of the {number}th")
            })?;
            for side in [Role::Client, Role::Server] {
                let stream = rest(vector, side);
                let (held, place) = held(conversation, side, &stream, 0);
                is(held == stream.len() && place == held, || {
                    vector.name.clone()
                })?;
                let mut gaps = conversation
                    .moments
                    .iter()
                    .filter(|moment| moment.from == side);
                let first = gaps.next().map(|moment| moment.did.clone());
                let head = stream.starts_with(b"HTTP/1.") || stream.starts_with(b"GET ");
                let gap = Gap {
                    octets: None,
                    reason: GapReason::MidStream,
                };
                // A head is the beginning of what is told of its side.
                let says_so = head || first == Some(Did::Gap(gap));
                is(says_so, || format!("{}: {first:?}", vector.name))?;
            }
        }
        Ok(())
    });
}

#[test]
fn foreign_any_one_packet_taken_out_is_a_gap_of_its_length() {
    let folder = Folder::new("loss");
    let (listener, filter, mut hints) = listener();
    hints.draft = draftgate_drafts::spoken().last();
    let tcpdump = Tcpdump::start(folder.file("a.pcap"), &[], &filter);
    let vectors = archive();
    // The one with the most steps has the most packets.
    let vector = vectors
        .iter()
        .max_by_key(|vector| vector.steps.len())
        .unwrap();
    let mut play = Play::new(&listener);
    let client = play.client_address();
    play.steps(vector, 0);
    play.end(Role::Client);
    tcpdump.until(&hints, |conversations| {
        is(ends(of(conversations, &[client], 0)?).len() == 2, || {
            format!("no end of {client}")
        })
    });
    let file = std::fs::read(folder.file("a.pcap")).unwrap();
    let packets = packets(&file);
    assert!(packets.len() > 10, "{}", packets.len());
    let mut lost = 0;
    for taken in 0..packets.len() {
        let mut without = file[..HEADER].to_vec();
        let others = packets
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != taken);
        others.for_each(|(_, packet)| without.extend(*packet));
        let mut import = Import::new(Bounds::default(), hints.clone());
        import.read(&without[..]).unwrap();
        let conversations: Vec<_> = import.finish().filter_map(conversation).collect();
        let conversation = of(&conversations, &[client], 0).unwrap();
        for side in [Role::Client, Role::Server] {
            let stream = vector.octets(side);
            let (held, place) = held(conversation, side, &stream, 0);
            assert_eq!(place, stream.len(), "without packet {taken}");
            lost += stream.len() - held;
        }
    }
    let all: usize = [Role::Client, Role::Server]
        .map(|side| vector.octets(side).len())
        .iter()
        .sum();
    assert_eq!(lost, all, "each octet is lost once");
}

fn conversation(found: Found) -> Option<Conversation> {
    match found {
        Found::Conversation(it) => Some(it),
        Found::LeftOut(_) => None,
    }
}

/// How many octets of `stream`, from `place` on, `conversation` holds of `side`.
/// What it holds must be the stream's, and gaps must have the right length.
fn held(
    conversation: &Conversation,
    side: Role,
    stream: &[u8],
    mut place: usize,
) -> (usize, usize) {
    let mut held = 0;
    for moment in conversation
        .moments
        .iter()
        .filter(|moment| moment.from == side)
    {
        match &moment.did {
            Did::Octets(octets) => {
                assert_eq!(octets[..], stream[place..place + octets.len()]);
                place += octets.len();
                held += octets.len();
            }
            Did::Gap(gap) => place += gap.octets.map_or(0, |octets| octets as usize),
            Did::Eof | Did::Reset => {}
        }
    }
    (held, place)
}

/// The header of a pcap file, and of a packet in it.
const HEADER: usize = 24;
const PACKET: usize = 16;

fn packets(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[HEADER..];
    let mut packets = Vec::new();
    while let Some(length) = rest.get(8..).and_then(|rest| rest.first_chunk()) {
        let (packet, behind) = rest.split_at(PACKET + u32::from_le_bytes(*length) as usize);
        packets.push(packet);
        rest = behind;
    }
    packets
}
