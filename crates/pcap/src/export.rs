//! From archived exchanges to a capture that other programs read: each exchange
//! becomes a TCP connection as a capture would show it, with checksums that are
//! right. Addresses and sequence numbers are made up, for the archive has none;
//! a gap stays one, as sequence numbers that no packet carries.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    time::Duration,
};

use draftgate_core::Role;
use draftgate_vectors::{Action, Ending, Gap, GapReason, Step, Vector};
use etherparse::PacketBuilder;

use crate::{date, write, write::Written};

/// What the packets of Ethernet carry of TCP at most.
const MOST_DATA: usize = 1460;
/// The port of every server: the one that programs look for HTTP at.
const PORT: u16 = 80;
/// The first port of clients, of which there are as many as up to 65535.
const FIRST_PORT: u16 = 49152;
const PORTS: usize = 1 << 14;
/// Addresses for documentation (RFC 5737).
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
const CLIENTS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// What the sequence numbers begin with: client, server.
const FIRST: [u32; 2] = [1_000_000, 2_000_000];
const WINDOW: u16 = u16::MAX;
/// The longest gap that is shown: sequence numbers tell no more than half of
/// their 4 GiB apart.
const LONGEST_GAP: u64 = 1 << 30;
/// The same of octets that were cut off, for which there are packets.
const LONGEST_SNAPPED: u64 = 64 << 20;

/// Writes `exchanges` as one pcapng file, a connection for each.
///
/// # Errors
/// Those of `out`.
pub fn export<'a>(
    exchanges: impl IntoIterator<Item = &'a Vector>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write::beginning(
        out,
        "Archived exchanges. Addresses, ports and sequence numbers are made up; \
         times are as recorded, and equal where none was.",
    )?;
    for (number, exchange) in exchanges.into_iter().enumerate() {
        for packet in connection(exchange, number)? {
            write::packet(out, &packet)?;
        }
    }
    Ok(())
}

/// The packets of one exchange, which is the `number`th of the file.
pub(crate) fn connection(exchange: &Vector, number: usize) -> io::Result<Vec<Written>> {
    let mut wire = Wire::new(exchange, number);
    let middle = exchange
        .steps
        .iter()
        .any(|step| matches!(&step.action, Action::Gap(gap) if gap.reason == GapReason::MidStream));
    if !middle {
        wire.send(Role::Client, Flags::SYN, &[])?;
        wire.send(Role::Server, Flags::SYN, &[])?;
        wire.send(Role::Client, Flags::NONE, &[])?;
    }
    for step in &exchange.steps {
        wire.step(step)?;
    }
    Ok(wire.packets)
}

/// Which bits of a segment are set, besides ACK.
#[derive(Debug, Clone, Copy)]
struct Flags {
    syn: bool,
    push: bool,
    fin: bool,
    reset: bool,
}

impl Flags {
    const NONE: Self = Self {
        syn: false,
        push: false,
        fin: false,
        reset: false,
    };
    const SYN: Self = Self {
        syn: true,
        ..Self::NONE
    };
    const FIN: Self = Self {
        fin: true,
        ..Self::NONE
    };
    const RESET: Self = Self {
        reset: true,
        ..Self::NONE
    };
}

/// A connection while its packets are made.
struct Wire {
    client: (Ipv4Addr, u16),
    now: Duration,
    /// The sides of which packets were captured: client, server.
    present: [bool; 2],
    /// What each side sends next.
    next: [u32; 2],
    /// Whether each side has sent anything, so that the other can acknowledge it.
    begun: [bool; 2],
    ended: [bool; 2],
    /// What is to be said with the next packet.
    comment: Vec<String>,
    packets: Vec<Written>,
}

