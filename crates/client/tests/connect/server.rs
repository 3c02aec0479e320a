//! Servers for the tests: an echo in any draft over any stream, and what else
//! may answer at an address. They end with the runtime of their test.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use draftgate_client::{Connection, Url};
use draftgate_conn::{Conn, Handler, Peer, Settings, Start};
use draftgate_core::{Close, Closing, Draft, Limits, Message, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys, detect,
    opening::{LengthFrames, Terms, parts, subprotocols},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Far beyond everything that a test waits for: only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Something that answers at an address, and what it has heard.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The heads of the requests, one for each connection, in order.
    pub(crate) heard: Heard,
}

pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

impl Server {
    /// Every connection is given to `serve`, in a task of its own.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream, Heard) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Heard::default();
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, Arc::clone(&shared)));
            }
        });
        Self { address, heard }
    }

    /// Echoes in the drafts that it `speaks`; what else comes is answered with
    /// `refusal` and closed.
    pub(crate) async fn echo(speaks: Vec<Draft>, refusal: impl Into<String>) -> Self {
        let refusal = refusal.into();
        Self::start(move |tcp, heard| echo(tcp, "ws", heard, speaks.clone(), refusal.clone())).await
    }

    /// Answers every request with `answer`, and closes.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        Self::echo(Vec::new(), answer).await
    }

    pub(crate) fn url(&self, scheme: &str, resource: &str) -> Url {
        let url = format!("{scheme}://{}{resource}", self.address);
        url.parse().unwrap()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Reads a head, and notes it; what came behind it. `None` if none comes.
pub(crate) async fn head(
    stream: &mut (impl AsyncRead + Unpin),
    heard: &Heard,
) -> Option<(http::request::Parts, BytesMut)> {
    let mut input = BytesMut::new();
    loop {
        if let Some((request, end)) = parts(&input).unwrap() {
            let head = input.split_to(end);
            let text = String::from_utf8_lossy(&head).into_owned();
            heard.lock().unwrap().push(text);
            return Some((request, input));
        }
        if stream.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
}

/// Echoes over `stream` in the drafts that it `speaks`.
pub(crate) async fn echo(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    scheme: &'static str,
    heard: Heard,
    speaks: Vec<Draft>,
    refusal: String,
) {
    let Some((request, received)) = head(&mut stream, &heard).await else {
        return;
    };
    let found = detect(&request, Detection::default());
    let Some(draft) = found.ok().filter(|draft| speaks.contains(draft)) else {
        let _ = stream.write_all(refusal.as_bytes()).await;
        let _ = stream.shutdown().await;
        // What is unread when a socket closes makes it a reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return;
    };
    let host = request.headers["host"].to_str().unwrap();
    let asked = subprotocols(&request.headers, draft.version().is_none());
    let public_url = format!("{scheme}://{host}{}", request.uri);
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
    Conn::new(stream, start, Settings::server())
        .run(&mut Echo)
        .await;
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(message));
    }
}

/// Says `text` over the connection, waits for the same, and closes.
pub(crate) async fn converse(connection: Connection, text: &str) {
    let draft = connection.draft();
    let closing = connection.codec.capabilities().closing;
    let (stream, start) = connection.start();
    let conn = Conn::new(stream, start, Settings::client());
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
