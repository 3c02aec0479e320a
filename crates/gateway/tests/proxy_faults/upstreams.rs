//! What an upstream may do: refuse, hang, talk nonsense, vanish.

use std::time::Duration;

use draftgate_core::Draft;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    common::{Client, Raw, gateway, soon},
    stage::{Noise, Stage, asking, farewell, frame, half_a_frame, pairs, reset, to},
    vitals::{alone, steady},
};

/// Before its answer: the client is refused, with one of these.
async fn refused(stage: &Stage, near: Draft, far: Draft, statuses: &[u16]) {
    let mut client = Raw::say(stage.address, asking(near, far)).await;
    let (head, body) = client.refusal().await;
    let status = head[9..12].parse().unwrap();
    assert!(statuses.contains(&status), "{near}, {far}: {head}{body}");
    assert!(body.contains("Code: upstream-"), "{near}, {far}: {body}");
}

/// Every pair meets an upstream that does `fault` instead of answering.
async fn every_refusal(
    what: &str,
    stage: &Stage,
    statuses: &[u16],
    fault: impl AsyncFn(TcpStream, Draft),
) {
    steady(what, &stage.running, async || {
        for (near, far) in pairs() {
            tokio::join!(refused(stage, near, far, statuses), async {
                fault(stage.accept().await, far).await;
            });
        }
    })
    .await;
}

/// Says `octets` and hangs until the gateway goes.
async fn says_and_hangs(mut tcp: TcpStream, octets: &[u8]) {
    let _ = tcp.write_all(octets).await;
    let mut rest = Vec::new();
    let _ = soon("the gateway goes", tcp.read_to_end(&mut rest)).await;
}

#[test]
fn an_upstream_that_refuses_tcp_leaves_nothing() {
    alone(async {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (running, address) = gateway(to(gone.local_addr().unwrap(), |_| {}));
        let stage = Stage {
            running,
            address,
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        drop(gone);
        steady("refused", &stage.running, async || {
            for (near, far) in pairs() {
                refused(&stage, near, far, &[502]).await;
            }
        })
        .await;
    });
}

#[test]
fn an_upstream_that_hangs_is_given_up_in_time() {
    alone(async {
        let stage = Stage::new(|route| {
            let upstream = route.upstream.as_mut().unwrap();
            upstream.answer_timeout = Duration::from_millis(20);
        })
        .await;
        every_refusal("silent", &stage, &[504], async |tcp, _| {
            says_and_hangs(tcp, b"").await;
        })
        .await;
        every_refusal("TLS", &stage, &[504], async |tcp, _| {
            says_and_hangs(tcp, ALERT).await;
        })
        .await;
        every_refusal("half a head", &stage, &[504], async |tcp, _| {
            says_and_hangs(tcp, b"HTTP/1.1 101 Switching Protocols\r\nUpgra").await;
        })
        .await;
    });
}

const ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x28";

#[test]
fn an_upstream_that_talks_nonsense_instead_of_an_answer_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        // A server of TLS that is spoken to without: its alert, and the end.
        every_refusal("TLS", &stage, &[502], async |mut tcp, _| {
            let _ = tcp.write_all(ALERT).await;
        })
        .await;
        every_refusal("noise", &stage, &[502], async |mut tcp, far| {
            let noise = Noise(far as u64).octets(4096);
            let _ = tcp.write_all(&noise).await;
        })
        .await;
        every_refusal("an endless head", &stage, &[502], async |mut tcp, _| {
            let mut octets = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
            while tcp.write_all(&octets).await.is_ok() {
                octets = b"X-Field: and so on\r\n".repeat(100);
            }
        })
        .await;
        every_refusal("64 KiB of fields", &stage, &[502], async |tcp, _| {
            let mut octets = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
            octets.extend(b"X-Field: and so on, more.....\r\n".repeat(2200));
            octets.extend(b"\r\n");
            says_and_hangs(tcp, &octets).await;
        })
        .await;
    });
}

#[test]
fn an_upstream_that_goes_before_it_has_answered_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        every_refusal("RST", &stage, &[502], async |tcp, _| reset(tcp)).await;
        every_refusal("FIN", &stage, &[502], async |tcp, _| drop(tcp)).await;
        let half = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: Web";
        every_refusal("RST in its head", &stage, &[502], async |mut tcp, _| {
            let _ = tcp.write_all(half).await;
            reset(tcp);
        })
        .await;
        every_refusal("FIN in its head", &stage, &[502], async |mut tcp, _| {
            let _ = tcp.write_all(half).await;
        })
        .await;
    });
}

/// Every pair is open, and its upstream does `fault`: the client is told.
async fn every_loss(what: &str, stage: &Stage, fault: impl AsyncFn(Client, Draft)) {
    steady(what, &stage.running, async || {
        for (near, far) in pairs() {
            let (mut client, upstream) = stage.open(near, far).await;
            fault(upstream, far).await;
            farewell(&mut client).await;
        }
    })
    .await;
}

#[test]
fn an_upstream_that_goes_inside_a_frame_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        every_loss("RST in a frame", &stage, async |mut upstream, _| {
            let half = half_a_frame(&mut upstream);
            upstream.tcp.write_all(&half).await.unwrap();
            reset(upstream.tcp);
        })
        .await;
        every_loss("FIN in a frame", &stage, async |mut upstream, _| {
            let half = half_a_frame(&mut upstream);
            upstream.tcp.write_all(&half).await.unwrap();
        })
        .await;
        every_loss("FIN", &stage, async |upstream, _| drop(upstream)).await;
    });
}

#[test]
fn an_upstream_that_breaks_its_draft_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|route| route.limits.message = 64 << 10).await;
        every_loss("noise", &stage, async |mut upstream, far| {
            let noise = Noise(far as u64).octets(4096);
            let _ = upstream.tcp.write_all(&noise).await;
        })
        .await;
        every_loss("too large", &stage, async |mut upstream, _| {
            let large = frame(&mut upstream, (64 << 10) + 1);
            let _ = upstream.tcp.write_all(&large).await;
            // Told, or reset: it goes when the gateway has gone.
            let mut rest = Vec::new();
            let _ = soon("the end", upstream.tcp.read_to_end(&mut rest)).await;
        })
        .await;
    });
}
