//! Many names, many readers, and what is left of them.

use std::time::Duration;

use crate::{
    client::{Reader, answer, get, post},
    common::{self, Raw},
};

#[tokio::test]
async fn ten_thousand_names_leave_no_more_channels_than_may_be() {
    let mut config = common::config();
    config.http.history_channels = 50;
    config.http.history_time = Duration::from_millis(200);
    let (running, address) = common::gateway(config);
    let mut raw = Raw::connect(address).await;
    for batch in 0..200 {
        let mut requests = String::new();
        for number in 0..50 {
            let name = format!("/bus/room{batch}-{number}");
            requests += &get(address, &format!("{name}?poll=0"), "");
            requests += &post(address, &name, "", "x");
        }
        raw.write(requests).await;
        for _ in 0..50 {
            assert_eq!(answer(&mut raw).await.status, 204);
            assert_eq!(answer(&mut raw).await.status, 200);
        }
        assert!(
            running.hub().channels() <= 50,
            "{}",
            running.hub().channels()
        );
        assert!(running.hub().remembered() <= 50 * 200);
    }
    common::until("all are forgotten", || running.hub().channels() == 0).await;
    assert_eq!(running.hub().remembered(), 0);
    assert_eq!(running.counts().polls, 10_000);
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn what_channels_remember_is_bounded_in_all() {
    let mut config = common::config();
    config.http.history_total = 100_000;
    let (running, address) = common::gateway(config);
    let mut raw = Raw::connect(address).await;
    let text = "x".repeat(10_000);
    for number in 0..100 {
        let name = format!("/bus/room{number}");
        raw.write(get(address, &format!("{name}?poll=0"), "")).await;
        assert_eq!(answer(&mut raw).await.status, 204);
        for _ in 0..3 {
            raw.write(post(address, &name, "", &text)).await;
            assert_eq!(answer(&mut raw).await.status, 200);
        }
        assert!(running.hub().remembered() <= 100_000);
    }
    assert!(running.hub().remembered() > 50_000);
}

#[tokio::test]
async fn where_every_channel_is_being_read_a_new_one_remembers_nothing() {
    let mut config = common::config();
    config.http.history_channels = 2;
    let (running, address) = common::gateway(config);
    let mut readers = Vec::new();
    for number in 0..4 {
        readers.push(Reader::open(address, &format!("/bus/room{number}")).await);
    }
    for (number, reader) in readers.iter_mut().enumerate() {
        crate::client::publish(address, &format!("/bus/room{number}"), "x").await;
        assert_eq!(reader.data().await, "x");
    }
    assert_eq!(running.hub().channels(), 4);
}

#[tokio::test]
async fn readers_and_publishers_that_come_and_go_leave_nothing() {
    let mut config = common::config();
    config.http.history_time = Duration::from_millis(100);
    let (running, address) = common::gateway(config);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(tokio::spawn(async move {
            for round in 0..10 {
                let mut reader = Reader::open(address, "/bus/chat").await;
                crate::client::publish(address, "/bus/chat", "x").await;
                if round % 2 == 0 {
                    reader.data().await;
                }
            }
        }));
    }
    for task in tasks {
        common::soon("a round", task).await.unwrap();
    }
    common::until("all have gone", || {
        let counts = running.counts();
        counts.streaming == 0 && counts.connections == 0 && running.hub().channels() == 0
    })
    .await;
    let ledger = running.ledger();
    assert!(ledger.balances(), "{ledger}");
    assert_eq!(ledger.published(), 200);
}
