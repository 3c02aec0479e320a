//! Whole streams of octets, field by field, in any draft: heads, the octets
//! behind them, frames.
//!
//! The field model is `draftgate_wire::dissect`; here is what takes the table
//! of drafts: which draft a request is in or why it is none, whether an answer
//! belongs to it, where the frames begin. Whatever the octets are, all of them
//! are in the units, and nothing panics.
//!
//! ```
//! use draftgate_core::{Draft, Role};
//! use draftgate_drafts::dissect::Dissected;
//!
//! let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
//!     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x80\0\0\0\0";
//! let seen = Dissected::of(&request[..], &b""[..], None);
//! assert_eq!(seen.told, Some(Ok(Draft::Hybi13)));
//! assert_eq!(seen.units(Role::Client).len(), 2);
//! ```

mod answer;
mod dissecting;
mod guess;
mod hello;
mod live;
mod notes;
mod request;
mod sections;

pub use dissecting::{Dissecting, Side};
pub use guess::{Fit, Reading, readings};
pub use live::Live;

use std::borrow::Cow;

use bytes::Bytes;
use draftgate_core::{Codec, Draft, Role, Strictness};
pub use draftgate_wire::dissect::{Fault, Field, Kind, Stream, Unit, What};
use draftgate_wire::{
    Derived, Dialect,
    opening::{HeadMalformed, Refusal},
};

use crate::{acceptor, dialects, not_built, spoken, versions};

/// Both sides of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissected {
    /// The draft by whose rules it was read: the one that was given, else the
    /// one that the request is in.
    pub draft: Option<Draft>,
    /// What the request says of itself, whichever draft was given; `None`
    /// without a whole request.
    pub told: Option<Result<Draft, Refused>>,
    /// What the client sent.
    pub client: Vec<Unit>,
    /// What the server sent.
    pub server: Vec<Unit>,
}

/// A request that no server would serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// The stable code; that of the [`Refusal`], or `head-malformed`.
    pub code: &'static str,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        // A server's answer names them in a field of its own.
        let enabled: Vec<Draft> = spoken().collect();
        Self {
            code: refusal.code(),
            sentence: sections::sentence(refusal),
            remedy: match refusal.lists_versions() {
                true => format!("{} (versions: {})", refusal.remedy(), versions(&enabled)).into(),
                false => refusal.remedy().into(),
            },
        }
    }
}

impl From<HeadMalformed> for Refused {
    fn from(malformed: HeadMalformed) -> Self {
        Self {
            code: "head-malformed",
            sentence: malformed.to_string(),
            remedy: "correct the client; spaces and quotes in a path must be percent-encoded"
                .into(),
        }
    }
}

impl Dissected {
    /// Dissects what both sides sent, either of which may be empty or begin
    /// after its head. Without a `draft` the request's is taken; where neither
    /// is to be had, frames are [`What::Unknown`].
    pub fn of(client: impl Into<Bytes>, server: impl Into<Bytes>, draft: Option<Draft>) -> Self {
        let seen = Dissecting::of(client, server, draft);
        Self {
            draft: seen.draft,
            told: seen.told,
            client: seen.client.collect(),
            server: seen.server.collect(),
        }
    }

    /// What `side` sent.
    pub fn units(&self, side: Role) -> &[Unit] {
        match side {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// The first fault of each side.
    pub fn faults(&self) -> impl Iterator<Item = (&Unit, &Fault)> {
        [&self.client, &self.server]
            .into_iter()
            .filter_map(|side| side.iter().find_map(Unit::first_fault))
    }
}

/// What `from` sent in `draft`, beginning with its head or behind it.
pub fn stream(draft: Draft, from: Role, octets: impl Into<Bytes>) -> Vec<Unit> {
    units(draft, from, None, octets.into())
        .into_iter()
        .flatten()
        .collect()
}

/// Where the opening is not there, it agreed on `extensions`; `None` if it cannot
/// have.
fn units(draft: Draft, from: Role, extensions: Option<&str>, octets: Bytes) -> Option<Side> {
    let [client, server] = match from {
        Role::Client => [octets, Bytes::new()],
        Role::Server => [Bytes::new(), octets],
    };
    let seen = Dissecting::of(client, server, Some(draft));
    let seen = match extensions {
        Some(extensions) => seen.with_extensions(extensions).ok()?,
        None => seen,
    };
    Some(seen.side(from))
}

/// The frames of `draft` in `octets`, which `from` sent after the opening.
///
/// # Errors
/// The draft is not spoken, so that nothing is known of its frames.
pub fn frames(draft: Draft, from: Role, octets: Bytes) -> Result<Stream, Refusal> {
    frames_under(Strictness::STRICT, draft, from, octets)
}

/// The same, judged under `strictness`.
///
/// # Errors
/// As [`frames`].
pub fn frames_under(
    strictness: Strictness,
    draft: Draft,
    from: Role,
    octets: Bytes,
) -> Result<Stream, Refusal> {
    let acceptor = acceptor(draft)?;
    let (frames, dialect) = match acceptor.judged(strictness) {
        Some(rules) => rules,
        None => (acceptor.frames(), dialect(draft)?),
    };
    Ok(Stream::new(frames, dialect, from, octets))
}

/// The frames in `octets`, which `from` sent on the connection of which `codec` is
/// an end, its own or the other.
///
/// # Errors
/// Those of [`frames`].
pub fn frames_of(codec: &dyn Codec, from: Role, octets: Bytes) -> Result<Stream, Refusal> {
    let derived = codec.connection_mask().map(Derived::of_connection);
    Ok(frames(codec.draft(), from, octets)?.derived(derived))
}

/// Whether `octets` begin with the head of `from`, or with so much of one as is
/// there: with a method, or with `HTTP/`. A server that answers with a request
/// has a head, if a wrong one. No frame of hybi begins like that, but for a
/// masking key by chance.
pub fn begins_with_head(from: Role, octets: &[u8]) -> bool {
    let word = octets.iter().take_while(|o| o.is_ascii_uppercase()).count();
    let method = (1..20).contains(&word) && octets.get(word).is_none_or(|o| *o == b' ');
    match from {
        Role::Client => method,
        Role::Server => method || octets.starts_with(b"HTTP/"),
    }
}

fn dialect(draft: Draft) -> Result<&'static Dialect, Refusal> {
    dialects()
        .find(|dialect| dialect.draft == draft)
        .ok_or_else(|| not_built(draft))
}

pub(crate) fn newest() -> Draft {
    spoken().last().unwrap_or(Draft::ALL[Draft::ALL.len() - 1])
}
