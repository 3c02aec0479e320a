//! What both packages hold, laid out in a folder beside them: the stripped binary,
//! and what it writes about itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Scene, licences};
use crate::command::Command;
use crate::failure::Failure;

/// The completions, by what the binary calls the shell.
pub(super) const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// The folder, in which are `draftgate`, `man/`, `completions/` and `THIRD-PARTY`.
#[derive(Debug)]
pub(super) struct Staged {
    folder: PathBuf,
}

impl Staged {
    /// Makes it anew.
    ///
    /// # Errors
    /// `strip` is missing, or the binary does not write its pages.
    pub(super) fn make(scene: &Scene<'_>, binary: &Path) -> Result<Self, Failure> {
        let staged = Self {
            folder: scene.out.join(".staged"),
        };
        staged.remove()?;
        folder(&staged.folder)?;
        staged.strip(binary)?;
        let pages = folder(&staged.folder.join("man"))?;
        Command::program(staged.binary())
            .args(["manual", "--dir", &text(&pages)])
            .run()?;
        let completions = folder(&staged.folder.join("completions"))?;
        for shell in SHELLS {
            let script = Command::program(staged.binary())
                .args(["completions", shell])
                .read_stdout()?;
            write(&completions.join(shell), &script)?;
        }
        write(&staged.third_party(), &licences::all()?)?;
        Ok(staged)
    }

    /// Symbols and the notes of compilers go: they are half of the file.
    fn strip(&self, binary: &Path) -> Result<(), Failure> {
        Command::program("strip")
            .args(["--strip-unneeded", "--remove-section=.comment"])
            .args(["--remove-section=.note", "-o", &text(&self.binary())])
            .arg(&text(binary))
            .run()?;
        mode(&self.binary(), 0o755)
    }

    pub(super) fn binary(&self) -> PathBuf {
        self.folder.join("draftgate")
    }

    pub(super) fn man(&self) -> PathBuf {
        self.folder.join("man")
    }

    pub(super) fn completion(&self, shell: &str) -> PathBuf {
        self.folder.join("completions").join(shell)
    }

    pub(super) fn third_party(&self) -> PathBuf {
        self.folder.join("THIRD-PARTY")
    }

    /// Removes the folder, if it is there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        remove(&self.folder)
    }
}

/// A path for a command line; those of the workspace and of packages are UTF-8.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Removes a folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        fs::remove_dir_all(path).map_err(failed(path))?;
    }
    Ok(())
}

/// Makes a folder and those above it; hands its path back.
pub(super) fn folder(path: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(path).map_err(failed(path))?;
    Ok(path.to_owned())
}

/// Writes a file of mode 0644, and the folders above it.
pub(super) fn write(path: &Path, content: &str) -> Result<(), Failure> {
    if let Some(above) = path.parent() {
        folder(above)?;
    }
    fs::write(path, content).map_err(failed(path))?;
    mode(path, 0o644)
}

/// Copies a file, and makes the folders above its copy, which has mode 0644.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if let Some(above) = to.parent() {
        folder(above)?;
    }
    fs::copy(from, to).map_err(failed(from))?;
    mode(to, 0o644)
}

/// Copies all files of a folder, and of those in it.
pub(super) fn copy_all(from: &Path, to: &Path) -> Result<(), Failure> {
    for path in entries(from)? {
        let copied = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_all(&path, &copied)?;
        } else {
            copy(&path, &copied)?;
        }
    }
    Ok(())
}

/// What is in a folder, sorted.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = || {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<PathBuf>>>()
    };
    let mut paths = read().map_err(failed(folder))?;
    paths.sort();
    Ok(paths)
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(failed(path))
}

pub(super) fn mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed(path))
}

pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = text(path);
    |source| Failure::File { path, source }
}
