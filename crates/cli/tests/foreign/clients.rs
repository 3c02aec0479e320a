//! Other people's clients on `/echo`: five texts each, every one of them echoed
//! whole, and an end as the draft ends. The client says so by its exit code and
//! its events, the gateway by its access line.

use std::process::Command;

use serde_json::{Value, json};

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::{node, perl};

const SUBPROTOCOL: &str = "chat.example";

/// `/echo` with a subprotocol.
const CONFIG: &str = r#"
drafts = "all"
origins = ["loopback", "missing"]

[[listeners]]
address = "127.0.0.1:0"

[[routes]]
path = "/echo"
service = "echo"
subprotocols = ["other.example", "chat.example"]
"#;

/// Runs `client` in `draft` against the built-in configuration, then asking
/// for a subprotocol that the route has.
fn echoes(name: &str, draft: &str, client: impl Fn() -> Command) {
    conversation(name, draft, client(), Gateway::start(), None);
    let gateway = Gateway::with(&format!("{name}-{draft}"), CONFIG);
    conversation(name, draft, client(), gateway, Some(SUBPROTOCOL));
}

fn conversation(
    name: &str,
    draft: &str,
    mut client: Command,
    mut gateway: Gateway,
    subprotocol: Option<&str>,
) {
    client.arg(gateway.url("/echo")).args(["--draft", draft]);
    if let Some(subprotocol) = subprotocol {
        client.args(["--subprotocol", subprotocol]);
    }
    let mut client = Child::start(&format!("{name} in {draft}"), &mut client);

    let open = client.event("open");
    assert_eq!(
        (&open["draft"], &open["subprotocol"]),
        (&json!(draft), &json!(subprotocol)),
        "{name}"
    );
    let texts: Vec<Value> = (0..5).map(|_| client.event("message")).collect();
    assert_eq!(texts, expected_echoes(), "{name} in {draft}");
    let close = client.event("close");
    let code = (draft == "hybi-13").then_some(1000);
    assert_eq!(close["code"], json!(code), "{name} in {draft}");
    client.end_well();

    let line = gateway.access_line();
    assert_eq!(line["draft"], draft, "{line}");
    assert_eq!(line["subprotocol"], json!(subprotocol), "{line}");
    assert_eq!(
        (&line["messages_in"], &line["messages_out"]),
        (&json!(5), &json!(5)),
        "{line}"
    );
    assert_eq!(
        (&line["by"], &line["why"]),
        (&json!("peer"), &json!("peer-closed")),
        "{line}"
    );
    assert_eq!(
        (&line["dropped"], &line["notices"]),
        (&json!(0), &json!(0)),
        "{line}"
    );
}

/// The echoes of the texts that all clients send. Long ones are told by their
/// length and SHA-1 (of 200 `a` and of 70,000 `b`).
fn expected_echoes() -> Vec<Value> {
    vec![
        json!({"event": "message", "text": "Hello"}),
        json!({"event": "message", "text": ""}),
        json!({"event": "message", "text": "Grüße ✓ 𝄞"}),
        json!({"event": "message", "length": 200, "sha1": A200}),
        json!({"event": "message", "length": 70_000, "sha1": B70000}),
    ]
}

const A200: &str = "e61cfffe0d9195a525fc6cf06ca2d77119c24a40";
const B70000: &str = "9d9168e134f627681957ed3f284367d4d601a16d";

#[test]
fn foreign_ws_speaks_hybi_13() {
    echoes("ws", "hybi-13", || node("ws-client.js"));
}

#[test]
fn foreign_websocket_client_speaks_hixie_76() {
    echoes("websocket-client", "hixie-76", || {
        node("websocket-client.js")
    });
}

#[test]
fn foreign_protocol_websocket_speaks_hixie_75() {
    echoes("protocol-websocket", "hixie-75", protocol_websocket);
}

#[test]
fn foreign_protocol_websocket_speaks_hixie_76_with_content_length() {
    echoes("protocol-websocket", "hixie-76", protocol_websocket);
}

#[test]
fn foreign_protocol_websocket_speaks_hixie_76_without_content_length() {
    echoes("protocol-websocket-bare", "hixie-76", || {
        let mut client = protocol_websocket();
        client.arg("--without-content-length");
        client
    });
}

#[test]
fn foreign_protocol_websocket_speaks_hybi_13() {
    echoes("protocol-websocket", "hybi-13", protocol_websocket);
}

fn protocol_websocket() -> Command {
    perl("protocol-websocket-client.pl")
}
