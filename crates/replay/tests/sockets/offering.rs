//! Clients under test that offer what the recorded client did not, or that did
//! not: an answer that one client must refuse is in order for another.

use draftgate_replay::{Outcome, net::serve};
use draftgate_vectors::load;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{PLAYING, archived};

/// A server that agrees on what its client did not offer.
const UNASKED: &str = "hybi-13/refused.answer-extension.toml";

/// A server that agrees on what its client offered.
const ASKED: &str = "hybi-13/published.opera-36-macosx.whatwg-html-852.toml";

/// What `vector` is judged to be for a client that asks with `field` and leaves once
/// it is answered.
async fn judged(vector: &str, field: &str) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{field}\r\n"
    );
    tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = [0; 1024];
        let _ = stream.read(&mut answer).await;
    });
    let (stream, _) = listener.accept().await.unwrap();
    let vector = load(archived(vector)).unwrap();
    serve(&vector, stream, &PLAYING).await
}

#[tokio::test]
async fn who_offers_an_extension_need_not_refuse_it() {
    for field in [
        "Sec-WebSocket-Extensions: deflate-frame; no_context_takeover\r\n",
        "Sec-WebSocket-Extensions: x-other, deflate-frame\r\n",
    ] {
        let outcome = judged(UNASKED, field).await;
        let skipped = matches!(&outcome, Outcome::Skipped(why) if why.contains("offers"));
        assert!(skipped, "{field}: {outcome:?}");
    }
}

#[tokio::test]
async fn who_offers_none_or_another_must_refuse_it() {
    for field in ["", "Sec-WebSocket-Extensions: x-other\r\n"] {
        let outcome = judged(UNASKED, field).await;
        assert!(matches!(outcome, Outcome::Passed), "{field}: {outcome:?}");
    }
}

#[tokio::test]
async fn who_offers_none_is_not_asked_to_speak_it() {
    for field in ["", "Sec-WebSocket-Extensions: x-other\r\n"] {
        let outcome = judged(ASKED, field).await;
        let skipped = matches!(&outcome, Outcome::Skipped(why) if why.contains("does not offer"));
        assert!(skipped, "{field}: {outcome:?}");
    }
    // It is to keep the connection, and leaves it.
    let outcome = judged(ASKED, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(matches!(outcome, Outcome::Mismatch(_)), "{outcome:?}");
}
