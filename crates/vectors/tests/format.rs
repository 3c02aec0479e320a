//! What a file may not say, as a table of changes to a sound one: the loader
//! names line and reason of each, and the JSON Schema, judged by a validator
//! that is not ours, agrees wherever a schema can say it at all.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use draftgate_vectors::{check, json_schema, keys_tables, placeholders_table, violations_table};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    mistake: Vec<Mistake>,
    sound: Vec<Sound>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    from: String,
    to: String,
    line: usize,
    says: String,
    #[serde(default = "yes")]
    schema: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sound {
    from: String,
    to: String,
}

fn yes() -> bool {
    true
}

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const EXCHANGE: &str = include_str!("mistakes/exchange.toml");

fn changes() -> Changes {
    toml::from_str(include_str!("mistakes/table.toml")).unwrap()
}

/// The sound file with one change, in a directory `name` of its own; the file's path.
fn changed(name: &str, from: &str, to: &str) -> PathBuf {
    // A line end before the first line is TOML's own to drop, behind the last ours.
    let (from, to) = (from.trim_matches('\n'), to.trim_matches('\n'));
    assert_eq!(
        EXCHANGE.matches(from).count(),
        1,
        "`{from}` must stand exactly once"
    );
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("two.bin"), "ab").unwrap();
    let path = dir.join("exchange.toml");
    fs::write(&path, EXCHANGE.replace(from, to)).unwrap();
    path
}

