//! 5,000 hixie-76 clients come back at once. Each gets its answer, late if
//! need be; none is refused. Alone in its file, because it needs as many files
//! as a process may have.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{future::poll_fn, net::SocketAddr, task::Poll, time::Duration};

use bytes::BytesMut;
use common::{config, gateway, until};
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, LengthFrames},
};
use draftgate_gateway::config::Config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    task::JoinSet,
    time::{Instant, timeout},
};

const CLIENTS: usize = 5_000;

/// Only a storm that hangs lasts as long, on whatever machine.
const GUARD: Duration = Duration::from_secs(300);

/// No timeout of the gateway's is to depend on the machine either.
const LONG: Duration = Duration::from_secs(3600);

/// As much the queues of all kernels hold.
const KERNELS: u64 = 100;

/// One storm at a time: the files are the whole process's.
static FILES: Mutex<()> = Mutex::const_new(());

async fn enough_files() -> MutexGuard<'static, ()> {
    let alone = FILES.lock().await;
    let (wanted, limit) = (
        2 * CLIENTS as u64 + 100,
        rlimit::increase_nofile_limit(u64::MAX).unwrap(),
    );
    assert!(
        limit >= wanted,
        "this test opens {wanted} files, and this system allows {limit} in one process: raise the hard limit (`ulimit -Hn`)"
    );
    alone
}

fn patient() -> Config {
    let mut config = config();
    let timeouts = &mut config.listeners[0].timeouts;
    timeouts.turn = LONG;
    timeouts.first_octet = LONG;
    timeouts.head = LONG;
    timeouts.key3 = LONG;
    config
}

/// Opens a connection with a challenge of its own, and checks the 16 octets
/// of the answer to it.
async fn come_back(address: SocketAddr) -> TcpStream {
    let host = address.to_string();
    let ask = Ask {
        secure: false,
        host: &host,
        resource: "/echo",
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames {
            send: false,
            accept: false,
        },
        extensions: None,
    };
    let mut offer = draftgate_drafts::offer(Draft::Hixie76, &ask, &mut RandomKeys).unwrap();
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(&offer.request).await.unwrap();
    let mut read = BytesMut::new();
    let mut connected = loop {
        if let Some(connected) = offer.pending.answer(&mut read).unwrap() {
            break connected;
        }
        assert!(tcp.read_buf(&mut read).await.unwrap() > 0, "{read:?}");
    };
    let mut out = draftgate_core::Outbox::new();
    connected.codec.start(&mut out);
    loop {
        // A wrong answer to the challenge is a violation.
        match connected.codec.receive(&mut read, &mut out).unwrap() {
            Some(event) => {
                assert_eq!(event, draftgate_core::Event::Opened);
                return tcp;
            }
            None => assert!(tcp.read_buf(&mut read).await.unwrap() > 0, "{read:?}"),
        }
    }
}

/// How long it took until everyone had an answer.
async fn storm(config: Config) -> Duration {
    let _alone = enough_files().await;
    let (running, address) = gateway(config);
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS as u64 {
        // As fast as the machine can, but not faster than that: what a kernel
        // does when its queue runs over is not for this test to say.
        if number.is_multiple_of(KERNELS / 2) {
            let there = || running.counts().accepted + KERNELS / 2 >= number;
            until("the queue has room", there).await;
        }
        clients.spawn(come_back(address));
    }
    let all = timeout(GUARD, clients.join_all());
    let all = all.await.expect("everyone has an answer within minutes");
    let took = began.elapsed();
    let counts = running.counts();
    assert_eq!(all.len(), CLIENTS);
    assert_eq!(counts.upgrades_in(Draft::Hixie76), CLIENTS as u64);
    assert_eq!(counts.open, CLIENTS as u64);
    assert!(counts.refused.is_empty(), "{:?}", counts.refused);
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_clients_come_back_at_once() {
    storm(patient()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_clients_are_let_in_at_the_pace_of_the_listener() {
    let mut config = patient();
    config.listeners[0].limits.accept_rate = Some(2_500);
    let took = storm(config).await;
    // A tenth of a second's worth at once, the others behind it.
    assert!(took >= Duration::from_millis(1_895), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_clients_behind_one_address_take_turns() {
    let mut config = patient();
    config.listeners[0].limits.half_open_per_ip_loopback = Some(16);
    storm(config).await;
}

/// Between two turns of the listener thousands of connections may have theirs:
/// at 128 a turn, as the runtime would have it, the kernel's queue runs over.
#[tokio::test]
async fn a_listener_takes_hundreds_of_connections_in_one_turn() {
    const WAITING: usize = 400;
    let (running, address) = gateway(patient());
    // The kernel answers, and nobody accepts while this thread is busy.
    let connect = |_| std::net::TcpStream::connect(address).unwrap();
    let clients: Vec<_> = (0..WAITING).map(connect).collect();
    // Another task, which is always ready to run: it comes between two turns.
    let after_a_turn = tokio::spawn(poll_fn(move |cx| match running.counts().accepted {
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        accepted => Poll::Ready(accepted),
    }));
    let accepted = timeout(GUARD, after_a_turn).await.expect("a turn").unwrap();
    assert_eq!(accepted, clients.len() as u64);
}
