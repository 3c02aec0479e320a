//! WebSocket over HTTP/2 (RFC 8441): Node's own `http2` under TLS and in clear. Chromium
//! is in `secure`, where it loads its page over HTTP/2 first.

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::node;
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

#[test]
fn foreign_node_opens_a_websocket_over_http_2() {
    let mut clear = Gateway::with("http2-clear", &toml(""));
    converse(&mut clear, "http", "h2c");
    let pem = certificate();
    let tls = format!(
        "tls = {{ certificate = {:?} }}\n",
        pem.display().to_string()
    );
    let mut secure = Gateway::with("http2-secure", &toml(&tls));
    converse(&mut secure, "https", "h2");
}
