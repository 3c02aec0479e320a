//! `GET ?poll`: what a client has that asks again and again.

use std::sync::Arc;

use draftgate_core::{Draft, Message};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    client::{Answer, ask, get, publish},
    common::{self, Client},
};

async fn poll(address: std::net::SocketAddr, query: &str) -> Answer {
    ask(address, &get(address, &format!("/bus/chat?{query}"), "")).await
}

#[tokio::test]
async fn a_poll_is_answered_as_soon_as_there_is_a_message() {
    let (running, address) = common::gateway(common::config());
    let waiting = tokio::spawn(async move { poll(address, "poll").await });
    let channel = "chat".parse().unwrap();
    common::until("it waits", || running.hub().subscribers(&channel) == 1).await;
    let told = publish(address, "/bus/chat", "Hello").await;
    let answer = common::soon("the poll", waiting).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "after": told["id"],
            "missed": 0,
            "messages": [{ "id": told["id"], "from": null, "text": "Hello" }],
        })
    );
    assert_eq!(answer.field("last-event-id"), told["id"].as_str());
    assert_eq!(running.hub().subscribers(&channel), 0);
    assert_eq!(running.counts().polls, 1);
}

#[tokio::test]
async fn a_poll_without_a_message_ends_with_204_and_where_to_go_on() {
    let (_running, address) = common::gateway(common::config());
    let answer = poll(address, "poll=0").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let after = answer.field("last-event-id").unwrap().to_owned();
    for text in ["one", "two"] {
        publish(address, "/bus/chat", text).await;
    }
    let answer = poll(address, &format!("poll=0&after={after}")).await;
    let texts: Vec<_> = answer.json()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["text"].clone())
        .collect();
    assert_eq!(texts, ["one", "two"]);
}

#[tokio::test]
async fn a_client_that_polls_in_a_loop_loses_nothing() {
    let mut config = common::config();
    // However slowly this machine polls.
    config.http.history = 1000;
    let (running, address) = common::gateway(config);
    let first = poll(address, "poll=0").await;
    let mut after = first.field("last-event-id").unwrap().to_owned();
    let mut sender = Client::open(address, Draft::Hybi13, "/bus/chat").await;
    let answered = Arc::new(Notify::new());
    let polled = Arc::clone(&answered);
    let sending = tokio::spawn(async move {
        for number in 0..500 {
            sender.send(number.to_string().as_str()).await;
            // However fast this machine sends, polls come in between.
            if number % 50 == 0 {
                polled.notified().await;
            }
        }
        sender.send(Message::Binary(vec![9].into())).await;
        sender
    });
    let mut heard = Vec::new();
    loop {
        let answer = poll(address, &format!("poll=5&after={after}")).await;
        answered.notify_one();
        assert_eq!(answer.status, 200);
        let json = answer.json();
        assert_eq!(json["missed"], 0);
        json["after"].as_str().unwrap().clone_into(&mut after);
        let messages = json["messages"].as_array().unwrap();
        heard.extend(
            messages
                .iter()
                .filter_map(|m| m["text"].as_str())
                .map(str::to_owned),
        );
        if messages.iter().any(|message| message["base64"] == "CQ==") {
            break;
        }
    }
    let expected: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(heard, expected);
    drop(sending);
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn what_was_too_much_between_two_polls_is_told() {
    let mut config = common::config();
    config.http.history = 2;
    let (_running, address) = common::gateway(config);
    let after = poll(address, "poll=0")
        .await
        .field("last-event-id")
        .unwrap()
        .to_owned();
    for number in 1..=5 {
        publish(address, "/bus/chat", &number.to_string()).await;
    }
    let json = poll(address, &format!("poll=0&after={after}")).await.json();
    assert_eq!(
        (&json["missed"], json["messages"].as_array().unwrap().len()),
        (&json!(3), 2)
    );
    for none_of_ours in ["nonsense", "1-1", "0-18446744073709551615"] {
        let query = format!("poll=0&after={none_of_ours}");
        let json = poll(address, &query).await.json();
        let texts: Vec<_> = json["messages"].as_array().unwrap().iter().collect();
        assert_eq!(json["missed"], json!(null), "{none_of_ours}");
        assert_eq!(texts.len(), 2, "what is remembered: {json}");
        assert_eq!(texts[1]["text"], "5");
    }
}

#[tokio::test]
async fn a_poll_ends_with_the_gateway_and_with_its_client() {
    let (running, address) = common::gateway(common::config());
    let channel = "chat".parse().unwrap();
    let gone = tokio::spawn(async move { poll(address, "poll").await });
    common::until("it waits", || running.hub().subscribers(&channel) == 1).await;
    gone.abort();
    common::until("it is gone", || running.hub().subscribers(&channel) == 0).await;
    let waiting = tokio::spawn(async move { poll(address, "poll").await });
    common::until("it waits", || running.hub().subscribers(&channel) == 1).await;
    common::soon("the drain", running.drain()).await;
    assert_eq!(common::soon("the poll", waiting).await.unwrap().status, 204);
}
