//! What is said around the steps: which one runs, how long it took, what to type
//! to run a failed one alone, and, last of all, the test runner's own summary.

use std::fmt::Write as _;
use std::time::Duration;

use crate::step::{Closing, Context, Step};

/// A clock for reports. The workspace bans std's because tests cannot pause it;
/// this program waits for nothing and has no tests to pause.
#[allow(
    clippy::disallowed_types,
    reason = "it measures steps, it times nothing"
)]
type Clock = std::time::Instant;

/// `--quick` promises to take no longer than this.
const QUICK_LIMIT: Duration = Duration::from_secs(180);

/// How a run went so far.
#[derive(Debug)]
pub(crate) struct Report {
    steps: Vec<Step>,
    quick: bool,
    ended: Vec<Ended>,
    closing: Closing,
}

#[derive(Debug)]
struct Ended {
    step: Step,
    took: Duration,
    passed: bool,
}

impl Report {
    /// A report of the run of these steps.
    pub(crate) fn new(steps: &[Step], quick: bool) -> Self {
        Self {
            steps: steps.to_vec(),
            quick,
            ended: Vec::new(),
            closing: Closing::default(),
        }
    }

    /// Announces and runs one step; whether it passed.
    pub(crate) fn run(&mut self, step: Step, context: &Context<'_>) -> bool {
        let name = step.name();
        println!("\n== {}/{} {name}", self.ended.len() + 1, self.steps.len());
        let start = Clock::now();
        let result = step.run(context, &mut self.closing);
        let took = start.elapsed();
        let passed = result.is_ok();
        match result {
            Ok(()) => println!("== {name} passed in {}", seconds(took)),
            Err(e) => {
                eprintln!("error: {name} failed after {}: {e}", seconds(took));
                let quick = if self.quick { " --quick" } else { "" };
                eprintln!("run it alone with: cargo xtask test{quick} --only {name}");
            }
        }
        self.ended.push(Ended { step, took, passed });
        passed
    }

    /// Whether every step ran and passed.
    pub(crate) fn passed(&self) -> bool {
        self.ended.len() == self.steps.len() && self.ended.iter().all(|ended| ended.passed)
    }

    /// Prints the closing words.
    pub(crate) fn print(&self) {
        print!("\n{}", self.text());
    }

    /// The table of times, what was left out, and the runner's summary.
    fn text(&self) -> String {
        let mut text = String::from("step          time\n");
        for step in &self.steps {
            let ended = self.ended.iter().find(|ended| ended.step == *step);
            let told = ended.map_or_else(|| "not run".to_owned(), |ended| seconds(ended.took));
            let failed = match ended {
                Some(ended) if !ended.passed => "  FAILED",
                _ => "",
            };
            line(&mut text, &format!("{:<10} {told:>8}{failed}", step.name()));
        }
        let total = self.ended.iter().map(|ended| ended.took).sum::<Duration>();
        line(&mut text, &format!("{:<10} {:>8}", "all", seconds(total)));
        if self.quick {
            self.tell_left_out(&mut text, total);
        }
        for (of, summary) in [
            ("doc tests", &self.closing.doc_tests),
            ("tests", &self.closing.tests),
        ] {
            if !summary.is_empty() {
                line(&mut text, &format!("\n{of}:"));
            }
            for told in summary {
                line(&mut text, told);
            }
        }
        text
    }

    fn tell_left_out(&self, text: &mut String, total: Duration) {
        line(text, "");
        line(text, "left out by --quick:");
        line(text, "  install (cargo xtask test --only install)");
        if let Some(names) = &self.closing.left_out {
            let number = names.len();
            line(
                text,
                &format!("  tests that talk to what it installs: {number}"),
            );
            for name in names {
                line(text, &format!("    {name}"));
            }
        }
        if total > QUICK_LIMIT {
            let limit = seconds(QUICK_LIMIT);
            line(
                text,
                &format!(
                    "note: longer than the {limit} that --quick promises once dependencies are compiled"
                ),
            );
        }
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(quick: bool, passed: &[bool]) -> Report {
        let steps = [Step::Fmt, Step::Tests, Step::Docs];
        let mut report = Report::new(&steps, quick);
        report.ended = steps
            .into_iter()
            .zip(passed)
            .map(|(step, passed)| Ended {
                step,
                took: Duration::from_millis(1500),
                passed: *passed,
            })
            .collect();
        report.closing.doc_tests = vec!["test result: ok. 2 passed".to_owned()];
        report.closing.tests = vec!["     Summary [0.1s] 1 test run".to_owned()];
        report
    }

    #[test]
    fn the_runner_has_the_last_word() {
        let text = report(false, &[true, true, true]).text();
        assert_eq!(text.lines().last(), Some("     Summary [0.1s] 1 test run"));
        assert!(text.contains("fmt           1.5 s\n"), "{text}");
        assert!(text.contains("all           4.5 s\n"), "{text}");
        assert!(!text.contains("left out"), "{text}");
    }

    #[test]
    fn a_failed_step_and_those_after_it_are_told() {
        let failed = report(false, &[true, false]);
        assert!(!failed.passed());
        let text = failed.text();
        assert!(text.contains("1.5 s  FAILED"), "{text}");
        assert!(text.contains("docs        not run"), "{text}");
        assert!(!report(false, &[true, true]).passed(), "docs did not run");
        assert!(report(false, &[true, true, true]).passed());
    }

    #[test]
    fn quick_names_what_it_left_out() {
        let mut report = report(true, &[true, true, true]);
        report.closing.left_out = Some(vec!["foreign_a".to_owned()]);
        let text = report.text();
        assert!(
            text.contains("install (cargo xtask test --only install)"),
            "{text}"
        );
        assert!(
            text.contains("tests that talk to what it installs: 1\n    foreign_a\n"),
            "{text}"
        );
        assert!(!text.contains("note:"), "{text}");
    }

    #[test]
    fn quick_admits_when_it_was_not() {
        let mut report = report(true, &[true, true, true]);
        report.ended[0].took = Duration::from_secs(181);
        assert!(report.text().contains("note: longer than"));
    }
}
