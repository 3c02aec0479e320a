//! Why a step did not pass. One enum for all steps: whoever runs them prints the
//! sentence and stops, nobody decides by the variant.

use std::io;
use std::process::ExitStatus;

use thiserror::Error;

/// Why a step did not pass; each sentence says what, why and what to do.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A program that the step cannot do without is not there.
    #[error("{tool} is missing: {why}; {remedy}")]
    Missing {
        tool: &'static str,
        why: &'static str,
        remedy: &'static str,
    },
    /// A program is there but did not start.
    #[error("`{command}` did not start: {source}")]
    Start { command: String, source: io::Error },
    /// A program ran and said no; what it printed stands above.
    #[error("`{command}` failed ({status}); what it printed stands above")]
    Command { command: String, status: ExitStatus },
    /// The pipe to a running program broke.
    #[error("the output of `{command}` could not be read: {source}")]
    Output { command: String, source: io::Error },
    /// A test run succeeded without a word about tests.
    #[error(
        "`{command}` ran no tests that it reports; have its summary lines changed? see crates/xtask/src/runner.rs"
    )]
    NoTests { command: String },
    /// `cargo metadata` answered what this program does not understand.
    #[error(
        "`cargo metadata` answered something unexpected: {0}; see crates/xtask/src/metadata.rs"
    )]
    Metadata(serde_json::Error),
    /// cargo did not name the machine it builds for.
    #[error("`cargo --version --verbose` names no host; is this cargo from https://rustup.rs?")]
    Host,
    /// What other systems need to be compiled for is not installed.
    #[error("the standard libraries of other systems are missing: `rustup target add {0}`")]
    Targets(String),
    /// No date to give to what is packed.
    #[error(
        "neither SOURCE_DATE_EPOCH (seconds since 1970) nor a git checkout gives the packages a date"
    )]
    Date,
    /// A document of ours is not what is packed from it.
    #[error("{path}: {what}")]
    Source { path: String, what: String },
    /// A file of the workspace could not be read.
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    /// A rule of ours is broken, once per line.
    #[error("{}", list(.0))]
    Findings(Vec<String>),
    /// Instructions could not be counted, or are not those of the baseline.
    #[error("{0}")]
    Counts(String),
    /// What the tests need could not be installed.
    #[error("{0}")]
    Install(String),
}

impl Failure {
    /// Passes when a rule found nothing.
    pub(crate) fn if_any(findings: Vec<String>) -> Result<(), Self> {
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Self::Findings(findings))
        }
    }
}

fn list(findings: &[String]) -> String {
    let mut text = format!("{} broken:", count(findings.len(), "rule"));
    for finding in findings {
        text.push_str("\n  - ");
        text.push_str(finding);
    }
    text
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_and_listed() {
        let failure = Failure::if_any(vec!["a".into(), "b".into()]).unwrap_err();
        assert_eq!(failure.to_string(), "2 rules broken:\n  - a\n  - b");
        assert!(Failure::if_any(Vec::new()).is_ok());
    }
}
