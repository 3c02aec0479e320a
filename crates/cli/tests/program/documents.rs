//! The examples of `draftgate compare` and `explain` in the documents are what
//! they print: each block of `console` that runs one of them is run, command by
//! command, and compared; `WRITE_DOCUMENTS=1` writes the answers anew.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const VERBS: [&str; 2] = ["draftgate compare", "draftgate explain"];

const OPEN: &str = "```console\n";
const CLOSE: &str = "```\n";

#[test]
fn the_examples_of_compare_and_explain_are_what_they_print() {
    let mut blocks = 0;
    for name in ["README.md", "docs/comparing.md"] {
        let path = root().join(name);
        let document = fs::read_to_string(&path).unwrap();
        let (renewed, count) = played(&document);
        blocks += count;
        if env::var_os("WRITE_DOCUMENTS").is_some() {
            fs::write(&path, renewed).unwrap();
            continue;
        }
        for (at, (stored, seen)) in document.lines().zip(renewed.lines()).enumerate() {
            assert_eq!(
                stored,
                seen,
                "{name}, line {}: run the test once with WRITE_DOCUMENTS=1",
                at + 1
            );
        }
        assert_eq!(document.len(), renewed.len(), "{name}");
    }
    assert!(blocks >= 14, "only {blocks} examples were found");
}

/// `document` with what its commands print, and how many blocks were run.
fn played(document: &str) -> (String, usize) {
    let (mut renewed, mut count) = (String::new(), 0);
    let mut rest = document;
    while let Some(at) = rest.find(OPEN) {
        let (before, block) = rest.split_at(at + OPEN.len());
        renewed += before;
        let end = block.find(CLOSE).expect("the block ends");
        let (block, behind) = block.split_at(end);
        let first = block.lines().next().unwrap_or_default();
        if VERBS.iter().any(|verb| first.contains(verb)) {
            count += 1;
            for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
                let _ = write!(renewed, "$ {command}\n{}", printed(command));
            }
        } else {
            renewed += block;
        }
        rest = behind;
    }
    (renewed + rest, count)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `command` prints in a shell whose `draftgate` is ours.
fn printed(command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_draftgate"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        env::var("PATH").unwrap_or_default()
    );
    let done = Command::new("sh")
        .args(["-c", &format!("({command}) 2>&1")])
        .env("PATH", path)
        .env_remove("CLICOLOR_FORCE")
        .current_dir(root())
        .output()
        .unwrap();
    String::from_utf8(done.stdout).unwrap()
}
