//! The recorder by itself: what bounds it, and that nobody waits for it.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::channel,
    time::Duration,
};

use draftgate_core::Role;
use draftgate_record::{Facts, Options, Recorded, Recorder, Report, StoreError};
use draftgate_vectors::load_dir;

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("recorder")
        .join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_recorded_for_its_time_and_no_longer() {
    let dir = directory("time");
    let mut options = Options::new(&dir, Facts::new("a test"));
    options.max_time = Duration::from_secs(60);
    let recorder = Recorder::start(options, |_| {}).unwrap();
    let mut tape = recorder.tape().unwrap();
    tape.octets(Role::Client, b"early");
    tokio::time::advance(Duration::from_secs(60)).await;
    tape.octets(Role::Server, b"in time");
    tokio::time::advance(Duration::from_millis(1)).await;
    tape.octets(Role::Client, b"late");
    tape.octets(Role::Server, b"later");
    tape.end();
    recorder.finish();
    let vectors = load_dir(&dir).unwrap();
    assert_eq!(vectors.len(), 1);
    assert_eq!(vectors[0].octets(Role::Client), &b"early"[..]);
    assert_eq!(vectors[0].octets(Role::Server), &b"in time"[..]);
    assert_eq!(vectors[0].steps[1].pause, Some(Duration::from_secs(60)));
    let partial = vectors[0].about.partial.as_deref();
    assert_eq!(partial, Some("recorded for 60s and no longer"));
}

#[test]
fn what_nobody_can_write_any_more_is_counted() {
    let options = Options::new(directory("stopped"), Facts::new("a test"));
    let recorder = Recorder::start(options, |_| {}).unwrap();
    let tape = recorder.tape().unwrap();
    recorder.finish();
    assert_eq!(recorder.recorded().failed, 0);
    tape.end();
    assert_eq!(recorder.recorded().failed, 1);
}

#[test]
fn nobody_waits_for_the_writer() {
    let dir = directory("stuck");
    let mut options = Options::new(&dir, Facts::new("a test"));
    options.max_memory = 100_000;
    let (go_on, stuck) = channel::<()>();
    // As if a disk took for ever.
    let recorder = Recorder::start(options, move |_| {
        let _ = stuck.recv();
    })
    .unwrap();
    let mut refused = 0;
    for _ in 0..100 {
        let Some(mut tape) = recorder.tape() else {
            refused += 1;
            continue;
        };
        tape.octets(Role::Client, &[b'x'; 5000]);
        tape.end();
    }
    // What did not fit into the memory was left out, and said so.
    assert!(refused >= 70, "{refused}");
    assert!(recorder.recorded().unrecorded >= refused);
    drop(go_on);
    recorder.finish();
    let Recorded {
        written, failed, ..
    } = recorder.recorded();
    assert_eq!(
        (written as usize, failed),
        (load_dir(&dir).unwrap().len(), 0)
    );
    // The memory is free again.
    let recorder = Recorder::start(Options::new(&dir, Facts::new("a test")), |_| {}).unwrap();
    assert!(recorder.tape().is_some());
    recorder.finish();
}

#[test]
fn memory_comes_back_when_a_file_is_written() {
    let dir = directory("again");
    let mut options = Options::new(&dir, Facts::new("a test"));
    options.max_memory = 10_000;
    let (told, written) = channel();
    let recorder = Recorder::start(options, move |_| told.send(()).unwrap()).unwrap();
    for _ in 0..20 {
        let mut tape = recorder.tape().unwrap();
        tape.octets(Role::Client, &[b'x'; 8000]);
        tape.end();
        written.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    recorder.finish();
    assert_eq!(recorder.recorded().written, 20);
}

#[test]
fn a_directory_that_is_none_is_told() {
    let dir = directory("none");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("file"), "").unwrap();
    let options = Options::new(dir.join("file"), Facts::new("a test"));
    let error = Recorder::start(options, |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}

#[test]
fn what_cannot_be_written_is_told_once_and_counted() {
    let dir = directory("gone");
    let (told, reports) = channel();
    let recorder = Recorder::start(Options::new(&dir, Facts::new("a test")), move |report| {
        told.send(matches!(report, Report::Written(_))).unwrap();
    })
    .unwrap();
    let connection = || recorder.tape().unwrap().end();
    let report = || reports.recv_timeout(Duration::from_secs(60)).unwrap();
    connection();
    assert!(report());
    fs::remove_dir_all(&dir).unwrap();
    for _ in 0..5 {
        connection();
    }
    assert!(!report());
    while recorder.recorded().failed < 5 {
        std::thread::yield_now();
    }
    fs::create_dir(&dir).unwrap();
    connection();
    assert!(
        report(),
        "it goes on, and nothing was said of the four others"
    );
    recorder.finish();
    let Recorded {
        written, failed, ..
    } = recorder.recorded();
    assert_eq!((written, failed), (2, 5));
}
