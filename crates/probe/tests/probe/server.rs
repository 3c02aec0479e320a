//! Servers for the tests: one that is true to every draft, and can be told what
//! to do otherwise. They end with the runtime of their test.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use draftgate_client::{Options, Url};
use draftgate_conn::{Conn, Handler, Peer, Settings as Driver, Start};
use draftgate_core::{Draft, Limits, Message, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys, detect,
    opening::{Head, LengthFrames, Terms, parts},
};
use draftgate_probe::{Finding, FindingKind, Report, Settings, probe};
use http::request::Parts;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Something that answers at an address.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Every connection is given to `serve`, in a task of its own.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp));
            }
        });
        Self { address }
    }

    /// Is true to every draft.
    pub(crate) async fn healthy() -> Self {
        Self::with(|_, _, _| ()).await
    }

    /// Is true to every draft, but that `change` was made to the answer's head.
    pub(crate) async fn with(change: impl Change) -> Self {
        let change: Arc<dyn Change> = Arc::new(change);
        Self::start(move |tcp| echo(tcp, "ws", Arc::clone(&change))).await
    }

    /// Answers every request with `answer`, and closes.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |mut tcp| {
            let answer = answer.clone();
            async move {
                if head(&mut tcp).await.is_some() {
                    end(tcp, answer.as_bytes()).await;
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self, scheme: &str) -> Url {
        let url = format!("{scheme}://{}/x?y=1", self.address);
        url.parse().unwrap()
    }

    /// What a probe of `draft` says.
    pub(crate) async fn probed(&self, draft: Draft) -> Report {
        self.probed_with(draft, |_, _| ()).await
    }

    /// The same, after `change` to what the client is told and what is tried.
    pub(crate) async fn probed_with(
        &self,
        draft: Draft,
        change: impl Fn(&mut Options, &mut Settings),
    ) -> Report {
        let mut options = Options::default();
        let mut settings = Settings {
            drafts: vec![draft],
            ..Settings::default()
        };
        change(&mut options, &mut settings);
        probe(options, &self.url("ws"), &settings).await
    }
}

/// What is changed in an answer.
pub(crate) trait Change: Fn(&Parts, Draft, &mut Head) + Send + Sync + 'static {}

impl<T: Fn(&Parts, Draft, &mut Head) + Send + Sync + 'static> Change for T {}

/// Says `last`, ends its half, and reads what else there is, for what is unread
/// when a socket closes makes it a reset.
pub(crate) async fn end(mut tcp: impl AsyncRead + AsyncWrite + Unpin, last: &[u8]) {
    let _ = tcp.write_all(last).await;
    let _ = tcp.shutdown().await;
    let _ = tcp.read_to_end(&mut Vec::new()).await;
}

/// Reads a head; what came behind it. `None` if none comes.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Parts, BytesMut)> {
    let mut input = BytesMut::new();
    loop {
        if let Some((request, end)) = parts(&input).ok()? {
            let _ = input.split_to(end);
            return Some((request, input));
        }
        if stream.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
}

/// Echoes over `stream` in every draft.
pub(crate) async fn echo(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    scheme: &'static str,
    change: Arc<dyn Change>,
) {
    let Some((request, received)) = head(&mut stream).await else {
        return;
    };
    let Some((head, codec)) = accepted(&request, scheme, &*change) else {
        end(stream, b"HTTP/1.1 426 Upgrade Required\r\n\r\n").await;
        return;
    };
    let start = Start {
        codec,
        head: Some(head.to_bytes()),
        received,
    };
    Conn::new(stream, start, Driver::server())
        .run(&mut Echo)
        .await;
}

/// The answer to `request`; `None` if it opens nothing.
pub(crate) fn accepted(
    request: &Parts,
    scheme: &str,
    change: &dyn Change,
) -> Option<(Head, Box<dyn draftgate_core::Codec>)> {
    let draft = detect(request, Detection::default()).ok()?;
    let host = request.headers["host"].to_str().unwrap();
    let asked = draftgate_drafts::subprotocols(draft, &request.headers);
    let public_url = format!("{scheme}://{host}{}", request.uri);
    let terms = Terms {
        subprotocol: asked.last().copied(),
        public_url: &public_url,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let enabled: Vec<_> = spoken().collect();
    let accepted =
        draftgate_drafts::accept_any_of(&enabled, draft, request, &terms, &mut RandomKeys).unwrap();
    let mut head = accepted.head;
    change(request, draft, &mut head);
    Some((head, accepted.codec))
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(message));
    }
}

/// The finding of this kind.
#[track_caller]
pub(crate) fn finding(report: &Report, kind: FindingKind) -> &Finding {
    let found = report.findings.iter().find(|finding| finding.kind == kind);
    found.unwrap_or_else(|| panic!("{} is not found: {report:#?}", kind.code()))
}

/// So long a server is waited for that never answers; any that does has answered
/// long before.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

pub(crate) fn spoken() -> impl Iterator<Item = Draft> {
    draftgate_drafts::spoken()
}

/// The drafts with octets behind the head of their request.
pub(crate) fn going_on() -> impl Iterator<Item = Draft> {
    let goes_on = |draft: &Draft| {
        let acceptor = draftgate_drafts::acceptor(*draft).unwrap();
        acceptor.octets_after_head() > 0
    };
    spoken().filter(goes_on)
}

pub(crate) struct Deaf;

impl Handler for Deaf {
    fn message(&mut self, _: Message, _: &mut Peer<'_>) {}
}
