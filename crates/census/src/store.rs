//! The file that keeps the census across restarts.
//!
//! It is JSON with a version. Whoever writes it takes a lock, adds what it
//! counted since the last time to what stands there, and puts a new file in
//! its place: so two processes, one of which hands over to the other, lose
//! nothing, and one that is killed in the middle leaves the old file whole. A
//! file that cannot be read is put aside, never written over. Nothing here
//! waits for ever, and nothing is written through a link that stands beside
//! the file.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    Served, State,
    when::{Seconds, stamp},
};

/// The version of the format.
const VERSION: u32 = 1;

/// More than the bounds of a census let it become.
const LARGEST: u64 = 256 << 20;

/// How long another process may write; less than the end of a gateway waits.
const PATIENCE: Duration = Duration::from_secs(4);

/// How often it is looked whether it still does.
const LOOK: Duration = Duration::from_millis(20);

/// Where a census is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    path: PathBuf,
}

/// What is told of a file that was not taken as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aside {
    /// It could not be read, and was put aside.
    Damaged {
        /// Where it is now.
        to: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It spoke of days to come: those were dropped, the rest was kept.
    Future,
}

/// Why the file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It is there, but cannot be read.
    #[error("cannot read the census in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written; the file of before is whole.
    #[error("cannot write the census to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What has its name is no file that could be read or written.
    #[error(
        "the census cannot be kept in {}: {what}; name a plain file in a folder that is draftgate's own",
        path.display()
    )]
    NoFile {
        /// What was looked at.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another process does not let go of the file.
    #[error(
        "cannot write the census: another process has held {} for {PATIENCE:?}; look which one does, and let it go on or end it",
        lock.display()
    )]
    Busy {
        /// The file that it holds.
        lock: PathBuf,
    },
    /// Its content is no census of this version.
    #[error("{} is no census: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Content<S> {
    version: u32,
    saved: String,
    census: S,
}

/// What is read before the rest is looked at.
#[derive(Debug, Deserialize)]
struct Header {
    version: u32,
}

impl Store {
    /// Keeps it in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says; nothing where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is no census; it stays as it is.
    pub fn read(&self) -> Result<State, StoreError> {
        let failed = |source| StoreError::Read {
            path: self.path.clone(),
            source,
        };
        let mut text = String::new();
        // Opening a pipe would wait for whoever writes into it.
        match fs::metadata(&self.path) {
            Ok(about) if !about.is_file() => return Err(no_file(&self.path, &about)),
            Ok(_) | Err(_) => {}
        }
        match File::open(&self.path) {
            Ok(file) => match file.take(LARGEST).read_to_string(&mut text) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(self.damaged("it is not UTF-8".to_owned()));
                }
                Err(error) => return Err(failed(error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Err(failed(error)),
        }
        let header: Header =
            serde_json::from_str(&text).map_err(|error| self.damaged(error.to_string()))?;
        if header.version != VERSION {
            let why = format!(
                "it has version {} of the format, and this program knows version {VERSION}",
                header.version
            );
            return Err(self.damaged(why));
        }
        let content: Content<State> =
            serde_json::from_str(&text).map_err(|error| self.damaged(error.to_string()))?;
        Ok(content.census)
    }

    /// The same for a program that goes on counting: what is no census is put
    /// aside, so that nothing of it is lost, and what a wrong clock wrote of
    /// days to come is dropped.
    ///
    /// # Errors
    /// It cannot be read, or not put aside.
    pub fn load(&self, now: Seconds) -> Result<(State, Option<Aside>), StoreError> {
        self.followed()?.sound(now)
    }

    fn sound(&self, now: Seconds) -> Result<(State, Option<Aside>), StoreError> {
        match self.read() {
            Ok(mut state) => {
                let cut = state.cut(now);
                Ok((state, cut.then_some(Aside::Future)))
            }
            Err(StoreError::Damaged { why, .. }) => {
                let to = self.beside(&format!("damaged-{now}"));
                fs::rename(&self.path, &to).map_err(|source| self.not_written(source))?;
                Ok((State::default(), Some(Aside::Damaged { to, why })))
            }
            Err(error) => Err(error),
        }
    }

    /// Adds `unsaved` to what the file says, and gives what it says then. Waits
    /// for another process that does the same. `served` are the places that the
    /// configuration has, unless it is for another process to say.
    ///
    /// # Errors
    /// It cannot be written, or the other process takes longer than a few
    /// seconds: nothing of `unsaved` is in it then.
    pub fn save(
        &self,
        unsaved: &State,
        served: Option<&[Served]>,
        now: Seconds,
    ) -> Result<(State, Option<Aside>), StoreError> {
        self.followed()?.write(unsaved, served, now, PATIENCE)
    }

    /// Where the file is itself, if it is named by a link: what is put in its
    /// place is to stand there, and so are the files beside it.
    fn followed(&self) -> Result<Self, StoreError> {
        match fs::canonicalize(&self.path) {
            Ok(path) => Ok(Self { path }),
            Err(_) if self.path.is_symlink() => Err(StoreError::NoFile {
                path: self.path.clone(),
                what: "it is a symbolic link that leads nowhere",
            }),
            // There is none yet, or it cannot be reached, which reading tells.
            Err(_) => Ok(self.clone()),
        }
    }

    fn write(
        &self,
        unsaved: &State,
        served: Option<&[Served]>,
        now: Seconds,
        patience: Duration,
    ) -> Result<(State, Option<Aside>), StoreError> {
        let _held = self.lock(patience)?;
        let (mut state, aside) = self.sound(now)?;
        state.merge(unsaved);
        state.cut(now);
        if let Some(served) = served {
            state.serves(served, now);
        }
        let content = Content {
            version: VERSION,
            saved: stamp(now),
            census: &state,
        };
        let new = self.beside("new");
        let written = write(&new, &content).and_then(|()| fs::rename(&new, &self.path));
        if let Err(source) = written {
            // The disk may be full: leave it what room there is.
            let _ = fs::remove_file(&new);
            return Err(self.not_written(source));
        }
        if let Some(folder) = self.path.parent().filter(|it| !it.as_os_str().is_empty()) {
            // The name is kept too; where folders cannot be synced, it soon is.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok((state, aside))
    }

    /// Held until the file is dropped.
    fn lock(&self, patience: Duration) -> Result<File, StoreError> {
        let lock = self.beside("lock");
        let failed = |source| self.not_written(source);
        let file = match File::options().write(true).create_new(true).open(&lock) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Not through a link, and no pipe that would wait for a reader.
                let about = fs::symlink_metadata(&lock).map_err(failed)?;
                if !about.is_file() {
                    return Err(no_file(&lock, &about));
                }
                File::options().write(true).open(&lock).map_err(failed)?
            }
            made => made.map_err(failed)?,
        };
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if waited < patience => {
                    thread::sleep(LOOK);
                    waited += LOOK;
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { lock }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// A file in the same folder: `census.json.new`.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        name.into()
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            why,
        }
    }

    fn not_written(&self, source: io::Error) -> StoreError {
        StoreError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

fn no_file(path: &Path, about: &Metadata) -> StoreError {
    StoreError::NoFile {
        path: path.to_owned(),
        what: match about {
            it if it.is_dir() => "it is a folder",
            it if it.is_symlink() => "it is a symbolic link",
            _ => "it is a pipe, a socket or a device",
        },
    }
}

fn write(path: &Path, content: &Content<&State>) -> io::Result<()> {
    // What a process left that was killed; a link goes, and not what it names.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = File::create_new(path)?;
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
