//! What a client says while nobody says anything.

use std::time::Duration;

use draftgate_client::{Client, Drafts, Options};
use draftgate_conn::{Conn, Handler, Peer, Settings};
use draftgate_core::Message;
use socket2::SockRef;
use tokio::time::{sleep, timeout};

use crate::server::{PATIENCE, Server};

struct Silence;

impl Handler for Silence {
    fn message(&mut self, message: Message, _: &mut Peer<'_>) {
        panic!("{message:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_pinged_every_50_s_where_the_draft_has_ping() {
    for draft in draftgate_drafts::announced() {
        let server = Server::echo(vec![draft], "").await;
        let client = Client::new(Options {
            drafts: Drafts::Named(vec![draft]),
            ..Options::default()
        });
        let connection = client.connect(&server.url("ws", "/")).await.unwrap();
        let (stream, start) = connection.start();
        let conn = Conn::new(stream, start, Settings::client());
        let sender = conn.sender();
        let running = tokio::spawn(async move { conn.run(&mut Silence).await });
        sleep(Duration::from_secs(170)).await;
        assert!(!sender.is_ended(), "{draft}");
        sender.abort();
        let closed = timeout(PATIENCE, running).await.unwrap().unwrap();
        let pings = if draftgate_drafts::has_ping(draft) {
            3
        } else {
            0
        };
        assert_eq!(closed.stats.pings_out, pings, "{draft}");
    }
}

#[tokio::test]
async fn where_it_is_wished_tcp_gives_up_a_server_that_is_gone() {
    let server = Server::echo(draftgate_drafts::announced().collect(), "").await;
    for wished in [None, Some(Duration::from_secs(60))] {
        let client = Client::new(Options {
            keep_alive: wished,
            ..Options::default()
        });
        let connection = client.connect(&server.url("ws", "/")).await.unwrap();
        let socket = SockRef::from(connection.stream.tcp().unwrap());
        assert_eq!(socket.keepalive().unwrap(), wished.is_some());
        if let Some(after) = wished {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), after);
            let probes = socket.tcp_keepalive_retries().unwrap();
            let asking = socket.tcp_keepalive_interval().unwrap() * probes;
            assert_eq!(asking, after);
        }
    }
}
