//! One connection that is kept open: what its server says is handed on, and
//! whatever ends it, it is made again.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use bytes::BytesMut;
use draftgate_client::{Drafts, Options};
use draftgate_conn::{Conn, Handler, Peer, Start};
use draftgate_core::{Close, Draft, Limits, Message};
use draftgate_drafts::{
    RandomKeys, detect,
    opening::{LengthFrames, Terms},
};
use draftgate_upstream::{Ask, Feed, Settings, Upstream};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    logged::Lines,
    server::{PATIENCE, Seen, Server, head, settings},
};

/// What a server does with each connection after it has said its messages.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    /// Waits for the client.
    Stays,
    /// Closes as its draft says.
    Closes,
    /// Is gone.
    Vanishes,
}

/// Says "1", "2" and so on, `count` of them, on each connection.
struct Saying {
    count: usize,
    then: Then,
    closed: Arc<Mutex<Vec<Option<u16>>>>,
}

impl Handler for Saying {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        for number in 1..=self.count {
            let message = Message::from(number.to_string());
            peer.sender().send(message).unwrap();
        }
        match self.then {
            Then::Stays => {}
            Then::Closes => peer.close(Some(Close::new(Close::NORMAL, ""))),
            Then::Vanishes => peer.sender().abort(),
        }
    }

    fn message(&mut self, message: Message, _: &mut Peer<'_>) {
        panic!("a feed says nothing: {message:?}");
    }

    fn closing(&mut self, close: Option<&Close>, _: &mut Peer<'_>) {
        self.closed
            .lock()
            .unwrap()
            .push(close.map(|close| close.code));
    }
}

/// When each connection came, and how clients closed.
#[derive(Debug, Default)]
struct Record {
    came: Mutex<Vec<Instant>>,
    closed: Arc<Mutex<Vec<Option<u16>>>>,
}

/// A server that says `count` messages on each connection.
async fn saying(count: usize, then: Then) -> (Server, Arc<Record>) {
    let record = Arc::new(Record::default());
    let shared = Arc::clone(&record);
    let server = Server::start(move |mut tcp, seen: Arc<Seen>| {
        let record = Arc::clone(&shared);
        async move {
            record.came.lock().unwrap().push(Instant::now());
            let Some((request, received)) = head(&mut tcp, BytesMut::new(), &seen).await else {
                return;
            };
            let draft = detect(&request, draftgate_drafts::Detection::default()).unwrap();
            let host = request.headers["host"].to_str().unwrap();
            let terms = Terms {
                subprotocol: None,
                public_url: &format!("ws://{host}{}", request.uri),
                limits: Limits::default(),
                length_frames: LengthFrames::default(),
                extension: None,
            };
            let accepted =
                draftgate_drafts::accept(draft, &request, &terms, &mut RandomKeys).unwrap();
            let start = Start {
                codec: accepted.codec,
                head: Some(accepted.head.to_bytes()),
                received,
            };
            let mut saying = Saying {
                count,
                then,
                closed: Arc::clone(&record.closed),
            };
            let settings = draftgate_conn::Settings::server();
            Conn::new(tcp, start, settings).run(&mut saying).await;
        }
    })
    .await;
    (server, record)
}

