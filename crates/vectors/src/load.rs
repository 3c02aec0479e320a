//! Vectors from files, and everything that can be wrong with a file, said with
//! its name, the line, and what to do. A stream that does not come to the
//! length and SHA-256 its file states is refused: a vector changed by accident
//! (line ends, an editor) must not become a wrong judge.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    fs, io, iter,
    ops::Range,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use crate::{
    Vector,
    contents::{Contents, Fault, Read},
    format::{FORMAT, File},
    keys::VECTOR,
    rules, shape,
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
        "{}:{line}: `format = {found}` is not known here, only {FORMAT}; use the version of draftgate that the file came with",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The number it gives.
        found: u64,
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
    read(path, name, &mut BTreeSet::new()).map_err(Wrong::first)
}

/// What is wrong with one file; never empty.
#[derive(Debug)]
pub(crate) struct Wrong {
    first: LoadError,
    more: Vec<LoadError>,
}

impl Wrong {
    pub(crate) fn first(self) -> LoadError {
        self.first
    }

    /// All of it, in the order of the lines.
    pub(crate) fn all(self) -> impl Iterator<Item = LoadError> {
        iter::once(self.first).chain(self.more)
    }
}

impl From<LoadError> for Wrong {
    fn from(first: LoadError) -> Self {
        let more = Vec::new();
        Self { first, more }
    }
}

/// The vector in the file `path`, called `name` below its archive; the files it
/// names are `named`.
pub(crate) fn read(
    path: &Path,
    name: &Path,
    named: &mut BTreeSet<PathBuf>,
) -> Result<Vector, Wrong> {
    let octets = fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(octets).map_err(|error| {
        let right = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        LoadError::Content {
            path: path.to_owned(),
            line: 1 + right.iter().filter(|octet| **octet == b'\n').count(),
            what: "this is not UTF-8; save the file in UTF-8".to_owned(),
        }
    })?;
    let mut cache = HashMap::new();
    judged(&text, path, name, &mut |file| {
        if let Some(octets) = cache.get(file) {
            return Ok(Bytes::clone(octets));
        }
        let beside = path.with_file_name(file);
        let octets: Bytes = fs::read(&beside)
            .map_err(|e| format!("cannot read {}: {e}", beside.display()))?
            .into();
        cache.insert(file.to_owned(), octets.clone());
        named.insert(beside);
        Ok(octets)
    })
}

/// The vector in `text` if it keeps every rule; `read` fetches the files it names.
fn judged(text: &str, path: &Path, name: &Path, read: &mut Read<'_>) -> Result<Vector, Wrong> {
    let lines = Lines::of(text);
    let error = |fault: Fault| LoadError::Content {
        path: path.to_owned(),
        line: lines.line(fault.at.start),
        what: fault.what,
    };
    let all = |faults: Vec<Fault>| {
        let mut errors = faults.into_iter().map(error);
        errors.next().map(|first| Wrong {
            first,
            more: errors.collect(),
        })
    };
    let table = DeTable::parse(text).map_err(|e| error(fault(&e)))?;
    if let Some((at, found)) = number(table.get_ref()).filter(|(_, found)| *found != FORMAT) {
        let line = lines.line(at.start);
        let path = path.to_owned();
        return Err(LoadError::Format { path, line, found }.into());
    }
    all(shape::faults(&VECTOR, &table)).map_or(Ok(()), Err)?;
    let (contents, mut faults) = decoded(text, read).map_err(error)?;
    if faults.is_empty() {
        faults = rules::faults(&contents);
    }
    all(faults).map_or(Ok(()), Err)?;
    Ok(contents.vector(path, name))
}

/// The vector in `text`, whatever its parts are to each other; `read` fetches
/// the files it names.
#[cfg(test)]
pub(crate) fn parse(
    text: &str,
    path: &Path,
    name: &Path,
    read: &mut Read<'_>,
) -> Result<Vector, LoadError> {
    let lines = Lines::of(text);
    let error = |fault: Fault| LoadError::Content {
        path: path.to_owned(),
        line: lines.line(fault.at.start),
        what: fault.what,
    };
    let (contents, faults) = decoded(text, read).map_err(error)?;
    match faults.into_iter().next() {
        None => Ok(contents.vector(path, name)),
        Some(fault) => Err(error(fault)),
    }
}

/// What `text` says, and what is wrong with single parts of it.
fn decoded(text: &str, read: &mut Read<'_>) -> Result<(Contents, Vec<Fault>), Fault> {
    let file: File = toml::from_str(text).map_err(|e| fault(&e))?;
    let contents = file.contents(&mut |file| match plain(file) {
        true => read(file),
        false => Err(format!(
            "`{file}` is not a file beside the vector; name it without a path"
        )),
    });
    Ok(contents)
}

impl Contents {
    fn vector(self, path: &Path, name: &Path) -> Vector {
        Vector {
            name: name.with_extension("").to_string_lossy().replace('\\', "/"),
            path: path.to_owned(),
            about: self.about,
            steps: self.steps,
            server: self.server,
            client: self.client,
            deviations: self.deviations,
        }
    }
}

/// The number of the format, and where it stands.
fn number(table: &DeTable<'_>) -> Option<(Range<usize>, u64)> {
    let value = table.get("format")?;
    let DeValue::Integer(number) = value.get_ref() else {
        return None;
    };
    let found = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
    Some((value.span(), found))
}

fn fault(error: &toml::de::Error) -> Fault {
    Fault {
        at: error.span().unwrap_or(0..0),
        what: error.message().to_owned(),
    }
}

/// Where the lines of a text end, looked for once: a large file may have a fault
/// on every line.
struct Lines<'a>(&'a str, OnceCell<Vec<usize>>);

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self(text, OnceCell::new())
    }

    /// The line, from 1, that holds the octet `at`.
    fn line(&self, at: usize) -> usize {
        let ends = || self.0.match_indices('\n').map(|(at, _)| at).collect();
        1 + self.1.get_or_init(ends).partition_point(|end| *end < at)
    }
}

/// Whether `file` is a bare name: a vector never reaches outside its directory.
fn plain(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
}

/// SHA-256 in lower-case hexadecimal.
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
