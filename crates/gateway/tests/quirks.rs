//! Each row of the table of quirks over a socket: what it promises is done, and
//! what is switched is done for nobody else.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{
    collections::BTreeSet, future::Future, net::SocketAddr, path::Path, pin::Pin, time::Duration,
};

use common::{
    ANSWER, HIXIE_75, HIXIE_76, HIXIE_76_HEAD, HYBI_13, KEY3, Lines, Raw, announced, captured,
    config, gateway, soon, versioned, with_route,
};
use draftgate_core::{Draft, Role};
use draftgate_gateway::{
    config::{Config, OriginRule, Origins, Quirk, QuirkFor},
    quirks_table,
};
use draftgate_vectors::load;
use sha1::{Digest, Sha1};
use tokio::io::AsyncWriteExt;

type Test = Pin<Box<dyn Future<Output = ()>>>;

/// The test of a row.
fn test_of(row: &str) -> Test {
    match row {
        "answer-in-one-write" => Box::pin(answer_in_one_write()),
        "close-by-tcp" => Box::pin(close_by_tcp()),
        "subprotocol-echoed" => Box::pin(subprotocol_echoed()),
        "unprefixed-subprotocol" => Box::pin(unprefixed_subprotocol()),
        "announced-key3" => Box::pin(announced_key3()),
        "single-upgrade-token" => Box::pin(single_upgrade_token()),
        "unfragmented-messages" => Box::pin(unfragmented_messages()),
        "empty-extensions" => Box::pin(empty_extensions()),
        "any-code-in-close-answer" => Box::pin(any_code_in_close_answer()),
        "doubled-length" => Box::pin(doubled_length()),
        "version-of-the-draft" => Box::pin(version_of_the_draft()),
        "no-origin" => Box::pin(no_origin()),
        "location-without-query" => Box::pin(location_without_query()),
        "short-key" => Box::pin(short_key()),
        "mask-of-connection" => Box::pin(mask_of_connection()),
        "unmasked" => Box::pin(unmasked()),
        row => panic!("{row} has no test: write one"),
    }
}

#[tokio::test]
async fn every_row_of_the_table_does_what_it_says() {
    let table = quirks_table();
    let rows: BTreeSet<&str> = table
        .lines()
        .skip(2)
        .map(|row| row.split('`').nth(1).unwrap())
        .collect();
    assert_eq!(rows.len(), table.lines().count() - 2);
    for row in rows {
        println!("{row}");
        test_of(row).await;
    }
}

/// What the client of an archived exchange sent.
fn sent(vector: &str) -> Vec<u8> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let vector = load(archive.join(format!("{vector}.toml"))).unwrap();
    vector.octets(Role::Client).to_vec()
}

/// `request` with `field` behind its first line.
fn with(request: &str, field: &str) -> String {
    request.replacen("\r\n", &format!("\r\n{field}\r\n"), 1)
}

fn quirk(quirk: Quirk, whom: QuirkFor) -> Config {
    with_route("/echo", |route| *route.quirks.of_mut(quirk) = whom)
}

async fn opens(address: SocketAddr, request: impl AsRef<[u8]>) -> (Raw, String) {
    let mut raw = Raw::say(address, request).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (raw, head)
}

/// The line of the connection that ended last, of `count`.
async fn line(lines: &Lines, count: usize) -> serde_json::Value {
    let access = || lines.with("target", "draftgate::access");
    lines.until("the line", || access().len() >= count).await;
    access().swap_remove(count - 1)
}

