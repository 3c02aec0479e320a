//! One TCP connection: two halves, and who opened it.

use std::net::SocketAddr;

use draftgate_core::Role;
use draftgate_record::Did;
use draftgate_vectors::Gap;

use crate::{
    half::{At, Half},
    segment::Segment,
};

/// The addresses of a connection, the lesser first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ends(SocketAddr, SocketAddr);

impl Ends {
    pub(crate) fn of(segment: &Segment<'_>) -> Self {
        Self(segment.from.min(segment.to), segment.from.max(segment.to))
    }
}

/// A connection, while it is being read.
#[derive(Debug)]
pub(crate) struct Connection {
    /// In the order of [`Ends`].
    ends: [SocketAddr; 2],
    halves: [Half; 2],
    /// Which of the two opened it, if that was seen.
    opener: Option<usize>,
    /// Its first packet.
    pub(crate) first: At,
    /// Whether it was already asked if it is a WebSocket.
    pub(crate) judged: bool,
}

/// One thing that one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) from: Role,
    pub(crate) at: At,
    pub(crate) did: Did,
}

impl Connection {
    pub(crate) fn new(segment: &Segment<'_>, first: At) -> Self {
        let Ends(one, other) = Ends::of(segment);
        Self {
            ends: [one, other],
            halves: [Half::default(), Half::default()],
            opener: None,
            first,
            judged: false,
        }
    }

    /// Whether `segment` opens another connection between the same addresses.
    pub(crate) fn is_over_before(&self, segment: &Segment<'_>) -> bool {
        if !segment.syn || segment.reset {
            return false;
        }
        let own = &self.halves[self.side(segment)];
        own.is_another(segment.sequence.wrapping_add(1))
    }

    /// Takes a segment. Returns what it costs to keep.
    pub(crate) fn take(&mut self, segment: &Segment<'_>, at: At) -> u64 {
        let side = self.side(segment);
        let other = 1 - side;
        if segment.syn {
            let opener = if segment.acknowledgment.is_some() {
                other
            } else {
                side
            };
            self.opener.get_or_insert(opener);
        }
        let mut cost = 0;
        if let (Some(acknowledged), false) = (segment.acknowledgment, segment.reset) {
            // A SYN that answers a SYN, and the ACK behind it, name where the
            // stream of the other side begins.
            let handshake = segment.syn
                || segment.octets.is_empty()
                    && self.halves[side].is_at_its_beginning(segment.sequence)
                    && !self.halves[other].has_octets();
            if handshake && !self.halves[other].begun() {
                self.halves[other].begin(acknowledged);
            }
            cost += self.halves[other].acknowledge(acknowledged, at);
        }
        cost + self.halves[side].take(segment, at)
    }

    /// Which half `segment` belongs to.
    fn side(&self, segment: &Segment<'_>) -> usize {
        usize::from(segment.from != self.ends[0])
    }

    /// Whether any octet was sent, or is missing.
    pub(crate) fn is_empty(&self) -> bool {
        !self.halves.iter().any(Half::has_octets)
    }

    /// The side that opened it; `None` if that was not seen.
    pub(crate) fn opener(&self) -> Option<usize> {
        self.opener
    }

    /// The address of a side.
    pub(crate) fn address(&self, side: usize) -> SocketAddr {
        self.ends[side]
    }

    /// The first octets of a side, as far as they are whole.
    pub(crate) fn front(&self, side: usize, most: usize) -> Vec<u8> {
        self.halves[side].front(most)
    }

    /// Whether the beginning of the stream of `side` is known.
    pub(crate) fn begun(&self, side: usize) -> bool {
        self.halves[side].begun()
    }

    /// Whether a packet of `side` was seen.
    pub(crate) fn seen(&self, side: usize) -> bool {
        self.halves[side].seen()
    }

    /// What the two did, in the order of the capture, `client` being that side.
    pub(crate) fn deeds(self, client: usize) -> Deeds {
        let [one, other] = self.halves.map(|half| half.done(self.first));
        let (client, server) = match client {
            0 => (one, other),
            _ => (other, one),
        };
        let differing = client.differing + server.differing;
        let after_end = client.after_end + server.after_end;
        let mut both: Vec<Deed> = Vec::with_capacity(client.did.len() + server.did.len());
        for (from, done) in [(Role::Client, client), (Role::Server, server)] {
            let deed = |(at, did)| Deed { from, at, did };
            both.extend(done.did.into_iter().map(deed));
        }
        both.sort_by_key(|deed| deed.at.packet); // stable: each side keeps its order
        let mut deeds: Vec<Deed> = Vec::with_capacity(both.len());
        for deed in both {
            let absorbed = deeds
                .last_mut()
                .is_some_and(|last| last.from == deed.from && absorbs(&mut last.did, &deed.did));
            if !absorbed {
                deeds.push(deed);
            }
        }
        Deeds {
            deeds,
            differing,
            after_end,
        }
    }
}

/// What the two sides of a connection did.
#[derive(Debug)]
pub(crate) struct Deeds {
    pub(crate) deeds: Vec<Deed>,
    /// Octets that were sent again, and were others then.
    pub(crate) differing: u64,
    /// Octets behind the end of a stream.
    pub(crate) after_end: u64,
}

/// Makes one gap of two for the same reason, one behind the other.
fn absorbs(did: &mut Did, next: &Did) -> bool {
    match (did, next) {
        (Did::Gap(gap), Did::Gap(next)) if gap.reason == next.reason => {
            let octets = gap.octets.zip(next.octets);
            *gap = Gap {
                octets: octets.and_then(|(a, b)| a.checked_add(b)),
                ..*gap
            };
            true
        }
        _ => false,
    }
}
