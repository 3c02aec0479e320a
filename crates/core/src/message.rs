//! What travels: messages, what may be sent and what may be received.

use bytes::Bytes;

use crate::{COPIED, Close, Rule, Text, TextRef};

/// One whole message, whatever fragments it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, proved to be UTF-8.
    Text(Text),
    /// Octets.
    Binary(Bytes),
}

impl Message {
    /// Length of the payload in octets.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    /// The same message in memory of its own if it is small, so that ten
    /// octets kept for a slow peer do not keep a read buffer alive.
    #[must_use]
    pub fn unpinned(self) -> Self {
        if self.len() > COPIED {
            return self;
        }
        match self {
            Self::Text(text) => Self::Text(Text::from_validated(Bytes::copy_from_slice(
                text.as_bytes(),
            ))),
            Self::Binary(octets) => Self::Binary(Bytes::copy_from_slice(&octets)),
        }
    }

    /// The payload's octets.
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(octets) => octets,
        }
    }

    /// The same message where it lies.
    pub fn as_ref(&self) -> MessageRef<'_> {
        match self {
            Self::Text(text) => MessageRef::Text(text.as_ref()),
            Self::Binary(octets) => MessageRef::Binary(octets),
        }
    }
}

/// One whole message where it lies, in a buffer that is somebody else's: what
/// is answered or passed on at once needs no memory and no count of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageRef<'a> {
    /// Text, proved to be UTF-8.
    Text(TextRef<'a>),
    /// Octets.
    Binary(&'a [u8]),
}

impl<'a> MessageRef<'a> {
    /// The payload's octets.
    pub fn payload(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(octets) => octets,
        }
    }

    /// Length of the payload in octets.
    pub fn len(self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(self) -> bool {
        self.payload().is_empty()
    }

    /// Whether it is binary.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// A copy in memory of its own.
    pub fn to_message(self) -> Message {
        match self {
            Self::Text(text) => Message::Text(text.to_text()),
            Self::Binary(octets) => Message::Binary(Bytes::copy_from_slice(octets)),
        }
    }
}

/// A message that was found at the front of some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed<'a> {
    /// What it says.
    pub message: MessageRef<'a>,
    /// How many octets its frame takes, header and payload.
    pub octets: usize,
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// What a codec can be asked to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A whole message.
    Message(Message),
    /// A ping with its body.
    Ping(Bytes),
    /// A pong with its body.
    Pong(Bytes),
    /// The closing handshake, ours or our answer to the peer's; `None` says no code.
    Close(Option<Close>),
    /// Octets that the peer discards in silence (hixie-75: `80 00`, unless it
    /// is sent binary in such frames), to keep what lies between awake where
    /// the draft has no ping.
    Filler,
}

/// What a codec found in the octets of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The opening is done; messages may be sent from now on. Comes exactly once.
    Opened,
    /// A whole message.
    Message(Message),
    /// A ping. Its pong is already in the outbox, unless our Close was sent before.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The peer began or answered the closing handshake. `None`: it gave no code.
    Close(Option<Close>),
    /// Something worth a counter or a log line, no fault.
    Notice(Notice),
}

/// Things a draft lets pass that an operator may want to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// A frame of a type that the draft says to discard.
    Discarded {
        /// The frame type octet (hixie) or the opcode (hybi).
        frame_type: u8,
        /// Octets of payload thrown away.
        octets: u64,
    },
    /// Octets that were not UTF-8 became U+FFFD, as the drafts before hybi-10 say.
    Repaired {
        /// How many U+FFFD stand in their place.
        replacements: u64,
    },
    /// The peer broke a rule which its draft does not insist on: what it said
    /// counts all the same.
    Tolerated {
        /// Which rule.
        rule: Rule,
    },
    /// A pong that answers no ping of ours.
    UnsolicitedPong,
    /// Octets came after the peer's Close, or after the end of a connection
    /// without one (hixie-75, a failure); they were thrown away.
    AfterClose {
        /// How many.
        octets: u64,
    },
}
