//! The exchanges that the arguments of a verb name. All are read before
//! anything is done with one: a bad one is an error of whoever gave it, and no
//! mismatch.

use std::path::PathBuf;

use draftgate_vectors::{LoadError, Vector};

/// Loads files and directories. The name of an exchange is its path below the
/// directory that was given.
///
/// # Errors
/// The first file that is no vector, with its line and reason.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Vector>, LoadError> {
    let mut vectors = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => vectors.extend(draftgate_vectors::load_dir(path)?),
            false => vectors.push(draftgate_vectors::load(path)?),
        }
    }
    Ok(vectors)
}
