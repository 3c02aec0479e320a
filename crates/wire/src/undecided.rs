//! The framing of a peer whose opening may be of two drafts: hixie-76 and
//! hybi-01 ask with the same head, and programs that announce hybi-02 may go on
//! as hixie-76 does. The first octet that the peer sends tells.
//!
//! Until then it is written to in the draft that the head announced.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Limits, Outbox, Passed, Role, Violation, WireClass};

use crate::{Dialect, Framing, Hybi, Opcode, Part, Sentinel};

/// One of two framings, the other until the first octet.
#[derive(Debug)]
pub struct Undecided {
    framing: Either,
    /// What it is if the first octet says so, and by which rules.
    other: Option<Box<(Either, &'static Dialect)>>,
}

#[derive(Debug)]
enum Either {
    Sentinel(Sentinel),
    Hybi(Hybi),
}

impl Undecided {
    /// hixie's frames, unless the peer begins as a client of the other does.
    pub fn sentinel(sentinel: Sentinel, other: Option<(Hybi, &'static Dialect)>) -> Self {
        Self {
            framing: Either::Sentinel(sentinel),
            other: other.map(|(hybi, dialect)| Box::new((Either::Hybi(hybi), dialect))),
        }
    }

    /// Frames with a header, unless the peer begins as a client of hixie-76 does.
    pub fn hybi(hybi: Hybi, other: Option<(Sentinel, &'static Dialect)>) -> Self {
        Self {
            framing: Either::Hybi(hybi),
            other: other.map(|(sentinel, dialect)| Box::new((Either::Sentinel(sentinel), dialect))),
        }
    }

    fn now(&self) -> &dyn Framing {
        match &self.framing {
            Either::Sentinel(sentinel) => sentinel,
            Either::Hybi(hybi) => hybi,
        }
    }

    fn now_mut(&mut self) -> &mut dyn Framing {
        match &mut self.framing {
            Either::Sentinel(sentinel) => sentinel,
            Either::Hybi(hybi) => hybi,
        }
    }
}

/// Whether a client of hybi-01 to -03 may begin so: with an opcode from 1 to 5,
/// and MORE or not.
pub(crate) fn begins_hybi(first: u8) -> bool {
    matches!(first, 0x01..=0x05 | 0x81..=0x85)
}

/// Whether a client of hixie-76 may begin so, and none of hybi: with a text or
/// with its end.
pub(crate) fn begins_sentinel(first: u8) -> bool {
    matches!(first, 0x00 | 0xff)
}

impl Framing for Undecided {
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        if self.other.is_some() {
            let Some(first) = input.first() else {
                return Ok(None);
            };
            let is_other = match self.framing {
                Either::Sentinel(_) => begins_hybi(*first),
                Either::Hybi(_) => begins_sentinel(*first),
            };
            if let Some(other) = self.other.take().filter(|_| is_other) {
                let (framing, dialect) = *other;
                self.framing = framing;
                return Ok(Some(Part::Decided(dialect)));
            }
        }
        match &mut self.framing {
            Either::Sentinel(sentinel) => sentinel.read(input, limits),
            Either::Hybi(hybi) => hybi.read(input, limits),
        }
    }

    fn pass<'i>(&self, input: &'i mut [u8], most: usize) -> Option<Passed<'i>> {
        match &self.framing {
            // The first one goes the long way, which decides.
            _ if self.other.is_some() => None,
            Either::Sentinel(sentinel) => sentinel.pass(input, most),
            Either::Hybi(hybi) => hybi.pass(input, most),
        }
    }

    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox) {
        self.now_mut().write(opcode, payload, out);
    }

    fn write_copied(&mut self, opcode: Opcode, payload: &[u8], out: &mut Outbox) {
        self.now_mut().write_copied(opcode, payload, out);
    }

    fn binary(&self) -> bool {
        self.now().binary()
    }

    fn fragments(&self) -> bool {
        self.now().fragments()
    }

    fn control(&self) -> Option<usize> {
        self.now().control()
    }

    fn filler(&self) -> Option<&'static [u8]> {
        self.now().filler()
    }

    fn class(&self) -> Option<WireClass> {
        self.now().class()
    }

    fn role(&self) -> Option<Role> {
        self.now().role()
    }
}
