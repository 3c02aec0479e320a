//! The file is written in time, by one at a time, and holds nothing up.

use std::{fs, path::PathBuf};

use draftgate_census::Window;
use tokio::time::advance;

use super::*;

fn file(name: &str) -> PathBuf {
    let name = format!("draftgate-{name}-{}.json", std::process::id());
    std::env::temp_dir().join(name)
}

fn with_file(path: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.census.file = Some(path.to_owned());
    config
}

fn opened_in(path: &std::path::Path) -> u64 {
    let state = Store::new(path).read().unwrap();
    let report = Report::new(&state, now());
    report.places.iter().map(|place| place.opened).sum()
}

/// Lets what runs beside go on until `condition` holds.
async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_loses_a_minute_at_most() {
    let path = file("minute");
    let counting = Counting::new();
    counting.follow(&with_file(&path));
    let keeps = tokio::spawn(Arc::clone(&counting).keep());
    until(|| path.exists()).await;
    let open = |times: u64| {
        for _ in 0..times {
            let family = Family::of(b"GET / HTTP/1.1\r\nUser-Agent: a\r\n\r\n");
            let opened = counting
                .census()
                .opened(Draft::ALL[0], "/a", &family, now());
            counting.census().closed(&opened, now());
        }
    };
    open(3);
    assert_eq!(opened_in(&path), 0, "not before the minute is over");
    advance(PERIOD).await;
    until(|| opened_in(&path) == 3).await;
    open(2);
    advance(PERIOD).await;
    until(|| opened_in(&path) == 5).await;
    keeps.abort();
    for suffix in ["", ".lock"] {
        fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
}

#[tokio::test]
async fn another_file_begins_with_what_it_says() {
    let paths = [file("one"), file("other")];
    let counting = Counting::new();
    let family = Family::of(b"GET / HTTP/1.1\r\nUser-Agent: a\r\n\r\n");
    for (times, path) in [(1, &paths[0]), (2, &paths[1]), (3, &paths[0])] {
        counting.follow(&with_file(path));
        for _ in 0..times {
            let draft = Draft::ALL[0];
            let opened = counting.census().opened(draft, "/a", &family, now());
            counting.census().closed(&opened, now());
        }
        counting.finish().await;
    }
    assert_eq!((opened_in(&paths[0]), opened_in(&paths[1])), (4, 2));
    let text = counting.report().sentences(Window::DAYS_90);
    assert!(text.contains("4 connections: agent a 4"), "{text}");
    for path in paths {
        for suffix in ["", ".lock"] {
            fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
        }
    }
}

#[tokio::test]
async fn nobody_queues_up_behind_a_file_that_another_process_holds() {
    let path = file("held");
    let lock = PathBuf::from(format!("{}.lock", path.display()));
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let counting = Counting::new();
    counting.follow(&with_file(&path));
    let first = Arc::clone(&counting);
    let first = tokio::spawn(async move { first.save().await });
    until(|| counting.saving.try_lock().is_err()).await;
    for _ in 0..30 {
        counting.save().await;
    }
    assert!(!path.exists(), "what waits is the first alone");
    drop(held);
    first.await.unwrap();
    counting.finish().await;
    assert_eq!(opened_in(&path), 0);
    for path in [path, lock] {
        fs::remove_file(path).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_place_of_the_file_holds_up_neither_start_nor_end() {
    let path = file("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let counting = Counting::new();
    counting.follow(&with_file(&path));
    counting.save().await;
    assert!(counting.failing.load(Acquire), "it is told");
    fs::remove_file(&path).unwrap();
    counting.finish().await;
    assert!(!counting.failing.load(Acquire));
    assert_eq!(opened_in(&path), 0);
    for suffix in ["", ".lock"] {
        fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
}
