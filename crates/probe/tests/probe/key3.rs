//! The octets that follow a head: held back on their way, awaited, or wanted at
//! once.

use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Deaf, SHORT, Server, accepted, end, finding, going_on, head, spoken};

/// A proxy that reads a head and its `Content-Length`, passes them on, and reads
/// nothing more before there is an answer: as nginx's `proxy_pass`.
async fn holding(inner: std::net::SocketAddr) -> Server {
    Server::start(move |mut tcp| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            if tcp.read_exact(&mut octet).await.is_err() {
                return;
            }
            head.push(octet[0]);
        }
        let mut server = tokio::net::TcpStream::connect(inner).await.unwrap();
        if String::from_utf8_lossy(&head).contains("Content-Length: 8\r\n") {
            let mut body = [0; 8];
            tcp.read_exact(&mut body).await.unwrap();
            head.extend(body);
        }
        server.write_all(&head).await.unwrap();
        let mut chunk = [0; 1024];
        let Ok(count) = server.read(&mut chunk).await else {
            return;
        };
        tcp.write_all(&chunk[..count]).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut tcp, &mut server).await;
    })
    .await
}

/// A server that answers nothing before the octets behind the head are there.
async fn awaiting() -> Server {
    Server::start(|mut tcp| async move {
        let Some((request, mut received)) = head(&mut tcp).await else {
            return;
        };
        let draft = draftgate_drafts::detect(&request, Default::default());
        let wanted = draft
            .ok()
            .and_then(|draft| draftgate_drafts::acceptor(draft).ok())
            .map_or(0, |acceptor| acceptor.octets_after_head());
        while received.len() < wanted {
            if tcp
                .read_buf(&mut received)
                .await
                .is_ok_and(|count| count == 0)
            {
                return;
            }
        }
        let answer = accepted(&request, "ws", &|_: &_, _, _: &mut Head| ());
        let Some((head, codec)) = answer else {
            return end(tcp, b"HTTP/1.1 426 No\r\n\r\n").await;
        };
        let start = draftgate_conn::Start {
            codec,
            head: Some(head.to_bytes()),
            received,
        };
        draftgate_conn::Conn::new(tcp, start, draftgate_conn::Settings::server())
            .run(&mut Deaf)
            .await;
    })
    .await
}

#[tokio::test]
async fn a_proxy_that_holds_key3_back_is_shown_by_announcing_it() {
    let server = awaiting().await;
    let proxy = holding(server.address).await;
    for draft in going_on() {
        let report = server.probed(draft).await;
        let seen = &finding(&report, Kind::Key3Awaited).seen;
        assert!(seen.contains("left unanswered"), "{seen}");
        assert_eq!(report.drafts[0].verdict, Verdict::Works);

        let report = proxy
            .probed_with(draft, |_, settings| settings.within = SHORT)
            .await;
        let found = finding(&report, Kind::Key3Held);
        assert!(found.shown && found.seen.contains("with `Content-Length: 8` it opens"));
        assert!(found.fix().contains("mode tcp"), "{}", found.fix());
        assert_eq!(report.drafts[0].verdict, Verdict::Fails(Kind::Key3Held));
    }
    // One that answers at once goes through the same proxy.
    let server = Server::healthy().await;
    let proxy = holding(server.address).await;
    for draft in spoken() {
        let report = proxy.probed(draft).await;
        assert_eq!(report.findings, [], "{draft}: {report:#?}");
    }
}

#[tokio::test]
async fn a_second_answer_to_the_octets_of_key3_shows_who_took_them() {
    let server = Server::start(|mut tcp| async move {
        if head(&mut tcp).await.is_some() {
            let answers = "HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 4\r\n\r\nlateHTTP/1.1 400 Bad Request\r\n\r\n";
            end(tcp, answers.as_bytes()).await;
        }
    })
    .await;
    for draft in spoken() {
        let report = server.probed(draft).await;
        let held = report.findings.iter().find(|f| f.kind == Kind::Key3Held);
        let goes_on = going_on().any(|other| other == draft);
        assert_eq!(held.is_some(), goes_on, "{draft}");
        if let Some(held) = held {
            assert!(held.seen.contains("400 Bad Request"), "{}", held.seen);
            assert_eq!(report.findings.len(), 1, "it explains the error");
        } else {
            finding(&report, Kind::GatewayError);
        }
    }
}

#[tokio::test]
async fn a_server_that_wants_head_and_octets_at_once_is_found() {
    let server = Server::start(|mut tcp| async move {
        let Some((request, received)) = head(&mut tcp).await else {
            return;
        };
        let answer = accepted(&request, "ws", &|_: &_, _, _: &mut Head| ());
        let Some((head, codec)) = answer.filter(|_| received.len() == 8) else {
            return end(tcp, b"").await;
        };
        let start = draftgate_conn::Start {
            codec,
            head: Some(head.to_bytes()),
            received,
        };
        draftgate_conn::Conn::new(tcp, start, draftgate_conn::Settings::server())
            .run(&mut Deaf)
            .await;
    })
    .await;
    for draft in going_on() {
        let report = server.probed(draft).await;
        let seen = &finding(&report, Kind::Key3Alone).seen;
        assert!(seen.contains("sent together it opens"), "{seen}");
        assert_eq!(report.drafts[0].verdict, Verdict::Works);
    }
}
