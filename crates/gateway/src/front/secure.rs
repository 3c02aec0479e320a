//! TLS, where the listener speaks it: between what a proxy announced and the
//! first octet of HTTP.
//!
//! It takes place within the connection's turn, so that a flood of half
//! handshakes counts as one of half openings does.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tracing::{debug, field::display, info, warn};

use super::{Said, Visit};
use crate::{
    Refused, policy,
    socket::Socket,
    tls::{Failed, Secured, Tls, Transport},
    unanswered::{FIRST_OCTET, TLS_HANDSHAKE, TLS_TIMEOUT},
};

impl Visit {
    /// What HTTP is spoken over by `tls`, and what was read of it; `None` if
    /// there is nothing to serve.
    pub(super) async fn secure(
        &mut self,
        tls: Arc<Tls>,
        mut tcp: TcpStream,
        mut ahead: BytesMut,
    ) -> Option<(Transport, BytesMut)> {
        if ahead.is_empty() {
            ahead = self.first_octets(&mut tcp).await?;
        }
        let limit = self.listener.timeouts.tls;
        // On the heap, for the time of the handshake alone.
        let accepting = Box::pin(tls.accept(tcp, ahead, self.speaks_http2()));
        let accepted = tokio::select! {
            biased;
            accepted = timeout(limit, accepting) => accepted,
            () = self.inner.stop.cancelled() => return None,
        };
        let (id, peer) = (self.id.as_str(), self.peer);
        let via = peer.via.map(display);
        match accepted {
            Ok(Ok(secured)) => Some((self.secured(secured), BytesMut::new())),
            Ok(Err(Failed::Text(tcp, ahead))) => {
                self.plain(tcp, ahead).await;
                None
            }
            Ok(Err(Failed::Handshake(why))) => {
                let mut refusal = self.refusal(TLS_HANDSHAKE);
                refusal.reason.detail = Some(&why);
                if self.inner.refused(&refusal) {
                    info!(id, %peer, via, code = TLS_HANDSHAKE.code, "no TLS: {why}");
                }
                None
            }
            Ok(Err(Failed::Gone)) => None,
            Err(_) => {
                if self.unanswered(TLS_TIMEOUT, &[]) {
                    info!(id, %peer, via, code = TLS_TIMEOUT.code, "closed: no TLS handshake in {limit:?}");
                }
                None
            }
        }
    }

    fn secured(&mut self, secured: Secured) -> Transport {
        let Secured {
            transport,
            kind,
            offered,
        } = secured;
        self.inner.counts.secured(kind);
        self.peer.tls = true;
        self.peer.kind = Some(kind);
        if let Some(offered) = offered
            && self
                .inner
                .throttle
                .lets("tls-legacy", self.peer.client.ip())
        {
            let Self { id, peer, .. } = self;
            let code = "tls-legacy";
            match kind.is_old() {
                true => {
                    warn!(id, %peer, code, offered, "an old client is served: {kind}, which protects little");
                }
                // Nothing is wrong with its version; its suites or groups are others.
                false => {
                    info!(id, %peer, code, offered, "a client is served that offers nothing of rustls': {kind}");
                }
            }
        }
        transport
    }

    /// Answers a client that speaks HTTP without TLS, or is a plug-in with its
    /// question, which has no TLS anywhere.
    async fn plain(&self, tcp: TcpStream, ahead: BytesMut) {
        let mut socket = Socket::from(tcp);
        match ahead.first() {
            Some(b'<') => policy::in_band(self, &mut socket, ahead).await,
            _ => {
                let refused = Refused::not_tls();
                self.refuse(socket, ahead.len(), &refused, Said::Nothing)
                    .await;
            }
        }
    }

    /// The first octets; `None` if none come. Silence ends here and not in
    /// hyper, whose timers start only with a head.
    pub(super) async fn first_octets(&self, io: &mut (impl AsyncRead + Unpin)) -> Option<BytesMut> {
        let limit = self.listener.timeouts.first_octet;
        let first = tokio::select! {
            biased;
            first = timeout(limit, poll_fn(|cx| read(io, cx))) => first,
            () = self.inner.stop.cancelled() => return None,
        };
        match first {
            Ok(ahead) => ahead.ok().filter(|ahead| !ahead.is_empty()),
            Err(_) => {
                let (id, peer) = (self.id.as_str(), self.peer);
                if self.unanswered(FIRST_OCTET, &[]) {
                    let via = peer.via.map(display);
                    debug!(id, %peer, via, code = FIRST_OCTET.code, "closed: not an octet in {limit:?}");
                }
                None
            }
        }
    }
}

/// How much is read first: the head of most requests, cookies included.
const FIRST: usize = 2048;

/// Reads what there is. There is a buffer only while there is something: who
/// says nothing has none.
fn read(io: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
    let mut room = [MaybeUninit::uninit(); FIRST];
    let mut room = ReadBuf::uninit(&mut room);
    ready!(Pin::new(io).poll_read(cx, &mut room))?;
    Poll::Ready(Ok(BytesMut::from(room.filled())))
}
