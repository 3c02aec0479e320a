//! One archived exchange in memory: who did what, which octets, what to expect.
//! Streams are put together from the steps on demand and not stored twice.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Role};
use serde::Deserialize;

use crate::{Content, Expectation, Head, load::sha256};

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
    /// Peers that are known to do otherwise.
    pub deviations: Vec<Deviation>,
}

/// Where an exchange comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The draft spoken, or meant to be spoken.
    pub draft: Draft,
    /// How the octets came to us.
    pub kind: Kind,
    /// Which roles the exchange tests: none is tested twice.
    pub roles: Vec<Role>,
    /// What the two did: `text`, `close`, `handshake` …
    pub scenario: String,
    /// Implementation and version of the client.
    pub client: String,
    /// Implementation and version of the server.
    pub server: String,
    /// How it was recorded, or where it was published.
    pub source: String,
    /// When, as far as it is known: `2012-01-27`, `2010 to 2011`.
    pub date: Option<String>,
    /// What the publisher changed or left out.
    pub altered: Option<String>,
    /// What was put back or put in to make the exchange whole.
    pub restored: Option<String>,
    /// What is worth knowing about it.
    pub note: Option<String>,
    /// Of a constructed exchange: what it is derived from, and why it is there.
    pub basis: Option<String>,
    /// Of a reconstructed exchange: the source of each field of the head, and
    /// of their `order`.
    pub attested: BTreeMap<String, String>,
    /// Words to choose exchanges by.
    pub tags: Vec<String>,
    /// What the server does with messages, if it does it with all of them.
    pub service: Option<Service>,
    /// Why octets are missing, where some are.
    pub partial: Option<String>,
    /// The client's stream; `None` if it was not recorded, which is not the
    /// same as a recorded stream of no octets.
    pub client_stream: Option<Stream>,
    /// The server's stream; `None` if it was not recorded.
    pub server_stream: Option<Stream>,
}

/// How the octets of an exchange came to us. The four are never mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Recorded between two programs.
    Captured,
    /// Quoted from a public text.
    Published,
    /// Put together from sources that attest each field and their order.
    Reconstructed,
    /// Written to show one rule; no program is known to have sent it.
    Constructed,
}

impl Kind {
    /// The name that stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Published => "published",
            Self::Reconstructed => "reconstructed",
            Self::Constructed => "constructed",
        }
    }
}

/// What a server does with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// It gives every message back.
    Echo,
}

/// A peer that is known to do otherwise than the exchange expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Implementation and version: `websocket-driver 0.6.5 (npm)`.
    pub peer: String,
    /// The role in which it deviates.
    pub role: Role,
    /// What it does instead.
    pub reason: String,
    /// Where that is known from.
    pub source: Option<String>,
}

/// What one side's stream must come to; checked when a vector is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its length.
    pub octets: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// One thing that one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which side.
    pub from: Role,
    /// The time since the step before, if it was recorded.
    pub pause: Option<Duration>,
    /// What it is, for people.
    pub note: Option<String>,
    /// What it did.
    pub action: Action,
}

impl Step {
    /// The octets that the side sent, if that is what it did.
    pub fn content(&self) -> Option<&Content> {
        match &self.action {
            Action::Send(content) => Some(content),
            _ => None,
        }
    }
}

/// What one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It sent octets.
    Send(Content),
    /// It ended its half of the connection, and still reads.
    Eof,
    /// It is gone: it neither sends nor reads.
    Close(Ending),
    /// It stays silent. The other side must have ended the connection when
    /// this time is over.
    Timeout(Duration),
    /// It sent octets that the recording lacks.
    Gap(Gap),
}

/// How a side that is gone ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// By FIN.
    Fin,
    /// By RST.
    Reset,
}

/// Octets that are known to be missing; never invented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many, if that is known.
    pub octets: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

/// Why octets are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// Packets of them are not in the capture.
    Lost,
    /// The capture begins after they were sent.
    MidStream,
    /// The capture holds the other direction only.
    OneDirection,
    /// The capture cut long packets off.
    Snapped,
    /// A bound of the recorder was reached.
    Bounded,
}

impl GapReason {
    /// The name that stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::MidStream => "mid-stream",
            Self::OneDirection => "one-direction",
            Self::Snapped => "snapped",
            Self::Bounded => "bounded",
        }
    }
}

impl Stream {
    /// What `octets` come to.
    pub fn of(octets: &[u8]) -> Self {
        Self {
            octets: octets.len() as u64,
            sha256: sha256(octets),
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
    /// An exchange that no file holds yet; `name` is what the file is to be
    /// called, without `.toml`.
    pub fn new(
        name: String,
        about: About,
        steps: Vec<Step>,
        server: Expectation,
        client: Expectation,
    ) -> Self {
        Self {
            path: PathBuf::from(format!("{name}.toml")),
            name,
            about,
            steps,
            server,
            client,
            deviations: Vec::new(),
        }
    }

    /// Everything that `side` wrote.
    pub fn octets(&self, side: Role) -> Bytes {
        let mut whole = BytesMut::new();
        for step in self.steps.iter().filter(|step| step.from == side) {
            if let Some(content) = step.content() {
                whole.extend_from_slice(&content.octets);
            }
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
