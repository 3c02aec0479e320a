//! The bus between drafts: every sender's draft with every receiver's, every
//! policy, and books that balance each time.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::sync::{Arc, Mutex};

use common::{Client, HIXIE_76, KEY3, Raw, announced, config, gateway, until, with_route};
use draftgate_bus::{Delivery, Envelope, Verdict};
use draftgate_core::{Close, Draft, Event, Message, Rule, Speaker};
use draftgate_gateway::{
    Running,
    config::{Allowed, BinaryPolicy},
};

const BUS: &str = "/bus/{channel}";

/// Everything published is accounted for.
fn balanced(running: &Running) {
    let ledger = running.ledger();
    assert!(ledger.balances(), "{ledger}");
}

fn members(running: &Running, channel: &str) -> usize {
    running.hub().subscribers(&channel.parse().unwrap())
}

async fn joined(running: &Running, channel: &str, count: usize) {
    until("all have joined", || members(running, channel) == count).await;
}

#[tokio::test]
async fn text_goes_from_every_draft_to_every_draft_in_order() {
    let (running, address) = gateway(config());
    for from in announced() {
        let channel = format!("from-{from}");
        let path = format!("/bus/{channel}");
        let mut sender = Client::open(address, from, &path).await;
        let mut receivers = Vec::new();
        for to in announced() {
            receivers.push(Client::open(address, to, &path).await);
        }
        joined(&running, &channel, announced().len() + 1).await;
        let texts: Vec<String> = (0..50).map(|n| format!("{n}: Grüße, 世界")).collect();
        for text in &texts {
            sender.send(text.as_str()).await;
        }
        for receiver in &mut receivers {
            for text in &texts {
                let got = receiver.message().await;
                assert_eq!(
                    got,
                    Message::from(text.as_str()),
                    "{from} to {}",
                    receiver.codec.draft()
                );
            }
        }
        balanced(&running);
    }
    let ledger = running.ledger();
    let drafts = announced().len() as u64;
    assert_eq!(
        (ledger.published(), ledger.delivered()),
        (drafts * 50, drafts * drafts * 50)
    );
}

#[tokio::test]
async fn a_sender_gets_its_own_messages_only_where_the_route_says_so() {
    for include in [false, true] {
        let (running, address) = gateway(with_route(BUS, |r| r.include_sender = include));
        let mut one = Client::open(address, Draft::Hixie76, "/bus/a").await;
        let mut two = Client::open(address, Draft::Hybi13, "/bus/a").await;
        joined(&running, "a", 2).await;
        one.send("from one").await;
        assert_eq!(two.message().await, Message::from("from one"));
        two.send("from two").await;
        if include {
            assert_eq!(one.message().await, Message::from("from one"));
        }
        assert_eq!(one.message().await, Message::from("from two"));
        balanced(&running);
    }
}

#[tokio::test]
async fn channels_are_apart_and_vanish_when_they_are_empty() {
    let (running, address) = gateway(config());
    let mut a = Client::open(address, Draft::Hixie75, "/bus/a").await;
    let mut b = Client::open(address, Draft::Hixie76, "/bus/b").await;
    let mut also_b = Client::open(address, Draft::Hybi13, "/bus/b").await;
    joined(&running, "a", 1).await;
    joined(&running, "b", 2).await;
    assert_eq!(running.hub().channels(), 2);
    b.send("to b").await;
    assert_eq!(also_b.message().await, Message::from("to b"));
    also_b.close(Some(Close::new(1000, ""))).await;
    b.close(None).await;
    a.close(None).await;
    until("they vanish", || running.hub().channels() == 0).await;
    balanced(&running);
}

#[tokio::test]
async fn binary_reaches_hixie_as_the_route_says() {
    let utf8 = Message::Binary("caf\u{e9}".into());
    let noise = Message::Binary(vec![0xca, 0xfe, 0xff].into());
    let text = |text: &str| Some(Message::from(text));
    for (policy, of_utf8, of_noise) in [
        (BinaryPolicy::Base64, text("Y2Fmw6k="), text("yv7/")),
        (BinaryPolicy::Hex, text("636166c3a9"), text("cafeff")),
        (BinaryPolicy::TextIfUtf8, text("caf\u{e9}"), None),
        (
            BinaryPolicy::LengthFrame,
            Some(utf8.clone()),
            Some(noise.clone()),
        ),
        (BinaryPolicy::Drop, None, None),
    ] {
        let (running, address) = gateway(with_route(BUS, |r| r.binary = policy));
        let mut sender = Client::open(address, Draft::Hybi13, "/bus/a").await;
        let mut new = Client::open(address, Draft::Hybi13, "/bus/a").await;
        let mut old = [
            Client::open(address, Draft::Hixie75, "/bus/a").await,
            Client::open(address, Draft::Hixie76, "/bus/a").await,
        ];
        joined(&running, "a", 4).await;
        sender.send(utf8.clone()).await;
        sender.send(noise.clone()).await;
        sender.send("the end").await;
        for wanted in [&utf8, &noise, &Message::from("the end")] {
            assert_eq!(new.message().await, *wanted, "{policy}");
        }
        for old in &mut old {
            for wanted in [&of_utf8, &of_noise, &text("the end")]
                .into_iter()
                .flatten()
            {
                assert_eq!(old.message().await, *wanted, "{policy}");
            }
        }
        balanced(&running);
        let lost = [&of_utf8, &of_noise].iter().filter(|m| m.is_none()).count() as u64 * 2;
        assert_eq!(running.ledger().dropped_in_all(), lost, "{policy}");
    }
}

