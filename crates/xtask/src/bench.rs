//! `cargo xtask bench`: draftgate next to other servers, one run after the other,
//! and as a table with our goals. What is measured and how is the business of
//! crates/bench; here only what it needs is built and installed, as it is shipped:
//! the release profile, and each package with the features that it asks for alone.

use std::path::Path;

use clap::Args;

use crate::command::Command;
use crate::failure::Failure;
use crate::{count, install};

/// What `cargo xtask bench` was asked for.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Only the scenarios whose name contains one of these words; `growth` for the
    /// tables and plots of how cost grows
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// How many times each server is measured, in turns with the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Everything once and for a moment: shows that it works, and no figure to rely on
    #[arg(long)]
    quick: bool,
    /// draftgate and the floor alone, without the other libraries
    #[arg(long)]
    without_peers: bool,
    /// Write tables and plots into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Fail when a goal is missed
    #[arg(long)]
    check: bool,
    /// Count instructions instead, and compare them with the baseline; with --write
    /// they become it
    #[arg(long, conflicts_with_all = ["runs", "quick", "without_peers", "check"])]
    count: bool,
}

/// Builds, installs and measures.
///
/// # Errors
/// Something cannot be built, a server did not do what it is measured at, or a
/// goal is missed where that was asked.
pub(crate) fn run(root: &Path, args: &BenchArgs) -> Result<(), Failure> {
    if args.count {
        return count::run(root, &args.words, args.write);
    }
    if !args.without_peers
        && let Err(e) = install::peers(root)
    {
        eprintln!("warning: {e}");
        eprintln!("warning: servers that are not installed are left out of the tables");
    }
    // TLS 1.0, which one of the storms is about, is a feature of its own.
    build(
        &["draftgate", "--bin", "draftgate"],
        &["--features", "legacy-tls"],
    )?;
    build(&["draftgate-bench", "--bin", "peer"], &[])?;
    let runs = args.runs.to_string();
    let installed = install::directory(root).join("peers");
    let mut side = Command::cargo("run")
        .args(["--release", "--locked", "--package", "draftgate-bench"])
        .args(["--bin", "side", "--", "--runs", &runs])
        .args(["--installed", &installed.display().to_string()])
        .args(args.words.iter().map(String::as_str));
    for (given, flag) in [
        (args.quick, "--quick"),
        (args.without_peers, "--without-peers"),
        (args.write, "--write"),
        (args.check, "--check"),
    ] {
        if given {
            side = side.arg(flag);
        }
    }
    side.run()
}

fn build(what: &[&str], features: &[&str]) -> Result<(), Failure> {
    Command::cargo("build")
        .args(["--release", "--locked", "--package"])
        .args(what.iter().copied())
        .args(features.iter().copied())
        .run()
}
