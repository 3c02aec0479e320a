//! The report for programs: one object, whose names are those of the table.

use serde::Serialize;

use super::{Against, Counts, Report};
use crate::{Mismatch, Outcome};

/// The version of what is written here; a new field does not change it.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Whole<'a> {
    report: u32,
    against: &'static str,
    url: Option<&'a str>,
    peer: Option<&'a str>,
    seconds: f64,
    counts: Counts,
    exchanges: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct One<'a> {
    name: &'a str,
    draft: &'static str,
    role: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    what: &'a str,
    how: &'a str,
    expected: &'a [String],
    seen: &'a [String],
    fields: &'a [String],
    octets: &'a str,
}

impl Report {
    /// The report as JSON.
    ///
    /// # Errors
    /// The library cannot write it, which no report brings about.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let (against, url) = match &self.against {
            Against::Codecs => ("codecs", None),
            Against::Server(url) => ("server", Some(url.as_str())),
            Against::Clients(url) => ("clients", Some(url.as_str())),
        };
        let exchanges = self.judged.iter().map(|one| {
            let (reason, mismatch) = match &one.outcome {
                Outcome::Passed => (None, None),
                Outcome::Skipped(why) | Outcome::UnexpectedlyFine(why) => (Some(why), None),
                Outcome::Mismatch(mismatch) => (None, Some(mismatch)),
                Outcome::Deviation { reason, mismatch } => (Some(reason), Some(mismatch)),
            };
            One {
                name: &one.name,
                draft: one.draft.name(),
                role: one.role.name(),
                outcome: one.outcome.word(),
                reason: reason.map(String::as_str),
                mismatch: mismatch.map(|mismatch| details(mismatch)),
            }
        });
        let whole = Whole {
            report: VERSION,
            against,
            url,
            peer: self.peer.as_deref(),
            seconds: self.took.as_secs_f64(),
            counts: self.counts(),
            exchanges: exchanges.collect(),
        };
        serde_json::to_string_pretty(&whole).map(|text| text + "\n")
    }
}

fn details(mismatch: &Mismatch) -> Details<'_> {
    let Mismatch {
        what,
        how,
        expected,
        seen,
        fields,
        octets,
    } = mismatch;
    Details {
        what,
        how,
        expected,
        seen,
        fields,
        octets,
    }
}
