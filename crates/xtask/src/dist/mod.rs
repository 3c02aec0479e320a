//! `cargo xtask dist`: what is handed to people who do not build. A tarball for any
//! Linux with the same processor, a Debian package with TLS for old clients, and
//! their checksums. Both hold the stripped binary, the pages and completions that the
//! binary itself writes, the documents, and the licences of everything linked into it.
//! The tools are those of every Debian (`tar`, `strip`, `dpkg-deb`); one that builds
//! packages from a table in Cargo.toml would take longer to compile than draftgate's
//! own tests, and would not be asked for by anybody else.
//!
//! The same sources make the same packages: no file in them has a date but that of
//! the last commit (`SOURCE_DATE_EPOCH` says another), an owner or an order of its own.

mod build;
mod deb;
mod licences;
mod stage;
mod tarball;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::command::Command;
use crate::failure::Failure;

use self::stage::Staged;

/// Where the files that only packages need are, below the workspace's root.
const SOURCES: &str = "crates/cli/packaging";

/// The version of the workspace, which this program has too.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `cargo xtask dist`
#[derive(Args, Debug)]
pub(crate) struct DistArgs {
    /// Make this alone
    #[arg(long, value_name = "WHAT", value_enum)]
    only: Option<Kind>,
    /// Pack this binary and build none
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where to put the packages [default: `packages` in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// One of the packages.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Kind {
    /// A .tar.gz for any Linux: TLS by rustls alone, no library but the C library
    Tarball,
    /// A .deb: TLS 1.0 for old clients as well, by the system's OpenSSL
    Deb,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Tarball, Self::Deb];

    /// The features of the binary in it.
    const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Tarball => &[],
            Self::Deb => &["legacy-tls"],
        }
    }
}

/// What every package is made from.
#[derive(Debug)]
struct Scene<'a> {
    /// The workspace.
    root: &'a Path,
    /// Where packages go.
    out: PathBuf,
    /// The date of everything in them, in seconds since 1970.
    date: String,
}

/// Makes the packages, and a file `SHA256SUMS` beside them.
///
/// # Errors
/// The binary does not build, or a tool is missing or fails.
pub(crate) fn run(root: &Path, args: &DistArgs) -> Result<(), Failure> {
    let out = match &args.out {
        Some(out) => root.join(out),
        None => crate::install::target(root).join("packages"),
    };
    stage::folder(&out)?;
    let scene = Scene {
        root,
        date: date()?,
        out,
    };
    let mut made = Vec::new();
    for kind in Kind::ALL {
        if args.only.is_some_and(|only| only != kind) {
            continue;
        }
        let binary = match &args.binary {
            Some(binary) => binary.clone(),
            None => build::release(root, kind.features())?,
        };
        let staged = Staged::make(&scene, &binary)?;
        made.push(match kind {
            Kind::Tarball => tarball::make(&scene, &staged)?,
            Kind::Deb => deb::make(&scene, &staged)?,
        });
        staged.remove()?;
    }
    let sums = Command::program("sha256sum")
        .args(made.iter().map(String::as_str))
        .current_dir(&scene.out)
        .read_stdout()?;
    stage::write(&scene.out.join("SHA256SUMS"), &sums)?;
    println!("in {}:\n{sums}", scene.out.display());
    Ok(())
}

/// Seconds since 1970 for everything that is packed.
fn date() -> Result<String, Failure> {
    let date = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(date) => date,
        Err(_) => Command::program("git")
            .args(["log", "-1", "--format=%ct"])
            .read_stdout()
            .map_err(|_| Failure::Date)?,
    };
    let date = date.trim();
    match date.parse::<u32>() {
        Ok(_) => Ok(date.to_owned()),
        Err(_) => Err(Failure::Date),
    }
}
