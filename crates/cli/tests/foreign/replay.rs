//! `draftgate replay` of the archive against other people's servers, in every
//! draft that they speak, and to other people's clients. What the archive says
//! that they do otherwise is what they do otherwise, each with its reason, and
//! nothing else is; a table here says how much must have been replayed.

use std::collections::BTreeMap;
use std::process::Command;

use draftgate_core::Draft;
use serde_json::Value;

use crate::child::Child;
use crate::gateway::draftgate;
use crate::peers;
use crate::programs::{node, phantomjs};

const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-vectors");

/// A server under test.
struct Tested {
    /// Its name in the table of peers.
    peer: &'static str,
    /// Its name in the archive's deviations.
    name: &'static str,
    /// Drafts in which it does now this and now that.
    without: &'static [&'static str],
    /// At least so many exchanges pass, and so many are known deviations.
    passed: u64,
    deviations: u64,
}

fn replay(arguments: &[&str]) -> Command {
    let mut command = draftgate("replay");
    command.arg(ARCHIVE).args(arguments);
    command
}

/// Replays against a server in each of its drafts, and asserts what came out.
fn passes(tested: &Tested) {
    let meeting = peers::server(tested.peer, "hixie-76");
    let name = meeting.name();
    let mut server = Child::start(&name, &mut meeting.command());
    let line = server.line();
    let port = line.strip_prefix("PORT ").unwrap();
    let url = format!("ws://127.0.0.1:{port}/echo");
    let mut command = replay(&["--target", &url, "--peer", tested.name, "--format", "json"]);
    let drafts = meeting.drafts();
    let drafts: Vec<Draft> = drafts
        .filter(|draft| !tested.without.contains(&draft.name()))
        .collect();
    for draft in &drafts {
        command.args(["--draft", draft.name()]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
    let exchanges = report["exchanges"].as_array().unwrap();
    for one in exchanges {
        let outcome = one["outcome"].as_str().unwrap();
        assert!(
            ["passed", "deviation", "skipped"].contains(&outcome),
            "{name}: {one:#}"
        );
        if outcome != "passed" {
            assert_ne!(one["reason"].as_str().unwrap_or(""), "", "{one}");
        }
    }
    assert_eq!(output.status.code(), Some(0), "{name}: {said}");
    let counts = &report["counts"];
    let count = |what: &str| counts[what].as_u64().unwrap();
    assert!(count("passed") >= tested.passed, "{name}: {counts}");
    assert!(count("deviations") >= tested.deviations, "{name}: {counts}");
    nothing_is_left_out(exchanges, &name);
    for draft in drafts {
        let of_it = |one: &&Value| one["draft"] == draft.name() && one["outcome"] == "passed";
        let passed = exchanges.iter().filter(of_it).count();
        // Of hybi-01 to -05 the archive has the worked examples and what was recorded.
        let few = Draft::Hixie76 < draft && draft < Draft::Hybi06;
        let least = if few { 1 } else { 10 };
        assert!(passed >= least, "{name}, {}: {passed} passed", draft.name());
    }
}

/// Fewer than one exchange in ten is skipped, and why is said if there are more; not
/// counting what hangs on an extension that the peer has not.
fn nothing_is_left_out(exchanges: &[Value], name: &str) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in exchanges {
        let reason = one["reason"].as_str().unwrap_or_default();
        let unspoken = [
            "the server does not agree on ",
            "the client does not offer the extension",
        ];
        if one["outcome"] == "skipped" && !unspoken.iter().any(|it| reason.starts_with(it)) {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let skipped: usize = reasons.values().sum();
    assert!(skipped * 10 < exchanges.len(), "{name}: {reasons:#?}");
}

#[test]
fn foreign_websocket_driver_deviates_as_the_archive_says() {
    passes(&Tested {
        peer: "websocket_driver",
        name: "websocket-driver 0.6.5",
        without: &[],
        passed: 270,
        deviations: 80,
    });
}

#[test]
fn foreign_netty_deviates_as_the_archive_says() {
    passes(&Tested {
        peer: "netty",
        name: "Netty 4.1.48",
        without: &[],
        passed: 225,
        deviations: 95,
    });
}

#[test]
fn foreign_em_websocket_deviates_as_the_archive_says() {
    passes(&Tested {
        peer: "em_websocket",
        name: "em-websocket 0.5.1",
        // There it depends on what it reads at once, of an opening or of frames.
        without: &["hixie-75", "hixie-76"],
        passed: 265,
        deviations: 60,
    });
}

/// A client under test, which comes again for each exchange until there is no
/// more.
struct Coming {
    draft: &'static str,
    /// Its name in the archive's deviations.
    name: &'static str,
    /// At least so many exchanges pass, and so many are known deviations.
    passed: u64,
    deviations: u64,
}

/// Replays to `client`, which is told the URL as its last argument.
fn comes(coming: &Coming, mut client: Command) {
    let name = coming.name;
    let listen = ["--draft", coming.draft, "--listen", "127.0.0.1:0"];
    let mut runner = replay(&[&listen[..], &["--peer", name, "--format", "json"]].concat());
    let mut runner = Child::start("draftgate replay", &mut runner);
    let line = runner.line_of_stderr();
    let url = format!("ws://{}", line.split_once("ws://").unwrap().1.trim());
    let mut client = Child::start(name, client.arg(url));
    let report: Value = serde_json::from_str(&runner.text()).unwrap();
    assert_eq!(runner.end().code, Some(0), "{report:#}");
    client.end_well();
    let counts = &report["counts"];
    let count = |what: &str| counts[what].as_u64().unwrap();
    assert!(count("passed") >= coming.passed, "{counts}");
    assert!(count("deviations") >= coming.deviations, "{counts}");
    assert_eq!(count("unexpectedly-fine"), 0, "{counts}");
    let exchanges = report["exchanges"].as_array().unwrap();
    let unserved = |one: &Value| one["reason"] == "no client came";
    assert!(!exchanges.iter().any(unserved), "{counts}");
}

#[test]
fn foreign_ws_as_the_client_under_test_deviates_as_the_archive_says() {
    let ws = Coming {
        draft: "hybi-13",
        name: "ws 8.23.0",
        passed: 105,
        deviations: 3,
    };
    comes(&ws, node("ws-again-client.js"));
}

#[test]
fn foreign_phantomjs_as_the_client_under_test_deviates_as_the_archive_says() {
    let webkit = Coming {
        draft: "hixie-76",
        name: "PhantomJS 1.9.8",
        passed: 20,
        deviations: 52,
    };
    comes(&webkit, phantomjs("phantom-again.js"));
}
