//! Why there is no connection to an upstream: what its server said, or why
//! nobody said anything.

use std::io;

use draftgate_client::{Answered, ConnectError};
use draftgate_core::Draft;
use draftgate_drafts::opening::Refusal;

use crate::Busy;

/// An address that could not be connected to, and why.
#[derive(Debug)]
pub struct Attempt {
    /// The address, without name, password and what its query says.
    pub address: String,
    /// Why.
    pub why: ConnectError,
}

/// Why there is no connection to an upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered with another status than 101: what it says is for
    /// the client.
    #[error("the upstream {address} answers {} {} to {draft}; this is the server's own answer{}", answer.status, answer.reason, hint(*draft, answer.status))]
    Answered {
        /// The address, without name, password and what its query says.
        address: String,
        /// The draft of the request that it answered.
        draft: Draft,
        /// Its answer; of its fields those that pass a proxy.
        answer: Box<Answered>,
    },
    /// No address could be connected to.
    #[error("{}", unreachable(.0))]
    Unreachable(
        /// Every address that was tried, in order, and why not.
        Vec<Attempt>,
    ),
    /// There are as many connections as there may be.
    #[error("the upstream is busy: {0}")]
    Busy(#[from] Busy),
    /// The request cannot be said in any draft that is left.
    #[error("the upstream {address} cannot be asked for that: {refusal}; {}", refusal.remedy())]
    Unspeakable {
        /// The address, without name, password and what its query says.
        address: String,
        /// Why, as the draft says it.
        refusal: Refusal,
    },
}

impl Failure {
    /// The stable code: `upstream-busy`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "upstream-answered",
            Self::Unreachable(_) if self.is_timeout() => "upstream-timeout",
            Self::Unreachable(_) => "upstream-unreachable",
            Self::Busy(_) => "upstream-busy",
            Self::Unspeakable { .. } => "upstream-unspeakable",
        }
    }

    /// The status for the client: the server's own, else 504 for silence, 503
    /// for as many connections as there may be, 502 for the rest (RFC 9110
    /// §15.6).
    pub fn status(&self) -> u16 {
        match self {
            Self::Answered { answer, .. } => answer.status,
            Self::Unreachable(_) if self.is_timeout() => 504,
            Self::Busy(_) => 503,
            Self::Unreachable(_) | Self::Unspeakable { .. } => 502,
        }
    }

    /// Whether every address that was tried was silent.
    fn is_timeout(&self) -> bool {
        match self {
            Self::Unreachable(attempts) => {
                !attempts.is_empty() && attempts.iter().all(|attempt| is_silence(&attempt.why))
            }
            _ => false,
        }
    }
}

/// What such an answer may mean besides.
fn hint(draft: Draft, status: u16) -> &'static str {
    match (draft.version(), status) {
        (Some(_), 400 | 426 | 501) => {
            ", and servers of 2010 answer so to newer drafts: hixie is tried only where it is named"
        }
        _ => "",
    }
}

fn is_silence(error: &ConnectError) -> bool {
    match error {
        ConnectError::ConnectTimeout { .. } | ConnectError::OpeningTimeout { .. } => true,
        ConnectError::Connect { source, .. } => source.kind() == io::ErrorKind::TimedOut,
        ConnectError::NoDraft(tried) => tried.last().is_some_and(|(_, last)| is_silence(last)),
        _ => false,
    }
}

fn unreachable(attempts: &[Attempt]) -> String {
    match attempts {
        [] => "the upstream has no address; name one".to_owned(),
        [one] => format!(
            "the upstream {} cannot be reached: {}",
            one.address, one.why
        ),
        several => {
            let lines = several
                .iter()
                .map(|attempt| format!("\n  {}: {}", attempt.address, attempt.why));
            format!("no upstream can be reached:{}", lines.collect::<String>())
        }
    }
}
