//! What a probe says: each draft in a line, what was found, what to do. The
//! order of findings is that of their weight.

use std::{collections::BTreeSet, time::Duration};

use draftgate_core::Draft;

use crate::{Conversation, Finding, FindingKind, Front, Weight, advice::Advice, request::Request};

/// Everything that a probe has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was probed: a URL without its password, or where a request is from.
    pub target: String,
    /// What stands at the address; `None` where there was none to ask.
    pub front: Option<Front>,
    /// The recorded request; `None` if a server was probed.
    pub request: Option<Request>,
    /// Each draft that was tried, oldest first.
    pub drafts: Vec<Tried>,
    /// What was found, the heaviest first.
    pub findings: Vec<Finding>,
    /// What to do.
    pub advice: Advice,
}

/// One draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub draft: Draft,
    /// How it came out.
    pub verdict: Verdict,
    /// From the request to the answer's first octet.
    pub answered: Option<Duration>,
    /// The answer's status.
    pub status: Option<u16>,
    /// The subprotocol that was chosen.
    pub subprotocol: Option<String>,
    /// What was said once it was open.
    pub conversation: Option<Conversation>,
}

/// How a draft came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Works,
    /// It works on these terms.
    WorksIf(Vec<Term>),
    /// It fails, for this reason.
    Fails(FindingKind),
}

/// What must be so that a draft works.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// The answer is judged leniently.
    Lenient,
    /// This origin is claimed; `None`: none is.
    Origin(Option<String>),
}

impl Verdict {
    /// A stable word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::WorksIf(_) => "works-if",
            Self::Fails(_) => "fails",
        }
    }

    /// Whether it works, be it on terms.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Fails(_))
    }
}

impl Term {
    /// The term as people write it.
    pub fn sentence(&self) -> String {
        match self {
            Self::Lenient => "the answer is judged leniently (--answer-checks lenient)".into(),
            Self::Origin(Some(origin)) => format!("the origin is {origin} (--origin {origin})"),
            Self::Origin(None) => "no origin is claimed".into(),
        }
    }
}

impl Report {
    /// Whether anything works: a draft, or the recorded request, which must be
    /// whole.
    pub fn works(&self) -> bool {
        match &self.request {
            Some(request) => {
                const BAD: [FindingKind; 2] =
                    [FindingKind::RecordedBody, FindingKind::RecordedKey3Missing];
                let bad = |found: &Finding| BAD.contains(&found.kind);
                request.refused.is_empty() && !self.findings.iter().any(bad)
            }
            None => self.drafts.iter().any(|tried| tried.verdict.is_good()),
        }
    }

    /// Puts what was found in order: the same of several drafts becomes one
    /// finding, the heaviest come first.
    pub(crate) fn settle(mut self) -> Self {
        let mut merged: Vec<Finding> = Vec::new();
        for finding in self.findings {
            let same = merged.iter_mut().find(|other| {
                other.kind == finding.kind
                    && said_alike(&other.seen, &finding.seen)
                    && other.fix == finding.fix
                    && other.shown == finding.shown
            });
            match same {
                Some(other) => {
                    let drafts: BTreeSet<Draft> = other
                        .drafts
                        .iter()
                        .chain(&finding.drafts)
                        .copied()
                        .collect();
                    other.drafts = drafts.into_iter().collect();
                }
                None => merged.push(finding),
            }
        }
        merged.sort_by_key(|finding| std::cmp::Reverse(finding.kind.weight()));
        self.findings = merged;
        self.advice = Advice::of(&self);
        self
    }

    /// The findings about `draft`, those about all drafts among them.
    pub fn about(&self, draft: Draft) -> impl Iterator<Item = &Finding> {
        let about =
            move |finding: &&Finding| finding.drafts.is_empty() || finding.drafts.contains(&draft);
        self.findings.iter().filter(about)
    }

    /// How many findings weigh so much.
    pub fn count(&self, weight: Weight) -> usize {
        let of = |finding: &&Finding| finding.kind.weight() == weight;
        self.findings.iter().filter(of).count()
    }
}

/// Whether two texts differ by numbers alone, as by the ids that servers give to
/// each request.
fn said_alike(one: &str, other: &str) -> bool {
    let words =
        |text: &'_ str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    words(one) == words(other)
}