async fn answer_in_one_write() {
    let (_running, address) = gateway(config());
    let request = [HIXIE_76.as_bytes(), KEY3].concat();
    let raw = Raw::say(address, request).await;
    let mut first = vec![0; 4096];
    let count = loop {
        soon("an answer", raw.tcp.readable()).await.unwrap();
        match raw.tcp.try_read(&mut first) {
            Ok(count) => break count,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    };
    let whole = [HIXIE_76_HEAD.as_bytes(), ANSWER].concat();
    assert!(first[..count] == whole, "{:?}", &first[..count]);
}

async fn close_by_tcp() {
    let mut config = config();
    // Longer than the test waits for anything.
    config.drain = Duration::from_secs(3600);
    config.listeners[0].timeouts.close_hixie_76 = Duration::from_millis(20);
    let (running, address) = gateway(config);
    let request = [HIXIE_76.as_bytes(), KEY3].concat();
    let (mut raw, _) = opens(address, request).await;
    raw.exactly(ANSWER.len()).await;
    let draining = tokio::spawn(running.drain());
    // The end of TCP, although this client never says a word.
    assert_eq!(raw.rest().await, b"\xff\x00");
    soon("the end", draining).await.unwrap();
}

async fn subprotocol_echoed() {
    let (_running, address) = gateway(config());
    // Those between answer as hixie-76 does.
    let told = |draft: &Draft| *draft < Draft::Hybi01 || draft.version().is_some();
    for draft in announced().into_iter().filter(told) {
        let request = match draft {
            Draft::Hixie75 => with(HIXIE_75, "WebSocket-Protocol: lge"),
            Draft::Hixie76 => with(HIXIE_76, "Sec-WebSocket-Protocol: lge"),
            draft => with(&versioned(draft), "Sec-WebSocket-Protocol: lge"),
        };
        let (_, head) = opens(address, request).await;
        assert!(
            head.contains("WebSocket-Protocol: lge\r\n"),
            "{draft}\n{head}"
        );
    }
}

async fn unprefixed_subprotocol() {
    let (_running, address) = gateway(config());
    let (_, head) = opens(address, with(HIXIE_76, "WebSocket-Protocol: old")).await;
    assert!(
        head.contains("\r\nSec-WebSocket-Protocol: old\r\n"),
        "{head}"
    );
    assert!(!head.contains("\r\nWebSocket-Protocol"), "{head}");
}

async fn announced_key3() {
    let (_running, address) = gateway(config());
    for field in ["Content-Length: 8", "content-length: 8"] {
        let request = [with(HIXIE_76, field).as_bytes(), KEY3].concat();
        let (mut raw, _) = opens(address, request).await;
        assert_eq!(raw.exactly(ANSWER.len()).await, ANSWER);
        raw.write(b"\0hi\xff").await;
        assert_eq!(raw.exactly(4).await, b"\0hi\xff");
    }
}

async fn single_upgrade_token() {
    let (_running, address) = gateway(config());
    let lists = HYBI_13
        .replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")
        .replace("Upgrade: websocket", "Upgrade: h2c, websocket");
    let (_, head) = opens(address, lists).await;
    assert!(head.contains("\r\nConnection: Upgrade\r\n"), "{head}");
    assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
    assert!(!head.contains("Extensions"), "{head}");
}

async fn unfragmented_messages() {
    let (_running, address) = gateway(config());
    let (mut raw, _) = opens(address, HYBI_13).await;
    let half = vec![b'x'; 70_000];
    let length = 70_000_u64.to_be_bytes();
    for first in [0x01, 0x80] {
        raw.write([&[first, 0xff][..], &length, &[0; 4], &half].concat())
            .await;
    }
    let head = raw.exactly(10).await;
    assert_eq!(
        (&head[..2], &head[2..]),
        (&b"\x81\x7f"[..], &140_000_u64.to_be_bytes()[..])
    );
    assert!(
        raw.exactly(140_000)
            .await
            .iter()
            .all(|octet| *octet == b'x')
    );
}

async fn empty_extensions() {
    let (_running, address) = gateway(config());
    for draft in announced().into_iter().filter(|d| d.version().is_some()) {
        let request = with(&versioned(draft), "Sec-WebSocket-Extensions: ");
        let (_, head) = opens(address, request).await;
        assert!(!head.contains("Extensions"), "{draft}\n{head}");
    }
}

async fn any_code_in_close_answer() {
    for (draft, code) in [
        (Draft::Hybi07, 741_u16),
        (Draft::Hybi08, 743),
        (Draft::Hybi08, 741),
        (Draft::Hybi13, 1005),
    ] {
        let (lines, _guard) = captured();
        let (running, address) = gateway(config());
        let (mut raw, _) = opens(address, versioned(draft)).await;
        let draining = tokio::spawn(running.drain());
        let close = raw.exactly(2).await;
        assert_eq!(close[0], 0x88, "{draft}");
        raw.exactly(usize::from(close[1])).await;
        let [high, low] = code.to_be_bytes();
        raw.write([0x88, 0x82, 0, 0, 0, 0, high, low]).await;
        assert_eq!(raw.rest().await, b"", "{draft} {code}");
        soon("the end", draining).await.unwrap();
        let line = line(&lines, 1).await;
        assert_eq!(
            (&line["rule"], &line["why"]),
            (&serde_json::Value::Null, &"requested".into())
        );
    }
}

async fn doubled_length() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(config());
    let (mut raw, _) = opens(address, versioned(Draft::Hybi07)).await;
    raw.write(b"\x81\xff\x00\x01\x11\x70\x00\x01\x11\x70\0\0\0\0cc")
        .await;
    assert_eq!(raw.exactly(4).await[2..], 1004_u16.to_be_bytes());
    drop(raw);
    assert_eq!(line(&lines, 1).await["rule"], "frame-too-big");
}

