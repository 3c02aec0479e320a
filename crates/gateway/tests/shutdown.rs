//! Draining: every connection ends as its draft says, and what does not end
//! in time is cut.

mod common;

use std::time::Duration;

use common::{Client, HIXIE_76, HYBI_13, KEY3, Raw, announced, config, gateway, soon, until};
use draftgate_core::{Closing, Draft, Event};
use tokio::net::TcpStream;

#[tokio::test]
async fn each_draft_is_told_as_it_can_be_told() {
    let (running, address) = gateway(config());
    let mut clients = Vec::new();
    for draft in announced() {
        clients.push(Client::open(address, draft, "/bus/a").await);
    }
    let drain = tokio::spawn(running.drain());
    for mut client in clients {
        let draft = client.codec.draft();
        match client.codec.capabilities().closing {
            Closing::Absent => assert_eq!(client.event().await, None, "{draft}"),
            closing => {
                let Some(Event::Close(close)) = client.event().await else {
                    panic!("{draft} was not told");
                };
                let coded = closing == Closing::Coded;
                assert_eq!(
                    close.clone().map(|c| c.code),
                    coded.then_some(1001),
                    "{draft}"
                );
                client.close(close).await;
                assert_eq!(client.event().await, None, "{draft}");
            }
        }
    }
    soon("the drain ends", drain).await.unwrap();
}

#[tokio::test]
async fn the_octets_of_the_end_are_those_of_the_draft() {
    for (opening, end) in [
        ([HIXIE_76.as_bytes(), KEY3].concat(), &b"\xff\x00"[..]),
        (
            HYBI_13.as_bytes().to_vec(),
            b"\x88\x1e\x03\xe9the gateway is shutting down",
        ),
        (common::HIXIE_75.as_bytes().to_vec(), b""),
    ] {
        let (running, address) = gateway(config());
        let mut raw = Raw::say(address, &opening).await;
        raw.head().await;
        if opening.ends_with(KEY3) {
            raw.exactly(16).await;
        }
        let drain = tokio::spawn(running.drain());
        assert_eq!(raw.exactly(end.len()).await, end);
        // Without this the draft's own time for the answer passes first.
        drop(raw);
        soon("the drain ends", drain).await.unwrap();
    }
}

#[tokio::test]
async fn a_drain_takes_no_new_connections_and_no_new_upgrades() {
    let mut config = config();
    config.drain = Duration::from_secs(60);
    config.listeners[0].timeouts.close = Duration::from_secs(60);
    let (running, address) = gateway(config);
    let mut early = Raw::say(address, &HYBI_13[..20]).await;
    let mut stays = Raw::say(address, HYBI_13).await;
    stays.head().await;
    let drain = tokio::spawn(running.drain());
    stays.exactly(4).await;
    soon("the port is closed", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    early.write(&HYBI_13[20..]).await;
    let (head, body) = early.refusal().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.contains("Code: shutting-down"), "{body}");
    // A masked Close with 1001.
    stays.write(b"\x88\x82\x00\x00\x00\x00\x03\xe9").await;
    drop((stays, early));
    soon("the drain ends", drain).await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let mut config = config();
    config.drain = Duration::from_millis(100);
    config.listeners[0].timeouts.close = Duration::from_secs(600);
    config.listeners[0].timeouts.head = Duration::from_secs(600);
    let (running, address) = gateway(config);
    let mut half = Raw::say(address, "GET / HTTP/1.1\r\n").await;
    let mut deaf = Raw::say(address, HYBI_13).await;
    deaf.head().await;
    until("both are in", || running.counts().connections == 2).await;
    soon("the drain ends", running.drain()).await;
    half.rest().await;
    assert!(deaf.rest().await.starts_with(b"\x88"));
}

#[tokio::test]
async fn a_shutdown_cuts_at_once() {
    let (running, address) = gateway(config());
    let mut client = Client::open(address, Draft::Hybi13, "/echo").await;
    soon("the shutdown ends", running.shutdown()).await;
    assert_eq!(client.event().await, None);
}

#[tokio::test]
async fn a_gateway_without_connections_drains_at_once() {
    let mut config = config();
    config.drain = Duration::from_secs(3600);
    let (running, _) = gateway(config);
    soon("the drain ends", running.drain()).await;
}

#[tokio::test]
async fn connections_that_ask_for_nothing_do_not_hold_up_a_drain() {
    let mut config = config();
    config.drain = Duration::from_secs(3600);
    config.listeners[0].timeouts.first_octet = Duration::from_secs(3600);
    config.listeners[0].timeouts.head = Duration::from_secs(3600);
    let (running, address) = gateway(config);
    let mut silent = Raw::connect(address).await;
    let mut kept_alive = Raw::say(address, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(kept_alive.head().await.starts_with("HTTP/1.1 200 "));
    until("both are in", || running.counts().connections == 2).await;
    soon("the drain ends", running.drain()).await;
    assert_eq!(
        (silent.rest().await, kept_alive.rest().await),
        (vec![], vec![])
    );
}
