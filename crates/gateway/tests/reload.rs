//! Another configuration while the gateway runs, and another process in its
//! place: nobody who is connected notices, and nobody who comes is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "reload/census.rs"]
mod census;
mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Client, HIXIE_76, HYBI_13, KEY3, Raw, announced, config, gateway, opening, soon, until,
};
use draftgate_core::{Draft, Message};
use draftgate_gateway::{
    BindError, Gateway, Running,
    config::{Config, Listener, Route, Service as Kind},
    service::{Answer, Echo, Opening, Service},
};
use tokio::net::{TcpListener, TcpStream};

/// The configuration of the tests with `path` in place of `/echo`.
fn moved(path: &str) -> Config {
    let mut config = config();
    config.routes[0].path = path.parse().unwrap();
    config
}

/// The same on `address`.
fn at(address: SocketAddr, mut config: Config) -> Config {
    config.listeners[0].address = address;
    config
}

async fn status(address: SocketAddr, path: &str) -> String {
    let asks = HYBI_13.replace("/echo", path);
    let (head, _) = Raw::say(address, asks).await.refusal().await;
    head[9..12].to_owned()
}

#[tokio::test]
async fn new_connections_have_the_new_routes_and_open_ones_keep_theirs() {
    let (running, address) = gateway(config());
    let mut before = Vec::new();
    for draft in announced() {
        before.push(Client::open(address, draft, "/echo").await);
    }
    let reloaded = running.reload(moved("/moved")).unwrap();
    assert_eq!((reloaded.opened.len(), reloaded.closed.len()), (0, 0));
    assert_eq!((reloaded.routes_kept, reloaded.routes_new), (1, 1));
    assert_eq!(running.addrs(), [address]);
    assert_eq!(status(address, "/echo").await, "404");
    for (mut old, draft) in before.into_iter().zip(announced()) {
        let mut new = Client::open(address, draft, "/moved").await;
        for client in [&mut old, &mut new] {
            client.send("still").await;
            assert_eq!(client.message().await, Message::from("still"), "{draft}");
        }
    }
    assert_eq!(running.counts().reloads, 1);
}

#[tokio::test]
async fn peers_of_a_channel_meet_across_a_reload() {
    let (running, address) = gateway(config());
    let mut old = Client::open(address, Draft::Hybi13, "/bus/a").await;
    let mut other = config();
    other.routes[1].include_sender = true;
    running.reload(other).unwrap();
    let mut new = Client::open(address, Draft::Hixie76, "/bus/a").await;
    new.send("from the new").await;
    assert_eq!(old.message().await, Message::from("from the new"));
    assert_eq!(new.message().await, Message::from("from the new"));
    old.send("from the old").await;
    assert_eq!(new.message().await, Message::from("from the old"));
}

#[tokio::test]
async fn listeners_come_and_go() {
    let (running, first) = gateway(config());
    let mut stays = Client::open(first, Draft::Hybi13, "/echo").await;
    let mut two = at(first, config());
    two.listeners.push(Listener {
        address: ([127, 0, 0, 1], 0).into(),
        ..Listener::default()
    });
    // The address of the first stands there as port 0, and now with its number.
    let taken = running.reload(two.clone()).unwrap_err();
    assert!(matches!(taken, BindError::Overlap { address, open } if [address, open] == [first; 2]));
    two.listeners[0].address = ([127, 0, 0, 1], 0).into();
    let reloaded = running.reload(two.clone()).unwrap();
    let [_, second] = running.addrs()[..] else {
        panic!("{:?}", running.addrs());
    };
    assert_eq!((reloaded.opened, reloaded.closed), (vec![second], vec![]));
    let mut there = Client::open(second, Draft::Hixie75, "/echo").await;
    running.reload(config()).unwrap();
    assert_eq!(running.addrs(), [first]);
    soon("the port is closed", async {
        while TcpStream::connect(second).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for client in [&mut stays, &mut there] {
        client.send("a").await;
        assert_eq!(client.message().await, Message::from("a"));
    }
    Client::open(first, Draft::Hybi13, "/echo").await;
}

#[tokio::test]
async fn what_cannot_be_had_leaves_everything_as_it_was() {
    let (running, address) = gateway(config());
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut wrong = moved("/moved");
    for address in ["127.0.0.1:0".parse().unwrap(), taken.local_addr().unwrap()] {
        wrong.listeners.push(Listener {
            address,
            ..Listener::default()
        });
    }
    let error = running.reload(wrong).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    let path = "/nowhere".parse().unwrap();
    let mut wrong = config();
    wrong
        .routes
        .push(Route::new(path, Kind::Proxy, announced()));
    running.reload(wrong).unwrap_err();
    assert_eq!(running.addrs(), [address]);
    assert_eq!(status(address, "/moved").await, "404");
    Client::open(address, Draft::Hybi13, "/echo").await;
    let counts = running.counts();
    assert_eq!((counts.reloads, counts.reload_failures), (0, 2));
}

/// Echoes, and counts how often it was made.
#[derive(Debug)]
struct Counted;

impl Service for Counted {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        Echo.open(opening)
    }
}

#[tokio::test]
async fn a_route_that_stays_as_it_was_keeps_its_service() {
    let made = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&made);
    let running = Gateway::bind_with(config(), move |route| {
        counting.fetch_add(usize::from(route.service == Kind::Echo), Relaxed);
        Some(Arc::new(Counted))
    })
    .unwrap();
    // Its place in the file does not matter, nor what is said of others.
    let mut turned = config();
    turned.routes.reverse();
    turned.routes[0].queue = 12_345;
    turned.drain = Duration::from_secs(3);
    turned.listeners[0].limits.per_ip = Some(3);
    running.reload(turned).unwrap();
    assert_eq!(made.load(Relaxed), 1);
    let mut changed = config();
    changed.routes[0].limits.message = 99;
    running.reload(changed).unwrap();
    assert_eq!(made.load(Relaxed), 2);
}

