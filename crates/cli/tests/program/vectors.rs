//! `draftgate vectors`: what is wrong with files, and secrets taken out of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::child::{Ended, directory, draftgate};

const EXCHANGE: &str = include_str!("../../../vectors/tests/mistakes/exchange.toml");
const SECRET: &str = "\
format = 1

[about]
draft = \"hybi-13\"
kind = \"published\"
role = \"server\"
scenario = \"handshake\"
client = \"a client\"
server = \"none\"
source = \"a test\"

[about.streams]
client = { octets = 112, sha256 = \"SHA256\" }

[[step]]
from = \"client\"
text = \"\"\"\\
GET /a?token=s3cret&b=1 HTTP/1.1\\r\\n\\
Host: h\\r\\n\\
Cookie: a=\\
\"\"\"

[[step]]
from = \"client\"
text = \"\"\"\\
b; c=d\\r\\n\\
Authorization: Basic c2VjcmV0\\r\\n\\
X-Session: 12345\\r\\n\\
\\r\\n\\
\"\"\"

[expect.server]
unstated = \"it is for the secrets in it\"
";

#[derive(Deserialize)]
struct Changes {
    mistake: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Mistake {
    from: String,
    to: String,
    line: usize,
    says: String,
}

fn vectors(directory: &Path, arguments: &[&str]) -> Ended {
    let arguments = ["vectors"].iter().chain(arguments).copied();
    draftgate(arguments).directory(directory).run()
}

/// An empty directory with one exchange.
fn with(file: &str, text: &str) -> PathBuf {
    let directory = directory();
    fs::write(directory.join("two.bin"), "ab").unwrap();
    fs::write(directory.join(file), text).unwrap();
    directory
}

/// The exchange with secrets, its hash put in by what the program says of it.
fn with_secrets() -> PathBuf {
    let directory = with("a.toml", &SECRET.replace("SHA256", &"0".repeat(64)));
    let said = vectors(&directory, &["check", "a.toml"]).stdout;
    let (_, sha256) = said.split_once("the SHA-256 ").unwrap();
    let text = SECRET.replace("SHA256", &sha256[..64]);
    fs::write(directory.join("a.toml"), text).unwrap();
    vectors(&directory, &["check", "a.toml"]).expect(0, &[]);
    directory
}

#[test]
fn the_archive_is_good() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ended = vectors(&top, &["check"]);
    ended.expect(0, &[]);
    assert!(
        ended.stdout.ends_with(" files, nothing is wrong\n"),
        "{ended:?}"
    );
}

#[test]
fn every_bad_file_is_refused_with_file_line_and_reason() {
    let changes: Changes =
        toml::from_str(include_str!("../../../vectors/tests/mistakes/table.toml")).unwrap();
    assert!(changes.mistake.len() > 70, "{}", changes.mistake.len());
    for it in changes.mistake {
        let (from, to) = (it.from.trim_matches('\n'), it.to.trim_matches('\n'));
        let directory = with("bad.toml", &EXCHANGE.replace(from, to));
        let ended = vectors(&directory, &["check", "bad.toml"]);
        ended.expect(1, &[" wrong"]);
        let begin = format!("bad.toml:{}: ", it.line);
        let told = ended
            .stdout
            .lines()
            .any(|line| line.starts_with(&begin) && line.contains(&it.says));
        assert!(told, "{begin}{}: {}", it.says, ended.stdout);
    }
}

#[test]
fn all_problems_of_all_files_are_told_as_json_too() {
    let directory = with("a.toml", &EXCHANGE.replace("note = \"a note\"", "nota = 1"));
    let bad = EXCHANGE
        .replace("kind = \"captured\"", "kind = 3")
        .replace("eof = true", "");
    fs::write(directory.join("b.toml"), bad).unwrap();
    let ended = vectors(&directory, &["check", ".", "--format", "json"]);
    ended.expect(1, &["3 things are wrong"]);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["files"], json!(2));
    let places: Vec<_> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        places,
        [("./a.toml", 12), ("./b.toml", 5), ("./b.toml", 63)]
    );
}

