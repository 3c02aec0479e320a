//! Files of exchanges: whole under their names or not there at all.
//!
//! A file is written under a hidden name and then renamed, those that a vector
//! names before the vector itself. Names begin with the time, so that they sort
//! by it, and go on with the process and a number, so that none comes twice.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use draftgate_vectors::{Vector, WriteError, write};

use crate::clock::Moment;

/// How often, and how long apart, a file is asked for while there is none.
const TRIES: u32 = 100;
const AGAIN: Duration = Duration::from_millis(100);

/// What a file takes on most disks, however small it is.
const BLOCK: u64 = 4096;

/// Why an exchange could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system said no.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The format cannot say it.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The recordings would come to more than they may.
    #[error("with one more the recordings would come to more than the {most} octets that they may")]
    Full {
        /// The bound.
        most: u64,
    },
}

/// A directory of exchanges.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Whether files are for their owner alone.
    private: bool,
    /// How much may be written in all.
    most: u64,
    written: u64,
}

/// The name of an exchange that begins now; unlike any other.
pub(crate) fn name(moment: Moment) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed) + 1;
    format!("{}-{}-{number:06}", moment.stamp(), process::id())
}

impl Store {
    /// The directory `dir`, which is made if it is not there. Files are for
    /// their owner alone if `private`, and come to `most` octets in all.
    ///
    /// # Errors
    /// [`StoreError::Io`]: nothing can be written there.
    pub fn open(dir: &Path, private: bool, most: u64) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let store = Self {
            dir: dir.to_owned(),
            private,
            most,
            written: 0,
        };
        // Whoever cannot write there wants to know now, not after an hour.
        // Whoever was killed here left a file of another name.
        let probe = store.dir.join(format!(".{}.part", name(Moment::now())));
        store
            .create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(failed)?;
        Ok(store)
    }

    /// Stores `vector` under its name; where it is now. A file of that name is
    /// replaced.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of `vector` is left then.
    pub fn put(&mut self, vector: &Vector) -> Result<PathBuf, StoreError> {
        let written = write(vector)?;
        let of_files = written.files.values().map(|octets| octets.len());
        let sizes = of_files.chain([written.toml.len()]);
        let size = sizes
            .map(|size| (size as u64).next_multiple_of(BLOCK))
            .sum::<u64>();
        if self.written.saturating_add(size) > self.most {
            return Err(StoreError::Full { most: self.most });
        }
        let file = format!("{}.toml", vector.name);
        let mut all: Vec<(&str, &[u8])> = Vec::new();
        all.extend(
            written
                .files
                .iter()
                .map(|(name, octets)| (name.as_str(), &octets[..])),
        );
        all.push((&file, written.toml.as_bytes()));
        for (done, (name, octets)) in all.iter().enumerate() {
            if let Err(error) = self.file(name, octets) {
                for (name, _) in &all[..done] {
                    let _ = fs::remove_file(self.dir.join(name));
                }
                return Err(error);
            }
        }
        self.written += size;
        Ok(self.dir.join(file))
    }

    fn file(&self, name: &str, octets: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        let hidden = self.dir.join(format!(".{name}.part"));
        let created = (0..TRIES).find_map(|_| match self.create(&hidden) {
            Err(error) if is_out_of_files(&error) => {
                // Connections that close free some; nobody waits for this thread.
                thread::sleep(AGAIN);
                None
            }
            created => Some(created),
        });
        let stored = created
            .unwrap_or_else(|| self.create(&hidden))
            .and_then(|mut file| file.write_all(octets))
            .and_then(|()| fs::rename(&hidden, &path));
        stored.map_err(|source| {
            let _ = fs::remove_file(&hidden);
            StoreError::Io { path, source }
        })
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if self.private {
            // Elsewhere the directory's own rights are what there is.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        options.open(path)
    }
}

/// Whether the process or the system has no file left.
fn is_out_of_files(error: &io::Error) -> bool {
    // EMFILE and ENFILE, which have no kind of their own.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
