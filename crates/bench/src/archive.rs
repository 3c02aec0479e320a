//! The archive of exchanges, replayed as `draftgate replay` does it without a
//! socket. What counts is an exchange, judged in every role that it has; those
//! of drafts that are not spoken are read, skipped and not counted.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use draftgate_core::Limits;
use draftgate_replay::{Judged, Outcome, Split, run_offline};
use draftgate_vectors::{LoadError, Vector, load_dir};

/// As many threads judge; one loads.
pub const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Reads the archive from the disk.
///
/// # Errors
/// A file is missing or wrong.
pub fn load() -> Result<Vec<Vector>, LoadError> {
    load_dir(folder())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors")
}

/// Judges all of them, each stream as a whole.
pub fn judge(vectors: &[Vector]) -> Vec<Judged> {
    let tasks: Vec<_> = vectors
        .iter()
        .flat_map(|vector| vector.about.roles.iter().map(move |role| (vector, *role)))
        .collect();
    run_offline(&tasks, Limits::default(), Split::Whole, THREADS, &|| ())
}

/// How many exchanges were replayed, in one role or in both.
pub fn replayed(judged: &[Judged]) -> usize {
    let replayed = judged
        .iter()
        .filter(|one| !matches!(one.outcome, Outcome::Skipped(_)));
    let mut names: Vec<&str> = replayed.map(|one| one.name.as_str()).collect();
    // Both roles of an exchange stand beside each other.
    names.dedup();
    names.len()
}
