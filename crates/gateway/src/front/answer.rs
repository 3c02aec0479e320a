//! The answer to a request for a WebSocket: the decision, and then the driver
//! with our own head.

use std::{
    future::{Future, pending, poll_fn},
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use draftgate_conn::{Conn, Start};
use tokio::{io::AsyncReadExt, time::Instant};
use tracing::debug;

use super::{Body, Said, Visit, serving::Serving};
use crate::{
    Refused, auth,
    census::Client,
    forwarded::{self, Forwarded},
    handshake::{self, Asked, Opened, Request},
    refusals::detected,
    registry::Entry,
    socket::Socket,
    turn::Turn,
};

impl Visit {
    pub(super) async fn answer(
        mut self,
        mut tcp: Socket,
        mut received: BytesMut,
        request: Request,
        mut turn: Turn,
    ) -> Option<Serving> {
        let known = self.peer;
        let forwarded = self.learn_client(&request);
        if self.peer != known {
            tcp.note(&self.peer);
        }
        let local = self
            .local
            .unwrap_or_else(|| tcp.local(self.listener.address));
        let gone = gone(&mut tcp, &mut received);
        let decided = self.decide(&request, forwarded, local, &mut turn, gone);
        let decided = decided.await?;
        match decided {
            Ok(opened) => {
                // Head and fields were needed for the handshake only.
                let shown = self.inner.past.heads().map(|it| it.shown(&request.head));
                let of_head = (shown, Client::new(&request.head));
                let body = request.into_body();
                let start = (Some(opened.head.to_bytes()), received, body);
                Some(self.admit(tcp, start, of_head, opened, turn))
            }
            Err(refused) => {
                drop(turn);
                self.refuse(tcp, received.len(), &refused, Said::Request(&request))
                    .await;
                None
            }
        }
    }

    /// The decision on `request`; `None` where the client has `gone` before it came.
    pub(crate) async fn decide(
        &self,
        request: &Request,
        forwarded: Result<Forwarded, Refused>,
        local: SocketAddr,
        turn: &mut Turn,
        gone: impl Future<Output = ()>,
    ) -> Option<Result<Opened, Refused>> {
        let inner = &self.inner;
        let shutting_down = || Refused::shutting_down().field("Retry-After", "10");
        if inner.stop.is_cancelled() {
            return Some(Err(shutting_down()));
        }
        let forwarded = match forwarded {
            Ok(forwarded) => forwarded,
            Err(refused) => return Some(Err(refused)),
        };
        let asked = Asked {
            id: &self.id,
            peer: self.peer,
            local,
            forwarded: &forwarded,
            listener: &self.listener,
            rules: &self.rules,
            driven: &self.driven,
            throttle: &inner.throttle,
            too_fast: &inner.counts.too_fast,
        };
        // On the heap, for the time of the opening alone.
        let mut decision = Box::pin(handshake::decide(request, asked));
        let at_once = poll_fn(|cx| Poll::Ready(decision.as_mut().poll(cx))).await;
        if let Poll::Ready(decided) = at_once {
            return Some(decided);
        }
        // The client has done its part: it waits for the service, and the
        // others of its address need not wait for that.
        turn.give_way();
        tokio::select! {
            biased;
            decided = decision => Some(decided),
            () = gone => {
                inner.abandoned(detected(&request.parts));
                debug!(id = self.id, peer = %self.peer, "the client went before it was answered");
                None
            }
            () = inner.stop.cancelled() => Some(Err(shutting_down())),
        }
    }

    /// Takes what a trusted proxy says in its request of the client, which is
    /// the peer from here on.
    pub(crate) fn learn_client(&mut self, request: &Request) -> Result<Forwarded, Refused> {
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

    /// The connection that was opened, entered into the list of those that are:
    /// the head that is to be written first, if it was not, and what has come
    /// behind the request's.
    pub(crate) fn admit(
        self,
        tcp: Socket,
        (head, received, body): (Option<Bytes>, BytesMut, Body),
        (head_shown, client): (Option<Box<[u8]>>, Client),
        opened: Opened,
        turn: Turn,
    ) -> Serving {
        let Opened {
            head: _,
            codec,
            session,
            settings,
            expires,
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
            head,
            received,
            ..Start::new(codec)
        };
        let overflow = settings.overflow;
        let conn = Conn::new(tcp, start, settings).lending(Socket::half);
        let until = expires.map(|at| auth::Until {
            at,
            sender: conn.sender(),
            capabilities: about.capabilities,
            draft: about.draft,
        });
        let registered = self.inner.register(Entry {
            number: self.number,
            peer: self.peer.into(),
            listener: Arc::clone(&self.listener),
            rules: Arc::clone(&self.rules),
            about,
            since: Instant::now(),
            overflow,
            sender: conn.sender(),
            head: head_shown.map(Box::new),
            client,
            is_open: AtomicBool::new(false),
        });
        let session = turn.until_opened(session, registered.opening(self.since));
        Serving::open(conn, until, session, registered, self.place)
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
