//! One archived exchange in memory: who spoke, which octets, what to expect.
//! Streams are put together from the steps on demand and not stored twice.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Role};
use serde::Deserialize;

use crate::{Expectation, Head};

/// One archived exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The path below the directory it was loaded from, without `.toml`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Where the exchange comes from.
    pub about: About,
    /// What went over the connection, in order.
    pub steps: Vec<Step>,
    /// What a server must make of the client's stream.
    pub(crate) server: Expectation,
    /// What a client must make of the server's stream.
    pub(crate) client: Expectation,
}

/// Where an exchange comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The draft spoken, or meant to be spoken.
    pub draft: Draft,
    /// How the octets came to us.
    pub kind: Kind,
    /// What the two did: `text`, `close`, `handshake` …
    pub scenario: String,
    /// Implementation and version of the client.
    pub client: String,
    /// Implementation and version of the server.
    pub server: String,
    /// How it was recorded, or where it was published.
    pub source: String,
    /// When, as far as it is known: `2012-01-27`, `2010-2011`.
    pub date: Option<String>,
    /// What the publisher changed or left out.
    pub altered: Option<String>,
    /// What was put back or put in to make the exchange whole.
    pub restored: Option<String>,
    /// What is worth knowing about it.
    pub note: Option<String>,
    /// The client's stream; `None` if it was not recorded, which is not the
    /// same as a recorded stream of no octets.
    pub client_stream: Option<Stream>,
    /// The server's stream; `None` if it was not recorded.
    pub server_stream: Option<Stream>,
}

/// How the octets of an exchange came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Recorded between two programs.
    Captured,
    /// Quoted from a public text.
    Published,
}

/// What one side's stream must come to; checked when a vector is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its length.
    pub octets: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// One piece of one side's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which side wrote it.
    pub from: Role,
    /// What it is, for people.
    pub note: Option<String>,
    /// How the file writes it.
    pub content: Content,
}

/// How a file writes the octets of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// As text, line ends spelt out.
    Text(Bytes),
    /// In hexadecimal.
    Hex(Bytes),
    /// In a file of its own beside the vector.
    File {
        /// Its name.
        name: String,
        /// What it holds.
        octets: Bytes,
    },
}

impl Content {
    /// The octets.
    pub fn octets(&self) -> &Bytes {
        match self {
            Self::Text(octets) | Self::Hex(octets) | Self::File { octets, .. } => octets,
        }
    }
}

impl About {
    /// What the stream that `side` wrote must come to; `None` if it was not recorded.
    pub fn stream(&self, side: Role) -> Option<&Stream> {
        match side {
            Role::Client => self.client_stream.as_ref(),
            Role::Server => self.server_stream.as_ref(),
        }
    }
}

impl Vector {
    /// Everything that `side` wrote.
    pub fn octets(&self, side: Role) -> Bytes {
        let mut whole = BytesMut::new();
        for step in self.steps.iter().filter(|step| step.from == side) {
            whole.extend_from_slice(step.content.octets());
        }
        whole.freeze()
    }

    /// The request (of the client) or the answer (of the server); `None` if it
    /// was not recorded as far as its empty line.
    pub fn head(&self, side: Role) -> Option<Head> {
        Head::of(&self.octets(side))
    }

    /// What `side` wrote after its head: frames, and before them key3 (client)
    /// or the 16 octets of MD5 (server) in hixie-76. Empty without a whole head.
    pub fn after_head(&self, side: Role) -> Bytes {
        let mut octets = self.octets(side);
        match Head::of(&octets) {
            Some(head) => octets.split_off(head.octets().len()),
            None => Bytes::new(),
        }
    }

    /// The 8 octets that end a request of hixie-76; `None` in another draft
    /// and where they are missing.
    pub fn key3(&self) -> Option<[u8; 8]> {
        if self.about.draft != Draft::Hixie76 {
            return None;
        }
        self.after_head(Role::Client).first_chunk().copied()
    }

    /// What `role` must make of the stream of its peer.
    pub fn expectation(&self, role: Role) -> &Expectation {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}
