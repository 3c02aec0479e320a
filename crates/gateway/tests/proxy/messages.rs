//! What is said arrives: whole, in order, in both directions.

use draftgate_core::Message;
use draftgate_gateway::config::BinaryPolicy;

use crate::{
    common::{Client, spoken},
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
            client.send(n.to_string()).await;
        }
        for n in 0..1000 {
            let text = Message::from(n.to_string());
            assert_eq!(client.message().await, text, "{near}, {far}");
        }
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

fn has_binary(draft: draftgate_core::Draft) -> bool {
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

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_upstream_and_loses_nothing() {
    for draft in spoken() {
        let rig = Rig::with(draft, |route| route.queue = 64 << 10);
        let mut client = rig.open(draft, "/").await;
        client.send("hello").await;
        client.message().await;
        let sender = rig.behind.seen(|seen| seen.senders[0].clone());
        // More than all sockets and queues on the way hold.
        let many = 4000;
        let writer = tokio::spawn(async move {
            let text = "x".repeat(10_000);
            for n in 0..many {
                sender.ready().await.unwrap();
                sender.send(Message::from(format!("{n} {text}"))).unwrap();
            }
        });
        assert!(stalls(&writer).await, "{draft}: all of it was taken");
        for n in 0..many {
            let Message::Text(text) = client.message().await else {
                panic!("{draft}: not text");
            };
            assert!(text.as_str().starts_with(&format!("{n} ")), "{draft}: {n}");
        }
        writer.await.unwrap();
        rig.end().await;
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_its_client() {
    for draft in spoken() {
        // Accepts, and never reads: a listener of TCP that nobody serves.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let config = crate::rig::to(&format!("tcp://{at}"), |route| route.queue = 64 << 10);
        let (running, address) = crate::common::gateway(config);
        let mut client = Client::open(address, draft, "/").await;
        let (deaf, _) = listener.accept().await.unwrap();
        let writer = tokio::spawn(async move {
            let text = "eHh4".repeat(2500);
            for _ in 0..4000 {
                client.send(text.as_str()).await;
            }
        });
        assert!(stalls(&writer).await, "{draft}: all of it was taken");
        writer.abort();
        drop(deaf);
        running.shutdown().await;
    }
}
