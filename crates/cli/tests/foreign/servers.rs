//! `draftgate connect` and other people's echo servers: five lines there and
//! back, and an end as the draft ends. A server on `expected-failures.toml`
//! must be refused instead, with the code written there.

use std::process::Command;

use serde_json::json;

use crate::child::Child;
use crate::expected;
use crate::gateway::draftgate;
use crate::programs::{node, perl, ruby};

const SUBPROTOCOL: &str = "chat.example";

/// Every server and draft below, so that no entry of `expected-failures.toml`
/// can be about one that nobody asks.
const TESTED: [(&str, &str); 11] = [
    ("ws", "hybi-13"),
    ("websocket-driver", "hixie-75"),
    ("websocket-driver", "hixie-76"),
    ("websocket-driver", "hybi-13"),
    ("protocol-websocket", "hixie-75"),
    ("protocol-websocket with a space", "hixie-75"),
    ("protocol-websocket", "hixie-76"),
    ("protocol-websocket", "hybi-13"),
    ("em-websocket", "hixie-75"),
    ("em-websocket", "hixie-76"),
    ("em-websocket", "hybi-13"),
];

fn texts() -> [String; 5] {
    let long = "b".repeat(70_000);
    ["Hello", "", "Grüße ✓ 𝄞", &"a".repeat(200), &long].map(str::to_owned)
}

/// One conversation in `draft` with the server that `command` starts.
/// `subprotocol` is what we ask for and the server must agree to.
fn echoes(peer: &str, draft: &str, subprotocol: Option<&str>, mut command: Command) {
    let mut server = Child::start(&format!("the server {peer}"), &mut command);
    let line = server.line();
    let Some(port) = line.strip_prefix("PORT ") else {
        server.fail("its first line is not its port");
    };
    let mut command = draftgate("connect");
    command.args(["--verbose", "--draft", draft]);
    command.args(subprotocol.map(|name| format!("--subprotocol={name}")));
    command.arg(format!("ws://127.0.0.1:{port}/echo"));
    let mut client = Child::start(&format!("draftgate connect in {draft}"), &mut command);

    assert!(
        TESTED.contains(&(peer, draft)),
        "{peer} in {draft} is not among TESTED"
    );
    if let Some(expected) = expected::failures().server(peer, draft) {
        client.end_stdin();
        let ended = client.end();
        let fails = "is listed in expected-failures.toml, and passes: take it out";
        assert_ne!(ended.code, Some(0), "{peer} in {draft} {fails}");
        let code = format!("[{}]", expected.code);
        assert!(
            ended.stderr.contains(&code),
            "{code} was expected: {}",
            ended.stderr
        );
        return;
    }

    for text in texts() {
        client.say(&text);
        assert!(
            client.line() == text,
            "the echo of {peer} in {draft} differs"
        );
    }
    client.end_stdin();
    let ended = client.end();
    assert_eq!(ended.code, Some(0), "{peer} in {draft}: {}", ended.stderr);
    let (open, close) = (server.event("open"), server.event("close"));
    assert_eq!(open["draft"], draft);
    if let Some(name) = subprotocol {
        assert_eq!(open["subprotocol"], name, "{peer} in {draft}");
        let told = format!(", subprotocol {name}");
        assert!(
            ended.stderr.contains(&told),
            "{told} was expected: {}",
            ended.stderr
        );
    }
    if draft == "hybi-13" {
        assert_eq!(close["code"], json!(1000), "{peer} heard another code");
    }
    server.end_stdin();
    server.end_well();
}

#[test]
fn expected_failures_are_of_servers_that_are_tested() {
    for server in expected::failures().servers {
        let named = (server.peer.as_str(), server.draft.as_str());
        assert!(TESTED.contains(&named), "{named:?} is not among {TESTED:?}");
    }
}

#[test]
fn foreign_server_ws_in_hybi_13() {
    echoes("ws", "hybi-13", None, node("ws-server.js"));
}

#[test]
fn foreign_server_websocket_driver_in_hixie_75() {
    echoes("websocket-driver", "hixie-75", None, websocket_driver());
}

#[test]
fn foreign_server_websocket_driver_in_hixie_76() {
    echoes("websocket-driver", "hixie-76", None, websocket_driver());
}

#[test]
fn foreign_server_websocket_driver_in_hybi_13() {
    echoes("websocket-driver", "hybi-13", None, websocket_driver());
    let mut command = websocket_driver();
    command.args(["--subprotocol", SUBPROTOCOL]);
    echoes("websocket-driver", "hybi-13", Some(SUBPROTOCOL), command);
}

#[test]
fn foreign_server_protocol_websocket_in_hixie_75() {
    echoes("protocol-websocket", "hixie-75", None, protocol_websocket());
    let mut command = protocol_websocket();
    command.arg("--web-socket-with-a-space");
    echoes("protocol-websocket with a space", "hixie-75", None, command);
}

#[test]
fn foreign_server_protocol_websocket_in_hixie_76() {
    echoes("protocol-websocket", "hixie-76", None, protocol_websocket());
    echoes(
        "protocol-websocket",
        "hixie-76",
        Some(SUBPROTOCOL),
        with_subprotocol(),
    );
}

#[test]
fn foreign_server_protocol_websocket_in_hybi_13() {
    echoes("protocol-websocket", "hybi-13", None, protocol_websocket());
    echoes(
        "protocol-websocket",
        "hybi-13",
        Some(SUBPROTOCOL),
        with_subprotocol(),
    );
}

#[test]
fn foreign_server_em_websocket_in_hixie_75() {
    echoes("em-websocket", "hixie-75", None, em_websocket());
}

#[test]
fn foreign_server_em_websocket_in_hixie_76() {
    echoes("em-websocket", "hixie-76", None, em_websocket());
}

#[test]
fn foreign_server_em_websocket_in_hybi_13() {
    echoes("em-websocket", "hybi-13", None, em_websocket());
}

fn websocket_driver() -> Command {
    node("websocket-driver-server.js")
}

fn protocol_websocket() -> Command {
    perl("protocol-websocket-server.pl")
}

fn with_subprotocol() -> Command {
    let mut command = protocol_websocket();
    command.args(["--subprotocol", SUBPROTOCOL]);
    command
}

fn em_websocket() -> Command {
    ruby("em-websocket-server.rb")
}