#[tokio::test]
async fn binary_may_close_a_hixie_peer_and_no_other() {
    let (running, address) = gateway(with_route(BUS, |r| r.binary = BinaryPolicy::Close));
    let mut sender = Client::open(address, Draft::Hybi13, "/bus/a").await;
    let mut new = Client::open(address, Draft::Hybi13, "/bus/a").await;
    let mut old = Client::open(address, Draft::Hixie76, "/bus/a").await;
    joined(&running, "a", 3).await;
    sender.send(Message::Binary(vec![1].into())).await;
    assert_eq!(old.event().await, Some(Event::Close(None)));
    assert_eq!(new.message().await, Message::Binary(vec![1].into()));
    old.close(None).await;
    until("it has left", || members(&running, "a") == 2).await;
    balanced(&running);
}

#[tokio::test]
async fn a_peer_of_base64_is_binary_on_the_bus_in_every_draft() {
    let octets = || Message::Binary(vec![0, 255, 16].into());
    let (running, address) = gateway(config());
    for draft in announced() {
        let channel = format!("b-{draft}");
        let path = format!("/bus/{channel}");
        let mut new = Client::open(address, Draft::Hybi13, &path).await;
        let mut peer = Client::open_with(address, draft, &path, &["base64"]).await;
        assert_eq!(peer.subprotocol.as_deref(), Some("base64"));
        joined(&running, &channel, 2).await;
        peer.send("AP8Q").await;
        assert_eq!(new.message().await, octets(), "{draft}");
        new.send(octets()).await;
        assert_eq!(peer.message().await, Message::from("AP8Q"), "{draft}");
        new.send("Hello").await;
        assert_eq!(peer.message().await, Message::from("SGVsbG8="), "{draft}");
        if peer.codec.capabilities().binary {
            peer.send(octets()).await;
            assert_eq!(new.message().await, octets(), "{draft}");
        }

        // What is no base64 ends its sender, as its draft can say it.
        peer.send("not base64!").await;
        let told = peer.end().await.flatten().map(|close| close.code);
        assert_eq!(told, Rule::NotBase64.close_code(draft), "{draft}");
        drop(peer);
        until("it has left", || members(&running, &channel) == 1).await;
        let mut next = Client::open(address, draft, &path).await;
        next.send("Hello").await;
        assert_eq!(new.message().await, Message::from("Hello"), "{draft}");
    }
    balanced(&running);
}

#[tokio::test]
async fn a_peer_of_envelopes_learns_who_it_is_and_who_speaks() {
    let (running, address) = gateway(config());
    for draft in announced() {
        let channel = format!("e-{draft}");
        let path = format!("/bus/{channel}");
        let mut listener = Client::open_with(address, draft, &path, &["draftgate.envelope"]).await;
        let Message::Text(greeting) = listener.message().await else {
            panic!("the greeting is text");
        };
        let named = format!("\"draft\":\"{draft}\"");
        assert!(
            greeting.as_str().starts_with("{\"you\":{\"id\":\"c"),
            "{greeting}"
        );
        assert!(greeting.as_str().contains(&named), "{greeting}");
        let mut speaker = Client::open(address, Draft::Hixie75, &path).await;
        joined(&running, &channel, 2).await;
        speaker.send("Hello").await;
        let Message::Text(said) = listener.message().await else {
            panic!("an envelope is text");
        };
        assert!(said.as_str().contains("\"draft\":\"hixie-75\"}"), "{said}");
        assert!(said.as_str().ends_with("\"text\":\"Hello\"}"), "{said}");
    }
    balanced(&running);
}

