//! What tcpdump captures is imported, and what is exported tshark dissects: the
//! formats as other programs understand them, and TCP as a kernel does it. Both
//! are installed by `cargo xtask test`; a test whose program is missing, or may
//! not capture, fails.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod play;
mod tcpdump;
mod tshark;

use std::path::{Path, PathBuf};

use draftgate_core::Role;
use draftgate_vectors::{Action, Vector};

/// Everything in the archive of which both streams were recorded whole.
fn archive() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut vectors = draftgate_vectors::load_dir(folder).unwrap();
    vectors.retain(|vector| {
        let recorded = |side| vector.about.stream(side).is_some_and(|it| it.octets > 0);
        let gap = |action: &Action| matches!(action, Action::Gap(_));
        recorded(Role::Client)
            && recorded(Role::Server)
            && !vector.steps.iter().any(|step| gap(&step.action))
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
