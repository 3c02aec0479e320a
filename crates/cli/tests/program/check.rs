//! `draftgate check`: which file is read, and what is said of it.

use std::fs;

use crate::child::{directory, draftgate};

const GOOD: &str = "\
drafts = [\"hixie-76\", \"hybi-13\"]
[[listeners]]
address = \"127.0.0.1:0\"
[[routes]]
path = \"/tv/{channel}\"
service = \"bus\"
";

#[test]
fn a_good_file_is_told_what_it_exposes() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), GOOD).unwrap();
    let ended = draftgate(["check", "-c", "gate.toml"])
        .directory(&directory)
        .run();
    ended.expect(0, &[]);
    for text in [
        "gate.toml is good.",
        "/tv/{channel}: speaks `hixie-76 = hybi-00` and `hybi-13 = RFC 6455`",
        "every peer may publish",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn what_is_probably_not_meant_is_said_and_still_good() {
    let directory = directory();
    let text = format!("{GOOD}[limits]\nmax-connections = 4000000000\n");
    fs::write(directory.join("gate.toml"), text).unwrap();
    let ended = draftgate(["check", "-c", "gate.toml"])
        .directory(&directory)
        .run();
    ended.expect(0, &[]);
    let text = "max-connections of all listeners allows connections that need 4000000000 files";
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
}

#[test]
fn a_policy_is_told_and_one_for_everybody_warned_of() {
    let directory = directory();
    let (_, section) = include_str!("../../../../docs/operating.md")
        .split_once("\n## Flash and Silverlight\n")
        .unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (example, _) = block.split_once("```").unwrap();
    let said = |text: &str| {
        fs::write(directory.join("gate.toml"), text).unwrap();
        let ended = draftgate(["check", "-c", "gate.toml"])
            .directory(&directory)
            .run();
        ended.expect(0, &[]);
        ended.stdout
    };
    let told = said(example);
    let who = "programs of `example.com` and `*.example.com` may connect\n";
    for (listener, plugins) in [
        ("0.0.0.0:8080", "Flash and Silverlight"),
        ("0.0.0.0:4502", "Flash and Silverlight"),
        ("0.0.0.0:843", "Flash"),
        ("0.0.0.0:943", "Silverlight"),
    ] {
        let line = format!("  {listener}: answers policy requests of {plugins}: {who}");
        assert!(told.contains(&line), "{line}{told}");
    }
    assert!(!told.contains("`policy."), "no warning: {told}");
    let told = said(&example.replace("\"*.example.com\"]   #", "\"*\"] #"));
    assert!(
        told.contains("programs of every web page may connect"),
        "{told}"
    );
    assert!(told.contains("`policy.allow` has \"*\": "), "{told}");
    let policy = &example[example.find("[policy]").unwrap()..example.find("[[routes]]").unwrap()];
    let told = said(&example.replace(policy, ""));
    assert!(!told.contains("policy"), "{told}");
}

#[test]
fn a_bad_file_is_shown_with_line_caret_and_advice() {
    let directory = directory();
    let text = GOOD.replace("address", "adress");
    fs::write(directory.join("gate.toml"), text).unwrap();
    for command in ["check", "serve"] {
        let ended = draftgate([command, "-c", "gate.toml"])
            .directory(&directory)
            .run();
        ended.expect(78, &["gate.toml:3:1", "^^^^^^", "did you mean `address`?"]);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_configuration() {
    draftgate(["check", "-c", "none.toml"])
        .run()
        .expect(78, &["cannot read the configuration file none.toml"]);
}

#[test]
fn the_file_is_the_named_one_then_the_variables_then_the_directorys() {
    let directory = directory();
    for name in ["flag.toml", "variable.toml", "draftgate.toml"] {
        fs::write(directory.join(name), GOOD).unwrap();
    }
    let said = |arguments: &[&str], variable: &str| {
        let ended = draftgate(arguments.iter().copied())
            .directory(&directory)
            .env("DRAFTGATE_CONFIG", variable)
            .run();
        ended.expect(0, &[]);
        ended.stdout.lines().next().unwrap().to_owned()
    };
    let flag = ["check", "--config", "flag.toml"];
    assert_eq!(said(&flag, "variable.toml"), "flag.toml is good.");
    assert_eq!(said(&["check"], "variable.toml"), "variable.toml is good.");
    assert_eq!(said(&["check"], ""), "draftgate.toml is good.");
}

#[test]
fn the_environment_wins_over_the_file_and_is_checked() {
    let directory = directory();
    fs::write(directory.join("draftgate.toml"), GOOD).unwrap();
    let with = |name: &str, value: &str| {
        draftgate(["check"])
            .directory(&directory)
            .env(name, value)
            .run()
    };
    with("DRAFTGATE_LIMITS__MESSAGE", "1MiB").expect(0, &[]);
    with("DRAFTGATE_LIMITS__MESSAGE", "1MB").expect(78, &["did you mean `1MiB`?"]);
    with("DRAFTGATE_LIMITS__MESAGE", "1MiB").expect(
        78,
        &[
            "DRAFTGATE_LIMITS__MESAGE",
            "did you mean `DRAFTGATE_LIMITS__MESSAGE`?",
        ],
    );
}

#[test]
fn certificates_are_read_beside_the_file_and_told_with_their_place() {
    let directory = directory();
    let text = GOOD.replace(
        "[[routes]]",
        "tls = { certificate = \"chain.pem\", key = \"key.pem\" }\n[[routes]]",
    );
    fs::write(directory.join("gate.toml"), text).unwrap();
    // From another folder: files lie beside the configuration.
    let file = directory.join("gate.toml");
    let checked = || {
        let ended = draftgate(["check", "-c", file.to_str().unwrap()]).run();
        ended.expect(78, &[]);
        ended.stderr
    };
    let told = checked();
    assert!(told.contains("chain.pem: cannot be read"), "{told}");
    assert!(told.contains("gate.toml:4:23\n"), "{told}");
    fs::write(directory.join("chain.pem"), "no certificate\n").unwrap();
    let told = checked();
    assert!(told.contains("has no certificate in PEM in it"), "{told}");
}
