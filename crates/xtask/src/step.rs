//! The steps of `cargo xtask test`, each one command or one rule of ours. They
//! share one target folder, one profile and one set of features: every cargo
//! command names the whole workspace with its tests, none sets `RUSTFLAGS`, so
//! what one step compiled the next finds ready. (clippy and rustdoc only check
//! what the tests compile; that much cargo cannot share.)

use std::path::Path;

use clap::ValueEnum;

use crate::command::Command;
use crate::failure::Failure;
use crate::metadata::{self, Metadata};
use crate::runner::{self, Runner};
use crate::{allowed, bans, features, files, install, layering};

/// One step; the order is that in which they run, cheap ones before costly ones.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub(crate) enum Step {
    /// Install the foreign programs that tests talk to
    Install,
    /// The source is formatted as rustfmt.toml says
    Fmt,
    /// Arrows between crates point down; rules about files and features
    Layering,
    /// Bans, licences and sources of everything that is compiled
    Bans,
    /// clippy, with warnings as errors
    Clippy,
    /// All tests but those in documentation
    Tests,
    /// The examples in documentation
    DocTests,
    /// The documentation builds, private items included, without a warning
    Docs,
}

/// What a step needs to know.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The folder of the workspace's manifest.
    pub(crate) root: &'a Path,
    /// Leave out what needs [`Step::Install`].
    pub(crate) quick: bool,
}

/// What every command compiles besides the default: TLS for old clients, which
/// needs the headers of OpenSSL. One set of features for all, so that nothing is
/// compiled twice; whoever installs nothing does without.
pub(crate) const FEATURES: [&str; 2] = ["--features", "draftgate/legacy-tls"];

impl Context<'_> {
    /// [`FEATURES`], where what they need is installed.
    pub(crate) fn features(&self) -> &'static [&'static str] {
        match self.quick {
            true => &[],
            false => &FEATURES,
        }
    }
}

/// What a step leaves to be said at the very end.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    /// The test runner's own summary lines.
    pub(crate) tests: Vec<String>,
    /// rustdoc's own summary lines, one for each crate.
    pub(crate) doc_tests: Vec<String>,
    /// The names of the tests that were left out, once they are known.
    pub(crate) left_out: Option<Vec<String>>,
}

impl Step {
    /// Every step, in order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Install,
        Self::Fmt,
        Self::Layering,
        Self::Bans,
        Self::Clippy,
        Self::Tests,
        Self::DocTests,
        Self::Docs,
    ];

    /// What to type after `--only`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Fmt => "fmt",
            Self::Layering => "layering",
            Self::Bans => "bans",
            Self::Clippy => "clippy",
            Self::Tests => "tests",
            Self::DocTests => "doc-tests",
            Self::Docs => "docs",
        }
    }

    /// Runs the step. `closing` is filled even when it fails.
    ///
    /// # Errors
    /// When the workspace does not pass, or a program for it is missing.
    pub(crate) fn run(self, context: &Context<'_>, closing: &mut Closing) -> Result<(), Failure> {
        match self {
            Self::Install => {
                install::install(context.root).map_err(|e| Failure::Install(e.to_string()))
            }
            Self::Fmt => fmt(),
            Self::Layering => layers(context.root),
            Self::Bans => banned(),
            Self::Clippy => clippy(context),
            Self::Tests => runner::tests(Runner::installed(), context, closing),
            Self::DocTests => runner::doc_tests(context, &mut closing.doc_tests),
            Self::Docs => docs(context),
        }
    }
}

fn fmt() -> Result<(), Failure> {
    if !Command::cargo("fmt").arg("--version").works() {
        return Err(Failure::Missing {
            tool: "cargo fmt",
            why: "it checks how the source is formatted",
            remedy: "`rustup component add rustfmt`",
        });
    }
    Command::cargo("fmt").args(["--all", "--check"]).run()
}

fn layers(root: &Path) -> Result<(), Failure> {
    let metadata = Metadata::read()?;
    let mut findings = layering::check(&metadata);
    findings.extend(files::check(root, &metadata)?);
    findings.extend(features::check()?);
    Failure::if_any(findings)?;
    println!("{} crates in their rows", metadata.members().count());
    Ok(())
}

fn banned() -> Result<(), Failure> {
    let metadata = Metadata::read()?;
    let compiled = metadata::compiled()?;
    let findings = bans::check(
        &metadata,
        &compiled,
        &allowed::LICENSES,
        allowed::DUPLICATES,
    );
    Failure::if_any(findings)?;
    println!("{} packages from allowed sources", compiled.len());
    for duplicate in allowed::DUPLICATES {
        println!(
            "{} in {}: {}",
            duplicate.name,
            duplicate.versions.join(" and "),
            duplicate.reason
        );
    }
    Ok(())
}

fn clippy(context: &Context<'_>) -> Result<(), Failure> {
    if !Command::cargo("clippy").arg("--version").works() {
        return Err(Failure::Missing {
            tool: "cargo clippy",
            why: "it holds the lints of Cargo.toml and clippy.toml",
            remedy: "`rustup component add clippy`",
        });
    }
    Command::cargo("clippy")
        .args(["--workspace", "--all-targets", "--locked"])
        .args(context.features().iter().copied())
        .args(["--", "-D", "warnings"])
        .run()?;
    if context.features().is_empty() {
        return Ok(());
    }
    // As it is built by default. Examples for the reason that `docs` has.
    Command::cargo("clippy")
        .args(["--workspace", "--lib", "--bins", "--examples", "--locked"])
        .args(["--", "-D", "warnings"])
        .run()
}

fn docs(context: &Context<'_>) -> Result<(), Failure> {
    // `--examples` is not for the examples: without it cargo leaves development
    // dependencies out, resolves fewer features, and checks half the graph anew.
    Command::cargo("doc")
        .args(["--workspace", "--lib", "--bins", "--examples"])
        .args(["--no-deps", "--document-private-items", "--locked"])
        .args(context.features().iter().copied())
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_chosen_by_its_name() {
        for step in Step::ALL {
            assert_eq!(Step::from_str(step.name(), false), Ok(step));
        }
        assert_eq!(Step::ALL.len(), Step::value_variants().len());
        assert!(Step::ALL.is_sorted());
    }
}
