//! The Dockerfile, as far as that goes without a container runtime: what it copies
//! is there, its features and its Rust are the workspace's, and the commands that it
//! runs are understood, with the configuration that it puts in place.

use std::{fs, path::PathBuf};

use crate::child::draftgate;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The Dockerfile's instructions, each in one line.
fn instructions() -> Vec<String> {
    let path = root().join("crates/cli/packaging/Dockerfile");
    let text = fs::read_to_string(path).unwrap().replace("\\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// What stands behind the one instruction that begins so.
fn only(beginning: &str) -> String {
    let all = instructions();
    let mut found = all.iter().filter_map(|line| line.strip_prefix(beginning));
    let first = found.next().unwrap_or_else(|| panic!("no {beginning}"));
    assert_eq!(found.next(), None, "two of {beginning}");
    first.trim().to_owned()
}

/// A command in its form of a JSON array, without `draftgate` before it.
fn arguments(array: &str) -> Vec<String> {
    let words: Vec<String> = serde_json::from_str(array).unwrap();
    words
        .into_iter()
        .filter(|word| word != "draftgate")
        .collect()
}

#[test]
fn what_the_container_copies_is_there() {
    let copies: Vec<String> = instructions()
        .into_iter()
        .filter_map(|line| Some(line.strip_prefix("COPY ")?.to_owned()))
        .collect();
    let mut sources = 0;
    for copy in copies {
        let mut words: Vec<&str> = copy.split_whitespace().collect();
        words.pop(); // where to
        if words[0] == "--from=build" {
            assert_eq!(words[1], "/source/target/release/draftgate");
            continue;
        }
        for source in words {
            assert!(root().join(source).exists(), "{source} is not there");
            sources += 1;
        }
    }
    assert!(sources >= 5, "only {sources} are copied");
}

#[test]
fn the_container_is_built_with_the_workspaces_rust_and_features() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let wanted = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .unwrap();
    let image = only("FROM rust:");
    assert!(image.starts_with(&format!("{wanted}-")), "{image}");

    let build = only("RUN cargo build");
    let (_, features) = build.split_once("--features ").unwrap();
    let program = fs::read_to_string(root().join("crates/cli/Cargo.toml")).unwrap();
    let program: toml::Table = program.parse().unwrap();
    for feature in features.split(',') {
        let known = program["features"].as_table().unwrap();
        assert!(known.contains_key(feature), "{feature} is no feature");
    }
}

#[test]
fn what_the_container_runs_is_understood() {
    let health = only("HEALTHCHECK");
    let (_, health) = health.split_once("CMD ").unwrap();
    for command in [arguments(health), arguments(&only("CMD "))] {
        let asked = command.iter().map(String::as_str).chain(["--help"]);
        let ended = draftgate(asked).run();
        ended.expect(0, &[]);
    }
    assert_eq!(arguments(&only("ENTRYPOINT ")), [""; 0]);
}

#[test]
fn the_container_is_reached_on_the_port_that_it_tells() {
    let config = root().join("crates/cli/packaging/container.toml");
    let ended = draftgate(["check", "--config", config.to_str().unwrap()]).run();
    ended.expect(0, &[]);
    let address = format!("0.0.0.0:{}", only("EXPOSE "));
    assert!(ended.stdout.contains(&address), "{}", ended.stdout);
}