impl Wire {
    fn new(exchange: &Vector, number: usize) -> Self {
        let about = &exchange.about;
        let mut comment = vec![format!(
            "{}: {} between {} (client) and {} (server), {}. Source: {}",
            exchange.name,
            about.draft,
            about.client,
            about.server,
            about.kind.name(),
            about.source
        )];
        comment.extend(
            about
                .partial
                .as_ref()
                .map(|why| format!("Not whole: {why}")),
        );
        let address = u32::from(CLIENTS) + (number / PORTS) as u32;
        Self {
            client: (address.into(), FIRST_PORT + (number % PORTS) as u16),
            now: about
                .date
                .as_deref()
                .and_then(date::parse)
                .unwrap_or_default(),
            present: [Role::Client, Role::Server].map(|side| about.stream(side).is_some()),
            next: FIRST,
            begun: [false; 2],
            ended: [false; 2],
            comment,
            packets: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        self.now += step.pause.unwrap_or_default();
        self.comment.extend(step.note.clone());
        let side = index(step.from);
        match &step.action {
            Action::Send(content) => {
                let mut rest = &content.octets[..];
                while !rest.is_empty() {
                    let (data, behind) = rest.split_at(rest.len().min(MOST_DATA));
                    let flags = Flags {
                        push: behind.is_empty(),
                        ..Flags::NONE
                    };
                    self.send(step.from, flags, data)?;
                    rest = behind;
                }
            }
            Action::Eof | Action::Close(Ending::Fin) => {
                if !std::mem::replace(&mut self.ended[side], true) {
                    self.send(step.from, Flags::FIN, &[])?;
                }
            }
            Action::Close(Ending::Reset) => {
                self.ended[side] = true;
                self.send(step.from, Flags::RESET, &[])?;
            }
            Action::Timeout(time) => {
                let silence = format!("The {} is silent for {time:?}", step.from);
                self.comment.push(silence);
            }
            Action::Gap(gap) => self.gap(step.from, *gap)?,
        }
        Ok(())
    }

    fn gap(&mut self, from: Role, gap: Gap) -> io::Result<()> {
        let longest = match gap.reason {
            GapReason::Snapped => LONGEST_SNAPPED,
            _ => LONGEST_GAP,
        };
        let mut octets = match gap.octets {
            Some(octets) if octets <= longest => octets,
            many => {
                let many = many.map_or_else(
                    || "unknown how many".to_owned(),
                    |many| format!("{many}, more than is shown"),
                );
                let gap = format!("Octets of the {from} are missing here, {many}");
                self.comment.push(gap);
                return Ok(());
            }
        };
        let side = index(from);
        if gap.reason == GapReason::Snapped {
            while octets > 0 {
                let data = vec![0; octets.min(MOST_DATA as u64) as usize];
                self.send(from, Flags::NONE, &data)?;
                octets -= data.len() as u64;
                // What it held is not known: it is cut off behind the headers.
                if let Some(packet) = self.packets.last_mut() {
                    packet.octets.truncate(packet.original - data.len());
                    packet.octets.shrink_to_fit();
                }
            }
            return Ok(());
        }
        self.begun[side] = true;
        self.next[side] = self.next[side].wrapping_add(octets as u32);
        if gap.reason == GapReason::MidStream {
            return Ok(());
        }
        // That the other side has them is all that is known of them.
        self.send(from.peer(), Flags::NONE, &[])
    }

    fn send(&mut self, from: Role, flags: Flags, data: &[u8]) -> io::Result<()> {
        let side = index(from);
        let sequence = self.next[side];
        let length = data.len() as u32 + u32::from(flags.fin);
        self.next[side] = sequence.wrapping_add(length);
        self.begun[side] = true;
        if !self.present[side] {
            return Ok(());
        }
        let acknowledgment = (self.begun[1 - side] || !flags.syn).then_some(self.next[1 - side]);
        let octets = self.packet(from, flags, sequence, acknowledgment, data)?;
        let comment = std::mem::take(&mut self.comment);
        self.packets.push(Written {
            time: self.now,
            original: octets.len(),
            octets,
            comment: (!comment.is_empty()).then(|| comment.join("\n")),
        });
        Ok(())
    }

    fn packet(
        &self,
        from: Role,
        flags: Flags,
        sequence: u32,
        acknowledgment: Option<u32>,
        data: &[u8],
    ) -> io::Result<Vec<u8>> {
        let ends = [self.client, (SERVER, PORT)];
        let side = index(from);
        let ((source, source_port), (destination, destination_port)) = (ends[side], ends[1 - side]);
        // A SYN stands for the number before the first octet.
        let sequence = sequence.wrapping_sub(flags.syn.into());
        let hardware = |side: usize| [2, 0, 0, 0, 0, side as u8]; // locally administered
        let mut step = PacketBuilder::ethernet2(hardware(side), hardware(1 - side))
            .ipv4(source.octets(), destination.octets(), 64)
            .tcp(source_port, destination_port, sequence, WINDOW);
        if let Some(acknowledgment) = acknowledgment {
            step = step.ack(acknowledgment);
        }
        if flags.syn {
            step = step.syn();
        }
        if flags.push {
            step = step.psh();
        }
        if flags.fin {
            step = step.fin();
        }
        if flags.reset {
            step = step.rst();
        }
        let mut octets = Vec::with_capacity(step.size(data.len()));
        step.write(&mut octets, data).map_err(io::Error::other)?;
        Ok(octets)
    }
}

fn index(side: Role) -> usize {
    match side {
        Role::Client => 0,
        Role::Server => 1,
    }
}
