//! What a server does once it is open: silence, ends, octets that break a draft,
//! one slot.

use std::sync::Arc;

use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

use crate::server::{SHORT, Server, accepted, echo, end, finding, head, spoken};

/// A server that opens, and then does as `then` says with the socket.
async fn opening(then: Then) -> Server {
    Server::start(move |mut tcp| async move {
        let Some((request, mut received)) = head(&mut tcp).await else {
            return;
        };
        let answer = accepted(&request, "ws", &|_: &_, _, _: &mut Head| ());
        let Some((answer, mut codec)) = answer else {
            return end(tcp, b"HTTP/1.1 426 No\r\n\r\n").await;
        };
        let mut out = draftgate_core::Outbox::new();
        codec.start(&mut out);
        // The head goes first, with the HELLO where there is one: a client answers it.
        tcp.write_all(&answer.to_bytes()).await.unwrap();
        tcp.write_all(&out.take_all()).await.unwrap();
        while codec.state() == draftgate_core::State::Opening {
            let _ = codec.receive(&mut received, &mut out);
            if codec.state() == draftgate_core::State::Opening
                && tcp.read_buf(&mut received).await.is_ok_and(|n| n == 0)
            {
                return;
            }
        }
        // The proof, where there is one behind the head.
        tcp.write_all(&out.take_all()).await.unwrap();
        match then {
            Then::Nothing => std::future::pending().await,
            Then::End => end(tcp, b"").await,
            Then::Octets(octets) => end(tcp, octets).await,
            Then::Code(code) => {
                while codec.state() != draftgate_core::State::ClosingByPeer {
                    while let Ok(Some(_)) = codec.receive(&mut received, &mut out) {}
                    let _ = tcp.write_all(&out.take_all()).await;
                    if codec.state() != draftgate_core::State::ClosingByPeer
                        && tcp.read_buf(&mut received).await.is_ok_and(|n| n == 0)
                    {
                        return;
                    }
                }
                let close = draftgate_core::Close::new(code, "");
                let close = draftgate_core::Outgoing::Close(Some(close));
                codec.send(close, &mut out).unwrap();
                end(tcp, &out.take_all()).await;
            }
        }
    })
    .await
}

#[derive(Clone, Copy)]
enum Then {
    Nothing,
    End,
    Octets(&'static [u8]),
    Code(u16),
}

#[tokio::test]
async fn a_ping_and_a_close_that_stay_unanswered_are_found() {
    let server = opening(Then::Nothing).await;
    for draft in spoken() {
        let report = server
            .probed_with(draft, |_, settings| settings.within = SHORT / 8)
            .await;
        finding(&report, Kind::CloseUnanswered);
        let missing = |report: &draftgate_probe::Report| {
            let mut kinds = report.findings.iter().map(|finding| finding.kind);
            kinds.any(|kind| kind == Kind::PongMissing)
        };
        assert_eq!(
            missing(&report),
            draftgate_drafts::has_ping(draft),
            "{draft}"
        );
        assert!(report.works(), "{draft}");
    }
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_found() {
    let server = opening(Then::End).await;
    for draft in spoken() {
        let report = server
            .probed_with(draft, |_, settings| settings.send = Some("hello".into()))
            .await;
        finding(&report, Kind::ClosedByServer);
    }
}

#[tokio::test]
async fn octets_that_break_a_draft_are_found() {
    // In no draft with a version is this a frame; hixie discards by type.
    let server = opening(Then::Octets(&[0xff; 32])).await;
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let report = server.probed(draft).await;
        finding(&report, Kind::DraftBroken);
        assert!(!report.works(), "{draft}");
    }
}

#[tokio::test]
async fn another_code_in_the_answer_to_our_close_is_noted() {
    let server = opening(Then::Code(1001)).await;
    let coded = draftgate_drafts::traits()
        .filter(|it| it.capabilities.closing == draftgate_core::Closing::Coded);
    for it in coded {
        let report = server.probed(it.draft).await;
        let seen = &finding(&report, Kind::CloseAnswerOther).seen;
        assert_eq!(seen, "1000 was sent, 1001 came");
        assert_eq!(report.drafts[0].verdict, Verdict::Works);
    }
}

#[tokio::test]
async fn a_server_with_one_slot_is_found_if_it_is_asked_for() {
    let slots = Arc::new(Semaphore::new(1));
    let server = Server::start(move |tcp| {
        let slots = Arc::clone(&slots);
        async move {
            match slots.try_acquire() {
                Ok(_slot) => echo(tcp, "ws", Arc::new(|_: &_, _, _: &mut Head| ())).await,
                Err(_) => {
                    let mut tcp = tcp;
                    if head(&mut tcp).await.is_some() {
                        end(tcp, b"HTTP/1.1 503 Busy\r\n\r\n").await;
                    }
                }
            }
        }
    })
    .await;
    for draft in spoken() {
        // The slot of the draft before is free once its connection has ended.
        for second in [true, false] {
            let report = server
                .probed_with(draft, |_, settings| settings.second = second)
                .await;
            let found = report
                .findings
                .iter()
                .any(|f| f.kind == Kind::OneConnection);
            assert_eq!(found, second, "{draft}: {report:#?}");
        }
    }
}
