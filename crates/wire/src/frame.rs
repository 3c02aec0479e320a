//! Frames, and what a framing hands to the state machine.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Limits, Notice, Outbox, Passed, Role, Violation, WireClass};

use crate::Dialect;

/// What a frame is for, whatever number the draft gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of the message begun before.
    Continuation,
    /// Text, or its first fragment.
    Text,
    /// Binary, or its first fragment.
    Binary,
    /// The closing handshake.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

impl Opcode {
    /// What the drafts call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }

    /// Whether this is a control frame, which is never fragmented.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What is known of a frame before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub opcode: Opcode,
    /// Whether it ends its message.
    pub fin: bool,
    /// The reserved bits that an extension gives a meaning, as they stand in the
    /// first octet; none where there is no extension.
    pub reserved: u8,
    /// Octets of payload, where the framing says so in front (hixie's text frame does not).
    pub length: Option<u64>,
}

/// A whole frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub opcode: Opcode,
    /// Whether it ends its message.
    pub fin: bool,
    /// As in [`Header::reserved`].
    pub reserved: u8,
    /// The payload.
    pub payload: BytesMut,
}

/// What a framing found next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A frame that lay in the input as a whole. Control frames always come so.
    Whole(Frame),
    /// A data frame begins; its payload follows in `Data`.
    Begin(Header),
    /// More of the payload, unmasked; never empty.
    Data(BytesMut),
    /// The payload is complete.
    End,
    /// A frame that the draft says to discard was discarded.
    Skipped {
        /// Its type octet or opcode.
        frame_type: u8,
        /// Octets of payload.
        octets: u64,
    },
    /// Something about the frame that comes next which the draft lets pass.
    Noticed(Notice),
    /// The first octet showed which of two drafts the peer speaks: this one.
    Decided(&'static Dialect),
}

/// How a draft lays frames on the wire. Looks at every octet once and keeps its
/// place between calls.
pub trait Framing: Debug + Send {
    /// Takes the next part from the front of `input`; `None` if it needs more.
    ///
    /// # Errors
    /// The peer broke the framing, or `limits.frame`.
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation>;

    /// [`Codec::pass`](draftgate_core::Codec::pass), where no message has begun,
    /// for a payload of up to `most` octets.
    fn pass<'i>(&self, input: &'i mut [u8], most: usize) -> Option<Passed<'i>>;

    /// Writes one whole frame. The machine has asked [`binary`](Self::binary)
    /// and [`control`](Self::control) before.
    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox);

    /// The same with a payload that lies elsewhere, so that it is always copied.
    fn write_copied(&mut self, opcode: Opcode, payload: &[u8], out: &mut Outbox);

    /// Whether binary messages can be written.
    fn binary(&self) -> bool;

    /// Whether a message may be cut into fragments.
    fn fragments(&self) -> bool;

    /// Whether ping and pong exist, and the longest body they may have.
    fn control(&self) -> Option<usize>;

    /// Octets that every peer discards in silence.
    fn filler(&self) -> Option<&'static [u8]>;

    /// The class of peers that are sent the same octets for the same message.
    fn class(&self) -> Option<WireClass>;

    /// Which end it writes for; `None` where the frames of both ends are the same.
    fn role(&self) -> Option<Role>;

    /// [`Codec::connection_mask`](draftgate_core::Codec::connection_mask).
    fn connection_mask(&self) -> Option<[u8; 20]> {
        None
    }
}
