//! Two clients of different drafts on one channel: each hears the other.

use std::process::Command;

use serde_json::json;

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::{node, perl};

const CHANNEL: &str = "/bus/living-room";

/// A client and what it says: in letters of its own alphabet, to be told apart.
struct Speaker {
    client: Command,
    draft: &'static str,
    text: &'static str,
}

fn each_hears_the_other(one: Speaker, other: Speaker) {
    let mut gateway = Gateway::start();
    let drafts = [one.draft, other.draft];
    let texts = [one.text, other.text];
    let mut clients = [
        join(&gateway, one, texts[1]),
        join(&gateway, other, texts[0]),
    ];
    // Whoever spoke before the other has joined would not be heard.
    for (client, draft) in clients.iter_mut().zip(drafts) {
        assert_eq!(client.event("open")["draft"], draft);
    }
    for client in &mut clients {
        client.say("go");
    }
    for (client, text) in clients.iter_mut().zip([texts[1], texts[0]]) {
        assert_eq!(
            client.event("message"),
            json!({"event": "message", "text": text})
        );
        client.event("close");
        client.end_well();
    }

    let mut lines = [gateway.access_line(), gateway.access_line()];
    lines.sort_by_key(|line| line["draft"] != drafts[0]);
    for (line, draft) in lines.iter().zip(drafts) {
        assert_eq!(line["draft"], draft, "{line}");
        assert_eq!(
            (&line["messages_in"], &line["messages_out"]),
            (&json!(1), &json!(1)),
            "{line}"
        );
        assert_eq!(line["dropped"], 0, "{line}");
    }
}

fn join(gateway: &Gateway, mut speaker: Speaker, expected: &str) -> Child {
    let command = &mut speaker.client;
    command
        .arg(gateway.url(CHANNEL))
        .args(["--draft", speaker.draft]);
    command.args(["--say", speaker.text, "--expect", expected]);
    Child::start(&format!("a client of {}", speaker.draft), command)
}

fn ws_of_hybi_13() -> Speaker {
    Speaker {
        client: node("ws-client.js"),
        draft: "hybi-13",
        text: "Hello from today ✓",
    }
}

fn websocket_client_of_hixie_76() -> Speaker {
    Speaker {
        client: node("websocket-client.js"),
        draft: "hixie-76",
        text: "Grüße aus dem Sommer 2010",
    }
}

fn protocol_websocket_of_hixie_76() -> Speaker {
    Speaker {
        client: perl("protocol-websocket-client.pl"),
        draft: "hixie-76",
        text: "Привет",
    }
}

fn protocol_websocket_of_hixie_75() -> Speaker {
    Speaker {
        client: perl("protocol-websocket-client.pl"),
        draft: "hixie-75",
        text: "𝄞 2009",
    }
}

#[test]
fn foreign_hixie_75_and_hybi_13_hear_each_other() {
    each_hears_the_other(protocol_websocket_of_hixie_75(), ws_of_hybi_13());
}

#[test]
fn foreign_hixie_76_and_hybi_13_hear_each_other() {
    each_hears_the_other(websocket_client_of_hixie_76(), ws_of_hybi_13());
}

#[test]
fn foreign_hixie_76_and_hixie_75_hear_each_other() {
    each_hears_the_other(
        protocol_websocket_of_hixie_76(),
        protocol_websocket_of_hixie_75(),
    );
}
