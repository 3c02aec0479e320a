//! Nothing is compiled twice: `cargo xtask` itself must ask its dependencies for
//! the same features as the workspace does as a whole, or they and everything
//! above them are compiled once for the command and once more for its first step.
//! cargo's own `feature-unification` setting would do this, but is not stable.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Command;
use crate::failure::Failure;
use crate::step::FEATURES;

/// A package as `name vVERSION`, and each set of features it is compiled with.
type Features = BTreeMap<String, BTreeSet<String>>;

/// The packages that `cargo xtask` compiles in another way than the steps do, one
/// sentence each.
///
/// # Errors
/// When `cargo tree` fails.
pub(crate) fn check() -> Result<Vec<String>, Failure> {
    let steps = [
        &["--workspace", "--edges", "normal,build,dev"],
        &FEATURES[..],
    ]
    .concat();
    let steps = tree(&steps)?;
    let xtask = tree(&["--package", "xtask", "--edges", "normal,build"])?;
    Ok(differences(&steps, &xtask))
}

fn tree(which: &[&str]) -> Result<Features, Failure> {
    let text = Command::cargo("tree")
        .args(which.iter().copied())
        .args(["--locked", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}|{f}"])
        .read_stdout()?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Features {
    let mut features = Features::new();
    for line in text.lines() {
        if let Some((package, set)) = line.split_once('|') {
            let name: Vec<&str> = package.split_whitespace().take(2).collect();
            features
                .entry(name.join(" "))
                .or_default()
                .insert(set.trim().to_owned());
        }
    }
    features
}

fn differences(steps: &Features, xtask: &Features) -> Vec<String> {
    let nothing = BTreeSet::new();
    let mut findings = Vec::new();
    for (package, sets) in xtask {
        let others = steps.get(package).unwrap_or(&nothing);
        for set in sets.difference(others) {
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            findings.push(format!(
                "{package} is compiled twice: for `cargo xtask` with the features [{set}], for \
                 the steps with [{}]; name the missing ones in crates/xtask/Cargo.toml",
                others.join("] and [")
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_features_pass() {
        let steps = parse("a v1.0.0|std\na v1.0.0|\nb v2.0.0 (/b)|\n");
        let xtask = parse("a v1.0.0|std\n");
        assert_eq!(differences(&steps, &xtask), Vec::<String>::new());
    }

    #[test]
    fn other_features_fail() {
        let steps = parse("a v1.0.0 (proc-macro)|alloc,std\n");
        let xtask = parse("a v1.0.0 (proc-macro)|std\n");
        let found = differences(&steps, &xtask);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("a v1.0.0 is compiled twice"), "{found:?}");
        assert!(found[0].contains("[std], for the steps with [alloc,std]"));
    }
}
