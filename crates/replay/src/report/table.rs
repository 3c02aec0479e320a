//! The report for people: counts for each draft and role, then everything that
//! is not as expected.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write as _},
    time::Duration,
};

use super::{Counts, Report};
use crate::{Mismatch, Outcome};

impl Report {
    /// The report for people, without colour.
    pub fn table(&self) -> Table<'_> {
        Table(self)
    }
}

/// A [`Report`] as text.
#[derive(Debug)]
pub struct Table<'a>(&'a Report);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(
            f,
            "{:<10}{:<8}{:>8}{:>18}{:>12}{:>9}",
            "draft", "role", "passed", "known deviations", "mismatches", "skipped"
        )?;
        for ((draft, role), counts) in report.rows() {
            row(f, draft.name(), role, counts)?;
        }
        row(f, "all", "", report.counts())?;
        mismatches(f, report)?;
        deviations(f, report)?;
        skipped(f, report)?;
        let counts = report.counts();
        writeln!(
            f,
            "\n{} replays against {} in {}: {}",
            counts.replayed(),
            report.against(),
            took(report.took),
            match counts.mismatches {
                0 if counts.replayed() == 0 => "nothing was replayed".to_owned(),
                0 => "all as expected".to_owned(),
                1 => "1 mismatch".to_owned(),
                many => format!("{many} mismatches"),
            }
        )
    }
}

/// A time, in the unit in which it is no 0.
fn took(time: Duration) -> String {
    match time < Duration::from_millis(100) {
        true => format!("{} ms", time.as_millis().max(1)),
        false => format!("{:.1} s", time.as_secs_f64()),
    }
}

fn row(f: &mut fmt::Formatter<'_>, draft: &str, role: &str, counts: Counts) -> fmt::Result {
    let Counts {
        passed,
        deviations,
        unexpectedly_fine,
        mismatches,
        skipped,
    } = counts;
    let known = match unexpectedly_fine {
        0 => deviations.to_string(),
        fine => format!("{deviations} ({fine} fine)"),
    };
    writeln!(
        f,
        "{draft:<10}{role:<8}{passed:>8}{known:>18}{mismatches:>12}{skipped:>9}"
    )
}

fn mismatches(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    for one in &report.judged {
        if let Outcome::Mismatch(mismatch) = &one.outcome {
            write!(f, "\nmismatch: {}, as {}", one.name, one.role)?;
            f.write_str(&detail(mismatch))?;
        }
    }
    Ok(())
}

/// What is not as expected, in the lines below its title.
pub(super) fn detail(mismatch: &Mismatch) -> String {
    let mut text = match mismatch.how.as_str() {
        "" => format!(": {}\n", mismatch.what),
        how => format!(" ({how}): {}\n", mismatch.what),
    };
    if !mismatch.fields.is_empty() {
        let _ = writeln!(text, "  differs in: {}", mismatch.fields.join(", "));
    }
    let (expected, seen) = (&mismatch.expected, &mismatch.seen);
    for i in 0..expected.len().max(seen.len()) {
        let nothing = "nothing".to_owned();
        let due = expected.get(i).unwrap_or(&nothing);
        let came = seen.get(i).unwrap_or(&nothing);
        match due == came {
            true => drop(writeln!(text, "    {due}")),
            false => drop(writeln!(text, "  ! expected {due}\n    seen     {came}")),
        }
    }
    for line in mismatch.octets.lines() {
        let line = format!("    {line}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn deviations(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let mut known: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for one in &report.judged {
        let key = match &one.outcome {
            Outcome::Deviation { reason, .. } => ("known deviation", reason.as_str()),
            Outcome::UnexpectedlyFine(reason) => ("unexpectedly fine", reason.as_str()),
            _ => continue,
        };
        known.entry(key).or_default().push(&one.name);
    }
    for ((what, reason), names) in known {
        writeln!(f, "\n{what}: {reason}")?;
        for name in names {
            writeln!(f, "  {name}")?;
        }
    }
    Ok(())
}

fn skipped(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &report.judged {
        if let Outcome::Skipped(why) = &one.outcome {
            *reasons.entry(why).or_default() += 1;
        }
    }
    if !reasons.is_empty() {
        writeln!(f, "\nskipped:")?;
    }
    for (reason, count) in reasons {
        writeln!(f, "{count:>5}  {reason}")?;
    }
    Ok(())
}
