//! A flood of refused connections does not flood the log: so many lines of
//! each kind, and one that says how many more there were.

mod common;

use std::time::Duration;

use common::{HIXIE_75, HIXIE_76, Lines, Raw, captured, config, gateway, until};
use tokio::time::Instant;

const FLOOD: usize = 10_000;

/// How many at a time.
const AT_ONCE: usize = 100;

/// What the lines that sum up say.
fn left_out(lines: &Lines, code: &str) -> u64 {
    let sums = lines.with("code", code);
    sums.iter()
        .filter_map(|line| line["left_out"].as_u64())
        .sum()
}

/// Lines about one connection each.
fn written(lines: &Lines, code: &str) -> u64 {
    let each = lines.with("code", code);
    each.iter().filter(|line| line["id"].is_string()).count() as u64
}

#[tokio::test]
async fn ten_thousand_refusals_are_a_few_lines_and_a_sum() {
    let (lines, _guard) = captured();
    let mut config = config();
    config.log.rate = Some(1);
    let (running, address) = gateway(config);
    let began = Instant::now();
    for _ in 0..FLOOD / AT_ONCE {
        let mut peers = Vec::new();
        for number in 0..AT_ONCE {
            // Half of them speak TLS.
            let hello = match number % 2 {
                0 => "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
                _ => "\x16\x03\x01\x00\x05hello",
            };
            peers.push(Raw::say(address, hello).await);
        }
        for mut peer in peers {
            assert!(!peer.rest().await.is_empty());
        }
    }
    until("all are refused", || running.counts().connections == 0).await;
    let counts = running.counts();
    running.shutdown().await;
    // Ten lines in each ten seconds, of which the last have just begun.
    let most = 10 * (began.elapsed().as_secs() / 10 + 2);
    for code in ["path-unknown", "tls"] {
        let (written, left_out) = (written(&lines, code), left_out(&lines, code));
        assert!((10..=most).contains(&written), "{code}: {written}");
        assert_eq!(written + left_out, FLOOD as u64 / 2, "{code}");
        assert_eq!(counts.refused_for(code), FLOOD as u64 / 2, "{code}");
    }
    let sum = &lines.with("level", "WARN");
    let sum = sum
        .iter()
        .find(|line| line["left_out"].is_u64() && line["code"] == "path-unknown");
    let message = sum.unwrap()["message"].as_str().unwrap();
    assert!(
        message.contains("more lines with the code path-unknown in the last 10 s were left out"),
        "{message}"
    );
    assert!(lines.all().len() as u64 <= 2 * most + 2 * (most / 10));
}

#[tokio::test]
async fn openings_that_are_never_finished_have_few_lines_and_open_connections_many() {
    let (lines, _guard) = captured();
    let mut config = config();
    config.log.rate = Some(1);
    config.listeners[0].timeouts.head_delay = Duration::ZERO;
    let (running, address) = gateway(config);
    let began = Instant::now();
    // A hixie-76 client that owes its key3 and leaves, and one that is let in.
    for (request, count) in [(HIXIE_76, 100), (HIXIE_75, 1_100)] {
        for number in 1..=count {
            Raw::say(address, request).await.head().await;
            if number % AT_ONCE == 0 {
                until("they left", || running.counts().connections == 0).await;
            }
        }
    }
    running.shutdown().await;
    let windows = began.elapsed().as_secs() / 10 + 2;
    let about = |draft| lines.with("draft", draft).len() as u64;
    for (draft, code, count, each) in [
        ("hixie-76", "peer-gone", 100, 10),
        ("hixie-75", "access", 1_100, 1_000),
    ] {
        let written = about(draft);
        let most = each * windows;
        assert!((each..=most).contains(&written), "{draft}: {written}");
        assert_eq!(written + left_out(&lines, code), count, "{draft}");
    }
}
