//! What an import leaves out, and why, in words for the person who asked for it.

use std::net::SocketAddr;

/// A connection that gives no conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Its number among all TCP connections of the capture, from 1.
    pub number: u64,
    /// Who opened it, or sent first.
    pub from: SocketAddr,
    /// The other one.
    pub to: SocketAddr,
    /// Why.
    pub why: Why,
}

/// Why a connection is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Why {
    /// It opens no WebSocket.
    NotWebSocket,
    /// No octet of it was captured.
    Empty,
    /// It begins before the capture, or its request is missing.
    MidStream,
    /// It is a WebSocket, but its request does not say in which draft.
    DraftUnknown,
    /// It needs more memory than a connection may take.
    TooLarge,
    /// All connections together would need more memory than they may take.
    MemoryFull,
}

impl Why {
    /// The reason in a sentence, and what to do.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotWebSocket => "it opens no WebSocket",
            Self::Empty => "no octet was captured of it",
            Self::MidStream => {
                "its request was not captured; if it is a WebSocket, name the server's port (--port) and the draft (--draft)"
            }
            Self::DraftUnknown => {
                "its request does not tell the draft; name it (--draft), and the server's port (--port)"
            }
            Self::TooLarge => "it is larger than a connection may be; raise --max-connection",
            Self::MemoryFull => "all connections together are too large; raise --max-total",
        }
    }

    /// Whether a bound is to blame, and not the connection.
    pub fn is_a_bound(self) -> bool {
        matches!(self, Self::TooLarge | Self::MemoryFull)
    }
}
