//! The closing handshake goes from end to end, and the loss of one side ends
//! the other.

use draftgate_core::{Close, Closing, Draft, Event, Message, Outgoing};

use crate::{
    common::Client,
    rig::{LONG, Rig, pairs},
};

fn closing(draft: Draft) -> Closing {
    let mut traits = draftgate_drafts::traits();
    let found = traits.find(|it| it.draft == draft).unwrap();
    found.capabilities.closing
}

#[tokio::test]
async fn what_the_upstream_says_between_the_two_closes_arrives() {
    for (near, far) in pairs() {
        if closing(near) == Closing::Absent || closing(far) == Closing::Absent {
            continue;
        }
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/talks").await;
        client.send("hello").await;
        client.message().await;
        client.close(coded(near, 4001)).await;
        for n in 0..100 {
            let text = Message::from(format!("after the close {n}"));
            assert_eq!(
                client.event().await,
                Some(Event::Message(text)),
                "{near}, {far}"
            );
        }
        // The upstream's own code, where it has one, else the client's.
        let told = match closing(far) {
            Closing::Coded => coded(near, 4002).map(|_| Close::new(4002, "all said")),
            _ => coded(near, 4001),
        };
        assert_eq!(
            client.event().await,
            Some(Event::Close(told)),
            "{near}, {far}"
        );
        let heard = coded(far, if coded(near, 0).is_some() { 4001 } else { 1000 });
        rig.behind
            .seen(|seen| assert_eq!(seen.closes, [heard], "{near}, {far}"));
        rig.end().await;
    }
}

#[tokio::test]
async fn what_is_long_reaches_a_slow_client_between_the_two_closes() {
    // Each draft once on either side: it is many octets.
    let mut drafts = crate::common::announced();
    drafts.retain(|draft| closing(*draft) != Closing::Absent);
    let others = drafts.clone().into_iter().cycle().skip(1);
    for (near, far) in drafts.into_iter().zip(others) {
        let rig = Rig::with(far, |route| route.queue = 64 << 10);
        // Little at a time: the whole way is full until it is read.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let tcp = socket.connect(rig.address).await.unwrap();
        let mut client = Client::over(tcp, "a", near, "/talks-long", &[]).await;
        client.close(None).await;
        for n in 0..100 {
            let text = Message::from(format!("after the close {n}{}", *LONG));
            let event = client.event().await;
            assert!(event == Some(Event::Message(text)), "{near}, {far}: {n}");
        }
        let closed = client.event().await;
        assert!(matches!(closed, Some(Event::Close(_))), "{near}, {far}");
        rig.end().await;
    }
}

/// A Close of `code` where the draft has codes.
fn coded(draft: Draft, code: u16) -> Option<Close> {
    (closing(draft) == Closing::Coded).then(|| Close::new(code, ""))
}

/// Everything up to the end: the Close that came, which is answered.
async fn end(client: &mut Client) -> Option<Option<Close>> {
    let mut closed = None;
    while let Some(event) = client.event().await {
        if let Event::Close(close) = event {
            let _ = client.codec.send(Outgoing::Close(None), &mut client.out);
            closed = Some(close);
        }
    }
    closed
}

#[tokio::test]
async fn an_upstreams_close_reaches_the_client_with_its_code() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/").await;
        client.send("hello").await;
        client.message().await;
        let sender = rig.behind.seen(|seen| seen.senders[0].clone());
        sender.send(Message::from("last")).unwrap();
        sender.close(Some(Close::new(4003, "enough")));
        assert_eq!(client.message().await, Message::from("last"));
        let told = end(&mut client).await;
        let code = match closing(far) {
            Closing::Coded => Some(Close::new(4003, "enough")),
            Closing::Absent => None,
            _ => Some(Close::new(1000, "")),
        };
        let want = match closing(near) {
            Closing::Absent => None,
            Closing::Coded => Some(code),
            _ => Some(None),
        };
        assert_eq!(told, want, "{near}, {far}");
        rig.end().await;
    }
}

#[tokio::test]
async fn a_client_that_is_lost_ends_its_upstream() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/").await;
        client.send("hello").await;
        client.message().await;
        drop(client);
        rig.behind
            .until("the upstream's end", |seen| !seen.ends.is_empty())
            .await;
        let want = match (closing(near), closing(far)) {
            // In hixie-75 the end of TCP is an ordinary one.
            (Closing::Absent, Closing::Coded) => "peer peer-closed None",
            (_, Closing::Coded) => "peer peer-closed Some(1001)",
            _ => "peer peer-closed None",
        };
        rig.behind
            .seen(|seen| assert_eq!(seen.ends, [want], "{near}, {far}"));
        rig.end().await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_lost_ends_its_client() {
    for (near, far) in pairs() {
        let rig = Rig::new(far);
        let mut client = rig.open(near, "/").await;
        client.send("hello").await;
        client.message().await;
        rig.behind.seen(|seen| seen.senders[0].abort());
        let want = match (closing(near), closing(far)) {
            (Closing::Absent, _) => None,
            (Closing::Coded, Closing::Absent) => Some(None),
            (Closing::Coded, _) => Some(Some(Close::new(1001, "the upstream is gone"))),
            _ => Some(None),
        };
        assert_eq!(end(&mut client).await, want, "{near}, {far}");
        rig.end().await;
    }
}
