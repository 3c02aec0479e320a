//! Peers that vanish: by RST and by FIN, in every state a connection can be in.
//! Here every timeout is beyond the test's patience: what ended, ended because
//! its peer went.

use std::net::SocketAddr;

use bytes::Bytes;
use draftgate_core::{Draft, Event, Outgoing};
use draftgate_drafts::announced;
use draftgate_testkit::forged::{self, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    peer::{Opening, Peer, connect, swarm},
    siege::{Rules, Siege},
};

const EACH: usize = 5;

/// Where a peer stands when it vanishes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Accepted,
    MidHead,
    /// The head is answered; hixie-76 still owes key3.
    Head,
    MidKey3,
    Open,
    MidFrame,
    MidMessage,
    /// It sends on after its own Close.
    AfterItsClose,
    /// The gateway closed, and waits for its answer.
    AfterOurClose,
    /// It broke its draft; the gateway said so and lingers.
    Lingering,
    /// Its refusal is told.
    Refused,
    /// Echoes wait that it has not read.
    EchoesUnread,
}

const STATES: [At; 11] = [
    At::Accepted,
    At::MidHead,
    At::Head,
    At::MidKey3,
    At::Open,
    At::MidFrame,
    At::MidMessage,
    At::AfterItsClose,
    At::Lingering,
    At::Refused,
    At::EchoesUnread,
];

/// A connection in `draft` that stands where `at` says.
async fn stand(gateway: SocketAddr, draft: Draft, at: At) -> TcpStream {
    let opening = Opening::of(gateway, draft, "/echo", &[]);
    let (head, rest) = (&opening.head, &opening.rest);
    let mut tcp = connect(gateway).await;
    let first: Bytes = match at {
        At::Accepted => return tcp,
        At::MidHead => head.slice(..head.len() / 2),
        At::Head => head.clone(),
        At::MidKey3 => [&head[..], &rest[..rest.len() / 2]].concat().into(),
        At::Refused => "GET /none HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        _ => {
            let mut peer = Peer::open_on(tcp, gateway, draft, "/echo").await;
            beyond(&mut peer, at).await;
            return peer.tcp;
        }
    };
    tcp.write_all(&first).await.unwrap();
    if matches!(at, At::Head | At::MidKey3 | At::Refused) {
        // It has got that far when it answers.
        tcp.read_u8().await.unwrap();
    }
    tcp
}

async fn beyond(peer: &mut Peer, at: At) {
    let text = peer.octets(Outgoing::Message("x".repeat(3000).into()));
    match at {
        At::MidFrame => {
            peer.write(&text[..text.len() / 2]).await;
        }
        At::MidMessage if forged::has_headers(&*peer.codec) => {
            let first = forged::frame(&mut *peer.codec, Kind::Binary, b"begun", false);
            peer.write(&first).await;
        }
        At::AfterItsClose => {
            let close = peer.octets(Outgoing::Close(None));
            peer.write(&[&close[..], b"and more"].concat()).await;
        }
        At::AfterOurClose => {
            peer.write(&text[..text.len() / 2]).await;
            // The end of TCP where the draft has no Close.
            assert!(matches!(peer.event().await, Some(Event::Close(_)) | None));
        }
        At::Lingering => {
            let giant = forged::announcing(&mut *peer.codec, u64::MAX);
            peer.write(&giant).await;
            peer.end().await;
        }
        At::EchoesUnread => {
            peer.write(&text.repeat(20)).await;
            assert!(matches!(peer.event().await, Some(Event::Message(_))));
        }
        _ => {}
    }
}

fn vanish(name: &'static str, reset: bool, states: &'static [At], message: &'static str) {
    let siege = Siege::lay(
        name,
        Rules {
            timeouts: message,
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let count = EACH * drafts.len() * states.len();
    let gone = siege.attack(swarm(count, |n| {
        let draft = drafts[n % drafts.len()];
        let at = states[n / drafts.len() % states.len()];
        async move {
            let mut tcp = stand(gateway, draft, at).await;
            if reset {
                tcp.set_zero_linger().unwrap();
            } else {
                let _ = tcp.shutdown().await;
                // What is left unread would make the system send an RST.
                let mut rest = Vec::new();
                let _ = tcp.read_to_end(&mut rest).await;
            }
        }
    }));
    siege.lift("its own end", gone);
}

const LONG: &str = "first-octet = \"10m\"\nhead = \"10m\"\nkey3 = \"10m\"\nmessage = \"10m\"\n\
                    write = \"10m\"\nclose = \"10m\"\nclose-hixie-76 = \"10m\"";

/// It is the timeout of a message that makes the gateway close.
const WE_CLOSE: &str =
    "message = \"200ms\"\nwrite = \"10m\"\nclose = \"10m\"\nclose-hixie-76 = \"10m\"";

#[test]
fn a_reset_in_any_state_leaves_nothing_behind() {
    vanish("RST in 11 states", true, &STATES, LONG);
}

#[test]
fn a_reset_after_our_close_leaves_nothing_behind() {
    vanish(
        "RST instead of an answer to our Close",
        true,
        &[At::AfterOurClose],
        WE_CLOSE,
    );
}

#[test]
fn a_fin_in_any_state_leaves_nothing_behind() {
    vanish("FIN in 11 states", false, &STATES, LONG);
}

#[test]
fn a_fin_after_our_close_leaves_nothing_behind() {
    vanish(
        "FIN instead of an answer to our Close",
        false,
        &[At::AfterOurClose],
        WE_CLOSE,
    );
}
