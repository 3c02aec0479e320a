//! Every refusal is an answer that says what is wrong and what to do, ends the
//! connection, and has the same code in the body and in the counts.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{HIXIE_76, HYBI_13, Raw, config, gateway, until, with_route};
use draftgate_core::Draft;

const HOST: &str = "Host: example.com\r\n";

struct Case {
    request: String,
    status: u16,
    code: &'static str,
    /// A line of the head that must be there.
    field: &'static str,
}

fn case(request: impl Into<String>, status: u16, code: &'static str, field: &'static str) -> Case {
    Case {
        request: request.into(),
        status,
        code,
        field,
    }
}

fn cases() -> Vec<Case> {
    let plain = "GET /echo HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let without = |field: &str| HYBI_13.replace(field, "");
    let version = |version: &str| {
        let field = format!("Sec-WebSocket-Version: {version}\r\n");
        HYBI_13.replace("Sec-WebSocket-Version: 13\r\n", &field)
    };
    let hello = HYBI_13
        .replace(
            "Sec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Draft: 3\r\n",
        )
        .replace(
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Nonce: A23F2BCA452DDE0",
        );
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let listed = "Sec-WebSocket-Version: 13, 8, 7, 6, 5, 4";
    let bodied = |field: &str| HYBI_13.replace(HOST, &format!("{HOST}{field}\r\n"));
    vec![
        case(plain, 426, "not-websocket", listed),
        case(plain.replace("/echo", "/none"), 404, "path-unknown", ""),
        case(plain.replace("/echo", "/bus/"), 404, "path-unknown", ""),
        case(HYBI_13.replace("/echo", "/none"), 404, "path-unknown", ""),
        case(
            HYBI_13.replace("/echo", "/bus/a%20b"),
            404,
            "channel-invalid",
            "",
        ),
        case(
            HYBI_13.replace("GET", "POST"),
            405,
            "method-not-get",
            "Allow: GET",
        ),
        case(
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            405,
            "method-not-allowed",
            "Allow: GET, HEAD",
        ),
        case(
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            400,
            "body-unexpected",
            "",
        ),
        case("GET / HTTP/1.1\r\n\r\n", 400, "host-missing", ""),
        case(
            without("Upgrade: websocket\r\n"),
            400,
            "upgrade-missing",
            "",
        ),
        case(without(key), 400, "key-invalid", ""),
        case(HYBI_13.replace("dGhl", "x"), 400, "key-invalid", ""),
        case(
            without("Sec-WebSocket-Version: 13\r\n"),
            400,
            "version-missing",
            listed,
        ),
        case(version("13, 8"), 400, "version-malformed", listed),
        case(version("14"), 426, "version-unsupported", listed),
        case(hello, 400, "nonce-invalid", ""),
        case(bodied("Content-Length: 5"), 400, "body-unexpected", ""),
        case(
            bodied("Transfer-Encoding: chunked"),
            400,
            "body-unexpected",
            "",
        ),
        case(bodied("Content-Length: 8"), 400, "body-unexpected", ""),
        case(
            HIXIE_76.replace("Sec-WebSocket-Key1", "X-Removed"),
            400,
            "challenge-key-missing",
            "",
        ),
        case(
            HIXIE_76.replace(HOST, "Host: a\r\nSec-WebSocket-Draft: 9\r\n"),
            400,
            "challenge-draft-unknown",
            "",
        ),
        case(
            "GET /echo HTTP/1.1\r\nUpg\x01ade: x\r\n\r\n",
            400,
            "head-malformed",
            "",
        ),
        case("nonsense\r\n\r\n", 400, "head-malformed", ""),
        case(
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            404,
            "path-unknown",
            "",
        ),
        case(
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "head-malformed",
            "",
        ),
        case(
            "GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "head-malformed",
            "",
        ),
        case(
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            400,
            "head-malformed",
            "",
        ),
        case(
            "PRI * HTTP/2.0\r\n\r\nsm\r\n\r\n",
            400,
            "head-malformed",
            "",
        ),
        case(
            format!(
                "GET /echo HTTP/1.1\r\n{HOST}Cookie: {}\r\n\r\n",
                "x".repeat(17 << 10)
            ),
            431,
            "head-too-large",
            "",
        ),
        case(
            format!("GET /echo HTTP/1.1\r\n{HOST}{}\r\n", "A: b\r\n".repeat(100)),
            431,
            "head-too-large",
            "",
        ),
    ]
}

