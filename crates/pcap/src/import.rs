//! From capture files to conversations: every TCP connection in them is kept
//! until the end, because a late packet may still close a hole, and then those
//! that are WebSocket are handed out. What no WebSocket can be is let go as
//! soon as its first octets say so, and memory is bounded for each connection
//! and for all: one beyond that is named and left out, the others stay whole.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    net::SocketAddr,
};

use draftgate_core::Draft;

use crate::{
    Conversation, FileError, LeftOut, Skipped, Why,
    connection::{Connection, Ends},
    conversation::conversation,
    half::At,
    packets,
    segment::{Segment, segment},
    told,
};

/// How much memory an import may take, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For one connection.
    pub connection: u64,
    /// For all of them.
    pub total: u64,
}

impl Default for Bounds {
    /// 64 MiB for a connection, 1 GiB in all.
    fn default() -> Self {
        Self {
            connection: 64 << 20,
            total: 1 << 30,
        }
    }
}

/// What is known of the connections beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Ports of servers: connections to them are WebSocket, whether or not
    /// their request was captured.
    pub ports: Vec<u16>,
    /// The draft of connections whose request does not tell it.
    pub draft: Option<Draft>,
}

/// What was read, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets in all.
    pub packets: u64,
    /// TCP connections.
    pub connections: u64,
    /// Packets that held no segment, by reason.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Packets of connections for which not even a note was to be had.
    pub unnoted: u64,
}

/// What a connection costs besides its octets: itself and its place in the map.
const CONNECTION: u64 = 640;
/// What the note costs that one was left out.
const NOTE: u64 = 160;

/// Reads captures. Several files are read like one, in the order given.
#[derive(Debug)]
pub struct Import {
    bounds: Bounds,
    hints: Hints,
    live: HashMap<Ends, Tracked>,
    over: Vec<Tracked>,
    used: u64,
    counts: Counts,
}

/// A connection and what is kept of it.
#[derive(Debug)]
struct Tracked {
    number: u64,
    opening: (SocketAddr, SocketAddr),
    cost: u64,
    kept: Result<Box<Connection>, Why>,
}

/// What an import gives for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A WebSocket.
    Conversation(Conversation),
    /// Anything else.
    LeftOut(LeftOut),
}

impl Import {
    /// An import that has read nothing yet.
    pub fn new(bounds: Bounds, hints: Hints) -> Self {
        Self {
            bounds,
            hints,
            live: HashMap::new(),
            over: Vec::new(),
            used: 0,
            counts: Counts::default(),
        }
    }

    /// Reads a file to its end.
    ///
    /// # Errors
    /// [`FileError`]; what was read before the fault stays.
    pub fn read(&mut self, file: impl Read + Send) -> Result<(), FileError> {
        packets::read(file, &mut |packet| {
            let at = At {
                packet: self.counts.packets,
                time: packet.time,
            };
            self.counts.packets += 1;
            match segment(&packet) {
                Ok(segment) => self.take(&segment, at),
                Err(skipped) => *self.counts.skipped.entry(skipped).or_default() += 1,
            }
        })
    }

    /// What was read so far, in numbers.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Every connection, in the order of their first packets. Each is put
    /// together only when it is asked for.
    pub fn finish(self) -> impl Iterator<Item = Found> {
        let Self {
            live,
            mut over,
            hints,
            ..
        } = self;
        over.extend(live.into_values());
        over.sort_by_key(|tracked| tracked.number);
        over.into_iter().map(move |tracked| tracked.found(&hints))
    }

    fn take(&mut self, segment: &Segment<'_>, at: At) {
        let ends = Ends::of(segment);
        let reopened = self
            .live
            .get(&ends)
            .is_some_and(|tracked| match &tracked.kept {
                Ok(connection) => connection.is_over_before(segment),
                // It is not known any more which SYN opened it; one without ACK
                // that comes again is worth a new look.
                Err(_) => segment.syn && segment.acknowledgment.is_none(),
            });
        if reopened && let Some(tracked) = self.live.remove(&ends) {
            self.over.push(tracked);
        }
        if !self.live.contains_key(&ends) {
            self.counts.connections += 1;
            if self.used + NOTE > self.bounds.total {
                self.counts.unnoted += 1;
                return;
            }
            let fits = self.used + CONNECTION <= self.bounds.total;
            let cost = if fits { CONNECTION } else { NOTE };
            self.used += cost;
            let kept = match fits {
                true => Ok(Box::new(Connection::new(segment, at))),
                false => Err(Why::MemoryFull),
            };
            let tracked = Tracked {
                number: self.counts.connections,
                opening: (segment.from, segment.to),
                cost,
                kept,
            };
            self.live.insert(ends, tracked);
        }
        let Some(tracked) = self.live.get_mut(&ends) else {
            return;
        };
        let Ok(connection) = &mut tracked.kept else {
            return;
        };
        let cost = connection.take(segment, at);
        tracked.cost += cost;
        self.used += cost;
        let why = if tracked.cost > self.bounds.connection {
            Some(Why::TooLarge)
        } else if self.used > self.bounds.total {
            Some(Why::MemoryFull)
        } else if told::is_no_websocket(connection, &self.hints) {
            Some(Why::NotWebSocket)
        } else {
            None
        };
        if let Some(why) = why {
            self.used = self.used - tracked.cost + NOTE;
            tracked.cost = NOTE;
            tracked.kept = Err(why);
        }
    }
}

impl Tracked {
    fn found(self, hints: &Hints) -> Found {
        let (from, to) = self.opening;
        let left_out = |why| {
            Found::LeftOut(LeftOut {
                number: self.number,
                from,
                to,
                why,
            })
        };
        let connection = match self.kept {
            Ok(connection) => *connection,
            Err(why) => return left_out(why),
        };
        match told::judge(&connection, hints) {
            Err(why) => left_out(why),
            Ok(judgement) => Found::Conversation(conversation(self.number, connection, judgement)),
        }
    }
}
