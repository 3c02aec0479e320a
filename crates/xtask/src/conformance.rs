//! `cargo xtask conformance`: the cases of the Autobahn suite that take minutes, all
//! 216 about compression, against the gateway. A selection of them is among the
//! tests.

use std::path::Path;

use crate::command::Command;
use crate::failure::Failure;
use crate::install;

/// Installs the suite and runs the cases.
///
/// # Errors
/// The suite cannot be installed, or a case fails.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    if let Err(e) = install::install(root) {
        eprintln!("warning: {e}");
    }
    Command::cargo("test")
        .args(["--package", "draftgate", "--test", "foreign", "--locked"])
        .args(["--", "--ignored", "conformance_", "--nocapture"])
        .env("DRAFTGATE_FOREIGN", install::directory(root))
        .run()
}