#[tokio::test]
async fn every_refusal_says_why_and_what_to_do() {
    let (running, address) = gateway(config());
    for case in cases() {
        let Case {
            request,
            status,
            code,
            field,
        } = case;
        let shown: String = request.chars().take(200).collect();
        let before = running.counts().refused_for(code);
        let (head, body) = Raw::say(address, &request).await.refusal().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}\n{head}{body}"
        );
        assert!(
            head.contains("\r\nConnection: close\r\n"),
            "{shown}\n{head}"
        );
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
            "{shown}\n{head}"
        );
        assert!(
            field.is_empty() || head.contains(&format!("\r\n{field}\r\n")),
            "{shown}\n{head}"
        );
        assert!(
            body.starts_with("draftgate: ") && body.contains("\nWhat to do: "),
            "{body}"
        );
        assert!(
            body.contains(&format!("\nCode: {code}\nId: c")),
            "{shown}\n{body}"
        );
        assert_eq!(running.counts().refused_for(code), before + 1, "{shown}");
    }
    until("all end", || running.counts().connections == 0).await;
}

#[tokio::test]
async fn a_head_of_99_fields_and_one_of_16_kib_are_taken() {
    let (_running, address) = gateway(config());
    let opening = HYBI_13.trim_end();
    let fields = opening.lines().count() - 1;
    let many = format!("{opening}\r\n{}\r\n", "A: b\r\n".repeat(99 - fields));
    let left = (16 << 10) - opening.len() - "\r\nCookie: \r\n\r\n".len();
    let long = format!("{opening}\r\nCookie: {}\r\n\r\n", "x".repeat(left - 1));
    for request in [many, long] {
        let head = Raw::say(address, &request).await.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }
}

#[tokio::test]
async fn a_draft_that_the_route_does_not_speak_is_refused_with_those_it_does() {
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.drafts = vec![Draft::Hybi13];
    }));
    let (head, body) = Raw::say(address, HIXIE_76).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{head}");
    assert!(
        body.contains("Code: draft-not-enabled") && body.contains("hixie-76 = hybi-00"),
        "{body}"
    );
    let head = Raw::say(address, HYBI_13).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_page_is_served_only_where_the_listener_says_so() {
    let mut config = config();
    config.listeners[0].page = false;
    let (_running, address) = gateway(config);
    let mut raw = Raw::say(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, body) = raw.refusal().await;
    assert!(
        head.starts_with("HTTP/1.1 404 ") && body.contains("Code: path-unknown"),
        "{head}"
    );
}

#[tokio::test]
async fn tls_and_policy_requests_are_closed_and_counted() {
    let (running, address) = gateway(config());
    let mut tls = Raw::say(address, b"\x16\x03\x01\x00\x05hello").await;
    // An alert, fatal: protocol_version.
    assert_eq!(tls.rest().await, [0x15, 3, 1, 0, 2, 2, 70]);
    let mut policy = Raw::say(address, b"<policy-file-request/>\0").await;
    assert_eq!(policy.rest().await, b"");
    let counts = running.counts();
    assert_eq!(
        (
            counts.refused_for("tls"),
            counts.refused_for("policy-request")
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let (_running, address) = gateway(config());
    let body = "x".repeat(100_000);
    let request = format!(
        "POST /echo HTTP/1.1\r\n{HOST}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, body) = Raw::say(address, &request).await.refusal().await;
    assert!(
        head.starts_with("HTTP/1.1 405 ") && body.contains("Code: method-not-get"),
        "{head}"
    );
}

#[tokio::test]
async fn a_target_over_64_kib_is_refused_where_heads_may_be_that_large() {
    let mut config = config();
    config.listeners[0].limits.head = 256 << 10;
    let (_running, address) = gateway(config);
    let request = HYBI_13.replace("/echo", &format!("/echo?{}", "x".repeat(70_000)));
    let (head, body) = Raw::say(address, &request).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 414 "), "{head}");
    assert!(body.contains("Code: uri-too-long"), "{body}");
}

#[tokio::test]
async fn a_head_may_be_limited_to_less_than_hyper_buffers() {
    let mut config = config();
    config.listeners[0].limits.head = 1024;
    let (_running, address) = gateway(config);
    let with = |octets| HYBI_13.replace(HOST, &format!("{HOST}Cookie: {}\r\n", "x".repeat(octets)));
    let head = Raw::say(address, with(500)).await.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let (head, body) = Raw::say(address, with(2000)).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    assert!(body.contains("Code: head-too-large"), "{body}");
}
