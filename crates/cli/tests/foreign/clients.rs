//! Other people's clients on `/echo`: texts short, empty, long and in all
//! planes of Unicode, octets and a ping where the draft has them, several texts
//! at once, and an end as the draft ends. The client says so by its exit code
//! and its events, the gateway by its access line. A client on
//! `expected-failures.toml` must be refused instead, with the code written there.

use draftgate_core::{Capabilities, Closing};
use serde_json::{Value, json};

use crate::child::Child;
use crate::expected;
use crate::gateway::Gateway;
use crate::peers::{self, Meeting};

pub(crate) const SUBPROTOCOL: &str = "chat.example";

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

/// Runs the client `peer` in `draft` against the built-in configuration, then
/// asking for a subprotocol that the route has.
pub(crate) fn converses(peer: &str, draft: &str) {
    let client = peers::client(peer, draft);
    if let Some(refused) = expected::failures().client(peer, client.draft.name()) {
        is_refused(&client, &refused.code);
        return;
    }
    conversation(&client, Gateway::start(), None);
    let gateway = Gateway::with(&format!("{peer}-{draft}"), CONFIG);
    conversation(&client, gateway, Some(SUBPROTOCOL));
}

/// Where a route takes the 15 octets that it has for a key, and only there.
#[test]
fn foreign_ws_of_2014_opens_hybi_08_with_its_own_key_where_a_route_says_so() {
    let client = peers::client("ws_of_2014", "hybi_08");
    is_refused(&client, "key-invalid");
    let quirk = format!("{CONFIG}quirks = {{ short-key = \"recognised\" }}\n");
    let gateway = Gateway::with("ws-of-2014-short-key", &quirk);
    conversation(&client, gateway, Some(SUBPROTOCOL));
}

fn conversation(client: &Meeting, mut gateway: Gateway, subprotocol: Option<&str>) {
    let (name, draft) = (client.name(), client.draft.name());
    let able = client.capabilities();
    let mut command = client.command();
    command.arg(gateway.url("/echo")).args(["--draft", draft]);
    command.args(subprotocol.iter().flat_map(|name| ["--subprotocol", name]));
    command.args(able.binary.then_some("--binary"));
    command.args(able.ping.then_some("--ping"));
    if client.up_to() < usize::MAX {
        command.args(["--up-to", &client.up_to().to_string()]);
    }
    let mut child = Child::start(&name, &mut command);

    let open = child.event("open");
    assert_eq!(
        (&open["draft"], &open["subprotocol"]),
        (&json!(draft), &json!(subprotocol)),
        "{name}"
    );
    let at_once = ["one", "two", "three"].map(str::to_owned);
    let expected = expected_answers(able, client.up_to(), &at_once);
    for answer in &expected {
        assert_eq!(
            &child.event(answer["event"].as_str().unwrap()),
            answer,
            "{name}"
        );
    }
    let close = child.event("close");
    let code = (able.closing == Closing::Coded).then_some(1000);
    assert_eq!(close["code"], json!(code), "{name}");
    child.end_well();

    let line = gateway.access_line();
    assert_eq!(line["draft"], draft, "{line}");
    assert_eq!(line["subprotocol"], json!(subprotocol), "{line}");
    let messages = expected.iter().filter(|answer| answer["event"] != "pong");
    let messages = json!(messages.count());
    assert_eq!(
        (&line["messages_in"], &line["messages_out"]),
        (&messages, &messages),
        "{line}"
    );
    assert_eq!(
        (&line["by"], &line["why"]),
        (&json!("peer"), &json!("peer-closed")),
        "{line}"
    );
    let code = (able.closing != Closing::Absent).then_some(1000);
    assert_eq!(line["code"], json!(code), "{line}");
    assert_eq!(
        (&line["dropped"], &line["notices"]),
        (&json!(0), &json!(0)),
        "{line}"
    );
}

fn is_refused(client: &Meeting, code: &str) {
    let mut gateway = Gateway::start();
    let mut command = client.command();
    command
        .arg(gateway.url("/echo"))
        .args(["--draft", client.draft.name()]);
    let mut child = Child::start(&client.name(), &mut command);
    child.event("error");
    assert_eq!(child.end().code, Some(1), "{}", client.name());
    let line = gateway.refusal_line();
    assert_eq!(line["code"], code, "{line}");
}

/// What comes back of all that a client says that is `able` to, texts of `up_to`
/// octets and at last those that it says `at_once`. Long texts are told by their
/// length and SHA-1 (of 200 `a`, of 70,000 `b`, of the octets 0 to 255).
pub(crate) fn expected_answers(able: Capabilities, up_to: usize, at_once: &[String]) -> Vec<Value> {
    let text = |text: &str| json!({"event": "message", "text": text});
    let long = |event: &str, length: usize, sha1: &str| json!({"event": event, "length": length, "sha1": sha1});
    let mut answers = vec![text("Hello"), text(""), text("Grüße ✓ 𝄞")];
    answers.push(long(
        "message",
        200,
        "e61cfffe0d9195a525fc6cf06ca2d77119c24a40",
    ));
    if up_to >= 70_000 {
        answers.push(long(
            "message",
            70_000,
            "9d9168e134f627681957ed3f284367d4d601a16d",
        ));
    }
    if able.binary {
        answers.push(long(
            "binary",
            256,
            "4916d6bdb7f78e6803698cab32d1586ea457dfc8",
        ));
    }
    if able.ping {
        answers.push(json!({"event": "pong", "text": "still there?"}));
    }
    answers.extend(at_once.iter().map(|one| text(one)));
    answers
}
