//! How many connections there are at a time, counted where it matters: at the
//! server.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use draftgate_client::Drafts;
use draftgate_upstream::{Ask, Failure, Link, Reached, Settings, Upstream};
use tokio::{
    io::AsyncReadExt,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::server::{PATIENCE, Server, connect, converse, nobody, settings, websocket};

fn bounded(server: &Server, change: impl FnOnce(&mut Settings)) -> Arc<Upstream> {
    let mut settings = Settings {
        max_connections: Some(1),
        ..settings(&[server.ws("")])
    };
    change(&mut settings);
    Arc::new(Upstream::new(settings))
}

#[tokio::test]
async fn a_server_with_one_slot_serves_all_in_their_order() {
    let server = Server::of_all().await;
    let upstream = bounded(&server, |settings| settings.wait = PATIENCE);
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (upstream, seen) = (Arc::clone(&upstream), Arc::clone(&server.seen));
        clients.spawn(async move {
            let resource = format!("/{client}");
            let ask = Ask {
                resource: &resource,
                ..Ask::default()
            };
            let reached = upstream.connect(&ask).await.unwrap();
            let (connection, slot) = websocket(reached);
            assert!(seen.open.load(Ordering::Relaxed) <= 1);
            converse(connection, &resource).await;
            // The server has seen the end before the next may come.
            while seen.open.load(Ordering::Relaxed) > 0 {
                tokio::task::yield_now().await;
            }
            drop(slot);
        });
        tokio::task::yield_now().await;
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let asked: Vec<String> = server
        .heads()
        .iter()
        .map(|head| head[5..6].to_owned())
        .collect();
    assert_eq!(asked.concat(), "01234567");
    assert_eq!(upstream.connections(), Some(0));
}

#[tokio::test]
async fn who_finds_no_slot_and_may_not_wait_is_told_at_once() {
    let server = Server::of_all().await;
    let upstream = bounded(&server, |settings| settings.wait = Duration::ZERO);
    let held = connect(&upstream).await.unwrap();
    let failure = connect(&upstream).await.unwrap_err();
    assert_eq!((failure.code(), failure.status()), ("upstream-busy", 503));
    let text = failure.to_string();
    assert!(
        text.starts_with("the upstream is busy: its one connection is taken"),
        "{text}"
    );
    assert_eq!(server.count(), 1);
    drop(held);
    assert!(connect(&upstream).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_how_long() {
    let server = Server::of_all().await;
    let upstream = bounded(&server, |settings| settings.wait = Duration::from_secs(7));
    let _held = connect(&upstream).await.unwrap();
    let begun = Instant::now();
    let failure = connect(&upstream).await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 7);
    assert!(matches!(failure, Failure::Busy(busy) if busy.waited.as_secs() == 7));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_gives_its_slot_back() {
    // It takes connections and says nothing, so that both are on their way.
    let server = Server::start(|mut tcp, _| async move {
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let upstream = bounded(&server, |settings| settings.wait = Duration::from_secs(60));
    for after in [1, 10, 100, 1000, 4000] {
        let opening = Arc::clone(&upstream);
        let opening = tokio::spawn(async move { connect(&opening).await.map(drop) });
        let waiting = Arc::clone(&upstream);
        let waiting = tokio::spawn(async move { connect(&waiting).await.map(drop) });
        sleep(Duration::from_millis(after)).await;
        assert_eq!((upstream.connections(), upstream.waiting()), (Some(1), 1));
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!((upstream.connections(), upstream.waiting()), (Some(1), 0));
        opening.abort();
        assert!(opening.await.unwrap_err().is_cancelled());
        assert_eq!(upstream.connections(), Some(0), "after {after} ms");
        // The server's end of each is closed: nothing is left of them.
        let closed = async {
            while server.seen.open.load(Ordering::Relaxed) > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, closed).await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_gives_the_slot_back() {
    let server = Server::answering("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").await;
    for address in [server.ws(""), nobody().await] {
        let upstream = bounded(&server, |settings| {
            settings.addresses = vec![address.parse().unwrap()];
            settings.wait = Duration::ZERO;
        });
        for _ in 0..3 {
            let failure = connect(&upstream).await.unwrap_err();
            assert_ne!(failure.code(), "upstream-busy");
            assert_eq!(upstream.connections(), Some(0));
        }
    }
}

#[tokio::test]
async fn octets_count_as_connections_too() {
    let server = Server::of_all().await;
    let upstream = bounded(&server, |settings| {
        let address = format!("tcp://{}", server.address);
        settings.addresses = vec![address.parse().unwrap()];
        settings.wait = Duration::ZERO;
    });
    let Reached { link, slot, .. } = connect(&upstream).await.unwrap();
    assert!(matches!(link, Link::Raw(_)));
    assert_eq!(
        connect(&upstream).await.unwrap_err().code(),
        "upstream-busy"
    );
    drop(slot);
    assert!(connect(&upstream).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn where_it_is_wished_only_one_opening_goes_to_a_host_at_a_time() {
    for wished in [true, false] {
        // Each opening takes five seconds, and then fails.
        let server = Server::start(|mut tcp, _| async move {
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let settings = Settings {
            one_at_a_time: wished,
            // Two addresses, one host.
            ..settings(&[server.ws("/a"), server.ws("/b")])
        };
        let upstream = Arc::new(Upstream::new(settings));
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..3 {
            let upstream = Arc::clone(&upstream);
            clients.spawn(async move { connect(&upstream).await.map(drop) });
        }
        while let Some(client) = clients.join_next().await {
            assert_eq!(client.unwrap().unwrap_err().code(), "upstream-timeout");
        }
        let openings = if wished { 3 * 2 } else { 2 };
        assert_eq!(begun.elapsed().as_secs(), openings * 5);
    }
}

#[tokio::test]
async fn a_server_that_needs_a_moment_has_it_between_two_drafts_too() {
    let draft = draftgate_drafts::announced().next().unwrap();
    let newest = draftgate_drafts::announced().last().unwrap();
    let server = Server::echo(vec![draft], "HTTP/1.1 400 No\r\n\r\n").await;
    let pause = Duration::from_millis(300);
    let upstream = bounded(&server, |settings| {
        settings.client.drafts = Drafts::Named(vec![newest, draft]);
        settings.pause = pause;
    });
    let begun = Instant::now();
    let (connection, slot) = websocket(upstream.connect(&Ask::default()).await.unwrap());
    assert_eq!(connection.draft(), draft);
    assert!(begun.elapsed() >= pause);
    drop((connection, slot));
    // What worked is known, but the slot is not free at once.
    let begun = Instant::now();
    upstream.connect(&Ask::default()).await.unwrap();
    assert!(begun.elapsed() >= pause);
    assert_eq!(server.count(), 3);
}
