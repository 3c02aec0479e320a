//! Connections of this machine, captured by tcpdump while they happen.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use draftgate_core::Role;
use draftgate_pcap::{Bounds, Conversation, Found, Hints, Import, What};
use draftgate_record::{Facts, Secrets};
use draftgate_vectors::{Gap, GapReason, Vector};

use crate::{Folder, archive, play::Play};

/// How often the file is looked at, and how many times at most: a guard against
/// hanging, not a measure.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 12_000;

/// A tcpdump that captures on the loopback interface.
struct Tcpdump {
    process: Child,
    file: PathBuf,
}

impl Tcpdump {
    /// Starts one on the loopback interface and waits until it captures.
    fn start(file: PathBuf, options: &[&str], filter: &str) -> Self {
        Self::start_on("lo", file, options, filter)
    }

    fn start_on(interface: &str, file: PathBuf, options: &[&str], filter: &str) -> Self {
        let mut process = Command::new("tcpdump")
            // Room for about 1000 packets of the loopback interface.
            .args([
                "-i",
                "lo",
                "-n",
                "-U",
                "--immediate-mode",
                "-B",
                "65536",
                "-w",
            ])
            .arg(&file)
            .args(options)
            .arg(filter)
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump cannot be started; `cargo xtask test` installs it");
        let mut said = String::new();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.push_str(&line);
            if line.contains("listening on ") {
                // It says little more; who reads it keeps it from blocking.
                thread::spawn(move || lines.for_each(drop));
                return Self { process, file };
            }
            said.push('\n');
        }
        let _ = process.wait();
        panic!(
            "tcpdump may not capture on {interface}, so what it writes cannot be tried; run the tests as \
             root, or `setcap cap_net_raw+ep` the program. It said:\n{said}"
        );
    }

    /// What is in the file once `enough` is.
    fn until(
        &self,
        hints: &Hints,
        enough: impl Fn(&[Conversation]) -> Result<(), String>,
    ) -> Vec<Conversation> {
        for looked in 1.. {
            // It may be looked at while its last packet is being written.
            let octets = std::fs::read(&self.file).unwrap();
            let mut import = Import::new(Bounds::default(), hints.clone());
            let read = import.read(&octets[..]);
            let (mut conversations, mut left_out) = (Vec::new(), Vec::new());
            for found in import.finish() {
                match found {
                    Found::Conversation(it) => conversations.push(it),
                    Found::LeftOut(it) => left_out.push(it),
                }
            }
            match enough(&conversations) {
                Ok(()) => return conversations,
                Err(_) if looked < LOOKS => thread::sleep(LOOK),
                Err(lacking) => {
                    panic!("{lacking}; the file was read so: {read:?}; left out: {left_out:?}")
                }
            }
        }
        unreachable!("it returns or panics")
    }
}

impl Tcpdump {
    /// Waits from time to time until the end of the connection of the last of
    /// `clients` is in the file: the kernel drops packets for which there is no
    /// room, and a busy machine leaves tcpdump little time.
    fn keeps_up(&self, hints: &Hints, clients: &[SocketAddr]) {
        if clients.len().is_multiple_of(4) {
            let last = clients.len() - 1;
            self.until(hints, |conversations| {
                let ended = !ends(of(conversations, clients, last)?).is_empty();
                is(ended, || format!("no end of {}", clients[last]))
            });
        }
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn conversation(found: Found) -> Option<Conversation> {
    match found {
        Found::Conversation(it) => Some(it),
        Found::LeftOut(_) => None,
    }
}

fn listener() -> (TcpListener, String, Hints) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hints = Hints {
        ports: vec![port],
        draft: None,
    };
    (listener, format!("tcp port {port}"), hints)
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
            .filter_map(|moment| match &moment.what {
                What::Octets(octets) => Some((moment.from, &octets[..])),
                _ => None,
            }),
    )
}

/// The connection of the client at `index` of `clients`, of which several may
/// have had the same address, one after another.
fn of<'a>(
    conversations: &'a [Conversation],
    clients: &[SocketAddr],
    index: usize,
) -> Result<&'a Conversation, String> {
    let client = clients[index];
    let before = clients[..index].iter().filter(|it| **it == client).count();
    let mut of_client = conversations.iter().filter(|it| it.client == client);
    of_client
        .nth(before)
        .ok_or_else(|| format!("the connection of {client} is missing"))
}

fn ends(conversation: &Conversation) -> Vec<(Role, What)> {
    let ends = conversation.moments.iter();
    ends.filter(|it| matches!(it.what, What::Eof | What::Reset))
        .map(|it| (it.from, it.what.clone()))
        .collect()
}

/// Says what is missing, for a failure.
fn is(what: bool, lacking: impl FnOnce() -> String) -> Result<(), String> {
    if what { Ok(()) } else { Err(lacking()) }
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
        match &moment.what {
            What::Octets(octets) => {
                assert_eq!(octets[..], stream[place..place + octets.len()]);
                place += octets.len();
                held += octets.len();
            }
            What::Gap(gap) => place += gap.octets.map_or(0, |octets| octets as usize),
            What::Eof | What::Reset => {}
        }
    }
    (held, place)
}

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
            let eof = [(first, What::Eof), (first.peer(), What::Eof)];
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
            told == meant || refused || !spoken,
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
        let reset = [(Role::Client, What::Reset)];
        is(ends(conversation) == reset, || {
            format!("{:?}", ends(conversation))
        })
    });
}

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
            if let What::Gap(gap) = &moment.what {
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
                let eof = [(captured, What::Eof)];
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
                    let What::Gap(gap) = &moment.what else {
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
                let first = gaps.next().map(|moment| moment.what.clone());
                let head = stream.starts_with(b"HTTP/1.") || stream.starts_with(b"GET ");
                let gap = Gap {
                    octets: None,
                    reason: GapReason::MidStream,
                };
                // A head is the beginning of what is told of its side.
                let says_so = head || first == Some(What::Gap(gap));
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