#[test]
fn what_only_shows_side_by_side_is_told() {
    let directory = with("a.toml", EXCHANGE);
    vectors(&directory, &["check", "."]).expect(0, &[]);
    fs::write(
        directory.join("b.toml"),
        EXCHANGE.replace("a note", "another"),
    )
    .unwrap();
    fs::write(directory.join("three.bin"), "abc").unwrap();
    fs::create_dir(directory.join("empty")).unwrap();
    let ended = vectors(&directory, &["check", ".", "empty"]);
    ended.expect(1, &["3 things are wrong"]);
    for line in [
        "./b.toml: both streams, draft, kind and roles are those of ./a.toml",
        "./three.bin: belongs to no exchange",
        "empty: holds no vectors",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}

#[test]
fn a_recorded_exchange_that_nobody_judged_says_so() {
    let directory = with("a.toml", &EXCHANGE.replace(", \"unjudged\"", ""));
    let ended = vectors(&directory, &["check", "a.toml"]);
    ended.expect(1, &["1 thing is wrong"]);
    assert!(
        ended
            .stdout
            .contains("nothing is expected of the client that it tests")
    );
}

#[test]
fn a_path_that_is_not_there_is_wrong_usage() {
    let ended = vectors(&directory(), &["check", "nowhere"]);
    ended.expect(
        2,
        &[
            "cannot read nowhere",
            "name a file or directory of exchanges",
        ],
    );
    vectors(&directory(), &["check", "--format", "xml"])
        .expect(2, &["possible values: text, json"]);
    vectors(&directory(), &["redact"]).expect(2, &["<FILE>"]);
}

#[test]
fn secrets_are_taken_out_and_twice_is_once() {
    let directory = with_secrets();
    let ended = vectors(&directory, &["redact", "a.toml"]);
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "a.toml: taken out: Authorization, Cookie\n");
    let text = fs::read_to_string(directory.join("a.toml")).unwrap();
    for kept in [
        "Cookie: ${redacted=redacted}",
        "Authorization: ${redacted=redacted}\\r\\n",
        "token=s3cret",
        "X-Session: 12345",
        "altered = \"secrets were taken out, the values of Authorization, Cookie",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    for gone in ["a=", "c=d", "c2VjcmV0"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    vectors(&directory, &["check", "a.toml"]).expect(0, &[]);
    let again = vectors(&directory, &["redact", "a.toml"]);
    assert_eq!(again.stdout, "a.toml: no secrets\n");
    assert_eq!(fs::read_to_string(directory.join("a.toml")).unwrap(), text);
    let left: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn named_fields_and_parameters_are_taken_out_into_another_directory() {
    let directory = with_secrets();
    let before = fs::read_to_string(directory.join("a.toml")).unwrap();
    let arguments = [
        "redact",
        "--field",
        "x-session",
        "--field",
        "token",
        "-o",
        "out/deep",
        "a.toml",
    ];
    let ended = vectors(&directory, &arguments);
    ended.expect(0, &[]);
    assert_eq!(
        ended.stdout,
        "a.toml: taken out: Authorization, Cookie, X-Session, token\n"
    );
    assert_eq!(
        fs::read_to_string(directory.join("a.toml")).unwrap(),
        before
    );
    let text = fs::read_to_string(directory.join("out/deep/a.toml")).unwrap();
    assert!(
        text.contains("GET /a?token=redacted&b=1 HTTP/1.1")
            && text.contains("X-Session: ${redacted=redacted}"),
        "{text}"
    );
    vectors(&directory, &["check", "out"]).expect(0, &[]);
}

#[test]
fn what_cannot_be_redacted_stays_as_it_was() {
    let directory = with_secrets();
    let before = fs::read_to_string(directory.join("a.toml")).unwrap();
    fs::write(directory.join("taken"), "").unwrap();
    vectors(&directory, &["redact", "-o", "taken", "a.toml"]).expect(1, &["cannot write taken"]);
    fs::write(directory.join("b.toml"), "format = 1\n").unwrap();
    vectors(&directory, &["redact", "b.toml"]).expect(1, &["b.toml:1: the file lacks `about`"]);
    assert_eq!(
        fs::read_to_string(directory.join("a.toml")).unwrap(),
        before
    );
}
