//! `cargo xtask bench --count`: the instructions of everything in
//! crates/bench/benches/count, and whether any of it became dearer than
//! crates/bench/counts.txt says. Instructions and not time, because they are the
//! same on a busy machine: a difference is the code's, or the compiler's.
//!
//! gungraun counts. Its own baselines are folders of callgrind's files below
//! `target`; a text that is checked in, and compared here, shows in a commit what
//! it made dearer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::Command;
use crate::failure::Failure;
use crate::install;
use crate::metadata::Metadata;

/// The checked-in counts, in the order of their names.
const BASELINE: &str = "crates/bench/counts.txt";

/// The program that drives valgrind for what is counted, and its package.
const RUNNER: &str = "gungraun-runner";

/// What may be more than the baseline says: three hundredths, for where in a page
/// two buffers come to lie decides how glibc copies from one to the other; but at
/// least so many instructions.
const TOLERATED_PERCENT: u64 = 3;
const TOLERATED_LEAST: u64 = 8;

/// Counts by name.
type Counts = BTreeMap<String, u64>;

/// What the counts depend on besides the code.
#[derive(Debug, PartialEq, Eq)]
struct Made(String);

/// Counts, and compares what contains one of `words` (no word: everything) with
/// the baseline; with `write` it becomes the baseline.
///
/// # Errors
/// valgrind is missing, something is dearer than the baseline says, or is not in
/// it, or no longer counted.
pub(crate) fn run(root: &Path, words: &[String], write: bool) -> Result<(), Failure> {
    if !Command::program("valgrind").arg("--version").works() {
        return Err(Failure::Missing {
            tool: "valgrind",
            why: "its callgrind counts the instructions",
            remedy: "`apt-get install valgrind`",
        });
    }
    let made = made()?;
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let counts = counted(root, words)?;
    let path = root.join(BASELINE);
    let text = match fs::read_to_string(&path) {
        Err(_) if write => String::new(),
        text => text.map_err(|source| unreadable(&path, source))?,
    };
    let (before, mut old) = read(&text)?;
    if write {
        old.retain(|name, _| !wanted(name));
        old.extend(counts);
        fs::write(&path, written(&made, &old)).map_err(|source| unreadable(&path, source))?;
        println!("{BASELINE}: {} counts", old.len());
        return Ok(());
    }
    old.retain(|name, _| wanted(name));
    if before != made {
        println!("warning: the baseline was counted with {}", before.0);
        println!("warning: this is {}", made.0);
        println!("warning: differences may be theirs");
    }
    let changes = changes(&old, &counts);
    println!("{}", table(&changes));
    judge(&changes, counts.len())
}

fn unreadable(path: &Path, source: std::io::Error) -> Failure {
    Failure::File {
        path: path.display().to_string(),
        source,
    }
}

/// The compiler and the valgrind that count here.
fn made() -> Result<Made, Failure> {
    let rustc = Command::program("rustc").arg("--version").read_stdout()?;
    let valgrind = Command::program("valgrind")
        .arg("--version")
        .read_stdout()?;
    let line = format!(
        "{}, {}, {}",
        rustc.trim(),
        valgrind.trim(),
        std::env::consts::ARCH
    );
    Ok(Made(line))
}

/// Builds what is counted of `words`, and lets gungraun count it.
fn counted(root: &Path, words: &[String]) -> Result<Counts, Failure> {
    let runner = runner(root)?;
    let bench = |args: &[&str]| {
        Command::cargo("bench")
            .args([
                "--locked",
                "--package",
                "draftgate-bench",
                "--bench",
                "count",
                "--",
            ])
            .args(args.iter().copied())
            .env("GUNGRAUN_RUNNER", &runner)
            .env("DRAFTGATE_COUNT", words.join(" "))
            .read_stdout()
    };
    let names = bench(&["--names"])?;
    if names.is_empty() {
        let words = words.join("`, `");
        return Err(Failure::Counts(format!(
            "nothing that is counted has `{words}` in its name; {BASELINE} has the names"
        )));
    }
    println!("counting, which takes valgrind up to a minute");
    let summaries = bench(&["--output-format=json", "--parallel"])?;
    joined(&names, &summaries)
}

/// gungraun's runner, of the version of its library, installed if it is not yet.
fn runner(root: &Path) -> Result<PathBuf, Failure> {
    let metadata = Metadata::read()?;
    let package = metadata.packages.iter().find(|p| p.name == RUNNER);
    let version = &package
        .ok_or_else(|| Failure::Counts(format!("Cargo.lock has no {RUNNER}")))?
        .version;
    let folder = install::target(root).join(RUNNER);
    // Not optimised: it starts programs, and its time is theirs.
    Command::cargo("install")
        .args([RUNNER, "--version", &format!("={version}"), "--locked"])
        .args([
            "--debug",
            "--quiet",
            "--root",
            &folder.display().to_string(),
        ])
        .run()?;
    Ok(folder.join("bin").join(RUNNER))
}

/// The counts in gungraun's summaries, each a line of JSON whose id is `nth_` and
/// the number of a name.
fn joined(names: &str, summaries: &str) -> Result<Counts, Failure> {
    let names: Vec<&str> = names.lines().collect();
    let count = |line: &str| {
        let summary: Value = serde_json::from_str(line).ok()?;
        let nth: usize = summary["id"].as_str()?.strip_prefix("nth_")?.parse().ok()?;
        let count = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new")?;
        Some(((*names.get(nth)?).to_owned(), count.as_u64()?))
    };
    let counts: Option<Counts> = summaries.lines().map(count).collect();
    counts
        .filter(|counts| counts.len() == names.len())
        .ok_or_else(|| {
            Failure::Counts(format!(
                "gungraun was to count {} and said:\n{summaries}",
                names.len()
            ))
        })
}

