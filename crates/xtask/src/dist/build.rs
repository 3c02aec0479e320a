//! The binary that is packed, built as people build it for themselves: `--release`,
//! so that what was measured is what is shipped.

use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::failure::Failure;

/// cargo's target folder.
pub(super) fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target)
}

/// Builds the binary with these features, and says where it is.
///
/// # Errors
/// It does not build.
pub(super) fn release(root: &Path, features: &[&str]) -> Result<PathBuf, Failure> {
    let mut build =
        Command::cargo("build").args(["--release", "--locked", "--package", "draftgate"]);
    if !features.is_empty() {
        build = build.args(["--features", &features.join(",")]);
    }
    build.run()?;
    Ok(target(root).join("release/draftgate"))
}
