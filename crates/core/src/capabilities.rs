//! What a draft can say, and how much a peer may say.

use std::fmt;

use crate::Strictness;

/// Which end of a connection a codec speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent the opening request.
    Client,
    /// The end that answered it.
    Server,
}

impl Role {
    /// The other end.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `client` or `server`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a draft ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// hixie-75: no closing handshake, either end closes TCP.
    Absent,
    /// hixie-76: the two octets `FF 00`, no code and no reason.
    Marker,
    /// hybi-01 to -04 and hello-00: a frame whose body is opaque and echoed.
    Echoed,
    /// hybi-05: a frame whose body is `C` from the client and `S` from the server.
    Lettered,
    /// hybi-06 on: a frame with a status code and a reason, both optional.
    Coded,
}

/// What the peer of a codec can be told. `translate` decides by it; nothing
/// else should ask which draft a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Binary messages can be sent.
    pub binary: bool,
    /// Ping and pong frames exist.
    pub ping: bool,
    /// A message may be sent in fragments.
    pub fragments: bool,
    /// How the draft closes.
    pub closing: Closing,
}

/// How much a peer may send, and how strictly it is judged. All sizes are octets
/// of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest frame.
    pub frame: u64,
    /// The longest message, all its fragments together.
    pub message: u64,
    /// The most fragments one message may come in; 0 is taken for 1.
    pub fragments: u32,
    /// What is let pass beyond the draft's own rules.
    pub strictness: Strictness,
}

impl Default for Limits {
    /// 16 MiB a frame and a message, 65,536 fragments: what browsers send in
    /// one piece fits, and one peer cannot take a machine's memory.
    fn default() -> Self {
        Self {
            frame: 16 << 20,
            message: 16 << 20,
            fragments: 65_536,
            strictness: Strictness::default(),
        }
    }
}
