//! The examples of `draftgate compare`, `explain`, `probe` and `connect` in the
//! documents are what they print: each block of `console` that runs one of them is run,
//! command by command, and compared; `WRITE_DOCUMENTS=1` writes the answers anew.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::serve::gateway;

const OPEN: &str = "```console\n";
const CLOSE: &str = "```\n";

#[test]
fn the_examples_of_compare_explain_and_probe_are_what_they_print() {
    let verbs = ["draftgate compare", "draftgate explain", "draftgate probe"];
    let documents = ["README.md", "docs/comparing.md", "docs/probing.md"];
    let blocks: usize = documents
        .iter()
        .map(|name| holds(name, &verbs, printed))
        .sum();
    assert!(blocks >= 15, "only {blocks} examples were found");
}

#[test]
fn the_example_of_config_is_what_it_prints() {
    assert_eq!(
        holds("docs/operating.md", &["draftgate config"], printed),
        1
    );
}

#[test]
fn the_examples_of_connect_are_what_they_print() {
    let gateway = gateway(&[]);
    // Where the documents say that it listens.
    let written = "127.0.0.1:8080";
    let blocks = holds("docs/connecting.md", &["draftgate connect"], |command| {
        let command = command.replace(written, &gateway.address);
        printed(&command).replace(&gateway.address, written)
    });
    assert!(blocks >= 5, "only {blocks} examples were found");
    gateway.stop();
}

/// Checks the examples in the document `name` whose blocks begin with one of
/// `verbs`, or writes them anew; how many blocks there are.
pub(crate) fn holds(name: &str, verbs: &[&str], run: impl Fn(&str) -> String) -> usize {
    let path = root().join(name);
    let document = fs::read_to_string(&path).unwrap();
    let (renewed, count) = played(&document, verbs, run);
    if env::var_os("WRITE_DOCUMENTS").is_some() {
        fs::write(&path, renewed).unwrap();
        return count;
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
    count
}

/// `document` with what its commands print, and how many blocks were run.
fn played(document: &str, verbs: &[&str], run: impl Fn(&str) -> String) -> (String, usize) {
    let (mut renewed, mut count) = (String::new(), 0);
    let mut rest = document;
    while let Some(at) = rest.find(OPEN) {
        let (before, block) = rest.split_at(at + OPEN.len());
        renewed += before;
        let end = block.find(CLOSE).expect("the block ends");
        let (block, behind) = block.split_at(end);
        let first = block.lines().next().unwrap_or_default();
        if verbs.iter().any(|verb| first.contains(verb)) {
            count += 1;
            for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
                let _ = write!(renewed, "$ {command}\n{}", run(command));
            }
        } else {
            renewed += block;
        }
        rest = behind;
    }
    (renewed + rest, count)
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `command` prints in a shell whose `draftgate` is ours.
pub(crate) fn printed(command: &str) -> String {
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
