//! `service = "clock"`: the time, as events and in every draft.

use std::time::Duration;

use draftgate_core::Message;
use draftgate_gateway::config::{Config, Route, Service};

use crate::{
    client::{Reader, ask, get, post},
    common::{self, Client},
};

fn config() -> Config {
    let mut config = common::config();
    let clock = Route {
        interval: Duration::from_millis(50),
        publish: draftgate_gateway::config::Allowed::None,
        origins: config.routes[0].origins.clone(),
        ..Route::new(
            "/clock".parse().unwrap(),
            Service::Clock,
            common::announced(),
        )
    };
    config.routes.push(clock);
    config
}

fn is_a_time(text: &str) -> bool {
    text.len() == "2011-12-01T12:00:00.007Z".len() && text.starts_with("20") && text.ends_with('Z')
}

#[tokio::test]
async fn the_time_comes_in_every_draft_and_as_events() {
    let (running, address) = common::gateway(config());
    let mut reader = Reader::open(address, "/clock").await;
    for draft in common::announced() {
        let mut client = Client::open(address, draft, "/clock").await;
        let Message::Text(text) = client.message().await else {
            panic!("{draft}: binary");
        };
        assert!(is_a_time(text.as_str()), "{draft}: {}", text.as_str());
    }
    let (mut before, mut numbers) = (String::new(), Vec::new());
    for _ in 0..5 {
        let event = reader.event().await.unwrap();
        assert!(
            is_a_time(&event.data) && event.data > before,
            "{before} {event:?}"
        );
        numbers.push(event.id.rsplit('-').next().unwrap().parse::<u64>().unwrap());
        before = event.data;
    }
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
    let polled = ask(address, &get(address, "/clock?poll", "")).await;
    assert!(is_a_time(
        polled.json()["messages"][0]["text"].as_str().unwrap()
    ));
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn nobody_else_says_anything_there() {
    let (running, address) = common::gateway(config());
    let mut reader = Reader::open(address, "/clock").await;
    let mut client = Client::open(address, common::announced()[0], "/clock").await;
    client.send("not the time").await;
    // The bus has a channel of the same name, and it is another one.
    let _bus = Reader::open(address, "/bus/clock").await;
    let told = ask(address, &post(address, "/bus/clock", "", "not the time")).await;
    assert_eq!(told.json()["delivered"], 1);
    let told = ask(address, &post(address, "/clock", "", "not the time")).await;
    assert_eq!(told.status, 405, "{told:?}");
    common::until("it was muted", || running.counts().muted == 1).await;
    for _ in 0..5 {
        assert!(is_a_time(&reader.data().await));
    }
}

#[tokio::test]
async fn the_clock_stops_with_the_gateway() {
    let (running, address) = common::gateway(config());
    let mut reader = Reader::open(address, "/clock").await;
    assert!(is_a_time(&reader.data().await));
    let hub = running.hub().clone();
    common::soon("the drain", running.drain()).await;
    while reader.event().await.is_some() {}
    let ledger = hub.ledger();
    // Whatever still had a timer would have its hour.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(hub.ledger(), ledger);
}
