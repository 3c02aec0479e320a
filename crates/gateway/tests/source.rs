//! A channel that a server feeds: a controller with one connection to give, and
//! clients of every draft that read what it says.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::BytesMut;
use draftgate_conn::{Conn, Handler, Peer, Sender, Settings, Start};
use draftgate_core::{Close, Draft, Limits, Message};
use draftgate_drafts::{
    Detection, RandomKeys, detect,
    opening::{LengthFrames, Terms, parts},
};
use draftgate_gateway::{
    Running,
    config::{Config, Environment},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use common::{Client, announced, captured, gateway, soon, until};

/// What a controller saw.
#[derive(Debug, Default)]
struct Seen {
    /// The heads of the requests in its own draft.
    heads: Vec<String>,
    /// Connections that have come.
    came: usize,
    /// Connections that are open.
    open: usize,
    /// The most that were open at a time.
    most: usize,
    /// Those that it speaks to.
    speaking: Option<Sender>,
    heard: usize,
    closes: Vec<Option<u16>>,
}

/// A controller that speaks one draft over one connection at a time.
struct Plc {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Plc {
    /// On `address`, or on any.
    async fn start(address: Option<SocketAddr>, draft: Draft) -> Self {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let listener = TcpListener::bind(address.unwrap_or(anywhere))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        // Cut together with what it spawned.
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                {
                    let mut seen = shared.lock().unwrap();
                    seen.came += 1;
                    seen.open += 1;
                    seen.most = seen.most.max(seen.open);
                }
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    serve(tcp, draft, &shared).await;
                    let mut seen = shared.lock().unwrap();
                    seen.open -= 1;
                    seen.speaking = None;
                });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap())
    }

    async fn connected(&self) {
        until("the gateway connects", || {
            self.seen(|seen| seen.speaking.is_some())
        })
        .await;
    }

    fn say(&self, message: impl Into<Message>) {
        let message = message.into();
        self.seen(|seen| seen.speaking.as_ref().unwrap().send(message).unwrap());
    }

    /// It loses its power.
    async fn fail(self) -> SocketAddr {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.address
    }
}

/// Speaks `draft` and no other: it closes on who asks for another.
async fn serve(mut tcp: TcpStream, draft: Draft, seen: &Arc<Mutex<Seen>>) {
    let mut input = BytesMut::new();
    let (request, end) = loop {
        match parts(&input).unwrap() {
            Some(read) => break read,
            None if tcp.read_buf(&mut input).await.unwrap() == 0 => return,
            None => {}
        }
    };
    if detect(&request, Detection::default()) != Ok(draft) {
        return;
    }
    let head = input.split_to(end);
    let host = request.headers["host"].to_str().unwrap();
    let terms = Terms {
        subprotocol: None,
        public_url: &format!("ws://{host}{}", request.uri),
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = draftgate_drafts::accept(draft, &request, &terms, &mut RandomKeys).unwrap();
    let start = Start {
        codec: accepted.codec,
        head: Some(accepted.head.to_bytes()),
        received: input,
    };
    seen.lock()
        .unwrap()
        .heads
        .push(String::from_utf8_lossy(&head).into());
    let conn = Conn::new(tcp, start, Settings::server());
    conn.run(&mut Controller(Arc::clone(seen))).await;
}

struct Controller(Arc<Mutex<Seen>>);

impl Handler for Controller {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        self.0.lock().unwrap().speaking = Some(peer.sender());
    }

    fn message(&mut self, _: Message, _: &mut Peer<'_>) {
        self.0.lock().unwrap().heard += 1;
    }

    fn closing(&mut self, close: Option<&Close>, _: &mut Peer<'_>) {
        let mut seen = self.0.lock().unwrap();
        seen.closes.push(close.map(|close| close.code));
    }
}

/// A gateway with a route that reads the controller at `address`, in any draft.
fn reading(address: SocketAddr, more: &str) -> (Running, SocketAddr) {
    let newest_first: Vec<String> = announced()
        .iter()
        .rev()
        .map(|d| format!("{:?}", d.name()))
        .collect();
    let text = format!(
        r#"
        [[listeners]]
        address = "127.0.0.1:0"

        [[routes]]
        path = "/values"
        service = "bus"
        drafts = "all"
        origins = ["*"]
        channel = "plc"
        source = "ws://{address}/data?unit=3"
        upstream-drafts = [{}]
        {more}
        "#,
        newest_first.join(", ")
    );
    let config = Config::parse(
        &text,
        "plc.toml",
        &common::spoken(),
        &Environment::default(),
    );
    gateway(config.unwrap_or_else(|error| panic!("{error}")))
}

/// A client of each draft.
async fn clients(running: &Running, address: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::new();
    for draft in announced() {
        clients.push(Client::open(address, draft, "/values").await);
    }
    let channel = "plc".parse().unwrap();
    let all = clients.len();
    until("all are in the channel", || {
        running.hub().subscribers(&channel) == all
    })
    .await;
    clients
}

async fn all_read(clients: &mut [Client], wanted: &str) {
    for client in clients {
        assert_eq!(client.message().await, Message::from(wanted));
    }
}

