//! The opening over a stream that the test holds in its hand, in every draft
//! that is spoken: answers in pieces, answers that are none, and silence.

use std::io::ErrorKind;

use bytes::Bytes;
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    FixedKeys,
    opening::{Ask, LengthFrames, Terms, parts},
};
use draftgate_testkit::{
    codecs::hear,
    io::{Probe, scripted, settle},
};
use tokio::{task::JoinHandle, time::Instant};

use super::*;
use crate::body::{BODY_SHOWN, BODY_SILENCE};

const WITHIN: Duration = Duration::from_secs(10);

/// A message that the server sends right behind its answer.
const BEHIND: &[u8] = b"\x81\x02Hi";

/// The request in `draft`, and our own acceptor's answer to it.
fn offer(draft: Draft) -> (Offer, Bytes) {
    let mut keys = FixedKeys::new(b"a fixed run of octets for keys..");
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/demo",
        origin: Some("http://example.com"),
        subprotocols: &["sample"],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offer = draftgate_drafts::offer(draft, &ask, &mut keys).unwrap();
    let (request, head) = parts(&offer.request).unwrap().unwrap();
    let terms = Terms {
        subprotocol: Some("sample"),
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let mut accepted = draftgate_drafts::accept(draft, &request, &terms, &mut keys).unwrap();
    let heard = hear(&mut *accepted.codec, [&offer.request[head..]]);
    let answer = [accepted.head.to_bytes(), heard.wrote].concat();
    (offer, answer.into())
}

type Opened = Result<(Connected, BytesMut), ConnectError>;

/// An opening in `draft` that runs, the test's end of its stream, and the
/// honest answer.
fn opening(draft: Draft) -> (JoinHandle<Opened>, Probe, Bytes) {
    let (offer, answer) = offer(draft);
    let (mut io, probe) = scripted();
    let unseen = |_: Role, _: &[u8]| ();
    let informed = draft.version().is_some();
    let opened =
        tokio::spawn(
            async move { open(&mut io, "example.com", offer, WITHIN, informed, unseen).await },
        );
    (opened, probe, answer)
}

#[test]
fn versions_are_read_from_lists_and_repeated_fields() {
    let octets = "HTTP/1.1 426 x\r\nSec-WebSocket-Version: 13, 8 ,x,,256\r\n\
        sec-websocket-version:7\r\n\r\n";
    let answer = Answer::read(&mut BytesMut::from(octets.as_bytes()));
    assert_eq!(versions(&answer.unwrap().unwrap()), [13, 8, 7]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_taken_at_any_cut_and_what_is_behind_it_left() {
    for draft in draftgate_drafts::spoken() {
        let length = offer(draft).1.len();
        for cut in 0..=length + BEHIND.len() {
            let (opened, probe, answer) = opening(draft);
            settle().await;
            let octets = [&answer[..], BEHIND].concat();
            probe.feed(&octets[..cut]);
            settle().await;
            probe.feed(&octets[cut..]);
            probe.end();
            let (connected, received) = opened.await.unwrap().unwrap();
            assert_eq!(connected.codec.draft(), draft);
            assert_eq!(connected.subprotocol.as_deref(), Some("sample"));
            assert!(answer.starts_with(&connected.head));
            assert!(BEHIND.starts_with(&received), "{draft} {cut}: {received:?}");
            if cut < length {
                assert_eq!(received, BEHIND, "{draft} {cut}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn informational_answers_before_the_one_that_counts_are_passed_over() {
    const FIRST: &str =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for draft in draftgate_drafts::spoken() {
        for cut in 0..=FIRST.len() {
            let (opened, probe, answer) = opening(draft);
            settle().await;
            probe.feed(&FIRST.as_bytes()[..cut]);
            settle().await;
            probe.feed(&[&FIRST.as_bytes()[cut..], &answer, BEHIND].concat());
            let opened = opened.await.unwrap();
            // Those without a version have no answers of HTTP.
            assert_eq!(opened.is_ok(), draft.version().is_some(), "{draft}, {cut}");
            let Ok((connected, received)) = opened else {
                continue;
            };
            assert!(answer.starts_with(&connected.head), "{draft}, {cut}");
            assert_eq!(received, BEHIND, "{draft}, {cut}");
            let (opened, probe, _) = opening(draft);
            probe.feed(&[FIRST.as_bytes(), b"HTTP/1.1 403 No\r\n\r\nnot here"].concat());
            probe.end();
            let refused = opened.await.unwrap();
            assert!(
                matches!(&refused, Err(ConnectError::Refused { body, status: Some(403), answer: Some(_), .. }) if body == "not here"),
                "{refused:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn informational_answers_without_end_are_an_answer() {
    for draft in draftgate_drafts::spoken() {
        let (opened, probe, _) = opening(draft);
        probe.feed(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
        let refused = opened.await.unwrap();
        assert!(
            matches!(
                &refused,
                Err(ConnectError::Refused {
                    status: Some(100),
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_octet_by_octet_is_an_answer() {
    for draft in draftgate_drafts::spoken() {
        let (opened, probe, answer) = opening(draft);
        probe.dribble(&answer);
        let (connected, received) = opened.await.unwrap().unwrap();
        assert_eq!((connected.codec.draft(), received.len()), (draft, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_anywhere_is_told_with_how_much_came() {
    for draft in draftgate_drafts::spoken() {
        let length = offer(draft).1.len();
        for cut in 0..length {
            let (opened, probe, answer) = opening(draft);
            probe.feed(&answer[..cut]);
            probe.end();
            let ended = opened.await.unwrap();
            assert!(
                matches!(ended, Err(ConnectError::Ended { octets, .. }) if octets == cut),
                "{draft} {cut}: {ended:?}"
            );
        }
        let (opened, probe, answer) = opening(draft);
        probe.feed(&answer[..length - 1]);
        let begun = Instant::now();
        let silent = opened.await.unwrap();
        assert_eq!(begun.elapsed(), WITHIN);
        assert!(
            matches!(silent, Err(ConnectError::OpeningTimeout { after: WITHIN, octets, .. }) if octets == length - 1),
            "{draft}: {silent:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_given_up() {
    for draft in draftgate_drafts::spoken() {
        let (opened, probe, _) = opening(draft);
        probe.accept(Some(7));
        let silent = opened.await.unwrap();
        assert!(matches!(
            silent,
            Err(ConnectError::OpeningTimeout { octets: 0, .. })
        ));
        assert_eq!(probe.written().len(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_told() {
    for draft in draftgate_drafts::spoken() {
        let (opened, probe, answer) = opening(draft);
        probe.feed(&answer[..20]);
        probe.fail_read(ErrorKind::ConnectionReset);
        let broken = opened.await.unwrap().unwrap_err();
        assert!(matches!(broken, ConnectError::Broken { .. }), "{broken}");
        assert!(broken.may_be_the_draft());
        let (opened, probe, _) = opening(draft);
        probe.fail_writes(ErrorKind::BrokenPipe);
        let broken = opened.await.unwrap().unwrap_err();
        assert!(matches!(broken, ConnectError::Broken { .. }), "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_octet_may_be_wrong_and_the_opening_ends() {
    for draft in draftgate_drafts::spoken() {
        let length = offer(draft).1.len();
        let mut refused = 0;
        for at in 0..length {
            for flip in [0x01, 0x20, 0x80] {
                let (opened, probe, answer) = opening(draft);
                let mut octets = answer.to_vec();
                octets[at] ^= flip;
                probe.feed(&octets);
                probe.end();
                refused += usize::from(opened.await.unwrap().is_err());
            }
        }
        assert!(refused > length, "{draft}: {refused} of {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_refused_without_waiting_for_its_end() {
    for draft in draftgate_drafts::spoken() {
        for (octets, kind) in [
            (vec![b'x'; 40 << 10], RefusalKind::AnswerTooLong),
            (vec![0xff; 17 << 10], RefusalKind::AnswerTooLong),
            (b"\r\n\r\n".repeat(4), RefusalKind::AnswerMalformed),
            (
                b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(),
                RefusalKind::AnswerMalformed,
            ),
            (b"A: b\r\n".repeat(200), RefusalKind::AnswerMalformed),
        ] {
            let (opened, probe, _) = opening(draft);
            let head = if octets.starts_with(b"A") {
                &b"HTTP/1.1 101 Ok\r\n"[..]
            } else {
                b""
            };
            probe.feed(&[head, &octets, b"\r\n"].concat());
            let error = opened.await.unwrap();
            let Err(ConnectError::Refused { refusal, body, .. }) = error else {
                panic!("{draft}: {error:?}");
            };
            assert_eq!((refusal.kind, body.as_str()), (kind, ""), "{draft}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_refusal_is_waited_for_a_second_and_cut() {
    for draft in draftgate_drafts::spoken() {
        let (opened, probe, _) = opening(draft);
        probe.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nnot h");
        settle().await;
        probe.feed(b"ere");
        let begun = Instant::now();
        let refused = opened.await.unwrap();
        assert!(begun.elapsed() <= BODY_SILENCE);
        assert!(
            matches!(&refused, Err(ConnectError::Refused { body, status: Some(403), .. }) if body == "not here"),
            "{refused:?}"
        );
        let (opened, probe, _) = opening(draft);
        probe.feed(b"HTTP/1.1 403 Forbidden\r\n\r\n");
        probe.feed(&[b'x'; 20 << 10]);
        let refused = opened.await.unwrap();
        assert!(
            matches!(&refused, Err(ConnectError::Refused { body, .. }) if body.len() == BODY_SHOWN),
            "{refused:?}"
        );
    }
}
