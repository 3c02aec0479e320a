//! How a connection ended: the one thing that every log line, metric and
//! caller needs. A value and no error: most connections end as they should.

use std::{fmt, io};

use bytes::Bytes;
use draftgate_core::{Draft, Rule, Text};

/// How a connection ended, and what went over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The draft that was spoken: where the opening heads leave a choice, the one
    /// that the peer's first octet showed.
    pub draft: Draft,
    /// Who ended it.
    pub by: By,
    /// The status code: the peer's if it ended the connection, else the one we
    /// wished to send, even where the draft cannot carry it. `None`: there was
    /// none.
    pub code: Option<u16>,
    /// The reason that came or went with the code; often empty.
    pub reason: Text,
    /// What ended it.
    pub why: Why,
    /// Whether the opening was done.
    pub opened: bool,
    /// What went over it.
    pub stats: Stats,
    /// Where the peer broke its draft, what of its octets was not taken yet, at
    /// most the 14 of a frame's header: a frame that breaks by its header
    /// begins them. Else empty.
    pub unread: Bytes,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum By {
    /// The other end.
    Peer,
    /// We.
    Us,
    /// What lies between.
    Transport,
    /// The other connection of a pair, to which this one is relayed.
    Upstream,
}

impl By {
    /// A stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Us => "us",
            Self::Transport => "transport",
            Self::Upstream => "upstream",
        }
    }
}

/// What ended a connection. The text is for people, [`Why::code`] for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// [`Sender::abort`](crate::Sender::abort) was called.
    #[error("aborted")]
    Aborted,
    /// The closing handshake, or what was to be sent before it, took too long.
    #[error("the closing handshake was not finished in time")]
    CloseTimeout,
    /// The peer sent nothing, not even a pong.
    #[error("the peer sent nothing for too long")]
    IdleTimeout,
    /// Reading or writing failed.
    #[error("the transport failed: {0}")]
    Io(io::ErrorKind),
    /// A message was begun and its rest came too slowly, or not at all.
    #[error("the peer began a message and did not finish it in time")]
    MessageTimeout,
    /// The rest of the opening did not come (hixie-76: key3).
    #[error("the opening handshake was not finished in time")]
    OpeningTimeout,
    /// The peer closed as its draft says.
    #[error("the peer closed")]
    PeerClosed,
    /// The peer closed TCP without the closing handshake of its draft, or
    /// before the opening was done.
    #[error("the peer went away without closing")]
    PeerGone,
    /// We were asked to close.
    #[error("closed on request")]
    Requested,
    /// The send queue was full and [`Overflow::Close`](crate::Overflow::Close) holds.
    #[error("the peer reads more slowly than it is sent to")]
    SlowConsumer,
    /// The upstream closed, and so did we.
    #[error("the upstream closed")]
    UpstreamClosed,
    /// The upstream was lost, or ended for a reason that is not the peer's.
    #[error("the upstream was lost")]
    UpstreamLost,
    /// The peer broke its draft.
    #[error("the peer broke its draft: {0}")]
    Violation(Rule),
    /// The peer accepted what it was sent too slowly, or not at all.
    #[error("the peer took too little of what it was sent, or nothing")]
    WriteTimeout,
}

impl Why {
    /// Every kind of end, in alphabetical order of its code. One error and one
    /// rule stand for all of theirs.
    pub const KINDS: [Self; 14] = [
        Self::Aborted,
        Self::CloseTimeout,
        Self::IdleTimeout,
        Self::Io(io::ErrorKind::ConnectionReset),
        Self::MessageTimeout,
        Self::OpeningTimeout,
        Self::PeerClosed,
        Self::PeerGone,
        Self::Requested,
        Self::SlowConsumer,
        Self::UpstreamClosed,
        Self::UpstreamLost,
        Self::Violation(Rule::NotUtf8),
        Self::WriteTimeout,
    ];