fn problems(path: &Path) -> Vec<String> {
    let found = check([path]);
    found.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_is_told_with_file_line_and_reason() {
    let mut faults = Vec::new();
    for (index, it) in changes().mistake.iter().enumerate() {
        let path = changed(&format!("told-{index}"), &it.from, &it.to);
        let begin = format!("{}:{}: ", path.display(), it.line);
        let problems = problems(&path);
        let told = |line: &String| line.starts_with(&begin) && line.contains(&it.says);
        if !problems.iter().any(told) {
            let said = problems.join("\n    ");
            faults.push(format!("line {}: {}\n    {said}", it.line, it.says));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_right_is_taken() {
    assert_eq!(
        problems(&changed("sound", "format = 1", "format = 1")),
        [""; 0]
    );
    for (index, it) in changes().sound.iter().enumerate() {
        let path = changed(&format!("right-{index}"), &it.from, &it.to);
        let about_octets = |line: &&String| line.contains("'s steps ");
        let problems = problems(&path);
        let others: Vec<_> = problems.iter().filter(|line| !about_octets(line)).collect();
        assert!(others.is_empty(), "{}: {others:?}", it.to);
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let path = changed("many", "client = \"a client 1.0\"", "clint = 3");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("eof = true", "eof = \"yes\"")).unwrap();
    let problems = problems(&path);
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_file_that_is_not_utf8_is_told_with_its_line() {
    let path = changed("not-utf8", "client = \"a client 1.0\"", "client = \"ä\"");
    let latin: Vec<u8> = fs::read_to_string(&path)
        .unwrap()
        .chars()
        .map(|it| u8::try_from(u32::from(it)).unwrap_or(b'?'))
        .collect();
    fs::write(&path, &latin).unwrap();
    let line = 1 + latin[..latin.iter().position(|it| *it == 0xe4).unwrap()]
        .iter()
        .filter(|it| **it == b'\n')
        .count();
    let said = format!(
        "{}:{line}: this is not UTF-8; save the file in UTF-8",
        path.display()
    );
    assert_eq!(problems(&path), [said]);
}

#[test]
fn what_is_wrong_as_a_whole_names_its_path_once() {
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty");
    fs::create_dir_all(&empty).unwrap();
    let said = format!(
        "{}: holds no vectors (files that end in .toml)",
        empty.display()
    );
    assert_eq!(problems(&empty), [said]);
    let missing = empty.join("missing.toml");
    let said = format!("{}: cannot be read: ", missing.display());
    assert!(problems(&missing)[0].starts_with(&said));
}

#[test]
fn lengths_that_were_changed_on_purpose_are_told_with_their_hash() {
    let path = changed("length", "octets = 125, ", "octets = 126, ");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.contains("octets = 126, "));
    let (_, stated) = line.unwrap().split_once("octets = 126, ").unwrap();
    let stated = stated.trim_end_matches([' ', '}']);
    let said = format!("state `octets = 125, {stated}` if that was meant");
    assert!(problems(&path)[0].ends_with(&said), "{said}");
}

#[test]
fn the_schema_stands_in_the_archive_as_the_loader_has_it() {
    let path = Path::new(TOP).join("interop-vectors/schema.json");
    if env::var_os("WRITE_DOCUMENTS").is_some() {
        fs::write(&path, json_schema()).unwrap();
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == json_schema(),
        "interop-vectors/schema.json is out of date: run this test once with WRITE_DOCUMENTS=1"
    );
}

#[test]
fn foreign_validator_takes_every_file_of_the_archive() {
    let mut files = Vec::new();
    collect(&Path::new(TOP).join("interop-vectors"), &mut files);
    assert!(files.len() > 200, "{}", files.len());
    assert_eq!(refused(&files), BTreeMap::new());
}

#[test]
fn foreign_validator_and_loader_agree_on_what_a_schema_can_say() {
    let changes = changes();
    let mistakes: Vec<_> = changes
        .mistake
        .iter()
        .enumerate()
        .map(|(index, it)| (changed(&format!("schema-{index}"), &it.from, &it.to), it))
        .collect();
    let mut files: Vec<_> = mistakes.iter().map(|(path, _)| path.clone()).collect();
    for (index, it) in changes.sound.iter().enumerate() {
        files.push(changed(&format!("schema-right-{index}"), &it.from, &it.to));
    }
    let mut refused = refused(&files);
    let mut wrong = Vec::new();
    for (path, it) in mistakes {
        let found = refused.remove(&path);
        if found.is_some() != it.schema {
            wrong.push(format!("{}: the schema says {found:?}", it.says));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(refused, BTreeMap::new(), "these are sound");
}

#[test]
fn the_page_on_the_format_has_its_tables() {
    let page = "docs/vectors.md";
    draftgate_testkit::documents::holds(page, "keys", &keys_tables());
    draftgate_testkit::documents::holds(page, "placeholders", &placeholders_table());
    draftgate_testkit::documents::holds(page, "violations", &violations_table());
    let example = "hybi-13/close.client-node-worlize.server-ruby-em-websocket";
    let path = Path::new(TOP).join(format!("interop-vectors/{example}.toml"));
    let text = fs::read_to_string(path).unwrap();
    draftgate_testkit::documents::holds(page, "example", &format!("```toml\n{text}```\n"));
    let stands = fs::read_to_string(Path::new(TOP).join(page)).unwrap();
    assert!(
        stands.contains(example),
        "the page says which file the example is"
    );
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "toml") {
            files.push(path);
        }
    }
}

/// The files that `jsonschema` of Python refuses, and why.
fn refused(files: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/validate.py");
    let schema = Path::new(TOP).join("interop-vectors/schema.json");
    // Debian's has Debian's packages; another one first on the path may not.
    let has = |python: &&str| {
        let tried = Command::new(python)
            .args(["-c", "import jsonschema, tomllib"])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let python = ["/usr/bin/python3", "python3"].into_iter().find(has).expect(
        "python3 (3.11 or newer) with jsonschema: apt-get install python3-jsonschema, or cargo xtask test",
    );
    let output = Command::new(python)
        .arg(script)
        .arg(schema)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = |line: &str| {
        line.split_once('\t')
            .map(|(path, why)| (path.into(), why.to_owned()))
    };
    said.lines().filter_map(line).collect()
}
