//! What many replays came to, as a table for people, as JSON and as JUnit for
//! programs. All three are made from the same values.

mod json;
mod junit;
mod table;

use std::{collections::BTreeMap, time::Duration};

use draftgate_core::Draft;

use crate::{Judged, Outcome};
pub use table::Table;

/// What was replayed against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// The codecs of this workspace.
    Codecs,
    /// The server at this URL.
    Server(String),
    /// Clients that came to this URL.
    Clients(String),
}

/// What many replays came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was replayed against.
    pub against: Against,
    /// The name of the peer whose known deviations were taken into account.
    pub peer: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Each replay, in the order of the files.
    pub judged: Vec<Judged>,
}

/// How many replays came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// As expected.
    pub passed: usize,
    /// Known deviations of the peer that was named.
    pub deviations: usize,
    /// As expected, although a deviation of the peer is known.
    pub unexpectedly_fine: usize,
    /// Not as expected.
    pub mismatches: usize,
    /// Not replayed.
    pub skipped: usize,
}

impl Counts {
    fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut counts = Self::default();
        for one in judged {
            let count = match one.outcome {
                Outcome::Passed => &mut counts.passed,
                Outcome::Skipped(_) => &mut counts.skipped,
                Outcome::Mismatch(_) => &mut counts.mismatches,
                Outcome::Deviation { .. } => &mut counts.deviations,
                Outcome::UnexpectedlyFine(_) => &mut counts.unexpectedly_fine,
            };
            *count += 1;
        }
        counts
    }

    /// How many were replayed.
    pub fn replayed(&self) -> usize {
        self.passed + self.deviations + self.unexpectedly_fine + self.mismatches
    }
}

impl Report {
    /// How many replays came to what.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.judged)
    }

    /// The same for each draft and role.
    fn rows(&self) -> BTreeMap<(Draft, &'static str), Counts> {
        let mut rows: BTreeMap<_, Vec<&Judged>> = BTreeMap::new();
        for one in &self.judged {
            rows.entry((one.draft, one.role.name()))
                .or_default()
                .push(one);
        }
        let counted = rows.into_iter();
        counted
            .map(|(row, judged)| (row, Counts::of(judged)))
            .collect()
    }

    fn against(&self) -> String {
        match &self.against {
            Against::Codecs => "our own codecs".to_owned(),
            Against::Server(url) => format!("the server at {url}"),
            Against::Clients(url) => format!("clients at {url}"),
        }
    }
}

#[cfg(test)]
mod tests;
