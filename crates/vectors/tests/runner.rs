//! A runner in another language, written from the page on the format: it finds
//! every file of the archive as the page says, and it is no runner that passes
//! everything.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn run(archive: &Path) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runner/runner.py");
    // tomllib came with Python 3.11.
    let has = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import tomllib"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(has);
    let python =
        python.expect("python3, 3.11 or newer: apt-get install python3, or cargo xtask test");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(archive).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A copy of what the archive has of one draft, with one file changed.
fn copy(name: &str, draft: &str, file: &str, from: &str, to: &str) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(copy.join(draft)).unwrap();
    for entry in fs::read_dir(Path::new(TOP).join("interop-vectors").join(draft)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(draft).join(entry.file_name())).unwrap();
    }
    let path = copy.join(draft).join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
    copy
}

#[test]
fn foreign_runner_takes_the_whole_archive() {
    let output = run(&Path::new(TOP).join("interop-vectors"));
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    let judged = said
        .split(", ")
        .find_map(|part| part.trim().strip_suffix(" roles as expected"));
    let judged: u32 = judged.unwrap().parse().unwrap();
    assert!(judged >= 150, "{said}");
}

#[test]
fn foreign_runner_notices_what_is_changed() {
    let file = "close.client-node-worlize.server-ruby-em-websocket.toml";
    for (name, from, to, says) in [
        ("octets", "81 01 78", "81 01 79", "has another hash"),
        (
            "event",
            "{ text = \"x\" }",
            "{ text = \"y\" }",
            "expected ['opened', {'text': 'y'}",
        ),
        (
            "end",
            "ends = \"closed\"",
            "ends = \"open\"",
            "and open, got",
        ),
        (
            "answer",
            "accept = \"u8",
            "accept = \"v8",
            "the answer's accept is",
        ),
        ("form", "${key=6tRJ", "${key=6", "cannot be a key"),
    ] {
        let output = run(&copy(name, "hybi-13", file, from, to));
        assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
        assert!(said(&output).contains(says), "{name}: {}", said(&output));
    }
}
