//! The tarball: one folder, from which the binary can be run where it lies, and from
//! which an administrator takes what belongs elsewhere.

use std::env::consts::ARCH;

use super::stage::{self, SHELLS, Staged};
use super::{SOURCES, Scene, VERSION};
use crate::command::Command;
use crate::failure::Failure;

/// Files of `packaging/` that are of use without a package.
const SYSTEM: [&str; 4] = [
    "draftgate.toml",
    "draftgate.service",
    "draftgate.socket",
    "sysusers.conf",
];

/// Makes it; gives its name.
///
/// # Errors
/// A file is missing, or `tar` is.
pub(super) fn make(scene: &Scene<'_>, staged: &Staged) -> Result<String, Failure> {
    let name = format!("draftgate-{VERSION}-{ARCH}-linux");
    let folder = scene.out.join(&name);
    stage::remove(&folder)?;
    stage::copy(&staged.binary(), &folder.join("draftgate"))?;
    stage::mode(&folder.join("draftgate"), 0o755)?;
    for document in ["README.md", "CHANGELOG.md", "LICENSE"] {
        stage::copy(&scene.root.join(document), &folder.join(document))?;
    }
    stage::copy(&staged.third_party(), &folder.join("THIRD-PARTY"))?;
    stage::copy_all(&scene.root.join("docs"), &folder.join("docs"))?;
    stage::copy_all(&staged.man(), &folder.join("man"))?;
    for shell in SHELLS {
        let to = folder.join("completions").join(shell);
        stage::copy(&staged.completion(shell), &to)?;
    }
    for file in SYSTEM {
        let from = scene.root.join(SOURCES).join(file);
        stage::copy(&from, &folder.join("system").join(file))?;
    }

    let archive = format!("{name}.tar.gz");
    Command::program("tar")
        .args(["--create", "--sort=name", "--format=ustar"])
        .args(["--owner=0", "--group=0", "--numeric-owner"])
        .args([
            &format!("--mtime=@{}", scene.date),
            "--use-compress-program",
        ])
        .args(["gzip -9n", "--file", &archive, &name])
        .current_dir(&scene.out)
        .run()?;
    stage::remove(&folder)?;
    Ok(archive)
}
