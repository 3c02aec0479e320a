//! What is said arrives: whole, in order, in both directions.

use std::future::Future;

use draftgate_core::{Draft, Message, Outgoing};
use draftgate_gateway::config::BinaryPolicy;

use crate::{
    common::{Client, announced},
    rig::{Rig, pairs, stalls},
};

#[tokio::test]
async fn text_goes_there_and_back_between_every_two_drafts() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/").await;
        for text in ["Hello", "", "Grüße, 世界"] {
            client.send(text).await;
            assert_eq!(client.message().await, Message::from(text), "{near}, {far}");
        }
        rig.behind
            .seen(|seen| assert_eq!(seen.openings[0].draft, far));
        rig.end().await;
    }
}

#[tokio::test]
async fn a_megabyte_and_a_thousand_messages_keep_their_order() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/").await;
        let large = "é".repeat(1 << 19);
        client.send(large.as_str()).await;
        assert_eq!(
            client.message().await,
            Message::from(large),
            "{near}, {far}"
        );
        for n in 0..1000 {
            let text = Outgoing::Message(n.to_string().as_str().into());
            client.codec.send(text, &mut client.out).unwrap();
        }
        // All in one write.
        client.send("last").await;
        for n in 0..1000 {
            let text = Message::from(n.to_string());
            assert_eq!(client.message().await, text, "{near}, {far}");
        }
        assert_eq!(client.message().await, Message::from("last"));
        rig.end().await;
    }
}

#[tokio::test]
async fn binary_goes_as_the_drafts_have_it() {
    let octets: Vec<u8> = (0..=255).collect();
    for (near, far) in pairs() {
        let rig = Rig::with(far, |route| route.binary = BinaryPolicy::Hex);
        let mut client = rig.open(near, "/").await;
        let (to, from) = (has_binary(far), client.codec.capabilities().binary);
        if from {
            client.send(Message::Binary(octets.clone().into())).await;
            let back = client.message().await;
            match to {
                true => assert_eq!(back, Message::Binary(octets.clone().into())),
                // As text to the upstream, and so it comes back.
                false => assert!(matches!(&back, Message::Text(hex) if hex.len() == 512)),
            }
        } else if to {
            client.send("talk binary").await;
            client.message().await;
            let sender = rig.behind.seen(|seen| seen.senders[0].clone());
            sender.send(Message::Binary(octets.clone().into())).unwrap();
            let told = client.message().await;
            assert!(matches!(&told, Message::Text(hex) if hex.len() == 512));
        }
        rig.end().await;
    }
}

#[tokio::test]
async fn a_client_may_speak_base64_to_an_upstream_that_knows_nothing_of_it() {
    let octets = Message::Binary(vec![0, 0xff].into());
    for (near, far) in pairs() {
        let rig = Rig::with(far, |route| {
            route.binary = BinaryPolicy::Hex;
            route.subprotocols = vec!["base64".into()];
        });
        let what = format!("{near}, {far}");
        let mut client = Client::open_with(rig.address, near, "/", &["base64"]).await;
        assert_eq!(client.subprotocol.as_deref(), Some("base64"), "{what}");
        client.send("AP8=").await;
        let (said, back) = match has_binary(far) {
            true => (octets.clone(), "AP8="),
            // Text, and all that comes back is base64.
            false => (Message::from("00ff"), "MDBmZg=="),
        };
        assert_eq!(client.message().await, Message::from(back), "{what}");
        rig.behind.seen(|seen| {
            assert_eq!(seen.openings[0].subprotocols, [""; 0], "{what}");
            assert_eq!(seen.said, [said], "{what}");
        });
        // What is none ends the client, and its upstream learns that it is gone.
        client.send("*").await;
        client.end().await;
        rig.behind
            .until("the upstream's end", |seen| !seen.ends.is_empty())
            .await;
        rig.end().await;
    }
}

fn has_binary(draft: Draft) -> bool {
    let mut traits = draftgate_drafts::traits();
    traits.any(|it| it.draft == draft && it.capabilities.binary)
}

#[tokio::test]
async fn an_upstream_may_speak_first() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/greets").await;
        assert_eq!(client.message().await, Message::from("first"));
        rig.end().await;
    }
}

/// More than all sockets and queues on the way hold, in few messages: in a
/// debug build it is their number that takes the time.
const MANY: usize = 250;
const LONG: usize = 100_000;

/// All drafts at once: most of the time is waiting to see that nothing moves.
async fn every_draft<F: Future<Output = ()> + Send + 'static>(test: impl Fn(Draft) -> F) {
    let tasks: Vec<_> = announced()
        .into_iter()
        .map(|draft| tokio::spawn(test(draft)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_upstream_and_loses_nothing() {
    every_draft(|draft| async move {
        let rig = Rig::with(draft, |route| route.queue = 64 << 10);
        let mut client = rig.open(draft, "/").await;
        client.send("hello").await;
        client.message().await;
        let sender = rig.behind.seen(|seen| seen.senders[0].clone());
        let writer = tokio::spawn(async move {
            let text = "x".repeat(LONG);
            for n in 0..MANY {
                sender.ready().await.unwrap();
                sender.send(Message::from(format!("{n} {text}"))).unwrap();
            }
        });
        assert!(stalls(&writer).await, "{draft}: all of it was taken");
        for n in 0..MANY {
            let Message::Text(text) = client.message().await else {
                panic!("{draft}: not text");
            };
            assert!(text.as_str().starts_with(&format!("{n} ")), "{draft}: {n}");
        }
        writer.await.unwrap();
        rig.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_its_client() {
    every_draft(|draft| async move {
        // Accepts, and never reads: a listener of TCP that nobody serves.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let config = crate::rig::to(&format!("tcp://{at}"), |route| route.queue = 64 << 10);
        let (running, address) = crate::common::gateway(config);
        let mut client = Client::open(address, draft, "/").await;
        let (deaf, _) = listener.accept().await.unwrap();
        let writer = tokio::spawn(async move {
            let text = "eHh4".repeat(LONG / 4);
            for _ in 0..MANY {
                client.send(text.as_str()).await;
            }
        });
        assert!(stalls(&writer).await, "{draft}: all of it was taken");
        writer.abort();
        drop(deaf);
        running.shutdown().await;
    })
    .await;
}
