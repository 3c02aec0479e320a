//! One connection from its first octet to its last: the sniff, hyper for as
//! long as it is HTTP, the decision, and then the driver with our own head.
//!
//! hyper cannot write the heads of the old drafts (their letter case and order
//! are compared by clients), and answers some requests without a body. So it
//! answers only the page, the files of `policy` and the bus over HTTP. For every other request
//! its service says nothing, the socket is taken back from it once everything
//! before is written, and the octets read too far (key3, early frames) come
//! with it. That is one way for upgrades and refusals alike, and does not
//! depend on what hyper would have written.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use draftgate_conn::{Conn, Start};
use http::{Response, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, field::display, info, warn};

use crate::{
    Refused, access,
    config::{Listener, Plugin},
    forwarded::{self, Forwarded},
    gate::Place,
    handshake::{self, Asked, Opened, Request},
    http::{Reply, Skip},
    last_words::{linger, say_last},
    page,
    peer::Peer,
    policy, proxied, public_url,
    running::Inner,
    slot::Slot,
    socket::Socket,
    tap::{Tap, Tapped},
    turn::Turn,
};

/// What came behind a request's head.
#[derive(Debug)]
pub(crate) enum Body {
    /// No body was announced.
    None,
    /// Eight octets, as some clients of hixie-76 announce key3.
    Key3(Bytes),
    /// The same, but they did not come in time.
    Late,
    /// Something else, which was not read.
    Unread,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) id: String,
    pub(crate) peer: Peer,
    pub(crate) listener: Arc<Listener>,
    /// Who is answered here, where that is not WebSocket.
    pub(crate) plugin: Option<Plugin>,
    pub(crate) inner: Arc<Inner>,
    pub(crate) place: Place,
}

/// How the HTTP part of a connection ended.
enum Heard {
    Request(Box<Request>),
    Refused(Refused),
    /// Nothing is left to say.
    Over,
}

impl Visit {
    /// Serves `tcp` from the moment that it `begins`, or from now, to its end.
    pub(crate) async fn serve(mut self, mut tcp: TcpStream, begins: Option<Instant>) {
        if let Some(at) = begins {
            tokio::select! {
                biased;
                () = sleep_until(at) => {}
                () = self.inner.stop.cancelled() => return,
            }
        }
        if let Some(plugin) = self.plugin {
            let mut tcp = Socket::new(tcp, self.inner.recorder(), &[], &self.peer);
            return policy::alone(&self, &mut tcp, plugin).await;
        }
        let ahead = match self.learn_peer(&mut tcp).await {
            Ok(Some(ahead)) => ahead,
            Ok(None) => return,
            Err((refused, read)) => {
                return self.refuse(tcp.into(), read, &refused, None).await;
            }
        };
        let mut tcp = Socket::new(tcp, self.inner.recorder(), &ahead, &self.peer);
        let turn = tokio::select! {
            biased;
            turn = self.place.turn(self.listener.timeouts.turn) => turn,
            () = self.inner.stop.cancelled() => return,
        };
        let turn = match turn {
            Ok(turn) => turn,
            Err(refused) => return self.refuse(tcp, ahead.len(), &refused, None).await,
        };
        let Some(ahead) = self.sniff(&mut tcp, ahead).await else {
            return;
        };
        // In a box, so that what HTTP needed is given back before a connection
        // of days begins.
        let slot = Slot::new(turn);
        let (heard, mut tcp, received) = Box::pin(self.hear(tcp, ahead, &slot)).await;
        let turn = slot.turn();
        match heard {
            Heard::Over if slot.lingers() => linger(&mut tcp, received.len()).await,
            Heard::Over => {}
            Heard::Refused(refused) => {
                drop(turn);
                self.refuse(tcp, received.len(), &refused, None).await;
            }
            Heard::Request(request) => self.answer(tcp, received, *request, turn).await,
        }
    }

