//! Which of several addresses is connected to, and what becomes of one that
//! fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use draftgate_client::ConnectError;
use draftgate_upstream::{Failure, Reached, Settings, Upstream};
use socket2::SockRef;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, advance, timeout},
};

use crate::{
    logged::Lines,
    server::{Server, connect, converse, echo, head, nobody, settings, websocket},
};

/// The addresses that the next `count` connections go to.
async fn order(upstream: &Upstream, count: usize) -> Vec<String> {
    let mut order = Vec::new();
    for _ in 0..count {
        let reached = connect(upstream).await.unwrap();
        order.push(reached.address);
    }
    order
}

#[tokio::test]
async fn connections_go_round_the_addresses() {
    let servers = [
        Server::of_all().await,
        Server::of_all().await,
        Server::of_all().await,
    ];
    let addresses = servers.each_ref().map(|server| server.ws(""));
    let upstream = Upstream::new(settings(&addresses));
    let twice = [&addresses[..], &addresses].concat();
    assert_eq!(order(&upstream, 6).await, twice);
    for server in &servers {
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_share_of_one_that_failed_goes_to_all_others_alike() {
    let servers = [Server::of_all().await, Server::of_all().await];
    let [first, second] = servers.each_ref().map(|server| server.ws(""));
    let upstream = Upstream::new(settings(&[&nobody().await, &first, &second]));
    assert_eq!(connect(&upstream).await.unwrap().failed.len(), 1);
    let (before_first, before_second) = (servers[0].count(), servers[1].count());
    order(&upstream, 10).await;
    assert_eq!(servers[0].count() - before_first, 5);
    assert_eq!(servers[1].count() - before_second, 5);
}

/// How long [`settings`] let an upstream be silent.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What goes wrong before there is an answer.
async fn faulty(fault: &'static str) -> Server {
    Server::start(move |mut tcp, seen| async move {
        match fault {
            "hangs" => {
                let _ = head(&mut tcp, BytesMut::new(), &seen).await;
                // Until the client goes away.
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            }
            "resets" => {
                let _ = head(&mut tcp, BytesMut::new(), &seen).await;
                reset(tcp);
            }
            "ends" => {
                let _ = head(&mut tcp, BytesMut::new(), &seen).await;
            }
            other => echo(tcp, BytesMut::new(), seen, &[], other.as_bytes()).await,
        }
    })
    .await
}

fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_fails_before_the_answer_is_passed_over_by_the_same_connection() {
    for fault in [
        "hangs",
        "resets",
        "ends",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let bad = faulty(fault).await;
        let good = Server::of_all().await;
        let upstream = Upstream::new(settings(&[bad.ws(""), good.ws("")]));
        let reached = connect(&upstream).await.unwrap();
        assert_eq!(reached.address, good.ws(""), "{fault}");
        assert_eq!(reached.failed.len(), 1, "{fault}");
        assert_eq!(reached.failed[0].address, bad.ws(""), "{fault}");
        assert!(bad.count() >= 1, "{fault}");
        // It is not asked again so soon.
        let asked = bad.count();
        let again = connect(&upstream).await.unwrap();
        assert_eq!(again.address, good.ws(""));
        assert_eq!((again.failed.len(), bad.count()), (0, asked), "{fault}");
        let (connection, _slot) = websocket(reached);
        converse(connection, fault).await;
    }
}

#[tokio::test]
async fn who_is_gone_before_the_last_draft_has_failed_and_not_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let going = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // It answers one request of several, and stops.
        let (tcp, _) = listener.accept().await.unwrap();
        drop(listener);
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        echo(tcp, BytesMut::new(), Arc::default(), &[], answer).await;
    });
    let good = Server::of_all().await;
    let upstream = Upstream::new(settings(&[&going, &good.ws("")]));
    let reached = connect(&upstream).await.unwrap();
    assert_eq!((reached.address, reached.failed.len()), (good.ws(""), 1));
}

#[tokio::test]
async fn where_nobody_listens_the_next_is_taken() {
    let good = Server::of_all().await;
    let bad = nobody().await;
    let (lines, _guard) = Lines::caught();
    let upstream = Upstream::new(settings(&[&bad, &good.ws("")]));
    let reached = connect(&upstream).await.unwrap();
    assert_eq!(reached.address, good.ws(""));
    let text = reached.failed[0].why.to_string();
    assert!(text.contains("nothing listens there"), "{text}");
    let told = lines.with("upstream failed and is passed over");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(&bad) && told[0].contains("nothing listens"),
        "{told:?}"
    );
}

