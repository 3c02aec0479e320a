//! What hyper as a front end would get wrong by itself: each trap is a test.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{
    ANSWER, HIXIE_75, HIXIE_76, HIXIE_76_HEAD, HYBI_13, KEY3, Raw, config, gateway, until,
};
use draftgate_core::Draft;
use tokio::io::AsyncWriteExt;

const GET: &str = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";

const HIXIE_75_ANSWER: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
     Upgrade: WebSocket\r\nConnection: Upgrade\r\n\
     WebSocket-Origin: http://localhost\r\nWebSocket-Location: ws://example.com/echo\r\n\r\n";

const HYBI_13_ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Reads an answer with a body and gives its head.
async fn page(raw: &mut Raw) -> String {
    let head = raw.head().await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    let body = raw.exactly(length).await;
    assert!(body.starts_with(b"<!DOCTYPE html>"), "{head}");
    head
}

#[tokio::test]
async fn the_answer_of_hixie_75_is_byte_exact() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, HIXIE_75).await;
    let got = raw.exactly(HIXIE_75_ANSWER.len()).await;
    assert_eq!(String::from_utf8_lossy(&got), HIXIE_75_ANSWER);
    raw.write(b"\x00Hello\xff").await;
    assert_eq!(raw.exactly(7).await, b"\x00Hello\xff");
}

#[tokio::test]
async fn the_answer_of_hybi_13_is_the_one_of_rfc_6455() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, HYBI_13).await;
    let got = raw.exactly(HYBI_13_ANSWER.len()).await;
    assert_eq!(String::from_utf8_lossy(&got), HYBI_13_ANSWER);
}

#[tokio::test]
async fn frames_in_the_segment_of_the_head_are_not_lost() {
    let (_running, address) = gateway(config());
    let mut old = Raw::say(address, [HIXIE_75.as_bytes(), b"\x00early\xff"].concat()).await;
    old.head().await;
    assert_eq!(old.exactly(7).await, b"\x00early\xff");
    // RFC 6455 §5.7: a masked "Hello".
    let frame = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let mut new = Raw::say(address, [HYBI_13.as_bytes(), frame].concat()).await;
    new.head().await;
    assert_eq!(new.exactly(7).await, b"\x81\x05Hello");
}

#[tokio::test]
async fn requests_before_the_upgrade_are_answered_on_the_same_connection() {
    let (running, address) = gateway(config());
    let mut raw = Raw::connect(address).await;
    for _ in 0..3 {
        raw.write(GET).await;
        let head = page(&mut raw).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    }
    raw.write([HIXIE_76.as_bytes(), KEY3].concat()).await;
    assert_eq!(raw.head().await, HIXIE_76_HEAD);
    assert_eq!(raw.exactly(16).await, ANSWER);
    assert_eq!(running.counts().upgrades_in(Draft::Hixie76), 1);
}

#[tokio::test]
async fn a_request_and_an_upgrade_in_one_segment_are_answered_in_order() {
    let (_running, address) = gateway(config());
    for (opening, answer) in [
        (
            HIXIE_75.as_bytes().to_vec(),
            HIXIE_75_ANSWER.as_bytes().to_vec(),
        ),
        (
            [HIXIE_76.as_bytes(), KEY3].concat(),
            [HIXIE_76_HEAD.as_bytes(), ANSWER].concat(),
        ),
        (
            HYBI_13.as_bytes().to_vec(),
            HYBI_13_ANSWER.as_bytes().to_vec(),
        ),
    ] {
        let mut raw = Raw::say(address, [GET.as_bytes(), GET.as_bytes(), &opening].concat()).await;
        page(&mut raw).await;
        page(&mut raw).await;
        let got = raw.exactly(answer.len()).await;
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(&answer)
        );
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_a_while_gets_pages_and_upgrade_whole() {
    let (running, address) = gateway(config());
    let pages = 100;
    let octets = [GET.repeat(pages).as_bytes(), HYBI_13.as_bytes()].concat();
    let mut raw = Raw::say(address, octets).await;
    for _ in 0..pages {
        page(&mut raw).await;
    }
    let got = raw.exactly(HYBI_13_ANSWER.len()).await;
    assert_eq!(String::from_utf8_lossy(&got), HYBI_13_ANSWER);
    assert_eq!(running.counts().upgrades_in(Draft::Hybi13), 1);
}

#[tokio::test]
async fn the_page_is_html_that_loads_nothing_from_elsewhere() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, GET).await;
    let head = page(&mut raw).await.to_lowercase();
    assert!(
        head.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\ncontent-security-policy: default-src 'none';"),
        "{head}"
    );

    raw.write(GET.replace("GET", "HEAD")).await;
    let head = raw.head().await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("content-length: 0"),
        "{head}"
    );
    // No body: the next answer follows at once.
    raw.write(GET).await;
    page(&mut raw).await;
}

#[tokio::test]
async fn an_upgrade_to_something_else_gets_the_page() {
    let (_running, address) = gateway(config());
    let h2c = GET.replace(
        "\r\n\r\n",
        "\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    );
    page(&mut Raw::say(address, h2c).await).await;
}

#[tokio::test]
async fn http_1_0_with_an_upgrade_is_refused_and_not_answered_with_101() {
    let (_running, address) = gateway(config());
    for opening in [HIXIE_75, HYBI_13] {
        let mut raw = Raw::say(address, opening.replace("HTTP/1.1", "HTTP/1.0")).await;
        let (head, body) = raw.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        assert!(body.contains("Code: http-version"), "{body}");
    }
}

#[tokio::test]
async fn a_missing_or_doubled_host_is_refused() {
    let (_running, address) = gateway(config());
    let two = "Host: example.com\r\nHost: example.com\r\n";
    for request in [HIXIE_75, HIXIE_76, HYBI_13] {
        for host in ["", two, "Host: a b\r\n", "Host: user@a\r\n"] {
            let request = request.replace("Host: example.com\r\n", host);
            let mut raw = Raw::say(address, &request).await;
            let (head, body) = raw.refusal().await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{request}: {head}");
            assert!(body.contains("Code: host-missing"), "{request}: {body}");
        }
    }
}

#[tokio::test]
async fn octets_behind_a_doubled_request_line_do_not_make_a_second_answer() {
    let (running, address) = gateway(config());
    let mut raw = Raw::say(
        address,
        format!("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n{GET}"),
    )
    .await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(!body.contains("HTTP/1.1"), "{body}");
    drop(raw);
    until("all ends", || running.counts().connections == 0).await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_behind_the_request_is_answered() {
    let (_running, address) = gateway(config());
    for (request, answer) in [
        (GET, "HTTP/1.1 200 "),
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 "),
        (HYBI_13, "HTTP/1.1 101 "),
    ] {
        let mut raw = Raw::say(address, request).await;
        raw.tcp.shutdown().await.unwrap();
        let head = raw.head().await;
        assert!(head.starts_with(answer), "{request}\n{head}");
        raw.rest().await;
    }
}
