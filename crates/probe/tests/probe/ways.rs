//! No way to a server, or no answer from it.

use std::{sync::Arc, time::Duration};

use draftgate_core::Draft;
use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Verdict, probe};
use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::server::{SHORT, Server, echo, end, finding, head, spoken};

#[tokio::test]
async fn silence_half_an_answer_an_end_and_a_reset_are_told_apart() {
    for (octets, holds, kind) in [
        (&b""[..], true, Kind::SilentToRequest),
        (b"HTTP/1.1 101 ", true, Kind::AnswerCutOff),
        (b"", false, Kind::TcpEnded),
    ] {
        let server = Server::start(move |mut tcp| async move {
            if head(&mut tcp).await.is_none() {
                return;
            }
            tcp.write_all(octets).await.unwrap();
            match holds {
                true => std::future::pending().await,
                false => end(tcp, b"").await,
            }
        })
        .await;
        // One front, one after the other: it is silent to each.
        let settings = draftgate_probe::Settings {
            within: SHORT / 4,
            ..Default::default()
        };
        let report = probe(Default::default(), &server.url("ws"), &settings).await;
        finding(&report, kind);
        for tried in &report.drafts {
            assert_eq!(tried.verdict, Verdict::Fails(kind), "{}", tried.draft);
        }
    }
    let server = Server::start(|mut tcp| async move {
        // What is unread when a socket closes makes it a reset.
        let _ = tcp.read(&mut [0; 8]).await;
    })
    .await;
    for draft in spoken() {
        let report = server.probed(draft).await;
        finding(&report, Kind::Reset);
    }
}

#[tokio::test]
async fn an_answer_that_takes_long_is_slow_and_works() {
    let server = Server::start(|tcp| async move {
        sleep(Duration::from_millis(2100)).await;
        echo(tcp, "ws", Arc::new(|_: &_, _, _: &mut Head| ())).await;
    })
    .await;
    let report = server.probed(Draft::Hybi13).await;
    finding(&report, Kind::AnswerSlow);
    assert_eq!(report.drafts[0].verdict, Verdict::Works);
}

#[tokio::test]
async fn what_a_draft_cannot_ask_for_is_told() {
    let server = Server::healthy().await;
    for draft in spoken() {
        let report = server
            .probed_with(draft, |options, _| {
                let value = HeaderValue::from_static("x");
                options.fields = vec![("Upgrade".into(), value)];
            })
            .await;
        finding(&report, Kind::Unspeakable);
    }
}

#[tokio::test]
async fn nobody_at_the_address_and_no_address_are_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
    };
    drop(listener);
    let report = server.probed(Draft::Hybi13).await;
    finding(&report, Kind::ConnectRefused);
    let settings = draftgate_probe::Settings::default();
    let url = "ws://nowhere.invalid/".parse().unwrap();
    let report = probe(Default::default(), &url, &settings).await;
    finding(&report, Kind::HostUnknown);
    assert_eq!(report.drafts.len(), spoken().count());
}

#[tokio::test]
async fn an_address_that_is_silent_is_told() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // A queue that is full takes no more connections, and refuses none.
    let full = socket.listen(1).unwrap();
    let server = Server {
        address: full.local_addr().unwrap(),
    };
    let mut queued = Vec::new();
    let patience = Duration::from_secs(1);
    while let Ok(tcp) =
        tokio::time::timeout(patience, tokio::net::TcpStream::connect(server.address)).await
    {
        queued.push(tcp.unwrap());
    }
    let report = server
        .probed_with(Draft::Hybi13, |_, settings| settings.within = patience)
        .await;
    finding(&report, Kind::ConnectSilent);
}

#[tokio::test]
async fn a_proxy_on_the_way_that_makes_no_tunnel_is_told() {
    let proxy = Server::answering("HTTP/1.1 403 No\r\n\r\n").await;
    let server = Server::healthy().await;
    let report = server
        .probed_with(Draft::Hybi13, |options, _| {
            let url = format!("http://{}", proxy.address);
            options.via = draftgate_client::Via::Proxy(url.parse().unwrap());
        })
        .await;
    finding(&report, Kind::ProxyRefused);
}

#[tokio::test]
async fn a_server_that_is_busy_with_the_connection_before_is_asked_once_more() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut listener = Some(listener);
        while let Some(listening) = listener.take() {
            let (mut tcp, _) = listening.accept().await.unwrap();
            // Nobody is let in until this one is over, and a little longer.
            drop(listening);
            if head(&mut tcp).await.is_some() {
                end(tcp, b"HTTP/1.1 404 Not Found\r\n\r\n").await;
            }
            sleep(Duration::from_millis(50)).await;
            listener = Some(tokio::net::TcpListener::bind(address).await.unwrap());
        }
    });
    let server = Server { address };
    let report = server.probed(Draft::Hybi13).await;
    finding(&report, Kind::NotFound);
    assert_eq!(report.findings.len(), 1, "{report:#?}");
}

#[tokio::test]
async fn a_server_with_one_slot_that_cuts_who_comes_too_soon_is_asked_once_more() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // When the slot is free again.
        let mut free = tokio::time::Instant::now();
        while let Ok((mut tcp, _)) = listener.accept().await {
            if tokio::time::Instant::now() < free {
                continue; // It is dropped, with what it sent unread.
            }
            if head(&mut tcp).await.is_some() {
                end(tcp, b"HTTP/1.1 404 Not Found\r\n\r\n").await;
            }
            free = tokio::time::Instant::now() + Duration::from_millis(300);
        }
    });
    let server = Server { address };
    let report = server.probed(Draft::Hybi13).await;
    finding(&report, Kind::NotFound);
    assert_eq!(report.findings.len(), 1, "{report:#?}");
}
