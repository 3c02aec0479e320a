//! A message comes back as it was sent, in every draft.

mod common;

use common::{Client, announced, config, gateway};
use draftgate_core::{Close, Closing, Draft, Message};

#[tokio::test]
async fn a_message_comes_back_in_every_draft() {
    let (running, address) = gateway(config());
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        for text in ["Hello", "", "Grüße, 世界"] {
            client.send(text).await;
            assert_eq!(client.message().await, Message::from(text), "{draft}");
        }
        let large = "x".repeat(300_000);
        client.send(large.as_str()).await;
        assert_eq!(client.message().await, Message::from(large), "{draft}");
    }
    assert!(
        announced()
            .iter()
            .all(|&draft| running.counts().upgrades_in(draft) == 1)
    );
}

#[tokio::test]
async fn binary_comes_back_where_the_draft_has_it() {
    let (_running, address) = gateway(config());
    let mut client = Client::open(address, Draft::Hybi13, "/echo").await;
    let octets = Message::Binary((0..=255).collect::<Vec<u8>>().into());
    client.send(octets.clone()).await;
    assert_eq!(client.message().await, octets);
}

#[tokio::test]
async fn a_close_is_answered_as_the_draft_says() {
    let (running, address) = gateway(config());
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        let closing = client.codec.capabilities().closing;
        let code = (closing == Closing::Coded).then(|| Close::new(1000, "bye"));
        client.close(code).await;
        let answer = client.end().await;
        match closing {
            Closing::Absent => assert_eq!(answer, None, "{draft}"),
            Closing::Coded => assert_eq!(answer.flatten().map(|c| c.code), Some(1000), "{draft}"),
            _ => assert_eq!(answer, Some(None), "{draft}"),
        }
        drop(client);
    }
    common::until("all connections end", || running.counts().connections == 0).await;
}
