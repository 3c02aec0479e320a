//! What a connection keeps in memory while nothing is said over it, after it
//! was used: octets asked of the allocator, so that the figure is the same on
//! every machine. Alone in its file, because allocations are the whole
//! process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::net::{SocketAddr, TcpStream};

use common::{Client, announced, config, gateway};
use draftgate_core::{Draft, Message};
use draftgate_gateway::config::Compression;
use http::HeaderValue;
use peak_alloc::PeakAlloc;
use tokio::net::TcpStream as TcpSocket;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// So many that what grows by doubling, and what tokio frees in batches, is
/// little for each.
const CLIENTS: usize = 200;

/// The most for each connection of a path, tokio's task and socket included;
/// 180 more than it is, because the slower they open the fewer share a timer.
/// The last one compresses: what was lent for a message is given back.
const PATHS: [(&str, usize); 3] = [("/echo", 1_600), ("/bus/a", 1_940), ("/small/a", 2_140)];

#[tokio::test]
async fn an_idle_connection_takes_little_memory_in_every_draft() {
    let mut compressing = config();
    let mut bus = compressing.routes[1].clone();
    bus.path = "/small/{channel}".parse().unwrap();
    bus.compression = Some(Compression::default());
    compressing.routes.push(bus);
    let (_running, address) = gateway(compressing);
    for (path, most) in PATHS {
        for draft in announced() {
            // What is made once is made now.
            drop(used(address, draft, path, 20).await);
            let before = allocated().await;
            let clients = used(address, draft, path, CLIENTS).await;
            let each = allocated().await.saturating_sub(before) / CLIENTS;
            println!("{path} {draft}: {each} octets");
            assert!(each > 500, "{path} {draft}: {each} octets cannot be all");
            assert!(
                each <= most,
                "{path} {draft}: {each} octets, {most} at most"
            );
            drop(clients);
        }
    }
}

/// Connections over which a message went to the client; at this end they hold
/// no memory.
async fn used(address: SocketAddr, draft: Draft, path: &str, count: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let tcp = TcpSocket::connect(address).await.unwrap();
        let offers = [(
            "Sec-WebSocket-Extensions",
            HeaderValue::from_static("permessage-deflate, deflate-frame"),
        )];
        let offers = if draft >= Draft::Hybi04 {
            &offers[..]
        } else {
            &[]
        };
        let host = address.to_string();
        clients.push(Client::over_with(tcp, &host, draft, path, &[], offers).await);
    }
    // Long enough to be compressed.
    let said = "hello ".repeat(50);
    // On the bus the first says it to all others.
    let (speaking, deaf) = if path == "/echo" { (count, 0) } else { (1, 1) };
    for client in &mut clients[..speaking] {
        client.send(said.clone()).await;
    }
    for client in &mut clients[deaf..] {
        assert_eq!(client.message().await, Message::from(said.clone()));
    }
    let sockets = clients.into_iter().map(|client| client.into_octets().0);
    sockets.map(|tcp| tcp.into_std().unwrap()).collect()
}

/// How much is allocated, once all that was to be done is done.
async fn allocated() -> usize {
    let mut steady = 0;
    let mut last = PeakAlloc.current_usage();
    while steady < 1_000 {
        tokio::task::yield_now().await;
        let now = PeakAlloc.current_usage();
        steady = if now == last { steady + 1 } else { 0 };
        last = now;
    }
    last
}
