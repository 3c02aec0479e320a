//! `draftgate config`: what is in effect, who said so, and nothing secret.

use std::fs;

use crate::child::{directory, draftgate};

const FILE: &str = "\
drafts = [\"hixie-76\", \"hybi-13\"]
[limits]
message = \"1MiB\"
[http]
token = \"0123456789abcdef\"
[[listeners]]
address = \"127.0.0.1:0\"
[[routes]]
path = \"/tv\"
service = \"bus\"
channel = \"tv\"
";

#[test]
fn each_value_stands_beside_who_said_it() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), FILE).unwrap();
    let ended = draftgate(["config", "-c", "gate.toml", "--listen", "127.0.0.1:7"])
        .env("DRAFTGATE_LIMITS__FRAME", "2MiB")
        .directory(&directory)
        .run();
    ended.expect(0, &[]);
    for (value, from) in [
        ("message = \"1MiB\"", "gate.toml:3"),
        ("frame = \"2MiB\"", "DRAFTGATE_LIMITS__FRAME"),
        ("fragments = 65536", "default"),
        ("address = \"127.0.0.1:7\"", "--listen"),
        ("token = \"***\"", "gate.toml:5"),
        ("message = \"1MiB\"", "gate.toml:3, at the top"),
    ] {
        let line = format!("{value:44}  # {from}\n");
        assert!(ended.stdout.contains(&line), "{line}{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("0123456789abcdef"));
    assert_eq!(ended.stderr, "");
}

#[test]
fn what_it_prints_is_a_configuration() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), FILE).unwrap();
    let print = |file: &str, more: &[&str]| {
        let ended = draftgate(
            ["config", "-c", file]
                .into_iter()
                .chain(more.iter().copied()),
        )
        .directory(&directory)
        .run();
        ended.expect(0, &[]);
        ended.stdout
    };
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| line.split("  # ").next().map(|it| it.trim_end().to_owned());
        let says = |line: &&str| !line.starts_with('#');
        text.lines().filter(says).filter_map(value).collect()
    };
    for changed in [&[][..], &["--changed"]] {
        let printed = print("gate.toml", changed);
        fs::write(
            directory.join("again.toml"),
            printed.replace("***", "0123456789abcdef"),
        )
        .unwrap();
        let again = print("again.toml", changed);
        assert_eq!(values(&again), values(&printed), "{changed:?}");
    }
    fs::write(directory.join("again.toml"), print("gate.toml", &[])).unwrap();
    let ended = draftgate(["check", "-c", "again.toml"])
        .directory(&directory)
        .run();
    ended.expect(78, &["`token` is no token"]);
}

#[test]
fn as_json_it_is_for_programs() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), FILE).unwrap();
    let ended = draftgate([
        "config",
        "-c",
        "gate.toml",
        "--format",
        "json",
        "--any-origin",
    ])
    .directory(&directory)
    .run();
    ended.expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let limits = &json["values"]["limits"];
    assert_eq!(limits["message"]["value"], "1MiB");
    assert_eq!(limits["message"]["from"], "gate.toml:3");
    let route = &json["values"]["routes"][0];
    assert_eq!(route["origins"]["value"], serde_json::json!(["any"]));
    assert_eq!(route["origins"]["from"], "--any-origin");
    assert_eq!(json["values"]["http"]["token"]["secret"], true);
    assert_eq!(json["secrets"], 1);
}

#[test]
fn a_wrong_file_gets_the_report_of_check() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), "drafts = \"al\"\n").unwrap();
    let ended = draftgate(["config", "-c", "gate.toml"])
        .directory(&directory)
        .run();
    ended.expect(78, &["must be \"all\" or a list of drafts"]);
}
