//! Files that hold secrets and keys, read with a bound.
//!
//! A name may lead to anything: a pipe into which nobody writes, a device that
//! never ends. Configurations are read while the gateway serves, so whatever
//! is no plain file is told instead of waited for. Symbolic links are followed:
//! those who rotate secrets lay them so.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::reader::Wrong;

/// As many octets as a file of tokens, secrets or keys may have: 1 MiB, more
/// than any set of keys.
const LONGEST: u64 = 1 << 20;

/// What stands in the plain file `path`, which holds a secret or keys.
///
/// # Errors
/// It is no plain file, is longer than 1 MiB, cannot be read or is not UTF-8.
pub fn read_secret(path: impl AsRef<Path>) -> io::Result<String> {
    let octets = read_bounded(path.as_ref(), LONGEST)?;
    let not = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(octets).map_err(not)
}

/// What stands in the plain file `path`, if it has no more than `longest` octets.
///
/// # Errors
/// As [`read_secret`], but of any octets.
fn read_bounded(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    // Before it is opened: to open a pipe is to wait.
    plain(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    plain(&file.metadata()?)?;
    let mut octets = Vec::new();
    file.take(longest.saturating_add(1))
        .read_to_end(&mut octets)?;
    match octets.len() as u64 > longest {
        true => Err(io::Error::other(format!(
            "it is longer than {longest} octets, and no such file is"
        ))),
        false => Ok(octets),
    }
}

/// A file of certificates (PEM) that a client of ours trusts. It is read when
/// the gateway starts; what could be waited for is told before.
pub(super) fn certificates(name: &str) -> Result<PathBuf, Wrong> {
    // One that is not there is told by who reads it.
    let about = fs::metadata(name).map_or(Ok(()), |about| plain(&about));
    about.map_err(|error| Wrong::new(format!("names {name}, which cannot be read: {error}")))?;
    Ok(PathBuf::from(name))
}

fn plain(about: &Metadata) -> io::Result<()> {
    match about.is_file() {
        true => Ok(()),
        false => Err(io::Error::other(
            "it is no plain file, but a folder, a pipe or a device",
        )),
    }
}
