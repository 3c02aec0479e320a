//! The exchanges that arguments name. All are read before anything is done
//! with one: a bad file is an error of whoever gave it, and everything that is
//! wrong with it is told at once, because the first fault is often but the
//! consequence of another.

use std::path::{Path, PathBuf};

use draftgate_vectors::{LoadError, Problem, Vector, check};

/// Loads files and directories. The name of an exchange is its path below the
/// directory that was given.
///
/// # Errors
/// What is wrong with the first file that is no exchange, with lines and
/// reasons.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Vector>, String> {
    let mut vectors = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => vectors.extend(draftgate_vectors::load_dir(path).map_err(|e| wrong(&e))?),
            false => vectors.push(one(path)?),
        }
    }
    Ok(vectors)
}

/// Loads the file `path`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn one(path: &Path) -> Result<Vector, String> {
    if path.is_dir() {
        let path = path.display();
        return Err(format!(
            "{path} is a directory; name the files in it: {path}/*.toml"
        ));
    }
    draftgate_vectors::load(path).map_err(|error| wrong(&error))
}

/// All that is wrong with the file that `error` is about.
fn wrong(error: &LoadError) -> String {
    if let LoadError::Content { path, .. } = error {
        let problems = check([path]).problems;
        if !problems.is_empty() {
            let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
            return lines.join("\n");
        }
    }
    error.to_string()
}