/// So many connections at the same time, and what of each is of interest.
async fn at_once<T: Send + 'static>(
    count: usize,
    upstream: &Arc<Upstream>,
    told: impl Fn(Result<Reached, Failure>) -> T + Clone + Send + Sync + 'static,
) -> Vec<T> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let (upstream, told) = (Arc::clone(upstream), told.clone());
        running.spawn(async move { told(connect(&upstream).await) });
    }
    running.join_all().await
}

#[tokio::test(start_paused = true)]
async fn when_its_time_is_over_one_connection_finds_out_and_the_others_do_not_wait() {
    let silent = faulty("hangs").await;
    let good = Server::of_all().await;
    let upstream = Arc::new(Upstream::new(settings(&[silent.ws(""), good.ws("")])));
    assert_eq!(connect(&upstream).await.unwrap().failed.len(), 1);
    for back_off in [1, 2, 4] {
        advance(Duration::from_secs(back_off)).await;
        let (asked, begun) = (silent.count(), Instant::now());
        let waited = at_once(10, &upstream, move |reached| {
            let failed = reached.unwrap().failed.len();
            (failed, begun.elapsed() >= TIMEOUT)
        })
        .await;
        let who_waited = waited.iter().filter(|one| **one == (1, true)).count();
        let others = waited.iter().filter(|one| **one == (0, false)).count();
        assert_eq!((who_waited, others), (1, 9), "{waited:?}");
        assert_eq!(silent.count(), asked + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_it_finds_out_leaves_that_to_the_next() {
    let silent = faulty("hangs").await;
    let good = Server::of_all().await;
    let upstream = Upstream::new(settings(&[silent.ws(""), good.ws("")]));
    assert_eq!(connect(&upstream).await.unwrap().failed.len(), 1);
    advance(Duration::from_secs(1)).await;
    for _ in 0..3 {
        let asked = silent.count();
        // Whose turn it is there takes it for so long only.
        let both = async { tokio::join!(connect(&upstream), connect(&upstream)) };
        let gone = timeout(TIMEOUT / 2, both).await;
        assert!(gone.is_err());
        assert_eq!(silent.count(), asked + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn where_somebody_finds_out_others_go_if_all_else_fails() {
    let silent = faulty("hangs").await;
    let bad = nobody().await;
    let upstream = Arc::new(Upstream::new(settings(&[&silent.ws(""), &bad])));
    assert!(connect(&upstream).await.is_err());
    advance(Duration::from_secs(1)).await;
    let tried = at_once(4, &upstream, |reached| {
        let Err(Failure::Unreachable(attempts)) = reached else {
            panic!("{reached:?}");
        };
        let mut tried: Vec<_> = attempts.into_iter().map(|it| it.address).collect();
        tried.sort();
        tried
    })
    .await;
    let mut both = vec![silent.ws(""), bad.clone()];
    both.sort();
    assert_eq!(tried, vec![both; 4]);
}

#[tokio::test(start_paused = true)]
async fn all_that_were_tried_are_told_and_silence_is_told_apart() {
    let silent = faulty("hangs").await;
    let bad = nobody().await;
    let upstream = Upstream::new(settings(&[silent.ws(""), bad.clone()]));
    let failure = connect(&upstream).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.status()),
        ("upstream-unreachable", 502)
    );
    let text = failure.to_string();
    assert!(
        text.starts_with("no upstream can be reached:\n  ws://"),
        "{text}"
    );
    assert!(
        text.contains(&bad) && text.contains(&silent.ws("")),
        "{text}"
    );
    let upstream = Upstream::new(settings(&[silent.ws("")]));
    let failure = connect(&upstream).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.status()),
        ("upstream-timeout", 504)
    );
    let Failure::Unreachable(attempts) = &failure else {
        panic!("{failure}");
    };
    assert!(matches!(
        attempts[0].why,
        ConnectError::OpeningTimeout { .. }
    ));
    let none = connect(&Upstream::new(Settings::default()))
        .await
        .unwrap_err();
    assert_eq!(none.to_string(), "the upstream has no address; name one");
}

/// A server that fails while it is told to.
async fn fickle() -> (Server, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let shared = Arc::clone(&fails);
    let server = Server::start(move |tcp, seen| {
        let fails = shared.load(Ordering::Relaxed);
        async move {
            let speaks: Vec<_> = draftgate_drafts::announced().filter(|_| !fails).collect();
            echo(tcp, BytesMut::new(), seen, &speaks, b"").await;
        }
    })
    .await;
    (server, fails)
}

/// In one draft: each connection is one try.
fn one_draft(settings: Settings) -> Settings {
    let newest = draftgate_drafts::announced().last().unwrap();
    let mut settings = settings;
    settings.client.drafts = draftgate_client::Drafts::Named(vec![newest]);
    settings
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_is_tried_again_ever_later_and_at_once_when_it_works() {
    let (bad, fails) = fickle().await;
    let good = Server::of_all().await;
    let upstream = Upstream::new(one_draft(settings(&[bad.ws(""), good.ws("")])));
    let (lines, _guard) = Lines::caught();
    let begun = Instant::now();
    let mut tries = Vec::new();
    while begun.elapsed() < Duration::from_secs(600) {
        let before = bad.count();
        let reached = connect(&upstream).await.unwrap();
        assert_eq!(reached.address, good.ws(""));
        if bad.count() > before {
            tries.push(begun.elapsed());
        }
        advance(Duration::from_millis(100)).await;
    }
    // By twos the addresses take turns: one may be late by as much as that.
    let late = Duration::from_millis(300);
    let gaps: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, longest) in gaps.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
        let longest = Duration::from_secs(longest);
        assert!(*gap >= longest / 2 && *gap <= longest + late, "{gaps:?}");
    }
    assert!(gaps.len() > 9, "{gaps:?}");
    assert_eq!(lines.with("passed over").len(), tries.len());
    // It is repaired, and found out when its time is over.
    fails.store(false, Ordering::Relaxed);
    advance(Duration::from_secs(60)).await;
    let both = order(&upstream, 2).await;
    assert!(both.contains(&bad.ws("")), "{both:?}");
    assert_eq!(lines.with("upstream is back").len(), 1);
    assert_eq!(order(&upstream, 4).await, [&both[..], &both].concat());
    assert_eq!(lines.with("upstream is back").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_that_failed_are_tried_all_the_same_if_there_are_no_others() {
    let (first, first_fails) = fickle().await;
    let (second, _) = fickle().await;
    let upstream = Upstream::new(one_draft(settings(&[first.ws(""), second.ws("")])));
    for tried in 1..=3 {
        let failure = connect(&upstream).await.unwrap_err();
        assert_eq!(failure.code(), "upstream-unreachable");
        assert_eq!((first.count(), second.count()), (tried, tried));
    }
    first_fails.store(false, Ordering::Relaxed);
    assert_eq!(connect(&upstream).await.unwrap().address, first.ws(""));
}

#[tokio::test(start_paused = true)]
async fn of_those_that_failed_the_one_whose_time_is_over_soonest_comes_first() {
    let (often, _) = fickle().await;
    let (once, once_fails) = fickle().await;
    once_fails.store(false, Ordering::Relaxed);
    let upstream = Upstream::new(one_draft(settings(&[often.ws(""), once.ws("")])));
    // By now it is passed over for at least eight seconds.
    while often.count() < 5 {
        assert!(connect(&upstream).await.is_ok());
        advance(Duration::from_millis(100)).await;
    }
    once_fails.store(true, Ordering::Relaxed);
    for _ in 0..4 {
        let failure = connect(&upstream).await.unwrap_err();
        let Failure::Unreachable(attempts) = failure else {
            panic!("{failure}");
        };
        let tried = attempts.iter().map(|attempt| attempt.address.clone());
        assert_eq!(tried.collect::<Vec<_>>(), [once.ws(""), often.ws("")]);
    }
}

#[tokio::test]
async fn an_answer_of_http_is_an_answer_and_nobody_else_is_asked() {
    let busy = Server::answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
    let good = Server::of_all().await;
    let upstream = Upstream::new(settings(&[busy.ws(""), good.ws("")]));
    let failure = connect(&upstream).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.status()),
        ("upstream-answered", 503)
    );
    assert_eq!(good.count(), 0);
    // Nor is it passed over for that: it is the third's turn again.
    assert!(connect(&upstream).await.is_ok());
    assert_eq!(connect(&upstream).await.unwrap_err().status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_clients_of_a_server_that_is_gone_leaves_one_line() {
    let upstream = Upstream::new(settings(&[nobody().await]));
    let (lines, _guard) = Lines::caught();
    for _ in 0..100 {
        assert!(connect(&upstream).await.is_err());
    }
    assert_eq!(lines.with("passed over").len(), 1);
    advance(Duration::from_secs(1)).await;
    for _ in 0..100 {
        assert!(connect(&upstream).await.is_err());
    }
    assert_eq!(lines.with("passed over").len(), 2);
}

#[tokio::test]
async fn what_a_server_says_takes_one_line_of_the_log_and_no_terminal() {
    let (lines, _guard) = Lines::caught();
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: \u{9b}2J\r\n\
         Connection: Upgrade\r\n\r\n";
    let server = Server::answering(answer).await;
    // Each draft says why it was not taken.
    let upstream = Upstream::new(settings(&[server.ws("")]));
    assert!(connect(&upstream).await.is_err());
    let told = lines.with("Upgrade is");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!told[0].contains('\u{9b}'), "{told:?}");
    assert_eq!(lines.with("").len(), 1, "{:?}", lines.with(""));
}