async fn version_of_the_draft() {
    let (running, address) = gateway(with_route("/echo", |route| {
        route.version_aliases = true;
        route.origins = Origins::new([OriginRule::Any]);
    }));
    opens(address, sent("hybi-13/refused.version-unsupported.10")).await;
    assert_eq!(running.counts().upgrades_in(Draft::Hybi08), 1);
}

async fn no_origin() {
    let (running, address) = gateway(with_route("/echo", |route| {
        route.hixie_75_without_origin = true;
    }));
    opens(
        address,
        HIXIE_75.replace("Origin: http://localhost\r\n", ""),
    )
    .await;
    assert_eq!(running.counts().upgrades_in(Draft::Hixie75), 1);
}

async fn location_without_query() {
    let chrome = "User-Agent: Mozilla/5.0 (Windows; U) AppleWebKit/532.5 (KHTML, like Gecko) Chrome/4.0.249.89 Safari/532.5";
    let later = chrome.replace("4.0.249.89", "5.0.375.55");
    let asked = HIXIE_75.replace("/echo ", "/echo?a=b ");
    let of = |whom: QuirkFor| quirk(Quirk::LocationWithoutQuery, whom);
    let families = QuirkFor::Families(vec!["Chrome".into()]);
    for (config, request, left_out) in [
        (config(), with(&asked, chrome), true),
        (config(), with(&asked, &later), false),
        (config(), asked.clone(), false),
        (of(QuirkFor::Nobody), with(&asked, chrome), false),
        (of(QuirkFor::All), asked.clone(), true),
        (of(families), with(&asked, &later), true),
    ] {
        let (lines, _guard) = captured();
        let (_running, address) = gateway(config);
        let (raw, head) = opens(address, &request).await;
        let location = match left_out {
            true => "\r\nWebSocket-Location: ws://example.com/echo\r\n",
            false => "\r\nWebSocket-Location: ws://example.com/echo?a=b\r\n",
        };
        assert!(head.contains(location), "{request}\n{head}");
        drop(raw);
        let told = line(&lines, 1).await["quirks"].clone();
        let name = left_out.then_some("location-without-query");
        assert_eq!(told.as_str(), name, "{request}");
        // Nobody else is told less.
        let (_, head) = opens(address, HIXIE_76.replace("/echo ", "/echo?a=b ")).await;
        assert!(
            head.contains("Location: ws://example.com/echo?a=b\r\n"),
            "{head}"
        );
    }
}

/// As it was recorded, but for the origin: `Origin` was a bare host, which the
/// other field contradicts.
async fn short_key() {
    let recorded = sent("hybi-08/text.client-node-ws.server-faye01");
    let recorded = String::from_utf8_lossy(&recorded);
    let (head, _) = recorded.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some(("Origin" | "Sec-WebSocket-Origin", _)) => {
            let (name, _) = line.split_once(": ").unwrap();
            format!("{name}: http://localhost\r\n")
        }
        _ => format!("{line}\r\n"),
    });
    let ws = lines.collect::<String>() + "\r\n";
    assert!(ws.contains("Sec-WebSocket-Key: OC0xNzk1MjMxMDA0NTYz\r\n"));
    let (log, _guard) = captured();
    let known = quirk(Quirk::ShortKey, QuirkFor::Recognised);
    let (_running, address) = gateway(known);
    let (mut raw, head) = opens(address, &ws).await;
    assert!(
        head.contains("Accept: NEc8mX4QMY5yKDeN6KLkgQqzRvM=\r\n"),
        "{head}"
    );
    raw.write(b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8")
        .await;
    assert_eq!(raw.rest().await, b"\x81\x02hi\x88\x02\x03\xe8");
    assert_eq!(line(&log, 1).await["quirks"], "short-key");
    let refused = async |address, request: &str| {
        let (head, body) = Raw::say(address, request).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{request}\n{head}");
        assert!(body.contains("Code: key-invalid"), "{body}");
    };
    // Another program, another version, a key of another length, a route that says nothing.
    refused(address, &with(&ws, "Accept: */*")).await;
    refused(address, &ws.replace("Version: 8", "Version: 13")).await;
    refused(address, &ws.replace("OC0xNzk1MjMxMDA0NTYz", "OC0xNzk1")).await;
    let (_running, address) = gateway(config());
    refused(address, &ws).await;
    let (_running, address) = gateway(quirk(Quirk::ShortKey, QuirkFor::All));
    opens(address, &with(&ws, "Accept: */*")).await;
}

