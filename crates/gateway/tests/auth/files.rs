//! Files that hold secrets and keys: whatever else a name leads to is told, and
//! neither waited for nor read to an end that never comes.

use draftgate_gateway::config::{Config, Environment};

use crate::common::spoken;

/// Every key that names such a file, as a part of a configuration.
fn keys(file: &str) -> Vec<(&'static str, String)> {
    let route = "[[routes]]\npath = \"/bus\"\nservice = \"bus\"\nchannel = \"a\"\n";
    [
        ("auth.token", format!("auth.token = {{ file = {file:?} }}")),
        (
            "auth.tokens.token",
            format!("[[routes.auth.tokens]]\ntoken = {{ file = {file:?} }}"),
        ),
        (
            "jwt.secret",
            format!("auth.jwt = {{ algorithm = \"HS256\", secret = {{ file = {file:?} }} }}"),
        ),
        (
            "jwt.public-key",
            format!("auth.jwt = {{ algorithm = \"RS256\", public-key = {file:?} }}"),
        ),
        (
            "jwt.jwks-file",
            format!("auth.jwt = {{ algorithm = \"RS256\", jwks-file = {file:?} }}"),
        ),
        (
            "routes.http.token-file",
            format!("http.token-file = {file:?}"),
        ),
        (
            "admin.token-file",
            format!("[admin]\ntoken-file = {file:?}"),
        ),
    ]
    .map(|(key, said)| (key, format!("drafts = \"all\"\n{route}{said}\n")))
    .to_vec()
}

fn read(text: &str) -> Result<Config, String> {
    let environment = Environment::default();
    Config::parse(text, "the test", &spoken(), &environment).map_err(|error| error.to_string())
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_holds_no_secret() {
    let folder = std::env::temp_dir();
    for (name, why) in [
        ("/dev/null", "it is no plain file"),
        (folder.to_str().unwrap(), "it is no plain file"),
        ("/nowhere/at/all", "cannot be read"),
    ] {
        for (key, text) in keys(name) {
            let told = read(&text).expect_err(key);
            assert!(told.contains(why), "{key} {name}: {told}");
        }
    }
}

#[cfg(unix)]
#[test]
fn authorities_stand_in_plain_files() {
    let folder = std::env::temp_dir();
    for file in ["/dev/zero", folder.to_str().unwrap()] {
        for said in [
            format!(
                "service = \"echo\"\nauth = {{ url = \"https://127.0.0.1:1/\", ca = {file:?} }}"
            ),
            format!(
                "service = \"proxy\"\nupstream = \"wss://127.0.0.1:1\"\nupstream-ca = [{file:?}]"
            ),
        ] {
            let text = format!("drafts = \"all\"\n[[routes]]\npath = \"/x\"\n{said}\n");
            let told = read(&text).expect_err(&said);
            assert!(told.contains("it is no plain file"), "{told}");
        }
    }
}

#[cfg(unix)]
#[test]
fn nobody_waits_for_who_writes_into_a_pipe() {
    let name = format!("draftgate-pipe-{}", std::process::id());
    let pipe = std::env::temp_dir().join(name);
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for (key, text) in keys(pipe.to_str().unwrap()) {
        let told = read(&text).expect_err(key);
        assert!(told.contains("it is no plain file"), "{key}: {told}");
    }
    std::fs::remove_file(pipe).unwrap();
}

#[test]
fn a_file_too_long_for_a_secret_is_not_read_on() {
    let name = format!("draftgate-long-{}", std::process::id());
    let long = std::env::temp_dir().join(name);
    std::fs::write(&long, "x".repeat((1 << 20) + 1)).unwrap();
    for (key, text) in keys(long.to_str().unwrap()) {
        let told = read(&text).expect_err(key);
        assert!(told.contains("it is longer than"), "{key}: {told}");
    }
    std::fs::remove_file(long).unwrap();
}
