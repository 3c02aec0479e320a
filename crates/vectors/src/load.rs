//! Vectors from files, and everything that can be wrong with a file, said with
//! its name, the line, and what to do. A stream that does not come to the
//! length and SHA-256 its file states is refused: a vector changed by accident
//! (line ends, an editor) must not become a wrong judge.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs, io,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use draftgate_core::Role;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{
    Vector,
    contents::{Contents, Fault, Read},
    format::{FORMAT, File, Numbered},
};

/// A vector that cannot be used, or a file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file system said no.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is written for another version of the format.
    #[error(
        "{}: `format = {found}` is not known here, only {FORMAT}; use the version of draftgate that the file came with",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The number it gives.
        found: u32,
    },
    /// The file does not say what a vector says.
    #[error("{}:{line}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The steps of one side are not the stream the file describes.
    #[error("{}: the {side}'s steps {what}", path.display())]
    Stream {
        /// The file.
        path: PathBuf,
        /// `client` or `server`.
        side: &'static str,
        /// What they come to and what was stated.
        what: String,
    },
    /// There is no vector below the directory.
    #[error("{} holds no vectors (files that end in .toml)", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

/// Loads the vector in the file `path`; its name is the file's.
///
/// # Errors
/// [`LoadError`]: unreadable, not a vector, or its octets are not what it says.
pub fn load(path: impl AsRef<Path>) -> Result<Vector, LoadError> {
    let path = path.as_ref();
    named(path, path.file_name().map_or(path, Path::new))
}

/// Loads every vector below `dir`, in the order of their names.
///
/// # Errors
/// The first [`LoadError`] met; [`LoadError::Empty`] if there is none to load.
pub fn load_dir(dir: impl AsRef<Path>) -> Result<Vec<Vector>, LoadError> {
    let dir = dir.as_ref();
    let mut paths = Vec::new();
    collect(dir, &mut paths)?;
    if paths.is_empty() {
        return Err(LoadError::Empty {
            path: dir.to_owned(),
        });
    }
    paths.sort();
    paths
        .iter()
        .map(|path| named(path, path.strip_prefix(dir).unwrap_or(path)))
        .collect()
}

/// The paths of every `.toml` below `dir`. Links are not followed.
fn collect(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let failed = |source| LoadError::Read {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

fn named(path: &Path, name: &Path) -> Result<Vector, LoadError> {
    let text = fs::read_to_string(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut cache = HashMap::new();
    parse(&text, path, name, &mut |file| {
        if let Some(octets) = cache.get(file) {
            return Ok(Bytes::clone(octets));
        }
        let beside = path.with_file_name(file);
        let octets: Bytes = fs::read(&beside)
            .map_err(|e| format!("cannot read {}: {e}", beside.display()))?
            .into();
        cache.insert(file.to_owned(), octets.clone());
        Ok(octets)
    })
}

/// The vector in `text`; `read` fetches the files it names.
pub(crate) fn parse(
    text: &str,
    path: &Path,
    name: &Path,
    read: &mut Read<'_>,
) -> Result<Vector, LoadError> {
    let found = toml::<Numbered>(text, path)?.format;
    if found != FORMAT {
        return Err(LoadError::Format {
            path: path.to_owned(),
            found,
        });
    }
    let Contents {
        about,
        steps,
        server,
        client,
        deviations,
    } = toml::<File>(text, path)?
        .contents(&mut |file| match plain(file) {
            true => read(file),
            false => Err(format!(
                "`{file}` is not a file beside the vector; name it without a path"
            )),
        })
        .map_err(|Fault { at, what }| LoadError::Content {
            path: path.to_owned(),
            line: line(text, at.start),
            what,
        })?;
    let vector = Vector {
        name: name.with_extension("").to_string_lossy().replace('\\', "/"),
        path: path.to_owned(),
        about,
        steps,
        server,
        client,
        deviations,
    };
    for (role, side) in [(Role::Client, "client"), (Role::Server, "server")] {
        stream_is_as_stated(&vector, role).map_err(|what| LoadError::Stream {
            path: path.to_owned(),
            side,
            what,
        })?;
    }
    Ok(vector)
}

fn toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|e| LoadError::Content {
        path: path.to_owned(),
        line: line(text, e.span().map_or(0, |span| span.start)),
        what: e.message().to_owned(),
    })
}

/// The line, from 1, that holds the octet `at`.
fn line(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|octet| **octet == b'\n').count()
}

/// Whether `file` is a bare name: a vector never reaches outside its directory.
fn plain(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
}

fn stream_is_as_stated(vector: &Vector, side: Role) -> Result<(), String> {
    let octets = vector.octets(side);
    let Some(stated) = vector.about.stream(side) else {
        return match octets.is_empty() {
            true => Ok(()),
            false => {
                Err("have octets, but [about.streams] does not state the stream; add it".to_owned())
            }
        };
    };
    if octets.len() as u64 != stated.octets {
        return Err(format!(
            "come to {} octets, [about.streams] says {}; one of them was changed",
            octets.len(),
            stated.octets
        ));
    }
    let sha256 = sha256(&octets);
    if sha256 != stated.sha256 {
        return Err(format!(
            "have the SHA-256 {sha256}, [about.streams] says {}; one of them was changed",
            stated.sha256
        ));
    }
    Ok(())
}

pub(crate) fn sha256(octets: &[u8]) -> String {
    let mut digits = String::with_capacity(64);
    for octet in Sha256::digest(octets) {
        let _ = write!(digits, "{octet:02x}");
    }
    digits
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
