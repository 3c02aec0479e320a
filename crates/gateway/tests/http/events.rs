//! `GET` with `Accept: text/event-stream`: what arrives, in which order, what
//! is there after a cut, and how it ends.

use std::time::Duration;

use draftgate_bus::Reason;
use draftgate_core::Message;
use draftgate_gateway::config::Overflow;
use serde_json::json;

use crate::{
    client::{Event, Reader, publish},
    common::{self, Client},
};

#[tokio::test]
async fn messages_of_every_draft_arrive_as_events() {
    let (running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    let mut enveloped = Reader::open(address, "/bus/chat?envelope").await;
    for draft in common::announced() {
        let mut client = Client::open(address, draft, "/bus/chat").await;
        client
            .send(format!("from {draft}\nGrüße\r\n").as_str())
            .await;
        assert_eq!(reader.data().await, format!("from {draft}\nGrüße\n"));
        let json: serde_json::Value = serde_json::from_str(&enveloped.data().await).unwrap();
        assert_eq!(json["from"]["draft"], draft.name());
        assert_eq!(json["text"], format!("from {draft}\nGrüße\r\n"));
        if client.codec.capabilities().binary {
            client.send(Message::Binary(vec![1, 2, 255].into())).await;
            let event = reader.event().await.unwrap();
            assert_eq!(
                (event.kind.as_str(), event.data.as_str()),
                ("binary", "AQL/")
            );
            let json: serde_json::Value = serde_json::from_str(&enveloped.data().await).unwrap();
            assert_eq!(json["base64"], "AQL/");
        }
    }
    assert_eq!(running.counts().streaming, 2);
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn what_was_said_during_a_cut_is_there_afterwards() {
    let (running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    assert_eq!(reader.retry, Some(2000));
    publish(address, "/bus/chat", "one").await;
    assert_eq!(reader.data().await, "one");
    let id = reader.id.clone();
    let before_the_first = Reader::open(address, "/bus/other").await.id;
    drop(reader);
    common::until("the stream is over", || running.counts().streaming == 0).await;
    for text in ["two", "three"] {
        publish(address, "/bus/chat", text).await;
    }
    let field = format!("Last-Event-ID: {id}\r\n");
    let mut reader = Reader::open_with(address, "/bus/chat", &field).await;
    assert_eq!(reader.id, id, "it stands where it stood");
    publish(address, "/bus/chat", "four").await;
    for text in ["two", "three", "four"] {
        assert_eq!(reader.data().await, text);
    }
    // Who was cut before the first message knows where it stood, too; and the
    // query does what browsers' EventSource cannot.
    publish(address, "/bus/other", "first").await;
    let target = format!("/bus/other?after={before_the_first}");
    assert_eq!(Reader::open(address, &target).await.data().await, "first");
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn what_is_gone_is_told_as_a_gap() {
    let mut config = common::config();
    config.http.history = 3;
    let (running, address) = common::gateway(config);
    let mut reader = Reader::open(address, "/bus/chat").await;
    publish(address, "/bus/chat", "0").await;
    reader.data().await;
    let reader_id = reader.id.clone();
    drop(reader);
    common::until("the stream is over", || running.counts().streaming == 0).await;
    for number in 1..=5 {
        publish(address, "/bus/chat", &number.to_string()).await;
    }
    let field = format!("Last-Event-ID: {reader_id}\r\n");
    let mut reader = Reader::open_with(address, "/bus/chat", &field).await;
    let gap = reader.event().await.unwrap();
    assert_eq!(
        (gap.kind.as_str(), gap.data.as_str()),
        ("gap", r#"{"missed":2}"#)
    );
    for number in 3..=5 {
        assert_eq!(reader.data().await, number.to_string());
    }
}

#[tokio::test]
async fn an_id_of_another_life_is_a_gap_and_never_a_match() {
    let (first, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat").await;
    publish(address, "/bus/chat", "old").await;
    reader.data().await;
    let old = reader.id.clone();
    first.shutdown().await;
    let (_second, address) = common::gateway(common::config());
    let _other = Reader::open(address, "/bus/chat").await;
    publish(address, "/bus/chat", "new").await;
    for id in [old.as_str(), "17", "no id of ours", "0-0"] {
        let field = format!("Last-Event-ID: {id}\r\n");
        let mut reader = Reader::open_with(address, "/bus/chat", &field).await;
        let gap = reader.event().await.unwrap();
        assert_eq!(gap.data, r#"{"missed":null}"#, "{id}");
        // And what is remembered follows.
        assert_eq!(reader.data().await, "new", "{id}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_awake_with_comments() {
    let mut config = common::config();
    config.http.keep_alive = Some(Duration::from_millis(20));
    let (_running, address) = common::gateway(config);
    let mut reader = Reader::open(address, "/bus/chat").await;
    reader.comments(2).await;
    publish(address, "/bus/chat", "x").await;
    assert_eq!(reader.data().await, "x");
}

#[tokio::test]
async fn a_stream_outlives_every_timeout_of_a_head() {
    let mut config = common::config();
    let timeouts = &mut config.listeners[0].timeouts;
    (timeouts.head, timeouts.first_octet) =
        (Duration::from_millis(100), Duration::from_millis(100));
    config.http.keep_alive = Some(Duration::from_millis(100));
    let (_running, address) = common::gateway(config);
    let mut reader = Reader::open(address, "/bus/chat").await;
    // Each of them says that a tenth of a second has passed.
    reader.comments(5).await;
    publish(address, "/bus/chat", "still here").await;
    assert_eq!(reader.data().await, "still here");
}

#[tokio::test]
async fn the_stop_of_the_gateway_ends_streams_as_they_should_end() {
    let (lines, _guard) = common::captured();
    let (running, address) = common::gateway(common::config());
    let mut readers = Vec::new();
    for _ in 0..5 {
        readers.push(Reader::open(address, "/bus/chat").await);
    }
    publish(address, "/bus/chat", "last").await;
    let drained = tokio::spawn(running.drain());
    for reader in &mut readers {
        assert_eq!(reader.data().await, "last");
        assert_eq!(reader.event().await, None);
    }
    common::soon("the drain", drained).await.unwrap();
    let ends = lines.with("draft", "events");
    assert_eq!(ends.len(), 5);
    for line in ends {
        assert_eq!(
            (&line["why"], &line["messages_out"]),
            (&json!("requested"), &json!(1))
        );
        assert_eq!(line["path"], "/bus/chat");
    }
}

#[tokio::test]
async fn each_stream_leaves_one_line_and_nothing_else() {
    let (lines, _guard) = common::captured();
    let (running, address) = common::gateway(common::config());
    let mut reader = Reader::open(address, "/bus/chat?secret=1").await;
    publish(address, "/bus/chat", "Hello").await;
    reader.data().await;
    drop(reader);
    common::until("the stream is over", || running.counts().streaming == 0).await;
    let ends = lines.with("draft", "events");
    assert_eq!(ends.len(), 1);
    let line = &ends[0];
    assert_eq!(
        (&line["why"], &line["by"]),
        (&json!("peer-gone"), &json!("peer"))
    );
    assert_eq!(
        (&line["path"], &line["dropped"]),
        (&json!("/bus/chat"), &json!(0))
    );
    assert_eq!(line["target"], "draftgate::access");
    let channel = "chat".parse().unwrap();
    assert_eq!(running.hub().subscribers(&channel), 0);
    common::until("its connection is over", || {
        running.counts().connections == 0
    })
    .await;
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_and_the_others_get_everything() {
    let config = common::with_route("/bus/{channel}", |route| route.queue = 64 << 10);
    let (lines, _guard) = common::captured();
    let (running, address) = common::gateway(config);
    let stuck = Reader::open(address, "/bus/chat").await;
    let mut other = Reader::open(address, "/bus/chat").await;
    let text = "x".repeat(32 << 10);
    let mut said = 0;
    while running.counts().streaming == 2 {
        running
            .hub()
            .publish(&"chat".parse().unwrap(), text.as_str().into(), None);
        said += 1;
        assert_eq!(other.data().await.len(), text.len());
        assert!(said < 2000, "a reader that does not read goes on");
    }
    assert_eq!(lines.with("why", "slow-consumer").len(), 1);
    let ledger = running.ledger();
    assert!(ledger.balances(), "{ledger}");
    assert!(ledger.dropped(Reason::SlowConsumer) > 0, "{ledger}");
    common::until("its connection is over", || {
        running.counts().connections == 1
    })
    .await;
    drop(stuck);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_ends_by_the_write_timeout() {
    let mut config = common::with_route("/bus/{channel}", |route| route.queue = 1 << 30);
    config.listeners[0].timeouts.write = Duration::from_millis(300);
    let (lines, _guard) = common::captured();
    let (running, address) = common::gateway(config);
    let stuck = Reader::open(address, "/bus/chat").await;
    let text = "x".repeat(1 << 20);
    let channel = "chat".parse().unwrap();
    // More than the system holds for it.
    for _ in 0..32 {
        running.hub().publish(&channel, text.as_str().into(), None);
    }
    common::until("it is cut", || running.counts().streaming == 0).await;
    assert_eq!(
        lines.with("why", "write-timeout").len(),
        1,
        "{:?}",
        lines.all()
    );
    let ledger = running.ledger();
    assert!(
        ledger.balances() && ledger.dropped(Reason::Closing) > 0,
        "{ledger}"
    );
    drop(stuck);
}

#[tokio::test]
async fn a_reader_that_loses_messages_by_the_routes_policy_is_told() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let config = common::with_route("/bus/{channel}", |route| {
            (route.queue, route.overflow) = (64 << 10, overflow);
        });
        let (running, address) = common::gateway(config);
        let mut reader = Reader::open(address, "/bus/chat").await;
        let text = "x".repeat(32 << 10);
        let channel = "chat".parse().unwrap();
        let mut said = 0_u64;
        while running.ledger().dropped(Reason::QueueFull) < 10 {
            running.hub().publish(&channel, text.as_str().into(), None);
            said += 1;
            tokio::task::yield_now().await;
        }
        running.hub().publish(&channel, "end".into(), None);
        let mut events: Vec<Event> = Vec::new();
        let mut missed = 0;
        while missed + (events.len() as u64) < said {
            let event = reader.event().await.unwrap();
            match event.kind.as_str() {
                "gap" => {
                    let gap: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                    missed += gap["missed"].as_u64().unwrap();
                }
                _ => events.push(event),
            }
            if overflow == Overflow::DropNewest && events.last().is_some_and(|e| e.data == "end") {
                break;
            }
        }
        assert!(missed > 0, "{overflow:?}");
        assert!(running.ledger().balances());
    }
}
