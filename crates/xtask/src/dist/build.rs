//! The binary that is packed, built as people build it for themselves: `--release`,
//! so that what was measured is what is shipped.

use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::failure::Failure;
use crate::install::target;

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
