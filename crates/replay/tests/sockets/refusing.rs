//! A server that refuses every request: a report has to say not only that the
//! status is wrong, but what the server itself said about it, because that is
//! where the remedy stands.

use draftgate_replay::{Outcome, net::replay};
use draftgate_vectors::load;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{PLAYING, archived, target};

const VECTOR: &str = "hybi-13/example.ping-and-close.toml";

/// What a report says is seen where the server answers with `head`, and then
/// with `body`, in segments of their own.
async fn seen(head: &'static str, body: &'static [u8]) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(head.as_bytes()).await;
            tokio::task::yield_now().await;
            let _ = stream.write_all(body).await;
        }
    });
    let target = target(address);
    let vector = load(archived(VECTOR)).unwrap();
    match replay(&vector, &target, &PLAYING).await {
        Outcome::Mismatch(mismatch) => mismatch.seen,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_refusing_server_says_is_reported() {
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 32\r\n\r\n";
    let seen = seen(head, b"Not from here.\r\n\r\nAsk\x1b elsewhere.\n").await;
    assert_eq!(
        seen,
        [
            "answer-status: the server did not switch protocols (HTTP/1.1 403 Forbidden); \
             it says: Not from here. Ask\u{fffd} elsewhere."
        ]
    );
}

#[tokio::test]
async fn of_a_long_refusal_the_beginning_is_reported() {
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\n";
    let seen = seen(head, &[b'a'; 1000]).await;
    let said = format!("it says: {}…", "a".repeat(300));
    assert!(seen[0].ends_with(&said), "{seen:?}");
}

#[tokio::test]
async fn a_page_or_nothing_is_no_reason() {
    let plain = "answer-status: the server did not switch protocols (HTTP/1.1 403 Forbidden)";
    for (head, body) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n",
            &b"<html>"[..],
        ),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b""),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", b"\xff\xfe"),
    ] {
        assert_eq!(seen(head, body).await, [plain], "{head}");
    }
}