#[tokio::test]
async fn one_connection_feeds_clients_of_every_draft_and_comes_back_by_itself() {
    for draft in announced() {
        let plc = Plc::start(None, draft).await;
        let (lines, _guard) = captured();
        let (running, address) = reading(plc.address, "");
        let mut clients = clients(&running, address).await;
        plc.connected().await;
        for number in 0..100 {
            plc.say(format!("value {number}"));
        }
        for number in 0..100 {
            all_read(&mut clients, &format!("value {number}")).await;
        }
        assert_eq!(plc.seen(|seen| (seen.heads.len(), seen.most)), (1, 1));
        let head = plc.seen(|seen| seen.heads[0].clone());
        assert!(head.starts_with("GET /data?unit=3 HTTP/1.1\r\n"), "{head}");
        // Its power fails; nobody but the gateway notices.
        let at = plc.fail().await;
        let plc = Plc::start(Some(at), draft).await;
        plc.connected().await;
        plc.say("back");
        all_read(&mut clients, "back").await;
        // The draft is known by now: the first try was in it.
        assert_eq!(plc.seen(|seen| (seen.heads.len(), seen.came)), (1, 1));
        // Each failure and each return is told.
        for (said, times) in [("source lost", 1), ("source connected", 2)] {
            let told = lines
                .all()
                .into_iter()
                .filter(|line| line["message"].as_str().is_some_and(|it| it.contains(said)));
            assert_eq!(told.count(), times, "{draft}: {said}");
        }
        drop(clients);
        soon("the drain", running.drain()).await;
        until("the gateway is gone", || plc.seen(|seen| seen.open == 0)).await;
        let wanted: &[Option<u16>] = match capabilities(draft).closing {
            draftgate_core::Closing::Coded => &[Some(Close::GOING_AWAY)],
            draftgate_core::Closing::Absent => &[],
            _ => &[None],
        };
        assert_eq!(plc.seen(|seen| seen.closes.clone()), wanted, "{draft}");
    }
}

fn capabilities(draft: Draft) -> draftgate_core::Capabilities {
    let traits = draftgate_drafts::traits().find(|it| it.draft == draft);
    traits.unwrap().capabilities
}

#[tokio::test]
async fn what_clients_say_goes_nowhere_unless_they_may_publish() {
    let oldest = announced()[0];
    for (more, reads) in [("", false), ("publish = \"all\"", true)] {
        let plc = Plc::start(None, oldest).await;
        let (running, address) = reading(plc.address, more);
        let mut clients = clients(&running, address).await;
        plc.connected().await;
        clients[0].send("forged").await;
        // What it said is behind what it hears, where it is heard at all.
        match reads {
            true => all_read(&mut clients[1..], "forged").await,
            false => until("it is dropped", || running.counts().muted == 1).await,
        }
        plc.say("value");
        all_read(&mut clients, "value").await;
        assert_eq!(plc.seen(|seen| seen.heard), 0);
        running.shutdown().await;
    }
}

#[tokio::test]
async fn a_gateway_whose_source_is_not_there_serves_and_stops_all_the_same() {
    let plc = Plc::start(None, announced()[0]).await;
    let at = plc.fail().await;
    let (running, address) = reading(at, "");
    let mut clients = clients(&running, address).await;
    let plc = Plc::start(Some(at), announced()[0]).await;
    plc.connected().await;
    plc.say("late");
    all_read(&mut clients, "late").await;
    plc.fail().await;
    // While it waits to connect again.
    soon("the shutdown", running.shutdown()).await;
}

#[tokio::test]
async fn binary_messages_are_fed_too_to_those_that_have_binary() {
    let newest = *announced().last().unwrap();
    let plc = Plc::start(None, newest).await;
    let (running, address) = reading(plc.address, "binary = \"hex\"");
    let mut clients = clients(&running, address).await;
    plc.connected().await;
    plc.say(Message::Binary(vec![1, 2, 255].into()));
    for (client, draft) in clients.iter_mut().zip(announced()) {
        let wanted = match capabilities(draft).binary {
            true => Message::Binary(vec![1, 2, 255].into()),
            false => Message::from("0102ff"),
        };
        assert_eq!(client.message().await, wanted, "{draft}");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_source_that_never_falls_silent_does_not_hold_up_a_drain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (running, address) = {
        let text = format!(
            r#"
            timeouts.drain = "60s"

            [[listeners]]
            address = "127.0.0.1:0"

            [[routes]]
            path = "/values"
            service = "bus"
            drafts = "all"
            channel = "plc"
            origins = ["*"]
            source = "ws://{}/"
            "#,
            listener.local_addr().unwrap()
        );
        let config = Config::parse(
            &text,
            "plc.toml",
            &common::spoken(),
            &Environment::default(),
        );
        gateway(config.unwrap_or_else(|error| panic!("{error}")))
    };
    let (tcp, _) = soon("accept", listener.accept()).await.unwrap();
    let mut source = Client::serve(tcp).await;
    let speaking = tokio::spawn(async move {
        // It never looks at what it is told, and a write fails when all is over.
        let mut octets = draftgate_core::Outbox::new();
        let text = draftgate_core::Outgoing::Message("m".repeat(1000).as_str().into());
        source.codec.send(text, &mut octets).unwrap();
        let octets = octets.take_all();
        while tokio::io::AsyncWriteExt::write_all(&mut source.tcp, &octets)
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    });
    // The source is heard; its client does not wait for the drain.
    let mut client = Client::open(address, Draft::Hybi13, "/values").await;
    client.message().await;
    drop(client);
    until("it has left", || running.counts().connections == 0).await;
    let begun = tokio::time::Instant::now();
    soon("the drain", running.drain()).await;
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    soon("the source notices", speaking).await.unwrap();
}