    /// A stable word for logs and metrics; a violation's own word is
    /// [`Rule::code`].
    pub fn code(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::CloseTimeout => "close-timeout",
            Self::IdleTimeout => "idle-timeout",
            Self::Io(_) => "io",
            Self::MessageTimeout => "message-timeout",
            Self::OpeningTimeout => "opening-timeout",
            Self::PeerClosed => "peer-closed",
            Self::PeerGone => "peer-gone",
            Self::Requested => "requested",
            Self::SlowConsumer => "slow-consumer",
            Self::UpstreamClosed => "upstream-closed",
            Self::UpstreamLost => "upstream-lost",
            Self::Violation(_) => "violation",
            Self::WriteTimeout => "write-timeout",
        }
    }
}

/// What went over a connection. Payloads are counted as the application sees
/// them, octets as they went over the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Messages from the peer.
    pub messages_in: u64,
    /// Messages to the peer, encoded; what was still on its way at the end included.
    pub messages_out: u64,
    /// How many of `messages_in` are binary; the others are text.
    pub binary_in: u64,
    /// How many of `messages_out` are binary, as the peer is told them: what was
    /// rendered as text for its draft is text.
    pub binary_out: u64,
    /// Octets of payload in `messages_in`.
    pub payload_in: u64,
    /// Octets of payload in `messages_out`.
    pub payload_out: u64,
    /// Octets read, those handed over in [`Start::received`](crate::Start::received) included.
    pub octets_in: u64,
    /// Octets written, our head included.
    pub octets_out: u64,
    /// Pings from the peer.
    pub pings_in: u64,
    /// Pings to the peer.
    pub pings_out: u64,
    /// Pongs from the peer.
    pub pongs_in: u64,
    /// [Notices](draftgate_core::Notice) of the codec.
    pub notices: u64,
    /// Items dropped because the send queue was full.
    pub dropped: u64,
    /// Items that the draft could not say.
    pub unsayable: u64,
    /// Items queued but not wholly handed to the transport when it ended.
    pub lost: u64,
}

impl Stats {
    /// Of a connection over which nothing went.
    pub(crate) const NOTHING: Self = Self {
        messages_in: 0,
        messages_out: 0,
        binary_in: 0,
        binary_out: 0,
        payload_in: 0,
        payload_out: 0,
        octets_in: 0,
        octets_out: 0,
        pings_in: 0,
        pings_out: 0,
        pongs_in: 0,
        notices: 0,
        dropped: 0,
        unsayable: 0,
        lost: 0,
    };
}

impl fmt::Display for Closed {
    /// One line, as "closed by the peer, code 1000 (done): the peer closed".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.by {
            By::Peer => "closed by the peer",
            By::Us => "closed by us",
            By::Transport => "cut by the transport",
            By::Upstream => "closed by the upstream",
        })?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        if !self.reason.is_empty() {
            // Escaped: a reason comes from the peer and must not forge a log line.
            write!(f, " ({})", self.reason.to_string().escape_debug())?;
        }
        write!(f, ": {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_is_one_line_whatever_the_reason_holds() {
        let closed = Closed {
            draft: Draft::Hybi13,
            by: By::Peer,
            code: Some(4000),
            reason: "bye\nfake line".into(),
            why: Why::PeerClosed,
            opened: true,
            stats: Stats::default(),
            unread: Bytes::new(),
        };
        assert_eq!(
            closed.to_string(),
            r"closed by the peer, code 4000 (bye\nfake line): the peer closed"
        );
    }

    #[test]
    fn kinds_of_ends_have_codes_of_their_own() {
        let codes = Why::KINDS.map(Why::code);
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
    }

    #[test]
    fn an_end_without_code_says_none() {
        let closed = Closed {
            draft: Draft::Hybi13,
            by: By::Us,
            code: None,
            reason: "".into(),
            why: Why::Violation(Rule::MaskMissing),
            opened: true,
            stats: Stats::default(),
            unread: Bytes::new(),
        };
        assert_eq!(
            closed.to_string(),
            "closed by us: the peer broke its draft: a frame from the client is not masked"
        );
        assert_eq!(closed.why.code(), "violation");
    }
}
