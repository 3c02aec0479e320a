//! WebSocket over HTTP/2 (RFC 8441): Node's own `http2`, and Python's h2 with wsproto,
//! under TLS and in clear. Chromium is in `secure`, where it loads its page over HTTP/2
//! first.

use draftgate_core::Draft;
use serde_json::json;

use crate::child::Child;
use crate::clients::{SUBPROTOCOL, expected_answers};
use crate::gateway::Gateway;
use crate::peers::capabilities;
use crate::programs::{node, python};
use crate::proxy::certificate;

fn converse(gateway: &mut Gateway, scheme: &str, protocol: &str) {
    let url = format!("{scheme}://{}/echo", gateway.host());
    let mut client = Child::start("Node's http2", node("http2-client.js").arg(url));
    assert_eq!(client.event("settings")["connect"], true);
    let open = client.event("open");
    assert_eq!(
        (&open["status"], &open["accept"], &open["subprotocol"]),
        (&200.into(), &false.into(), &"chat".into()),
        "{open}"
    );
    assert_eq!(open["protocol"], protocol, "{open}");
    // The text, and the Close, neither of them masked.
    let text: String = b"Hello from Node"
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    assert_eq!(client.event("end")["heard"], format!("810f{text}880203e8"));
    client.end_well();
    let line = gateway.access_line();
    assert_eq!(
        (&line["http"], &line["code"]),
        (&"2".into(), &1000.into()),
        "{line}"
    );
}

fn toml(tls: &str) -> String {
    format!(
        "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n{tls}\
         [[routes]]\npath = \"/echo\"\nservice = \"echo\"\n"
    )
}

/// The listener of TLS.
fn tls() -> String {
    let pem = certificate();
    format!(
        "tls = {{ certificate = {:?} }}\n",
        pem.display().to_string()
    )
}

/// As many streams of one connection at once, each with a whole conversation whose
/// longest message is longer than a window.
fn streams(gateway: &mut Gateway, scheme: &str, count: usize, options: &[&str]) {
    let url = format!("{scheme}://{}/echo", gateway.host());
    let mut command = python("http2-wsproto-client.py");
    command.arg(url).arg(count.to_string()).args(options);
    let mut client = Child::start("h2 and wsproto", &mut command);
    assert_eq!(client.event("open")["streams"], count);
    let at_once = ["one", "two", "three"].map(str::to_owned);
    let answers = expected_answers(capabilities(Draft::Hybi13), usize::MAX, &at_once);
    let mut told = vec![json!({"event": "open", "subprotocol": SUBPROTOCOL})];
    told.extend(answers.iter().cloned());
    told.push(json!({"event": "close", "code": 1000}));
    for _ in 0..count {
        assert_eq!(client.event("stream")["told"], json!(told));
    }
    client.end_well();
    for _ in 0..count {
        let line = gateway.access_line();
        let messages = json!(answers.len() - 1);
        assert_eq!(
            (&line["http"], &line["code"], &line["why"]),
            (&"2".into(), &1000.into(), &"peer-closed".into()),
            "{line}"
        );
        assert_eq!(
            (&line["messages_in"], &line["messages_out"]),
            (&messages, &messages),
            "{line}"
        );
    }
}

#[test]
fn foreign_h2_and_wsproto_converse_in_many_streams() {
    let config = toml("");
    let mut clear = Gateway::with("wsproto-clear", &config);
    streams(&mut clear, "http", 1, &[]);
    streams(&mut clear, "http", 20, &[]);
    let config = toml(&tls());
    let mut secure = Gateway::with("wsproto-secure", &config);
    streams(&mut secure, "https", 20, &[]);
}

#[test]
fn foreign_wsproto_compresses_over_http_2() {
    for keys in [
        "compression = true\n",
        "compression = true\ncompression-context = true\n",
    ] {
        let config = toml("") + keys;
        let mut gateway = Gateway::with(&format!("wsproto-deflate-{}", keys.len()), &config);
        streams(&mut gateway, "http", 3, &["--deflate"]);
    }
}

#[test]
fn foreign_node_opens_a_websocket_over_http_2() {
    let mut clear = Gateway::with("http2-clear", &toml(""));
    converse(&mut clear, "http", "h2c");
    let mut secure = Gateway::with("http2-secure", &toml(&tls()));
    converse(&mut secure, "https", "h2");
}