fn read(text: &str) -> Result<(Made, Counts), Failure> {
    let mut made = Made("nobody knows what".to_owned());
    let mut counts = Counts::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# counted with ") {
            made = Made(words.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            let entry = line
                .split_once(' ')
                .and_then(|(name, count)| Some((name.to_owned(), count.trim().parse().ok()?)));
            let (name, count) = entry.ok_or_else(|| {
                Failure::Counts(format!("{BASELINE}: `{line}` is no name and count"))
            })?;
            counts.insert(name, count);
        }
    }
    Ok((made, counts))
}

fn written(made: &Made, counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions, as `cargo xtask bench --count` compares them; `--write` renews this file.\n\
         # counted with {}\n",
        made.0
    );
    for (name, count) in counts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} {count}");
    }
    text
}

/// One name whose count is not what it was.
#[derive(Debug, PartialEq, Eq)]
struct Change<'a> {
    name: &'a str,
    was: Option<u64>,
    is: Option<u64>,
}

impl Change<'_> {
    /// Whether the baseline must be renewed, or the code mended, before this passes.
    fn fails(&self) -> bool {
        match (self.was, self.is) {
            (Some(was), Some(is)) => is > was + tolerated(was),
            _ => true,
        }
    }
}

fn tolerated(count: u64) -> u64 {
    (count * TOLERATED_PERCENT / 100).max(TOLERATED_LEAST)
}

/// What differs by more than is tolerated, in either direction, or is in one of them only.
fn changes<'a>(old: &'a Counts, new: &'a Counts) -> Vec<Change<'a>> {
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    let gone = gone.map(|(name, was)| Change {
        name,
        was: Some(*was),
        is: None,
    });
    let there = new.iter().map(|(name, is)| Change {
        name,
        was: old.get(name).copied(),
        is: Some(*is),
    });
    let mut changes: Vec<_> = gone
        .chain(there)
        .filter(|change| match (change.was, change.is) {
            (Some(was), Some(is)) => was.abs_diff(is) > tolerated(was),
            _ => true,
        })
        .collect();
    changes.sort_by_key(|change| change.name);
    changes
}

fn table(changes: &[Change<'_>]) -> String {
    let mut table = format!("{:<34} {:>10} {:>10}  change", "", "baseline", "now");
    for change in changes {
        let number =
            |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
        let (was, is) = (number(change.was), number(change.is));
        let _ = write!(table, "\n{:<34} {was:>10} {is:>10}  ", change.name);
        let _ = match (change.was, change.is) {
            (Some(was), Some(is)) => {
                let share = 100.0 * (is as f64 / was as f64 - 1.0);
                let word = if is > was { "DEARER" } else { "cheaper" };
                write!(table, "{share:+.1} % {word}")
            }
            (None, _) => write!(table, "not in the baseline"),
            (_, None) => write!(table, "no longer counted"),
        };
    }
    if changes.is_empty() {
        table = "every count is that of the baseline".to_owned();
    }
    table
}

fn judge(changes: &[Change<'_>], counted: usize) -> Result<(), Failure> {
    let failing = changes.iter().filter(|change| change.fails()).count();
    if failing > 0 {
        return Err(Failure::Counts(format!(
            "{failing} of {counted} counts are not within {TOLERATED_PERCENT} % of {BASELINE}; make them cheaper, or renew the baseline with `cargo xtask bench --count --write` and say why in the commit"
        )));
    }
    if !changes.is_empty() {
        println!("cheaper than the baseline: `cargo xtask bench --count --write` keeps it so");
    }
    println!("{counted} counts passed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect()
    }

    #[test]
    fn what_is_dearer_new_or_gone_fails_and_what_is_cheaper_is_told() {
        let old = counts(&[
            ("a", 1000),
            ("b", 1000),
            ("c", 1000),
            ("d", 10),
            ("e", 1000),
        ]);
        let new = counts(&[("a", 1030), ("b", 1031), ("c", 900), ("d", 18), ("f", 1)]);
        let changes = changes(&old, &new);
        let told: Vec<_> = changes.iter().map(|c| (c.name, c.fails())).collect();
        assert_eq!(told, [("b", true), ("c", false), ("e", true), ("f", true)]);
        let table = table(&changes);
        assert!(table.contains("+3.1 % DEARER"), "{table}");
        assert!(table.contains("-10.0 % cheaper"), "{table}");
        assert!(judge(&changes, 5).is_err());
        assert!(judge(&changes[1..2], 5).is_ok());
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let (made, old) = (
            Made("x 1, y 2".to_owned()),
            counts(&[("a/b", 1), ("c", 22)]),
        );
        assert_eq!(read(&written(&made, &old)).unwrap(), (made, old));
        assert!(read("a b\n").is_err());
        assert!(read("a\n").is_err());
    }

    #[test]
    fn a_count_is_known_by_its_number() {
        let summary = |nth, count| {
            format!(
                r#"{{"id":"nth_{nth}","profiles":[{{"data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count},"old":9}}}}}}}}}}}}]}}"#
            )
        };
        let both = format!("{}\n{}\n", summary(1, 22), summary(0, 1));
        assert_eq!(
            joined("a/b\nc\n", &both).unwrap(),
            counts(&[("a/b", 1), ("c", 22)])
        );
        assert!(joined("a/b\nc\nd\n", &both).is_err(), "one is missing");
        assert!(joined("a/b\n", &both).is_err(), "one has no name");
        assert!(joined("a/b\n", "no JSON").is_err());
    }
}
