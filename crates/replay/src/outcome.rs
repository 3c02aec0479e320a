//! What a replay came to, as values; the report is made from them.

use draftgate_core::{Draft, Role};
use draftgate_vectors::{Refused, Vector};

/// What one exchange came to in one role.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The name of the exchange.
    pub name: String,
    /// Its draft.
    pub draft: Draft,
    /// The role that was tested.
    pub role: Role,
    /// What it came to.
    pub outcome: Outcome,
}

impl Judged {
    pub(crate) fn new(vector: &Vector, role: Role, outcome: Outcome) -> Self {
        Self {
            name: vector.name.clone(),
            draft: vector.about.draft,
            role,
            outcome,
        }
    }

    /// Takes what `vector` says of `peer` into account: what it is known to do
    /// otherwise is no mismatch. The name of the peer need only begin so.
    pub fn known(&mut self, vector: &Vector, peer: &str) {
        let known = vector
            .deviations
            .iter()
            .find(|deviation| deviation.role == self.role && deviation.peer.starts_with(peer));
        let Some(known) = known else { return };
        let reason = known.reason.clone();
        self.outcome = match std::mem::replace(&mut self.outcome, Outcome::Passed) {
            Outcome::Mismatch(mismatch) => Outcome::Deviation { reason, mismatch },
            Outcome::Passed => Outcome::UnexpectedlyFine(reason),
            other => other,
        };
    }
}

/// What a replay came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// All is as expected.
    Passed,
    /// It was not replayed; the text says why.
    Skipped(String),
    /// Something is not as expected.
    Mismatch(Box<Mismatch>),
    /// Something is not as expected, and the file says so of this peer.
    Deviation {
        /// What the file says that the peer does instead.
        reason: String,
        /// What was seen.
        mismatch: Box<Mismatch>,
    },
    /// All is as expected, although the file says that this peer does
    /// otherwise: the text is what it says.
    UnexpectedlyFine(String),
}

impl Outcome {
    /// One word for it: `passed`, `skipped`, `mismatch`, `deviation`,
    /// `unexpectedly-fine`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped(_) => "skipped",
            Self::Mismatch(_) => "mismatch",
            Self::Deviation { .. } => "deviation",
            Self::UnexpectedlyFine(_) => "unexpectedly-fine",
        }
    }
}

/// What is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mismatch {
    /// What, in a sentence without its stop.
    pub what: String,
    /// How the streams were cut, and what else tells this replay from others.
    pub how: String,
    /// What should have come, an event or a fact in each line.
    pub expected: Vec<String>,
    /// What came.
    pub seen: Vec<String>,
    /// The names of the fields of the wire that differ, where octets can be
    /// laid beside each other.
    pub fields: Vec<String>,
    /// Those octets, annotated field by field; empty where there are none.
    pub octets: String,
}

impl Mismatch {
    /// A mismatch of one fact.
    pub(crate) fn of(
        what: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            what: what.into(),
            expected: vec![expected.into()],
            seen: vec![seen.into()],
            ..Self::default()
        })
    }

    /// TCP does not end `after` something.
    pub(crate) fn still_open(after: &str) -> Box<Self> {
        Self::of(
            format!("the connection does not end after {after}"),
            "the end of TCP",
            "it is still open",
        )
    }

    /// What should have come where the opening must be refused.
    pub(crate) fn due(refused: &Refused) -> String {
        let rules = refused.rules.join(" or ");
        format!("refused: {rules} ({})", refused.reason)
    }
}

/// Whether something is as expected.
pub(crate) type Compared = Result<(), Box<Mismatch>>;

impl From<Compared> for Outcome {
    fn from(result: Compared) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(mismatch) => Self::Mismatch(mismatch),
        }
    }
}
