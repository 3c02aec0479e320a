//! Servers for the tests: an echo in any draft over any stream, and whatever
//! else may answer at an address. They end with the runtime of their test.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use draftgate_client::{Connection, Options};
use draftgate_conn::{Conn, Handler, Peer, Start};
use draftgate_core::{Close, Closing, Draft, Limits, Message, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys, detect,
    opening::{LengthFrames, Terms, parts},
};
use draftgate_upstream::{Ask, Failure, Link, Reached, Settings, Upstream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

/// Far beyond everything that a test waits for: only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What came to a server.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From where each connection came.
    pub(crate) from: Mutex<Vec<SocketAddr>>,
    /// What each request began with, to its empty line.
    pub(crate) heads: Mutex<Vec<String>>,
    /// How many connections are open.
    pub(crate) open: AtomicUsize,
}

/// Something that answers at an address.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

impl Server {
    /// Every connection is given to `serve`, in a task of its own.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream, Arc<Seen>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((tcp, from)) = listener.accept().await {
                shared.from.lock().unwrap().push(from);
                shared.open.fetch_add(1, Ordering::Relaxed);
                let serving = serve(tcp, Arc::clone(&shared));
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serving.await;
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, seen }
    }

    /// Echoes in the drafts that it `speaks`; what else comes is answered with
    /// `refusal` and closed.
    pub(crate) async fn echo(speaks: Vec<Draft>, refusal: impl Into<String>) -> Self {
        let refusal = refusal.into();
        Self::start(move |tcp, seen| {
            let (speaks, refusal) = (speaks.clone(), refusal.clone());
            async move { echo(tcp, BytesMut::new(), seen, &speaks, refusal.as_bytes()).await }
        })
        .await
    }

    /// An echo in every draft.
    pub(crate) async fn of_all() -> Self {
        Self::echo(draftgate_drafts::announced().collect(), "").await
    }

    /// Answers every request with `answer`, and closes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |tcp, seen| {
            let answer = answer.clone();
            async move { echo(tcp, BytesMut::new(), seen, &[], &answer).await }
        })
        .await
    }

    /// `ws://` with the address, and `resource` behind it.
    pub(crate) fn ws(&self, resource: &str) -> String {
        format!("ws://{}{resource}", self.address)
    }

    /// How many connections have come.
    pub(crate) fn count(&self) -> usize {
        self.seen.from.lock().unwrap().len()
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }
}

/// An address at which nobody listens, and nobody will: the socket that has it
/// stays for as long as the tests run, or the server of another one had it next.
pub(crate) async fn nobody() -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    format!("ws://{}", Box::leak(Box::new(socket)).local_addr().unwrap())
}

/// Reads a head behind `input`, and notes it; what came behind it. `None` if
/// none comes.
pub(crate) async fn head(
    stream: &mut (impl AsyncRead + Unpin),
    mut input: BytesMut,
    seen: &Seen,
) -> Option<(http::request::Parts, BytesMut)> {
    loop {
        if let Some((request, end)) = parts(&input).unwrap() {
            let head = input.split_to(end);
            let text = String::from_utf8_lossy(&head).into_owned();
            seen.heads.lock().unwrap().push(text);
            return Some((request, input));
        }
        if stream.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
}

/// Echoes over `stream` in the drafts that it `speaks`; `input` was read before.
pub(crate) async fn echo(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    input: BytesMut,
    seen: Arc<Seen>,
    speaks: &[Draft],
    refusal: &[u8],
) {
    let Some((request, received)) = head(&mut stream, input, &seen).await else {
        return;
    };
    let found = detect(&request, Detection::default());
    let Some(draft) = found.ok().filter(|draft| speaks.contains(draft)) else {
        let _ = stream.write_all(refusal).await;
        let _ = stream.shutdown().await;
        // What is unread when a socket closes makes it a reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return;
    };
    let host = request.headers["host"].to_str().unwrap();
    let asked = draftgate_drafts::subprotocols(draft, &request.headers);
    let public_url = format!("ws://{host}{}", request.uri);
    let terms = Terms {
        subprotocol: asked.last().copied(),
        public_url: &public_url,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = draftgate_drafts::accept(draft, &request, &terms, &mut RandomKeys).unwrap();
    let start = Start {
        codec: accepted.codec,
        head: Some(accepted.head.to_bytes()),
        received,
    };
    let settings = draftgate_conn::Settings::server();
    Conn::new(stream, start, settings).run(&mut Echo).await;
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(message));
    }
}

/// Settings with these `addresses`, in this one draft that is spoken newest.
pub(crate) fn settings<A: AsRef<str>>(addresses: &[A]) -> Settings {
    Settings {
        addresses: addresses
            .iter()
            .map(|a| a.as_ref().parse().unwrap())
            .collect(),
        client: Options {
            connect_timeout: Duration::from_secs(5),
            opening_timeout: Duration::from_secs(5),
            ..Options::default()
        },
        ..Settings::default()
    }
}

/// Connects, asking for nothing in particular.
pub(crate) async fn connect(upstream: &Upstream) -> Result<Reached, Failure> {
    upstream.connect(&Ask::default()).await
}

/// The connection of one that was reached, and its slot to hold.
pub(crate) fn websocket(reached: Reached) -> (Connection, draftgate_upstream::Slot) {
    match reached.link {
        Link::WebSocket(connection) => (*connection, reached.slot),
        other => panic!("{other:?}"),
    }
}

/// Says `text` over the connection, waits for the same, and closes.
pub(crate) async fn converse(connection: Connection, text: &str) {
    let draft = connection.draft();
    let closing = connection.codec.capabilities().closing;
    let (stream, start) = connection.start();
    let conn = Conn::new(stream, start, draftgate_conn::Settings::client());
    let sender = conn.sender();
    sender.send(Message::from(text)).unwrap();
    let mut first = First {
        message: None,
        close: (closing == Closing::Coded).then(|| Close::new(Close::NORMAL, "")),
    };
    let closed = timeout(PATIENCE, conn.run(&mut first)).await.unwrap();
    assert_eq!(first.message, Some(text.into()), "{draft}: {closed}");
}

/// Closes when the first message has come.
struct First {
    message: Option<Message>,
    close: Option<Close>,
}

impl Handler for First {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.message = Some(message);
        peer.close(self.close.take());
    }
}