/// With the head that was recorded, and frames for the nonce of this connection.
async fn mask_of_connection() {
    let recorded = sent("hybi-04/text.client-lws-b75c02661.server-lws-b75c02661");
    let end = memchr::memmem::find(&recorded, b"\r\n\r\n").unwrap() + 4;
    let lws = std::str::from_utf8(&recorded[..end]).unwrap();
    let value = |head: &str, name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in {head}"))
            .to_owned()
    };
    let key = value(lws, "Sec-WebSocket-Key: ");
    // "hi" and a close, each under the same key, whatever stands in front.
    let frames = |head: &str| {
        let nonce = value(head, "Sec-WebSocket-Nonce: ");
        let all = [&key, &nonce, "61AC5F19-FBBA-4540-B96F-6561F1AB40A8"].concat();
        let mask: [u8; 20] = Sha1::digest(all).into();
        [&b"\x84\x02hi"[..], b"\x81\x00"].map(|frame| {
            let masked = frame.iter().zip(mask).map(|(octet, key)| octet ^ key);
            [b"\x37\xfa\x21\x3d".to_vec(), masked.collect()].concat()
        })
    };
    let (log, _guard) = captured();
    let (_running, address) = gateway(quirk(Quirk::MaskOfConnection, QuirkFor::Recognised));
    let (mut raw, head) = opens(address, lws).await;
    raw.write(frames(&head).concat()).await;
    assert_eq!(raw.rest().await, b"\x84\x02hi\x81\x00");
    assert_eq!(line(&log, 1).await["quirks"], "mask-of-connection");
    // Another program, and a route that says nothing, go by the draft: this is noise.
    let (_running, by_the_draft) = gateway(config());
    for (address, head) in [
        (address, with(lws, "Accept: */*")),
        (by_the_draft, lws.to_owned()),
    ] {
        let (mut raw, head) = opens(address, &head).await;
        raw.write(frames(&head).concat()).await;
        raw.tcp.shutdown().await.unwrap();
        assert_ne!(raw.rest().await, b"\x84\x02hi\x81\x00", "{head}");
    }
}

async fn unmasked() {
    let meter = "User-Agent: meter/2 (cellar)";
    let named = || {
        quirk(
            Quirk::Unmasked,
            QuirkFor::Families(vec!["agent meter".into()]),
        )
    };
    let drafts = announced()
        .into_iter()
        .filter(|d| *d >= Draft::Hybi07 && d.version().is_some());
    for draft in drafts {
        for (config, agent, taken) in [
            (named(), meter, true),
            (named(), "User-Agent: gauge/2", false),
            (config(), meter, false),
        ] {
            let (lines, _guard) = captured();
            let (_running, address) = gateway(config);
            let (mut raw, _) = opens(address, with(&versioned(draft), agent)).await;
            // A text, one in fragments with a ping between them, a masked one.
            raw.write(b"\x81\x02hi\x01\x01a\x89\x00\x80\x01b\x81\x81\0\0\0\0m")
                .await;
            if taken {
                raw.write(b"\x88\x02\x03\xe8").await;
                let echoed = b"\x81\x02hi\x8a\x00\x81\x02ab\x81\x01m\x88\x02\x03\xe8";
                assert_eq!(raw.rest().await, echoed, "{draft}");
            } else {
                assert_eq!(raw.exactly(4).await[2..], 1002_u16.to_be_bytes(), "{draft}");
            }
            // It waits for more of who was told, until he goes.
            drop(raw);
            let line = line(&lines, 1).await;
            // Each frame without a mask is told of: four, and the Close.
            assert_eq!(line["notices"], if taken { 5 } else { 0 }, "{draft}");
            assert_eq!(line["quirks"].as_str(), taken.then_some("unmasked"));
            assert_eq!(line["rule"].as_str(), (!taken).then_some("mask-missing"));
        }
    }
}
