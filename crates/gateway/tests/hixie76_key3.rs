//! The eight octets that belong to the handshake of hixie-76 although no
//! header announces them: in every way that they arrive in, and not at all.

mod common;

use std::time::Duration;

use common::{ANSWER, HIXIE_76, HIXIE_76_HEAD, KEY3, Raw, config, gateway, soon, until};
use draftgate_core::Draft;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Head, challenge answer, and `after` behind them.
fn answered(after: &[u8]) -> Vec<u8> {
    [HIXIE_76_HEAD.as_bytes(), ANSWER, after].concat()
}

async fn expect(raw: &mut Raw, octets: &[u8], how: &str) {
    let got = raw.exactly(octets.len()).await;
    assert_eq!(
        String::from_utf8_lossy(&got),
        String::from_utf8_lossy(octets),
        "{how}"
    );
}

#[tokio::test]
async fn key3_in_the_same_segment_as_the_head() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    expect(&mut raw, &answered(b""), "whole").await;
}

#[tokio::test]
async fn a_client_that_reads_once_gets_head_and_answer_together() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    // Embedded clients do one recv. What is written at once lies there at once.
    let mut octets = [0; 1024];
    let count = soon("the answer", raw.tcp.read(&mut octets)).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&octets[..count]),
        String::from_utf8_lossy(&answered(b""))
    );
}

#[tokio::test]
async fn key3_cut_at_every_octet() {
    let (_running, address) = gateway(config());
    for cut in 0..=KEY3.len() {
        let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), &KEY3[..cut]].concat()).await;
        if cut < KEY3.len() {
            // The head comes before the rest of key3 has been sent.
            expect(&mut raw, HIXIE_76_HEAD.as_bytes(), "the head alone").await;
            raw.write(&KEY3[cut..]).await;
            expect(&mut raw, ANSWER, &format!("cut at {cut}")).await;
        } else {
            expect(&mut raw, &answered(b""), "whole").await;
        }
    }
}

#[tokio::test]
async fn the_whole_opening_cut_at_every_octet() {
    let (_running, address) = gateway(config());
    let opening = [HIXIE_76.as_bytes(), KEY3, b"\x00Hello\xff"].concat();
    for cut in 1..opening.len() {
        let mut raw = Raw::say(address, &opening[..cut]).await;
        // Sent apart: TCP_NODELAY is set, and the gateway has run in between.
        tokio::task::yield_now().await;
        raw.write(&opening[cut..]).await;
        expect(
            &mut raw,
            &answered(b"\x00Hello\xff"),
            &format!("cut at {cut}"),
        )
        .await;
    }
}

#[tokio::test]
async fn first_frames_behind_key3_are_not_lost() {
    let (_running, address) = gateway(config());
    let frames = b"\x00one\xff\x00two\xff\xff\x00";
    let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), KEY3, frames].concat()).await;
    expect(&mut raw, &answered(frames), "coalesced").await;
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn more_early_octets_than_hyper_buffers_are_not_lost() {
    let (_running, address) = gateway(config());
    let frame = [b"\x00", &[b'x'; 100_000][..], b"\xff"].concat();
    let mut raw = Raw::connect(address).await;
    let octets = [HIXIE_76.as_bytes(), KEY3, &frame].concat();
    let (_, ()) = tokio::join!(raw.tcp.write_all(&octets), tokio::task::yield_now());
    expect(&mut raw, &answered(&frame), "a large early frame").await;
}

#[tokio::test]
async fn key3_late_comes_after_our_head() {
    let (_running, address) = gateway(config());
    let mut raw = Raw::say(address, HIXIE_76).await;
    expect(&mut raw, HIXIE_76_HEAD.as_bytes(), "the head alone").await;
    for octet in KEY3 {
        raw.write([*octet]).await;
    }
    expect(&mut raw, ANSWER, "octet by octet").await;
    raw.write(b"\x00Hello\xff").await;
    expect(&mut raw, b"\x00Hello\xff", "a frame").await;
}

#[tokio::test]
async fn key3_as_a_body_of_eight_octets() {
    let (_running, address) = gateway(config());
    let head = HIXIE_76.replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n");
    let frame = b"\x00Hello\xff";
    let mut whole = Raw::say(address, [head.as_bytes(), KEY3, frame].concat()).await;
    expect(&mut whole, &answered(frame), "whole").await;

    let mut late = Raw::say(address, &head).await;
    for octet in KEY3 {
        late.write([*octet]).await;
    }
    late.write(frame).await;
    expect(&mut late, &answered(frame), "late").await;
}

#[tokio::test]
async fn key3_that_never_comes_ends_the_connection() {
    let mut config = config();
    config.listeners[0].timeouts.key3 = Duration::from_millis(100);
    config.listeners[0].timeouts.close_hixie_76 = Duration::from_millis(100);
    let (running, address) = gateway(config);
    for part in [0, 7] {
        let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), &KEY3[..part]].concat()).await;
        expect(&mut raw, HIXIE_76_HEAD.as_bytes(), "the head alone").await;
        let rest = raw.rest().await;
        assert!(rest.is_empty() || rest == b"\xff\x00", "{rest:?}");
    }
    // Announced as a body, it is still HTTP, and HTTP can say why.
    let head = HIXIE_76.replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n");
    let mut raw = Raw::say(address, [head.as_bytes(), &KEY3[..7]].concat()).await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(body.contains("Code: key3-timeout"), "{body}");
    drop(raw);
    until("all ends", || running.counts().connections == 0).await;
    assert_eq!(running.counts().upgrades_in(Draft::Hixie76), 2);
}

#[tokio::test]
async fn key3_of_white_space_and_nul_is_taken_as_it_is() {
    let (_running, address) = gateway(config());
    for key3 in [
        b"\r\n\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"        ",
        b"GET / HT",
    ] {
        let mut raw = Raw::say(address, [HIXIE_76.as_bytes(), key3].concat()).await;
        expect(&mut raw, HIXIE_76_HEAD.as_bytes(), "the head").await;
        raw.exactly(16).await;
        raw.write(b"\x00Hello\xff").await;
        expect(&mut raw, b"\x00Hello\xff", "a frame").await;
    }
}

#[tokio::test]
async fn key3_behind_a_refused_head_is_no_request() {
    let (running, address) = gateway(config());
    let refused = HIXIE_76.replace("http://localhost", "http://evil.example");
    let mut raw = Raw::say(
        address,
        [
            refused.as_bytes(),
            b"GET / HT",
            b"TP/1.1\r\nHost: a\r\n\r\n",
        ]
        .concat(),
    )
    .await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    // One answer, then the end.
    assert!(
        body.starts_with("draftgate: ") && !body.contains("HTTP/1.1"),
        "{body}"
    );
    drop(raw);
    until("all ends", || running.counts().connections == 0).await;
}

#[tokio::test]
async fn a_key_that_does_not_divide_is_refused() {
    let (_running, address) = gateway(config());
    for (from, to) in [
        ("4 @1  46546xW%0l 1 5", "nodigits"),
        ("4 @1  46546xW%0l 1 5", "12345"),
        ("4 @1  46546xW%0l 1 5", "4 @1  46546xW%0l 1 6"),
        ("12998 5 Y3 1  .P00", "99999999999999999999999999 9"),
    ] {
        let refused = HIXIE_76.replace(from, to);
        let mut raw = Raw::say(address, [refused.as_bytes(), KEY3].concat()).await;
        let (head, body) = raw.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{to}: {head}");
        assert!(body.contains("Code: challenge-key-invalid"), "{to}: {body}");
    }
}
