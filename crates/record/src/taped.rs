//! What was seen of a connection: octets, gaps and ends of both sides, each
//! with its time.

use std::time::Duration;

use bytes::Bytes;
use draftgate_core::Role;
use draftgate_vectors::{Gap, GapReason};

/// Something that one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When, since the recording began.
    pub at: Duration,
    /// Which side.
    pub from: Role,
    /// What.
    pub did: Did,
}

/// What a side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It sent octets; not empty.
    Octets(Bytes),
    /// It sent octets that were not seen.
    Gap(Gap),
    /// It ended its half of the connection (FIN).
    Eof,
    /// It reset the connection (RST).
    Reset,
}

/// What was seen of one connection. The parts of one side must come in the
/// order of its stream; the two sides may come one after the other, and are put
/// in order by their times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taped {
    seen: Vec<Seen>,
}

impl Taped {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `from` sent `octets`.
    pub fn octets(&mut self, from: Role, at: Duration, octets: impl Into<Bytes>) {
        self.did(from, at, Did::Octets(octets.into()));
    }

    /// `from` sent octets that are missing: so many, if that is known.
    pub fn gap(&mut self, from: Role, at: Duration, octets: Option<u64>, reason: GapReason) {
        self.did(from, at, Did::Gap(Gap { octets, reason }));
    }

    /// `from` ended its half.
    pub fn eof(&mut self, from: Role, at: Duration) {
        self.did(from, at, Did::Eof);
    }

    /// `from` reset the connection.
    pub fn reset(&mut self, from: Role, at: Duration) {
        self.did(from, at, Did::Reset);
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Why octets are missing, of either side.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.seen.iter().filter_map(|seen| match &seen.did {
            Did::Gap(gap) => Some(gap),
            _ => None,
        })
    }

    /// All of it in the order of time; what has the same time stays in the
    /// order in which it was put in.
    pub fn in_order(&self) -> Vec<&Seen> {
        let mut all: Vec<_> = self.seen.iter().collect();
        all.sort_by_key(|seen| seen.at);
        all
    }

    /// Whether anything was recorded of `side`: not where the whole direction
    /// is missing.
    pub(crate) fn has(&self, side: Role) -> bool {
        let mut of_side = self.seen.iter().filter(|seen| seen.from == side).peekable();
        let missing = |seen: &Seen| {
            let gap = |gap: &Gap| gap.reason == GapReason::OneDirection;
            matches!(&seen.did, Did::Gap(it) if gap(it))
        };
        of_side.peek().is_none() || of_side.any(|seen| !missing(seen))
    }

    /// `from` did this; octets of which there are none are nothing.
    pub fn did(&mut self, from: Role, at: Duration, did: Did) {
        if matches!(&did, Did::Octets(octets) if octets.is_empty()) {
            return;
        }
        // A side's own order is that of its stream, whatever its clock says.
        let before = self.seen.iter().rfind(|seen| seen.from == from);
        let at = before.map_or(at, |before| before.at.max(at));
        self.seen.push(Seen { at, from, did });
    }
}
