//! Secrets where no single head shows them: on connections that are used more
//! than once, behind wrong frames, behind what was not captured.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{path::Path, time::Duration};

use draftgate_core::Role;
use draftgate_drafts::{acceptor, announced};
use draftgate_record::{Facts, Secrets, Taped, exchange};
use draftgate_vectors::{GapReason, Kind, Vector, load_dir, write};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn made(taped: &Taped) -> Vector {
    exchange("made", taped, &Facts::new("a test"), &Secrets::default())
}

/// The head of a request, with secrets in it.
fn with_secrets(head: &[u8]) -> Vec<u8> {
    let line = head.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    let secrets = b"Authorization: Basic S3cret\r\nCookie: id=S3cret\r\n";
    [&head[..line], secrets, &head[line..]].concat()
}

/// Everything that would be in the files of `vector`.
fn in_files(vector: &Vector) -> String {
    let mut all = write(vector).unwrap().toml;
    for side in [Role::Client, Role::Server] {
        all += &String::from_utf8_lossy(&vector.octets(side));
    }
    all
}

#[test]
fn who_is_refused_and_asks_again_with_a_password_keeps_it() {
    const REFUSED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\nSet-Cookie: id=S3cret\r\n\r\n";
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let archive = load_dir(&archive).unwrap();
    for draft in announced() {
        let asks = archive
            .iter()
            .filter(|vector| vector.about.draft == draft && vector.head(Role::Client).is_some())
            .max_by_key(|vector| vector.about.kind == Kind::Captured);
        let asks = asks.unwrap_or_else(|| panic!("{draft}: no request in the archive"));
        let head = asks.head(Role::Client).unwrap();
        let behind = acceptor(draft).unwrap().octets_after_head();
        let once = [head.octets(), &b"^n:ds[4U"[..behind]].concat();
        let again = with_secrets(&once);
        // One after the other, both at once, and with the second cut off in the cookie.
        let cut = again.len() - once.len() + 20;
        for (second, in_turns) in [
            (&again[..], true),
            (&again[..], false),
            (&again[..cut], true),
        ] {
            let mut taped = Taped::new();
            taped.octets(Role::Client, ms(1), once.clone());
            if in_turns {
                taped.octets(Role::Server, ms(2), REFUSED);
            }
            taped.octets(Role::Client, ms(3), second.to_vec());
            taped.octets(Role::Server, ms(4), REFUSED);
            let vector = made(&taped);
            assert_eq!(vector.about.draft, draft);
            let all = in_files(&vector);
            assert!(!all.contains("S3cret"), "{draft}, {in_turns}: {all}");
            assert!(
                all.contains("Authorization: ${redacted=redacted}"),
                "{draft}: {all}"
            );
        }
    }
}

#[test]
fn what_follows_wrong_frames_is_searched_for_secrets() {
    let mut taped = Taped::new();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi";
    taped.octets(Role::Client, ms(1), &request[..]);
    taped.octets(Role::Server, ms(2), &answer[..]);
    // It falls back to HTTP in the midst of it.
    let fault = b"HTTP/1.1 500 Oops\r\nSet-Cookie: id=S3cret\r\n\r\n";
    taped.octets(Role::Server, ms(200), &fault[..]);
    let all = in_files(&made(&taped));
    assert!(!all.contains("S3cret"), "{all}");
}

#[test]
fn a_secret_goes_on_behind_what_is_missing() {
    for (before, after) in [
        (
            "GET / HTTP/1.1\r\nCookie: a=",
            "S3cret; b=S3cret\r\nHost: h\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nCookie:",
            "S3cret\r\n S3cret\r\nHost: h\r\n\r\n",
        ),
        ("GET / HTTP/1.1\r\nCookie: a\r\n\tb", "S3cret"),
    ] {
        let mut taped = Taped::new();
        taped.octets(Role::Client, ms(1), before.to_owned());
        taped.gap(Role::Client, ms(2), Some(7), GapReason::Snapped);
        taped.octets(Role::Client, ms(3), after.to_owned());
        let all = in_files(&made(&taped));
        assert!(!all.contains("S3cret"), "{all}");
        assert_eq!(all.contains("Host: h"), after.contains("Host"), "{all}");
    }
}
