//! Whatever a request or an answer holds, the probe says something, and nothing
//! in what it says steers a terminal.

use bytes::Bytes;
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, LengthFrames},
};
use draftgate_probe::{Look, Recorded, Verdict, recorded};
use proptest::prelude::*;

use crate::server::{Server, end, head};

fn request(draft: Draft) -> Vec<u8> {
    let ask = Ask {
        secure: false,
        host: "a.example",
        resource: "/x",
        origin: Some("http://a.example"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
    offer.request.to_vec()
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let drafts: Vec<Draft> = draftgate_drafts::spoken().collect();
    prop::sample::select(drafts)
}

/// `octets` with some of them changed, taken out or put in.
fn damaged(mut octets: Vec<u8>, damage: &[(usize, u8, u8)]) -> Vec<u8> {
    for (at, how, octet) in damage {
        let at = at % octets.len().max(1);
        match how % 3 {
            0 => octets.insert(at, *octet),
            1 if at < octets.len() => {
                octets.remove(at);
            }
            _ if at < octets.len() => octets[at] = *octet,
            _ => {}
        }
    }
    octets
}

fn damage() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec(any::<(usize, u8, u8)>(), 0..6)
}

/// Whether a terminal would only print it.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n')
}

proptest! {
    #[test]
    fn a_damaged_request_and_answer_are_read_without_panic(
        draft in any_draft(), damage in damage(), answer: Vec<u8>, well: bool
    ) {
        let head = b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: ";
        let answer = if well { [head, &answer[..], b"\r\n\r\n"].concat() } else { answer };
        let recorded = recorded(&Recorded {
            source: "any".into(),
            request: damaged(request(draft), &damage).into(),
            answer: Bytes::from(answer),
        });
        let Ok(report) = recorded else {
            return Ok(());
        };
        let text = report.to_text(Look { width: 80, colour: false });
        prop_assert!(is_harmless(&text), "{text:?}");
        let json = report.to_json();
        prop_assert!(json.contains("format"));
    }
}

#[tokio::test]
async fn a_server_that_says_anything_is_told_to_fail() {
    for octets in [
        &b"\x1b]0;title\x07\r\n\r\n"[..],
        b"HTTP/1.1 \xff\xff\r\n\r\n",
        b"HTTP/1.1 500 \xc2\x9b2J\r\nServer: \xc2\x9b2J\r\n\r\n\x1b[2J",
        b"HTTP/1.1 302 No\r\nLocation: \xc2\x9b2J\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: \xc2\x9b2J\r\n\r\n",
        b"HTTP/1.1 426 No\r\nSec-WebSocket-Version: \xc2\x9b2J, 99999, -1\r\n\r\n",
        b"HTTP/1.1 101 Ok\r\nUpgrade: \xc2\x9b2J\r\nConnection: \xc2\x9b\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        &[b'a'; 40_000],
    ] {
        let server = Server::start(move |mut tcp| async move {
            if head(&mut tcp).await.is_some() {
                end(tcp, octets).await;
            }
        })
        .await;
        for draft in draftgate_drafts::spoken() {
            let report = server.probed(draft).await;
            let verdict = &report.drafts[0].verdict;
            assert!(matches!(verdict, Verdict::Fails(_)), "{draft}: {verdict:?}");
            let look = Look {
                width: 80,
                colour: false,
            };
            let text = report.to_text(look);
            assert!(is_harmless(&text), "{text:?}");
        }
    }
}