    /// Reads what a proxy announces, where the listener wants it: the octets
    /// behind that, or `None` if there is nothing to serve. An error comes with the number of
    /// octets that were read.
    async fn learn_peer(
        &mut self,
        tcp: &mut TcpStream,
    ) -> Result<Option<BytesMut>, (Refused, usize)> {
        if !self.listener.proxy_protocol {
            return Ok(Some(BytesMut::with_capacity(1024)));
        }
        let limit = self.listener.timeouts.first_octet;
        let read = tokio::select! {
            biased;
            read = proxied::read(tcp, self.peer, limit) => read?,
            () = self.inner.stop.cancelled() => return Ok(None),
        };
        let Some((peer, ahead)) = read else {
            return Ok(None);
        };
        self.peer = peer;
        let client = peer.client.ip();
        if peer.via.is_some() && self.listener.trusts(client) {
            // Another proxy, which says in its request for whom it speaks.
            return Ok(Some(ahead));
        }
        match self.place.count_for(client) {
            Ok(()) => Ok(Some(ahead)),
            Err(refused) => Err((refused, ahead.len())),
        }
    }

    /// The first octets, `ahead` included, if they may be HTTP. Silence ends
    /// here and not in hyper, whose timers start only with a head.
    async fn sniff(&self, tcp: &mut Socket, mut ahead: BytesMut) -> Option<BytesMut> {
        let limit = self.listener.timeouts.first_octet;
        let (id, peer) = (self.id.as_str(), self.peer);
        let via = peer.via.map(display);
        let first = match ahead.is_empty() {
            false => Ok(Ok(ahead.len())),
            true => tokio::select! {
                biased;
                first = timeout(limit, tcp.read_buf(&mut ahead)) => first,
                () = self.inner.stop.cancelled() => return None,
            },
        };
        match first {
            Err(_) => {
                if self.inner.refuse("first-octet-timeout", peer.client) {
                    debug!(id, %peer, via, code = "first-octet-timeout", "closed: not an octet in {limit:?}");
                }
                return None;
            }
            Ok(Err(_) | Ok(0)) => return None,
            Ok(Ok(_)) => {}
        }
        match ahead[0] {
            0x16 => {
                if self.inner.refuse("tls", peer.client) {
                    warn!(id, %peer, via, code = "tls", "closed: the client speaks TLS, which this listener does not; use ws:// or put a TLS terminator in front");
                }
                // A fatal alert, protocol_version: the client can say why.
                let _ = tcp.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).await;
                linger(tcp, ahead.len()).await;
                None
            }
            b'<' => {
                policy::in_band(self, tcp, ahead).await;
                None
            }
            _ => Some(ahead),
        }
    }

    /// Runs hyper until a request comes that is not for it.
    async fn hear(&self, tcp: Socket, ahead: BytesMut, slot: &Slot) -> (Heard, Socket, BytesMut) {
        let tap = Tap::default();
        let limits = &self.listener.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.listener.timeouts.head)
            .max_buf_size(limits.head.max(8192))
            .max_header_size(limits.head)
            .max_headers(limits.head_fields)
            .auto_date_header(false)
            .writev(false);
        let service = service_fn(|request| {
            let (parts, body) = http::Request::into_parts(request);
            let asked = self.receive(parts, body, tap.clone(), slot);
            Box::pin(asked) as Pin<Box<dyn Future<Output = _> + Send + '_>>
        });
        let patience = self.listener.timeouts.write;
        let io = TokioIo::new(Tapped::new(tcp, ahead, tap.clone(), patience));
        let mut connection = http.serve_connection(io, service);
        let mut stopping = pin!(self.inner.stop.cancelled());
        let mut told = false;
        let end = poll_fn(|cx| {
            if !told && stopping.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(result) => Poll::Ready(result.err()),
                Poll::Pending if slot.is_taken() && tap.is_flushed() => Poll::Ready(None),
                Poll::Pending if slot.is_cut() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if end.as_ref().is_some_and(is_write_timeout) {
            slot.stuck();
        }
        let parts = connection.into_parts();
        let (tcp, ahead) = parts.io.into_inner().into_parts();
        let mut received = BytesMut::from(parts.read_buf);
        received.unsplit(ahead);
        let heard = match (slot.take(), end) {
            (Some(request), _) => Heard::Request(Box::new(request)),
            (None, None) => Heard::Over,
            (None, Some(error)) => unheard(&error, tap.has_begun()),
        };
        (heard, tcp, received)
    }

    /// hyper's service: gives an answer, or leaves the request in `slot`.
    async fn receive(
        &self,
        parts: Parts,
        body: Incoming,
        tap: Tap,
        slot: &Slot,
    ) -> Result<Response<Reply>, Infallible> {
        let head = tap.take_head();
        if let Some(answer) = self.file(&parts, &body) {
            return Ok(answer.map(Reply::Whole));
        }
        if let Some(errand) = crate::http::look(self, &parts) {
            tap.skip(Skip::body(&parts.headers));
            return Ok(crate::http::answer(self, errand, &parts, body, slot).await);
        }
        let body = match body.size_hint().exact() {
            Some(0) => Body::None,
            // Collected now: behind an unread body, hyper gives nothing back.
            Some(8) if parts.headers.contains_key("sec-websocket-key1") => {
                match timeout(self.listener.timeouts.key3, body.collect()).await {
                    Ok(Ok(body)) => Body::Key3(body.to_bytes()),
                    Ok(Err(_)) | Err(_) => Body::Late,
                }
            }
            _ => Body::Unread,
        };
        tap.await_flush();
        slot.put(Request { parts, head, body });
        pending().await
    }

    /// What hyper answers by itself, to whoever only reads: the page and the
    /// files of the policy.
    fn file(&self, parts: &Parts, body: &Incoming) -> Option<Response<Full<Bytes>>> {
        let reads = handshake::is_read(&parts.method)
            && !handshake::is_websocket(parts)
            && (parts.version < http::Version::HTTP_11 || public_url::host(&parts.headers).is_ok())
            && body.is_end_stream();
        match parts.uri.path() {
            _ if !reads => None,
            "/" if self.listener.page => Some(page::answer(&parts.method)),
            _ => policy::over_http(self, parts),
        }
    }

    async fn answer(
        mut self,
        mut tcp: Socket,
        mut received: BytesMut,
        request: Request,
        turn: Turn,
    ) {
        let mut turn = Some(turn);
        let known = self.peer;
        let forwarded = self.learn_client(&request);
        if self.peer != known {
            tcp.note(&self.peer);
        }
        let inner = &self.inner;
        let shutting_down = || Refused::shutting_down().field("Retry-After", "10");
        let decided = match forwarded {
            _ if inner.stop.is_cancelled() => Err(shutting_down()),
            Err(refused) => Err(refused),
            Ok(forwarded) => {
                let asked = Asked {
                    id: &self.id,
                    peer: self.peer,
                    local: tcp.local(self.listener.address),
                    forwarded: &forwarded,
                    listener: &self.listener,
                    config: &inner.config,
                    policies: inner.policies.as_ref(),
                    services: &inner.services,
                    throttle: &inner.throttle,
                };
                // On the heap, for the time of the opening alone.
                let mut decision = Box::pin(handshake::decide(&request, asked));
                let at_once = poll_fn(|cx| Poll::Ready(decision.as_mut().poll(cx))).await;
                match at_once {
                    Poll::Ready(decided) => decided,
                    Poll::Pending => {
                        // The client has done its part: it waits for the service,
                        // and the others of its address need not wait for that.
                        turn = None;
                        tokio::select! {
                            biased;
                            decided = decision => decided,
                            () = gone(&mut tcp, &mut received) => {
                                debug!(id = self.id, peer = %self.peer, "the client went before it was answered");
                                return;
                            }
                            () = inner.stop.cancelled() => Err(shutting_down()),
                        }
                    }
                }
            }
        };
        match decided {
            Ok(opened) => {
                // Head and fields were needed for the handshake only.
                self.run(tcp, received, request.into_body(), opened, turn)
                    .await;
            }
            Err(refused) => {
                drop(turn);
                self.refuse(tcp, received.len(), &refused, Some(&request))
                    .await;
            }
        }
    }

    /// Takes what a trusted proxy says in its request of the client, which is
    /// the peer from here on.
    fn learn_client(&mut self, request: &Request) -> Result<Forwarded, Refused> {
        let trusts = |address| self.listener.trusts(address);
        let forwarded = match trusts(self.peer.client.ip()) {
            true => forwarded::read(&request.parts.headers, trusts)?,
            false => Forwarded::default(),
        };
        if let Some(client) = forwarded.client {
            self.peer = self.peer.announced(client);
        }
        self.place.count_for(self.peer.client.ip())?;
        Ok(forwarded)
    }

    /// Drives an opened connection to its end.
    async fn run(
        &self,
        tcp: Socket,
        received: BytesMut,
        body: Body,
        opened: Opened,
        turn: Option<Turn>,
    ) {
        let Opened {
            head,
            codec,
            session,
            settings,
            about,
        } = opened;
        let received = match body {
            // It was announced as a body, but it is the first thing behind the head.
            Body::Key3(key3) => {
                let mut whole = BytesMut::from(key3);
                whole.unsplit(received);
                whole
            }
            _ => received,
        };
        let start = Start {
            head: Some(head),
            received,
            ..Start::new(codec)
        };
        let conn = Conn::new(tcp, start, settings);
        let _registered = self.inner.register(conn.sender());
        self.inner.counts.upgrade(about.draft);
        let line = access::Line::new(&self.id, self.peer, about, &self.inner);
        let mut session = Turn::until_opened(turn, session);
        let closed = conn.run(&mut session).await;
        // The session's place on the bus is given up before the line is written.
        drop(session);
        line.write(&closed);
    }

    async fn refuse(
        &self,
        mut tcp: Socket,
        read: usize,
        refused: &Refused,
        request: Option<&Request>,
    ) {
        let line = request.map(|r| (r.parts.method.as_str(), r.parts.uri.path()));
        let (method, path) = line.unzip();
        if self.inner.refuse(refused.code, self.peer.client) {
            info!(
                id = self.id,
                peer = %self.peer,
                via = self.peer.via.map(display),
                code = refused.code,
                status = refused.status,
                method = method.map(access::shown),
                path = path.map(access::shown),
                fields = request.map(|r| access::shown(&handshake::field_names(&r.head))),
                detail = refused.detail.as_deref().map(access::shown),
                "refused: {refused}"
            );
        }
        let head_only = method == Some("HEAD");
        let answer = refused.to_octets(&self.id, head_only);
        say_last(&mut tcp, &answer, read).await;
    }
}

/// Ends when the client ends TCP while it waits for its answer. What it sends
/// meanwhile is `received`, until that is enough: then it may have gone
/// without our seeing it.
async fn gone(tcp: &mut Socket, received: &mut BytesMut) {
    while received.len() < RECEIVED {
        match tcp.read_buf(received).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
    pending::<()>().await;
}

/// What is read at most from a client that has no answer yet.
const RECEIVED: usize = 64 << 10;

/// Whether the tap has given up writing: nothing else fails so.
fn is_write_timeout(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
}

/// What hyper's `error` means for the peer; `begun`: part of a head had come.
fn unheard(error: &hyper::Error, begun: bool) -> Heard {
    if error.is_parse_too_large() {
        return Heard::Refused(match error.to_string() {
            text if text.contains("URI") => Refused::uri_too_long(),
            text => Refused::head_too_large().with(text),
        });
    }
    if error.is_parse() {
        return Heard::Refused(Refused::head_malformed().with(error.to_string()));
    }
    if error.is_timeout() && begun {
        return Heard::Refused(Refused::head_timeout());
    }
    // The peer has gone, or was silent between two requests.
    Heard::Over
}
