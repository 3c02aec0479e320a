//! Captures made of single packets, so that each test says what was on the wire
//! and what of it was captured.

mod any;
mod links;
mod reassembly;
mod round;
mod which;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use draftgate_core::{Draft, Role};
use draftgate_vectors::{Gap, GapReason};
use etherparse::PacketBuilder;

use crate::{
    Bounds, Conversation, Did, Found, Hints, Import, LeftOut, Moment,
    write::{self, Written},
};

pub(super) const REQUEST: &[u8] =
    b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
pub(super) const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/// One segment to be.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) from: Role,
    pub(super) sequence: u32,
    pub(super) acknowledgment: Option<u32>,
    pub(super) flags: &'static str,
    pub(super) data: Vec<u8>,
    /// How many octets of the data are not captured.
    pub(super) snapped: usize,
    pub(super) time: u64,
    pub(super) ports: (u16, u16),
}

pub(super) fn packet(from: Role, sequence: u32, flags: &'static str, data: &[u8]) -> Packet {
    Packet {
        from,
        sequence,
        acknowledgment: None,
        flags,
        data: data.to_vec(),
        snapped: 0,
        time: 0,
        ports: (50_000, 80),
    }
}

pub(super) fn client(sequence: u32, data: &[u8]) -> Packet {
    packet(Role::Client, sequence, "P", data)
}

pub(super) fn server(sequence: u32, data: &[u8]) -> Packet {
    packet(Role::Server, sequence, "P", data)
}

impl Packet {
    pub(super) fn ack(mut self, acknowledgment: u32) -> Self {
        self.acknowledgment = Some(acknowledgment);
        self
    }

    pub(super) fn snap(mut self, octets: usize) -> Self {
        self.snapped = octets;
        self
    }

    pub(super) fn at(mut self, milliseconds: u64) -> Self {
        self.time = milliseconds;
        self
    }

    pub(super) fn written(&self) -> Written {
        let (source, destination) = match self.from {
            Role::Client => (self.ports.0, self.ports.1),
            Role::Server => (self.ports.1, self.ports.0),
        };
        let (from, to) = match self.from {
            Role::Client => ([192, 0, 2, 1], [192, 0, 2, 2]),
            Role::Server => ([192, 0, 2, 2], [192, 0, 2, 1]),
        };
        let mut step = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from, to, 64)
            .tcp(source, destination, self.sequence, 1024);
        if let Some(acknowledgment) = self.acknowledgment {
            step = step.ack(acknowledgment);
        }
        for flag in self.flags.chars() {
            step = match flag {
                'S' => step.syn(),
                'F' => step.fin(),
                'R' => step.rst(),
                'P' => step.psh(),
                other => panic!("no flag {other}"),
            };
        }
        let mut octets = Vec::new();
        step.write(&mut octets, &self.data).unwrap();
        let original = octets.len();
        octets.truncate(original - self.snapped);
        Written {
            time: Duration::from_millis(self.time),
            octets,
            original,
            comment: None,
        }
    }
}

/// SYN, SYN-ACK, ACK; the streams begin with 101 and 201.
pub(super) fn opened() -> Vec<Packet> {
    vec![
        packet(Role::Client, 100, "S", b""),
        packet(Role::Server, 200, "S", b"").ack(101),
        packet(Role::Client, 101, "", b"").ack(201),
    ]
}

pub(super) fn file(packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    write::beginning(&mut out, "").unwrap();
    for packet in packets {
        write::packet(&mut out, &packet.written()).unwrap();
    }
    out
}

pub(super) fn found_with(packets: &[Packet], bounds: Bounds, hints: Hints) -> Vec<Found> {
    let mut import = Import::new(bounds, hints);
    import.read(&file(packets)[..]).unwrap();
    import.finish().collect()
}

pub(super) fn found(packets: &[Packet]) -> Vec<Found> {
    found_with(packets, Bounds::default(), Hints::default())
}

/// Port 80 is a WebSocket server's, in RFC 6455.
pub(super) fn hints() -> Hints {
    Hints {
        ports: vec![80],
        draft: Some(Draft::Hybi13),
    }
}

/// The one conversation in `packets`, with the hints of [`hints`].
pub(super) fn conversation(packets: &[Packet]) -> Conversation {
    match &found_with(packets, Bounds::default(), hints())[..] {
        [Found::Conversation(one)] => one.clone(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn left_out(found: &[Found]) -> Vec<LeftOut> {
    let left_out = |found: &Found| match found {
        Found::LeftOut(it) => Some(*it),
        Found::Conversation(_) => None,
    };
    found.iter().filter_map(left_out).collect()
}

/// What happened, without times, octets of one side in a row together.
pub(super) fn told(conversation: &Conversation) -> Vec<(Role, Did)> {
    joined(conversation.moments.iter())
}

/// What one side did.
pub(super) fn told_of(conversation: &Conversation, side: Role) -> Vec<(Role, Did)> {
    joined(
        conversation
            .moments
            .iter()
            .filter(|moment| moment.from == side),
    )
}

fn joined<'a>(moments: impl Iterator<Item = &'a Moment>) -> Vec<(Role, Did)> {
    let mut told: Vec<(Role, Did)> = Vec::new();
    for Moment { from, did, .. } in moments {
        match (told.last_mut(), did) {
            (Some((last, Did::Octets(octets))), Did::Octets(more)) if last == from => {
                *octets = [&octets[..], more].concat().into();
            }
            _ => told.push((*from, did.clone())),
        }
    }
    told
}

pub(super) fn octets(from: Role, octets: &[u8]) -> (Role, Did) {
    (from, Did::Octets(Bytes::copy_from_slice(octets)))
}

pub(super) fn gap(from: Role, octets: impl Into<Option<u64>>, reason: GapReason) -> (Role, Did) {
    let octets = octets.into();
    (from, Did::Gap(Gap { octets, reason }))
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
