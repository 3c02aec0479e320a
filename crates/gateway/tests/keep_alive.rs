//! What is sent to a silent peer, by draft and as the route says; and what
//! becomes of one that stays silent.

mod common;

use std::time::Duration;

use common::{Client, HIXIE_75, HIXIE_76, KEY3, Raw, announced, config, gateway, with_route};
use draftgate_core::{Draft, Event, Message};
use draftgate_gateway::config::Heartbeat;

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_silent_peer_is_pinged_where_the_draft_has_ping() {
    let mut config = config();
    config.listeners[0].timeouts.ping = Some(SHORT);
    config.listeners[0].timeouts.idle = None;
    let (_running, address) = gateway(config);
    let mut client = Client::open(address, Draft::Hybi13, "/echo").await;
    assert!(matches!(client.event().await, Some(Event::Ping(_))));
    assert!(matches!(client.event().await, Some(Event::Ping(_))));
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_closed() {
    let mut config = config();
    config.listeners[0].timeouts.ping = None;
    config.listeners[0].timeouts.idle = Some(SHORT);
    config.listeners[0].timeouts.close = SHORT;
    let (_running, address) = gateway(config);
    let mut without_ping = Vec::new();
    for draft in announced() {
        let client = Client::open(address, draft, "/echo").await;
        if !client.codec.capabilities().ping {
            without_ping.push(client);
        }
    }
    assert!(without_ping.len() >= 2, "{without_ping:?}");
    let mut silent = Raw::say(address, common::HYBI_13).await;
    silent.head().await;
    assert_eq!(silent.rest().await[0], 0x88);
    // Without ping, silence proves nothing: these have been silent for longer.
    for mut old in without_ping {
        old.send("still here").await;
        assert_eq!(old.message().await, Message::from("still here"));
    }
}

#[tokio::test]
async fn a_heartbeat_is_for_drafts_without_ping_alone() {
    let mut config = with_route("/echo", |route| {
        route.heartbeat = Heartbeat::Text("beat".into());
        route.heartbeat_interval = SHORT;
    });
    config.listeners[0].timeouts.ping = None;
    let (_running, address) = gateway(config);
    let mut clients = Vec::new();
    for draft in announced() {
        clients.push(Client::open(address, draft, "/echo").await);
    }
    // Where one beats, it has beaten by now.
    let mut oldest = Raw::say(address, HIXIE_75).await;
    oldest.head().await;
    oldest.exactly(12).await;
    for mut client in clients {
        client.send("Hello").await;
        let first = match client.codec.capabilities().ping {
            true => "Hello",
            false => "beat",
        };
        assert_eq!(client.message().await, Message::from(first), "{client:?}");
    }
}

#[tokio::test]
async fn a_heartbeat_is_what_the_route_says() {
    for (heartbeat, octets) in [
        (Heartbeat::EmptyText, &b"\x00\xff\x00\xff"[..]),
        (Heartbeat::Text("beat".into()), b"\x00beat\xff\x00beat\xff"),
        (Heartbeat::UnknownFrame, b"\x80\x00\x80\x00"),
    ] {
        let in_76 = heartbeat != Heartbeat::UnknownFrame;
        let (_running, address) = gateway(with_route("/echo", |route| {
            route.heartbeat = heartbeat;
            route.heartbeat_interval = SHORT;
        }));
        let mut less_old = Raw::say(address, [HIXIE_76.as_bytes(), KEY3].concat()).await;
        less_old.head().await;
        less_old.exactly(16).await;
        let mut old = Raw::say(address, HIXIE_75).await;
        old.head().await;
        assert_eq!(old.exactly(octets.len()).await, octets);
        if in_76 {
            assert_eq!(less_old.exactly(octets.len()).await, octets);
        } else {
            // There an unknown frame raises an error in the client: none was
            // sent while two went to the other, which came later.
            less_old.write(b"\x00Hello\xff").await;
            assert_eq!(less_old.exactly(7).await, b"\x00Hello\xff");
        }
    }
}