#[tokio::test]
async fn a_listeners_limits_hold_from_then_on() {
    let (running, address) = gateway(config());
    let _one = Client::open(address, Draft::Hybi13, "/echo").await;
    let mut fewer = config();
    fewer.listeners[0].limits.max_connections = 1;
    running.reload(fewer).unwrap();
    assert_eq!(status(address, "/echo").await, "503");
    running.reload(config()).unwrap();
    Client::open(address, Draft::Hybi13, "/echo").await;
}

#[tokio::test]
async fn a_clock_ticks_for_those_whom_it_has_when_its_route_is_gone() {
    let clock = || {
        let mut config = config();
        let mut route = Route::new("/clock".parse().unwrap(), Kind::Clock, announced());
        route.origins = config.routes[0].origins.clone();
        route.interval = Duration::from_millis(10);
        config.routes.push(route);
        config
    };
    let (running, address) = gateway(clock());
    let mut reads = Client::open(address, Draft::Hixie76, "/clock").await;
    reads.message().await;
    running.reload(config()).unwrap();
    assert_eq!(status(address, "/clock").await, "404");
    for _ in 0..5 {
        reads.message().await;
    }
}

/// A second gateway on the sockets of `running`.
fn successor(running: &Running, config: Config) -> Running {
    let sockets = running.sockets().unwrap();
    let sockets = sockets.into_iter().map(Into::into).collect();
    Gateway::bind_on(config, sockets).unwrap()
}

#[tokio::test]
async fn an_opening_that_is_under_way_is_finished_by_whom_it_began_with() {
    let (running, address) = gateway(config());
    let (before_key3, key3) = (HIXIE_76.as_bytes(), KEY3);
    let mut half = Raw::say(address, &before_key3[..40]).await;
    let mut late = Raw::say(address, before_key3).await;
    until("both are accepted", || running.counts().connections == 2).await;
    let next = successor(&running, config());
    assert_eq!(next.addrs(), [address]);
    let leaves = tokio::spawn(running.hand_over());
    // Who comes now is the successor's.
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        client.send("new").await;
        assert_eq!(client.message().await, Message::from("new"), "{draft}");
    }
    assert_eq!(next.counts().accepted, announced().len() as u64);
    half.write(&before_key3[40..]).await;
    for raw in [&mut half, &mut late] {
        raw.write(key3).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
        raw.exactly(16).await;
    }
    // Only now is it told to go: FF 00.
    for raw in [&mut half, &mut late] {
        assert_eq!(raw.exactly(2).await, b"\xff\x00");
    }
    drop((half, late));
    soon("the old one ends", leaves).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_no_listener_wants_is_closed() {
    let unwanted = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unwanted.local_addr().unwrap();
    let (lines, _guard) = common::captured();
    let mut config = config();
    config.listeners[0].address = ([127, 0, 0, 2], 0).into();
    let running = Gateway::bind_on(config, vec![unwanted]).unwrap();
    assert_ne!(running.addrs(), [address]);
    assert_eq!(lines.with("address", &address.to_string()).len(), 1);
    assert!(TcpStream::connect(address).await.is_err());
}

/// Ten times another gateway takes the sockets over while clients of every
/// draft come without a pause; each of them is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_successions_under_load_refuse_nobody() {
    let mut config = config();
    config.drain = Duration::from_secs(1);
    let (mut running, address) = gateway(config.clone());
    let over = Arc::new(AtomicBool::new(false));
    let opened = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (over, opened) = (Arc::clone(&over), Arc::clone(&opened));
            tokio::spawn(async move {
                let drafts = announced();
                for number in client.. {
                    if over.load(Relaxed) {
                        break;
                    }
                    let draft = drafts[number % drafts.len()];
                    let mut raw = Raw::say(address, opening(draft)).await;
                    let head = raw.head().await;
                    assert!(head.starts_with("HTTP/1.1 101 "), "{draft}: {head}");
                    opened.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    let mut leaving = Vec::new();
    for succession in 1..=10 {
        let enough = succession * 40;
        until("clients came", || opened.load(Relaxed) >= enough).await;
        let next = successor(&running, config.clone());
        let before = std::mem::replace(&mut running, next);
        leaving.push(tokio::spawn(before.hand_over()));
    }
    let enough = opened.load(Relaxed) + 40;
    until("clients came", || opened.load(Relaxed) >= enough).await;
    over.store(true, Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    for before in leaving {
        soon("the old ones end", before).await.unwrap();
    }
    assert!(running.counts().refused.is_empty(), "{}", running.counts());
}