#[tokio::test]
async fn peers_that_may_not_publish_are_heard_by_nobody() {
    let (running, address) = gateway(with_route(BUS, |r| r.publish = Allowed::None));
    let mut peer = Client::open(address, Draft::Hixie76, "/bus/a").await;
    let mut other = Client::open(address, Draft::Hybi13, "/bus/a").await;
    joined(&running, "a", 2).await;
    peer.send("one").await;
    peer.send("two").await;
    until("both were dropped", || running.counts().muted == 2).await;
    let channel = "a".parse().unwrap();
    running.hub().publish(&channel, "from within".into(), None);
    assert_eq!(other.message().await, Message::from("from within"));
    assert_eq!(peer.message().await, Message::from("from within"));
    assert_eq!(running.ledger().published(), 1);
    balanced(&running);
}

#[tokio::test]
async fn a_fixed_path_may_stand_for_a_channel() {
    let mut config = config();
    let mut fixed = config.routes[1].clone();
    fixed.path = "/tv".parse().unwrap();
    fixed.channel = Some("a".into());
    config.routes.push(fixed);
    let (running, address) = gateway(config);
    let mut device = Client::open(address, Draft::Hixie75, "/tv").await;
    let mut other = Client::open(address, Draft::Hybi13, "/bus/a").await;
    joined(&running, "a", 2).await;
    device.send("Hello").await;
    assert_eq!(other.message().await, Message::from("Hello"));
}

/// Keeps what is delivered.
#[derive(Default)]
struct Kept(Mutex<Vec<Arc<Envelope>>>);

impl Delivery for Kept {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        self.0.lock().unwrap().push(Arc::clone(envelope));
        Verdict::Delivered
    }
}

#[tokio::test]
async fn a_message_is_encoded_once_for_each_class_and_rendering() {
    let (running, address) = gateway(config());
    let kept = Arc::new(Kept::default());
    let channel = "a".parse().unwrap();
    let speaker = Speaker::new("test", Draft::Hybi13);
    let _place = running.hub().subscribe(&channel, speaker, kept.clone());
    let mut peers = Vec::new();
    for _ in 0..5 {
        for draft in announced() {
            peers.push(Client::open(address, draft, "/bus/a").await);
            let envelopes = &["draftgate.envelope"];
            let mut peer = Client::open_with(address, draft, "/bus/a", envelopes).await;
            peer.message().await;
            peers.push(peer);
        }
    }
    joined(&running, "a", peers.len() + 1).await;
    running.hub().publish(&channel, "Hello".into(), None);
    for peer in &mut peers {
        peer.message().await;
    }
    // Four classes (hixie's, hybi-02's, hybi-06's and hybi-07's), each as it is and as
    // an envelope.
    let kept = kept.0.lock().unwrap();
    assert_eq!((kept.len(), kept[0].shared.encodings()), (1, 8));
    balanced(&running);
}

#[tokio::test]
async fn nobody_joins_before_key3() {
    let (running, address) = gateway(config());
    let mut early = Raw::say(address, HIXIE_76.replace("/echo", "/bus/a")).await;
    early.head().await;
    let mut other = Client::open(address, Draft::Hybi13, "/bus/a").await;
    joined(&running, "a", 1).await;
    other.send("before").await;
    early.write(KEY3).await;
    early.exactly(16).await;
    joined(&running, "a", 2).await;
    other.send("after").await;
    assert_eq!(early.exactly(7).await, b"\x00after\xff");
    balanced(&running);
}

#[tokio::test]
async fn peers_that_leave_in_the_middle_are_in_the_books() {
    let (running, address) = gateway(config());
    let mut sender = Client::open(address, Draft::Hybi13, "/bus/a").await;
    let mut stays = Client::open(address, Draft::Hixie76, "/bus/a").await;
    for round in 0..20 {
        let leaves = Client::open(address, announced()[round % announced().len()], "/bus/a").await;
        sender.send(format!("{round}")).await;
        drop(leaves);
        sender.send(format!("{round}, too")).await;
        assert_eq!(stays.message().await, Message::from(format!("{round}")));
        assert_eq!(
            stays.message().await,
            Message::from(format!("{round}, too"))
        );
    }
    until("all have left", || members(&running, "a") == 2).await;
    balanced(&running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_books_balance_when_peers_come_and_go_on_several_threads() {
    let (running, address) = gateway(config());
    let mut tasks = Vec::new();
    for number in 0..12 {
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                let draft = announced()[(number + round) % announced().len()];
                let mut client = Client::open(address, draft, "/bus/a").await;
                for text in 0..20 {
                    client.send(format!("{number} {round} {text}")).await;
                }
                // Some leave at once, some have said what they had to say.
                if round % 2 == 0 {
                    client.close(None).await;
                    client.end().await;
                }
            }
        }));
    }
    let ear = Client::open(address, Draft::Hybi13, "/bus/a").await;
    for task in tasks {
        common::soon("a peer", task).await.unwrap();
    }
    drop(ear);
    until("all have left", || running.counts().connections == 0).await;
    balanced(&running);
    assert!(running.ledger().published() > 0);
}