/// A feed that runs.
struct Running {
    said: UnboundedReceiver<Message>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn feed(server: &Server, draft: Draft) -> Running {
    let settings = settings(&[server.ws("/values")]);
    let upstream = Upstream::new(Settings {
        client: Options {
            drafts: Drafts::Named(vec![draft]),
            ..settings.client
        },
        ..settings
    });
    let stop = CancellationToken::new();
    let (say, said) = unbounded_channel();
    let token = stop.clone();
    let task = tokio::spawn(async move {
        let feed = Feed {
            upstream: &upstream,
            ask: Ask::default(),
            settings: draftgate_conn::Settings::client(),
        };
        let mut take = |message| say.send(message).unwrap();
        feed.run(&mut take, &token).await;
    });
    Running { said, stop, task }
}

impl Running {
    async fn says(&mut self, wanted: &str) {
        let said = timeout(PATIENCE, self.said.recv()).await.unwrap().unwrap();
        assert_eq!(said, Message::from(wanted));
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn newest() -> Draft {
    draftgate_drafts::announced().last().unwrap()
}

#[tokio::test]
async fn what_the_server_says_is_handed_on_in_order_and_a_stop_closes_as_the_draft_says() {
    for draft in draftgate_drafts::announced() {
        let (server, record) = saying(1000, Then::Stays).await;
        let mut running = feed(&server, draft);
        for number in 1..=1000 {
            running.says(&number.to_string()).await;
        }
        assert_eq!(server.count(), 1);
        running.stop().await;
        let gone = async {
            while server.seen.open.load(Ordering::Relaxed) > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, gone).await.unwrap();
        let closing = draftgate_drafts::traits()
            .find(|it| it.draft == draft)
            .unwrap();
        let wanted: &[Option<u16>] = match closing.capabilities.closing {
            draftgate_core::Closing::Coded => &[Some(Close::GOING_AWAY)],
            draftgate_core::Closing::Absent => &[],
            _ => &[None],
        };
        assert_eq!(*record.closed.lock().unwrap(), wanted, "{draft}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_ends_the_connection_it_is_made_again_within_a_second() {
    for then in [Then::Closes, Then::Vanishes] {
        for draft in draftgate_drafts::announced() {
            let (server, record) = saying(1, then).await;
            let mut running = feed(&server, draft);
            // Under way at the end, a message may be lost: one that vanishes
            // does not wait for it.
            if then == Then::Closes {
                for _ in 0..5 {
                    running.says("1").await;
                }
            } else {
                while server.count() < 2 {
                    sleep(Duration::from_millis(100)).await;
                }
            }
            running.stop().await;
            if then == Then::Closes {
                let came = record.came.lock().unwrap();
                for pair in came.windows(2) {
                    // A server of an old draft may take its time to close.
                    let gap = pair[1] - pair[0];
                    assert!(gap >= Duration::from_millis(500), "{draft}: {gap:?}");
                    assert!(gap <= Duration::from_secs(1 + 5), "{draft}: {gap:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_good_for_nothing_is_asked_ever_less_often() {
    let (lines, _guard) = Lines::caught();
    let (closing, closed_at) = saying(0, Then::Closes).await;
    let refusing = Server::answering("HTTP/1.1 503 Busy\r\n\r\n").await;
    for server in [&closing, &refusing] {
        let running = feed(server, newest());
        sleep(Duration::from_secs(600)).await;
        // 1 + 2 + 4 + … + 32 s, then 60 s each; by chance half of that.
        let count = server.count();
        assert!((14..=26).contains(&count), "{count}");
        running.stop().await;
    }
    assert_eq!(lines.with("source connected").len(), closing.count());
    assert_eq!(
        lines
            .with("source lost: closed by the peer, code 1000")
            .len(),
        closing.count()
    );
    assert_eq!(lines.with("source not connected").len(), refusing.count());
    assert!(closed_at.came.lock().unwrap().len() > 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_it_wherever_it_is() {
    // While it connects, to a server that says nothing.
    let silent = Server::start(|tcp, _| async move {
        let _tcp = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let connecting = feed(&silent, newest());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(silent.count(), 1);
    let begun = Instant::now();
    connecting.stop().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // While it waits.
    let refusing = Server::answering("HTTP/1.1 503 Busy\r\n\r\n").await;
    let waiting = feed(&refusing, newest());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(refusing.count(), 1);
    let begun = Instant::now();
    waiting.stop().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(refusing.count(), 1);
}

#[tokio::test]
async fn octets_are_no_source() {
    let (lines, _guard) = Lines::caught();
    let server = Server::of_all().await;
    let upstream = Upstream::new(settings(&[format!("tcp://{}", server.address)]));
    let feed = Feed {
        upstream: &upstream,
        ask: Ask::default(),
        settings: draftgate_conn::Settings::client(),
    };
    let mut take = |message| panic!("{message:?}");
    let stop = CancellationToken::new();
    timeout(PATIENCE, feed.run(&mut take, &stop)).await.unwrap();
    assert_eq!(lines.with("source speaks no WebSocket").len(), 1);
}
