//! The file is written whole or not at all, by several processes, and whatever
//! stands in its place or beside it.

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
        let Some(Aside::Damaged { to, .. }) = aside else {
            panic!("{aside:?}")
        };
        assert_eq!(fs::read_to_string(&to).unwrap(), text);
        assert!(to.ends_with(format!("census.json.damaged-{NOON}")));
        assert_eq!(opened(&saved), 1);
    }
}

#[test]
fn a_file_with_days_to_come_is_mended_and_told_once() {
    let folder = Folder::new();
    let store = folder.store();
    let mut ahead = Census::new(NOON);
    count(&mut ahead, 1);
    ahead.tick(NOON + 3_000 * 86_400);
    let later = NOON + 3_000 * 86_400;
    store.save(&ahead.take_unsaved(later), None, later).unwrap();
    for told in [Some(Aside::Future), None] {
        let mut census = Census::new(NOON);
        count(&mut census, 20);
        let (_, aside) = store.save(&census.take_unsaved(NOON), None, NOON).unwrap();
        assert_eq!(aside, told);
    }
    let report = Report::new(&store.read().unwrap(), NOON);
    assert_eq!(
        (opened(&store.read().unwrap()), report.days_counted),
        (41, 1)
    );
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

#[test]
fn whoever_holds_the_lock_for_long_is_told_of_and_nothing_is_lost() {
    let folder = Folder::new();
    let store = folder.store();
    let held = File::create(store.beside("lock")).unwrap();
    held.lock().unwrap();
    let mut census = Census::new(NOON);
    count(&mut census, 3);
    let unsaved = census.take_unsaved(NOON);
    let patience = Duration::from_millis(50);
    let error = store.write(&unsaved, None, NOON, patience).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    census.not_saved(&unsaved);
    drop(held);
    store.save(&census.take_unsaved(NOON), None, NOON).unwrap();
    assert_eq!(opened(&store.read().unwrap()), 3);
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_told_of_at_once() {
    let folder = Folder::new();
    let store = folder.store();
    fs::create_dir(store.path()).unwrap();
    let error = store.read().unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
    fs::remove_dir(store.path()).unwrap();
    pipe(store.path());
    let mut census = Census::new(NOON);
    let unsaved = census.take_unsaved(NOON);
    for error in [
        store.read().unwrap_err(),
        store.load(NOON).unwrap_err(),
        store.save(&unsaved, None, NOON).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::NoFile { .. }), "{error}");
    }
    fs::remove_file(store.path()).unwrap();
    fs::remove_file(store.beside("lock")).unwrap();
    pipe(&store.beside("lock"));
    let error = store.save(&unsaved, None, NOON).unwrap_err();
    assert!(matches!(error, StoreError::NoFile { .. }), "{error}");
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[cfg(unix)]
#[test]
fn links_beside_the_file_are_not_followed_and_one_that_names_it_stays() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let (real, victim) = (folder.0.join("real"), folder.0.join("victim"));
    fs::create_dir(&real).unwrap();
    fs::write(&victim, "precious").unwrap();
    let (store, inner) = (folder.store(), Store::new(real.join("kept.json")));
    let mut census = Census::new(NOON);
    count(&mut census, 1);
    let unsaved = census.take_unsaved(NOON);
    symlink(inner.path(), store.path()).unwrap();
    let error = store.save(&unsaved, None, NOON).unwrap_err();
    assert!(matches!(error, StoreError::NoFile { .. }), "{error}");
    inner.save(&unsaved, None, NOON).unwrap();

    symlink(&victim, inner.beside("new")).unwrap();
    store.save(&unsaved, None, NOON).unwrap();
    assert!(store.path().is_symlink());
    assert_eq!(opened(&inner.read().unwrap()), 2);
    assert!(
        !store.beside("lock").exists(),
        "the lock is beside the file itself"
    );

    fs::remove_file(inner.beside("lock")).unwrap();
    symlink(folder.0.join("made"), inner.beside("lock")).unwrap();
    let error = store.save(&unsaved, None, NOON).unwrap_err();
    assert!(error.to_string().contains("a symbolic link"), "{error}");
    assert!(!folder.0.join("made").exists());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
