//! What tcpdump captures is imported, and what is exported tshark dissects: the
//! formats as other programs understand them, and TCP as a kernel does it. Both
//! are installed by `cargo xtask test`; a test whose program is missing, or may
//! not capture, fails.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod gaps;
mod play;
mod tcpdump;
mod tshark;
mod whole;

use std::path::{Path, PathBuf};

use draftgate_core::Role;
use draftgate_vectors::{Action, Vector};

/// How many exchanges of each draft are played.
const OF_EACH: usize = 12;
/// The longest stream that is played; a kernel has little room for captures.
const LONGEST: u64 = 16 * 1024;

/// Exchanges of the archive of which both streams were recorded whole, some of
/// each draft.
fn archive() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut vectors = draftgate_vectors::load_dir(folder).unwrap();
    let mut of_draft = std::collections::BTreeMap::new();
    vectors.retain(|vector| {
        let stream = |side| vector.about.stream(side);
        let recorded = |side| stream(side).is_some_and(|it| (1..=LONGEST).contains(&it.octets));
        let gap = |action: &Action| matches!(action, Action::Gap(_));
        if !recorded(Role::Client)
            || !recorded(Role::Server)
            || vector.steps.iter().any(|step| gap(&step.action))
        {
            return false;
        }
        let count: &mut usize = of_draft.entry(vector.about.draft).or_default();
        *count += 1;
        *count <= OF_EACH
    });
    assert!(!vectors.is_empty());
    vectors
}

/// A folder that is removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("draftgate-pcap-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
