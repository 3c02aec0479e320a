//! The file that keeps the census across restarts.
//!
//! It is JSON with a version. Whoever writes it takes a lock, adds what it
//! counted since the last time to what stands there, and puts a new file in
//! its place: so two processes, one of which hands over to the other, lose
//! nothing, and one that is killed in the middle leaves the old file whole. A
//! file that cannot be read is put aside, never written over.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
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

/// Where a census is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    path: PathBuf,
}

/// A file that could not be read and was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where it is now.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: String,
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
    /// aside, so that nothing of it is lost.
    ///
    /// # Errors
    /// It cannot be read, or not put aside.
    pub fn load(&self, now: Seconds) -> Result<(State, Option<Aside>), StoreError> {
        match self.read() {
            Ok(state) => Ok((state, None)),
            Err(StoreError::Damaged { why, .. }) => {
                let to = self.beside(&format!("damaged-{now}"));
                fs::rename(&self.path, &to).map_err(|source| self.not_written(source))?;
                Ok((State::default(), Some(Aside { to, why })))
            }
            Err(error) => Err(error),
        }
    }

    /// Adds `unsaved` to what the file says, and gives what it says then. Waits
    /// for another process that does the same. `served` are the places that the
    /// configuration has, unless it is for another process to say.
    ///
    /// # Errors
    /// It cannot be written: nothing of `unsaved` is in it then.
    pub fn save(
        &self,
        unsaved: &State,
        served: Option<&[Served]>,
        now: Seconds,
    ) -> Result<(State, Option<Aside>), StoreError> {
        let _held = self.lock().map_err(|source| self.not_written(source))?;
        let (mut state, aside) = self.load(now)?;
        state.merge(unsaved);
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
    fn lock(&self) -> io::Result<File> {
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true);
        let file = file.open(self.beside("lock"))?;
        file.lock()?;
        Ok(file)
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

fn write(path: &Path, content: &Content<&State>) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use draftgate_core::Draft;

    use super::*;
    use crate::{Census, Family, Report};

    const NOON: Seconds = 1_793_620_800;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("draftgate-census-{}-{count}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn store(&self) -> Store {
            Store::new(self.0.join("census.json"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn count(census: &mut Census, times: u32) {
        let family = Family {
            name: "a \"TV\"".to_owned(),
            known: false,
            evidence: "é is not kept, \\ is".to_owned(),
        };
        for _ in 0..times {
            census.opened(Draft::Hixie76, "/tv", &family, NOON);
        }
        census.refused(None, None, &family, "path-unknown", NOON);
    }

    fn opened(state: &State) -> u64 {
        let report = Report::new(state, NOON);
        report.places.iter().map(|place| place.opened).sum()
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let folder = Folder::new();
        let store = folder.store();
        assert_eq!(
            store.read().unwrap(),
            State::default(),
            "there is no file yet"
        );
        let mut census = Census::new(NOON);
        census.serves([Served::new(Draft::Hixie76, "/tv").observed(true)], NOON);
        count(&mut census, 3);
        let unsaved = census.take_unsaved(NOON);
        let (saved, aside) = store.save(&unsaved, Some(census.served()), NOON).unwrap();
        assert_eq!(aside, None);
        assert_eq!(store.read().unwrap(), saved);
        assert_eq!(opened(&saved), 3);
        assert!(
            Report::new(&saved, NOON)
                .places
                .iter()
                .any(|place| place.observed)
        );
        let names: Vec<_> = fs::read_dir(&folder.0).unwrap().collect();
        assert_eq!(names.len(), 2, "the file and its lock: {names:?}");
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_counting_goes_on() {
        for text in [
            "",
            "{",
            "{\"version\": 2, \"census\": {}}",
            "{\"version\": 1}",
            "[]",
        ] {
            let folder = Folder::new();
            let store = folder.store();
            fs::write(store.path(), text).unwrap();
            assert!(
                matches!(store.read(), Err(StoreError::Damaged { .. })),
                "{text}"
            );
            assert!(store.path().exists(), "reading alone changes nothing");
            let mut census = Census::new(NOON);
            count(&mut census, 1);
            let unsaved = census.take_unsaved(NOON);
            let (saved, aside) = store.save(&unsaved, None, NOON).unwrap();
            let aside = aside.unwrap();
            assert_eq!(fs::read_to_string(&aside.to).unwrap(), text);
            assert!(aside.to.ends_with(format!("census.json.damaged-{NOON}")));
            assert_eq!(opened(&saved), 1);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_no_census_and_no_panic() {
        let folder = Folder::new();
        let store = folder.store();
        let mut census = Census::new(NOON);
        count(&mut census, 2);
        store.save(&census.take_unsaved(NOON), None, NOON).unwrap();
        let whole = fs::read(store.path()).unwrap();
        for end in 0..whole.len() - 2 {
            fs::write(store.path(), &whole[..end]).unwrap();
            assert!(
                matches!(store.read(), Err(StoreError::Damaged { .. })),
                "{end}"
            );
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file_whole() {
        let folder = Folder::new();
        let store = folder.store();
        let mut census = Census::new(NOON);
        count(&mut census, 2);
        store.save(&census.take_unsaved(NOON), None, NOON).unwrap();
        // No file can be made where a folder stands.
        fs::create_dir(store.beside("new")).unwrap();
        count(&mut census, 5);
        let unsaved = census.take_unsaved(NOON);
        let error = store.save(&unsaved, None, NOON).unwrap_err();
        assert!(matches!(error, StoreError::Write { .. }), "{error}");
        assert_eq!(opened(&store.read().unwrap()), 2);
        census.not_saved(&unsaved);
        fs::remove_dir(store.beside("new")).unwrap();
        store.save(&census.take_unsaved(NOON), None, NOON).unwrap();
        assert_eq!(opened(&store.read().unwrap()), 7);
    }

    #[test]
    fn many_writers_at_once_lose_nothing() {
        let folder = Folder::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = folder.store();
                    let mut census = Census::new(NOON);
                    for _ in 0..10 {
                        count(&mut census, 1);
                        let unsaved = census.take_unsaved(NOON);
                        let (saved, _) = store.save(&unsaved, None, NOON).unwrap();
                        census.saved(saved);
                    }
                });
            }
        });
        let state = folder.store().read().unwrap();
        assert_eq!(opened(&state), 40);
        let report = Report::new(&state, NOON);
        let refused: u64 = report.places.iter().map(|place| place.refused).sum();
        assert_eq!(refused, 40);
    }
}
