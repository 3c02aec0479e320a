//! How much one connection may say: messages a second, and octets.

use draftgate_core::{Close, Closing, Draft, Event, Message, Outgoing};
use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::{
    common::{self, announced, captured},
    stage::{Opening, SECRET, gateway, hs256, in_seconds},
};

fn echo(limits: &str) -> String {
    format!("[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.limits]\n{limits}\n")
}

#[tokio::test]
async fn messages_beyond_the_rate_wait_and_none_is_lost() {
    let (running, address) = gateway(&echo("message-rate = 50\nmessage-burst = 5"));
    let each = announced().into_iter().map(|draft| async move {
        let mut client = Opening::new(draft, "/echo").open(address).await;
        let begun = Instant::now();
        for number in 0..30 {
            client.send(number.to_string()).await;
        }
        for number in 0..30 {
            assert_eq!(
                client.message().await,
                Message::from(number.to_string()),
                "{draft}"
            );
        }
        // 5 at once and 25 at 50 a second.
        assert!(
            begun.elapsed() >= Duration::from_millis(490),
            "{draft} {:?}",
            begun.elapsed()
        );
    });
    for one in each.map(tokio::spawn).collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(running.counts().too_fast, 0);
}

#[tokio::test]
async fn a_close_of_ours_does_not_wait_for_who_sends_too_much() {
    let (running, address) = gateway(&echo("message-rate = 1\nmessage-burst = 1"));
    let mut clients = Vec::new();
    for draft in announced() {
        let mut client = Opening::new(draft, "/echo").open(address).await;
        for _ in 0..50 {
            client.send("much").await;
        }
        client.message().await;
        clients.push(client);
    }
    let begun = Instant::now();
    common::soon("the drain", running.drain()).await;
    // It would take 50 s to read it all.
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn messages_beyond_the_rate_are_dropped_where_it_says_so() {
    let (lines, _guard) = captured();
    let limits = "message-rate = 1\nmessage-burst = 3\nmessage-excess = \"drop\"";
    let (running, address) = gateway(&echo(limits));
    let mut dropped = 0;
    for draft in announced() {
        let mut client = Opening::new(draft, "/echo").open(address).await;
        for number in 0..10 {
            client.send(number.to_string()).await;
        }
        for number in 0..3 {
            assert_eq!(
                client.message().await,
                Message::from(number.to_string()),
                "{draft}"
            );
        }
        dropped += 7;
        common::until("seven are dropped", || running.counts().too_fast == dropped).await;
        client.close(None).await;
        client.end().await;
    }
    let drafts = announced().len();
    let told = || lines.with("target", "draftgate::access");
    lines.until("the lines", || told().len() == drafts).await;
    assert_eq!(lines.with("code", "too-fast").len(), announced().len());
    let told = lines.with("target", "draftgate::access");
    assert!(
        told.iter().all(|line| line["too_fast"] == json!(7)),
        "{told:?}"
    );
}

#[tokio::test]
async fn messages_beyond_the_rate_end_the_connection_where_it_says_so() {
    let limits = "message-rate = 1\nmessage-burst = 2\nmessage-excess = \"close\"";
    let (running, address) = gateway(&echo(limits));
    for draft in announced() {
        let mut client = Opening::new(draft, "/echo").open(address).await;
        for text in ["one", "two", "three", "four"] {
            let _ = client
                .codec
                .send(Outgoing::Message(Message::from(text)), &mut client.out);
        }
        client.say(Outgoing::Message(Message::from("five"))).await;
        let closing = client.codec.capabilities().closing;
        let mut heard = Vec::new();
        let mut closed = None;
        while let Some(event) = client.event().await {
            match event {
                Event::Message(message) => heard.push(message),
                Event::Close(close) => closed = Some(close),
                _ => {}
            }
        }
        assert_eq!(
            heard,
            [Message::from("one"), Message::from("two")],
            "{draft}"
        );
        if closing == Closing::Coded {
            let code = closed.unwrap().map(|close| close.code);
            assert_eq!(code, Close::nearest_code(Close::POLICY, draft), "{draft}");
        }
    }
    assert!(running.counts().too_fast >= announced().len() as u64);
}

#[tokio::test]
async fn a_token_has_a_rate_and_a_size_of_its_own() {
    let (running, address) = gateway(&format!(
        "{}[routes.auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n",
        echo(
            "message = 100\nframe = 100\nmessage-rate = 1\nmessage-burst = 1\nmessage-excess = \"drop\""
        )
    ));
    let with = |draft: Draft, grant: serde_json::Value| {
        let claims = json!({"exp": in_seconds(3600), "draftgate": grant});
        Opening::new(draft, "/echo").bearer(&hs256(&claims))
    };
    for draft in announced() {
        let before = running.counts().too_fast;
        let mut free = with(draft, json!({"message-rate": "unlimited"}))
            .open(address)
            .await;
        let mut burst = with(draft, json!({"message-burst": 20}))
            .open(address)
            .await;
        for client in [&mut free, &mut burst] {
            for number in 0..20 {
                client.send(number.to_string()).await;
                assert_eq!(
                    client.message().await,
                    Message::from(number.to_string()),
                    "{draft}"
                );
            }
        }
        assert_eq!(running.counts().too_fast, before, "{draft}");
        for (message, size, passes) in [
            (10, 10, true),
            (10, 11, false),
            (1000, 100, true),
            (1000, 101, false),
        ] {
            let mut client = with(draft, json!({"message": message})).open(address).await;
            client.send("x".repeat(size)).await;
            match passes {
                true => assert_eq!(client.message().await.len(), size, "{draft} {message}"),
                false => {
                    client.end().await;
                }
            }
        }
    }
}
