//! What the octets of a connection are, field by field: for people who compare
//! drafts, read a recording or ask why a stream breaks.
//!
//! This is the one model of it: `explain` prints it, `compare` draws it,
//! `replay` names the field in which two streams differ, and a recorder learns
//! from it which octets are fresh in each run. It judges nothing that a codec
//! acts on; it looks at whole streams, after the fact, and may be slow.
//!
//! Its judgement is that of the codecs, read from the same tables, but for the
//! limits, which are a receiver's own: a frame of any length is dissected.
//!
//! ```
//! use bytes::Bytes;
//! use draftgate_core::{BadUtf8, Closing, Draft, Role};
//! use draftgate_wire::{Breach, Dialect, dissect::{Frames, Stream}};
//!
//! static DIALECT: Dialect = Dialect {
//!     draft: Draft::Hixie76,
//!     closing: Closing::Marker,
//!     bad_utf8: BadUtf8::Repair,
//!     undefined_codes: Breach::Tolerated,
//! };
//! let frames = Frames::Sentinel { closing: DIALECT.closing };
//! let octets = Bytes::from_static(b"\x00Hello\xff\xff\x00");
//! let units: Vec<_> = Stream::new(frames, &DIALECT, Role::Client, octets).collect();
//! assert_eq!(units[0].fields[1].value, "\"Hello\"");
//! assert_eq!((units[0].overhead(), units[1].offset), (2, 7));
//! ```

mod carried;
mod closing;
mod encoded;
mod head;
mod hybi;
mod sentinel;
mod stream;
mod values;

use bytes::Bytes;
use draftgate_core::{Closing, Draft, Role, Rule};

pub use stream::Stream;
pub use values::{hex, printed, quoted};

use crate::Layout;

/// How a draft lays out its frames, as a value: what a dissector needs in the
/// place of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// `00 … FF` and length-prefixed frames (hixie-75 §4.2, hixie-76 §4.2).
    Sentinel {
        /// Whether `FF 00` closes.
        closing: Closing,
    },
    /// A header with opcode and length (hybi-01 on).
    Hybi(&'static Layout),
}

/// One thing that one side wrote: a head, the octets of a proof, a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What it is.
    pub what: What,
    /// The draft by whose rules it was read.
    pub draft: Draft,
    /// Which side wrote it.
    pub from: Role,
    /// Where it begins in the stream of that side, in octets.
    pub offset: u64,
    /// As it is on the wire.
    pub octets: Bytes,
    /// In the order of [`Field::start_bit`]. Together they cover every octet,
    /// and none of them covers a bit of another.
    pub fields: Vec<Field>,
    /// What is XORed, again and again, with all that stands behind the masking key:
    /// the key itself, or 20 octets made from it (hybi-04); empty without one.
    pub mask: Bytes,
    /// What a frame carries, unmasked; empty for what is no frame.
    pub payload: Bytes,
    /// What an extension made the payload of, if it was agreed on one and this
    /// frame says that it is such.
    pub decoded: Option<Box<Decoded>>,
    /// What a carrier holds, of the octets that are in one: their offsets count
    /// from the beginning of what it holds.
    pub within: Vec<Self>,
    /// Whether the stream ended before the unit did.
    pub cut_off: bool,
    /// Where and why it breaks its draft.
    pub fault: Option<Fault>,
    /// The rules that it breaks and its draft does not insist on: it counts all
    /// the same.
    pub tolerated: Vec<Rule>,
    /// Whether it holds text that is not UTF-8, in which receivers of its draft
    /// put U+FFFD.
    pub repaired: bool,
    /// Whether receivers throw it away: a frame of a type that the draft tells
    /// them to discard, or what follows a Close.
    pub discarded: bool,
}

impl Unit {
    /// Octets on the wire that are not payload.
    pub fn overhead(&self) -> u64 {
        (self.octets.len() - self.payload.len()) as u64
    }

    /// The first breach of it, or of what it carries.
    pub fn first_fault(&self) -> Option<(&Self, &Fault)> {
        let own = self.fault.as_ref().map(|fault| (self, fault));
        own.or_else(|| self.within.iter().find_map(Self::first_fault))
    }

    /// The octets of `field`, as they are on the wire; every octet that it
    /// touches, if it is a few bits of one.
    pub fn octets_of(&self, field: &Field) -> &[u8] {
        let begin = (field.start_bit / 8) as usize;
        let end = (field.start_bit + field.len_bits).div_ceil(8) as usize;
        self.octets.get(begin..end).unwrap_or_default()
    }
}

/// What the payload of a frame was before an extension encoded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// How many octets that is; with [`Decoded::bounded`] more than that.
    pub length: u64,
    /// As a person reads it.
    pub value: String,
    /// Whether there is more than anybody would look at: it was not decoded further.
    pub bounded: bool,
}

/// What a [`Unit`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// The request of the opening handshake, with its empty line.
    Request,
    /// The answer to it, with its empty line.
    Answer,
    /// The 8 octets behind a request of hixie-76 (key3).
    Challenge,
    /// The 16 octets behind an answer of hixie-76.
    Digest,
    /// The frame in front of all others by which a side of hello-00 proves that it
    /// has read the other's nonce.
    Hello,
    /// A frame.
    Frame,
    /// What cannot be told: octets after a fault, or before anything known.
    Unknown,
}

/// A field of a [`Unit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the terms of the draft: `FIN`, `opcode`, `masking key`; of
    /// a head the name of the field as it was sent.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its first bit, counted from the first bit of the unit on the wire.
    pub start_bit: u64,
    /// How many bits it has.
    pub len_bits: u64,
    /// As a person reads it: `1`, `text`, `5`, `37 fa 21 3d`, `"Hello"`;
    /// unmasked, where the wire is masked.
    pub value: String,
    /// What is worth knowing, in a sentence.
    pub note: Option<String>,
}

/// Kinds of fields: for colours, and for who asks what is fresh in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The type octet of a frame of hixie.
    FrameType,
    /// FIN, MORE or MASK.
    Flag,
    /// Reserved bits.
    Reserved,
    /// The opcode.
    Opcode,
    /// A length, the extended one, too.
    Length,
    /// A masking key.
    MaskingKey,
    /// Application data.
    Payload,
    /// The status code of a Close.
    StatusCode,
    /// The reason of a Close.
    Reason,
    /// The `FF` behind a text of hixie.
    Terminator,
    /// The first line of a head.
    StartLine,
    /// A field of a head that is as it is in every run.
    HeadField,
    /// A key that the client chose: `Sec-WebSocket-Key`, -Key1, -Key2, key3.
    Key,
    /// What the server made of the keys: `Sec-WebSocket-Accept`, the 16 octets.
    Proof,
    /// `Date` and whatever else is the clock's.
    Date,
    /// A secret: `Cookie`, `Authorization` and their like.
    Secret,
    /// The empty line that ends a head.
    End,
    /// What cannot be told.
    Unknown,
}

/// Where and why a stream breaks its draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The bit of the unit at which it shows.
    pub at_bit: u64,
    /// The code of the rule: of a [`Rule`] or a
    /// [`RefusalKind`](crate::opening::RefusalKind).
    pub code: &'static str,
    /// The rule in a sentence.
    pub sentence: String,
    /// Where the draft says so: `RFC 6455 §5.1`; `None` where no text is known.
    pub section: Option<&'static str>,
}
