//! The workspace's own commands: `cargo xtask test` runs every check there is, in
//! one order, on a developer's machine and in continuous integration alike. A
//! program rather than a script, so that its rules have tests of their own and
//! need nothing but cargo. `cargo xtask dist` makes the packages, `cargo xtask
//! bench` measures, `cargo xtask conformance` runs the longest suite, and `cargo xtask check-targets` compiles for the systems that the tests do not run on. Exit codes:
//! 0 all passed, 1 a step failed, 2 usage.
#![allow(
    clippy::print_stdout,
    reason = "this is a command for the terminal: it reports by printing"
)]

mod allowed;
mod bans;
mod bench;
mod code;
mod command;
mod conformance;
mod count;
mod dist;
mod failure;
mod features;
mod files;
mod install;
mod layering;
mod metadata;
mod report;
mod runner;
mod step;
mod targets;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::command::Command;
use crate::failure::Failure;
use crate::report::Report;
use crate::step::{Context, Step};

/// Commands for those who work on draftgate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check everything: format, layers, licences, lints, tests, documentation
    Test(TestArgs),
    /// Make the packages: a tarball, a Debian package, their checksums
    Dist(dist::DistArgs),
    /// Measure draftgate next to other servers: a table with our goals
    Bench(bench::BenchArgs),
    /// Run the cases of the Autobahn suite that take minutes
    Conformance,
    /// Compile for the systems that have every command but serve: macOS, Windows
    CheckTargets,
}

#[derive(Args, Debug)]
struct TestArgs {
    /// Install nothing and leave out the tests that need what is installed
    #[arg(long)]
    quick: bool,
    /// Run this step alone; may be given several times
    #[arg(long, value_name = "STEP", value_enum)]
    only: Vec<Step>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(args) => return tested(&args),
        Task::Dist(args) => root().and_then(|root| dist::run(&root, &args)),
        Task::Bench(args) => root().and_then(|root| bench::run(&root, &args)),
        Task::Conformance => root().and_then(|root| conformance::run(&root)),
        Task::CheckTargets => targets::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn tested(args: &TestArgs) -> ExitCode {
    let steps = match steps(args) {
        Ok(steps) => steps,
        Err(e) => e.exit(),
    };
    let report = match root() {
        Ok(root) => test(&root, &steps, args.quick),
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    };
    report.print();
    if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The steps asked for, in their own order, whatever the order of the options.
fn steps(args: &TestArgs) -> Result<Vec<Step>, clap::Error> {
    if args.quick && args.only.contains(&Step::Install) {
        return Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            "--quick installs nothing: give either --quick or --only install",
        ));
    }
    let wanted = |step: &Step| {
        if args.only.is_empty() {
            !args.quick || *step != Step::Install
        } else {
            args.only.contains(step)
        }
    };
    Ok(Step::ALL.into_iter().filter(wanted).collect())
}

/// The workspace's folder: the one we are called in, not the one we were built
/// in, since several checkouts may share a target folder.
fn root() -> Result<PathBuf, Failure> {
    let manifest = Command::cargo("locate-project")
        .args(["--workspace", "--message-format", "plain"])
        .read_stdout()?;
    let root = Path::new(manifest.trim()).parent();
    Ok(root.map_or_else(|| PathBuf::from("."), Path::to_owned))
}

/// Runs the steps up to the first that fails.
fn test(root: &Path, steps: &[Step], quick: bool) -> Report {
    let context = Context { root, quick };
    let mut report = Report::new(steps, quick);
    for step in steps {
        if !report.run(*step, &context) {
            break;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Vec<Step>, clap::Error> {
        let words = ["cargo xtask", "test"].iter().chain(args);
        match Cli::try_parse_from(words)?.task {
            Task::Test(args) => steps(&args),
            other => panic!("{other:?} is not what was asked for"),
        }
    }

    #[test]
    fn all_steps_run_unless_told_otherwise() {
        assert_eq!(parse(&[]).unwrap(), Step::ALL);
    }

    #[test]
    fn quick_leaves_out_the_install_and_nothing_else() {
        assert_eq!(parse(&["--quick"]).unwrap(), Step::ALL[1..]);
    }

    #[test]
    fn steps_run_in_their_own_order() {
        let steps = parse(&["--only", "docs", "--only", "fmt", "--only", "docs"]).unwrap();
        assert_eq!(steps, [Step::Fmt, Step::Docs]);
    }

    #[test]
    fn wrong_usage_is_exit_code_2() {
        for args in [
            &["--only", "nothing"][..],
            &["--fast"],
            &["--quick", "--only", "install"],
        ] {
            assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
