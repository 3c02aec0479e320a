//! One connection from its first octet to its last: the sniff, hyper for as
//! long as it is HTTP, the decision, and then the driver with our own head.
//!
//! hyper cannot write the heads of the old drafts (their letter case and order
//! are compared by clients), and answers some requests without a body. So it
//! answers only the page, the files of `policy` and the bus over HTTP. For every other request
//! its service says nothing, the socket is taken back from it once everything
//! before is written, and the octets read too far (key3, early frames) come
//! with it. That is one way for upgrades and refusals alike, and does not
//! depend on what hyper would have written. A request for a WebSocket that is
//! whole in the first read needs nothing of hyper: see `whole`.

mod answer;
mod hear;
mod preface;
mod secure;
pub(crate) mod serving;
mod whole;

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use draftgate_conn::Settings;
use http::Method;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{field::display, info, warn};

use self::{hear::Heard, serving::Serving, whole::whole};
use crate::{
    Refused, access,
    config::{Listener, Plugin},
    gate::Place,
    handshake::{self, Request},
    http2,
    inner::Inner,
    last_words::{linger, say_last},
    peer::Peer,
    policy, proxied,
    refusals::{Reason, Refusal, Stage},
    rules::Rules,
    slot::Slot,
    socket::Socket,
    tls::{self, Tls, Transport},
    turn::Turn,
    unanswered::{TLS, Unanswered},
};

/// The code of what is told those who speak HTTP where TLS is spoken: the one
/// answer there in plain text.
const NOT_TLS: &str = "not-tls";

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

/// What a client has said that is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said<'a> {
    Nothing,
    /// Something that is no request yet.
    Head(&'a [u8]),
    Request(&'a Request),
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) id: String,
    /// What `id` is made of.
    pub(crate) number: u64,
    /// When TCP was accepted.
    pub(crate) since: Instant,
    pub(crate) peer: Peer,
    /// Our own end, where it is known without asking the system.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) listener: Arc<Listener>,
    /// Who is answered here, where that is not WebSocket.
    pub(crate) plugin: Option<Plugin>,
    /// What its TLS is served by.
    pub(crate) tls: Option<Arc<Tls>>,
    /// How connections of each route are driven.
    pub(crate) driven: Arc<[Arc<Settings>]>,
    /// What was in force when it was accepted.
    pub(crate) rules: Arc<Rules>,
    pub(crate) inner: Arc<Inner>,
    pub(crate) place: Place,
    /// Held while its opening lasts.
    pub(crate) opening: Option<TaskTrackerToken>,
}

impl Visit {
    /// Serves `tcp` from the moment that it `begins`, or from now, to its end.
    pub(crate) fn serve(self, tcp: TcpStream, begins: Option<Instant>) {
        let inner = Arc::clone(&self.inner);
        let opening = async move {
            let tasks = self.inner.tasks.clone();
            tokio::select! {
                biased;
                () = tasks.cut() => None,
                opened = self.open(tcp, begins) => opened,
            }
        };
        // In no box: tokio gives a task a multiple of 128 octets, and this fills 512.
        inner.tasks.spawn_heeding(Serving::new(opening));
    }

    /// The opening handshake, with all that comes before it: a connection, if
    /// it ends in one.
    async fn open(mut self, mut tcp: TcpStream, begins: Option<Instant>) -> Option<Serving> {
        // What is rare stands in boxes: room for it would be moved about with
        // every connection.
        if let Some(at) = begins {
            tokio::select! {
                biased;
                () = sleep_until(at) => {}
                () = self.inner.stop.cancelled() => return None,
            }
        }
        if let Some(plugin) = self.plugin {
            let io = Transport::Plain(tcp.into());
            let mut tcp = Socket::new(io, self.inner.recorder(), &[], &self.peer);
            Box::pin(policy::alone(&self, &mut tcp, plugin)).await;
            return None;
        }
        let mut ahead = BytesMut::new();
        if self.listener.proxy_protocol {
            ahead = match Box::pin(self.learn_peer(&mut tcp)).await {
                Ok(Some(ahead)) => ahead,
                Ok(None) => return None,
                Err((refused, read)) => {
                    self.refuse(tcp.into(), read, &refused, Said::Nothing).await;
                    return None;
                }
            };
        }
        let turn = match self.place.turn_now() {
            Some(turn) => Ok(turn),
            None => tokio::select! {
                biased;
                turn = self.place.turn(self.listener.timeouts.turn) => turn,
                () = self.inner.stop.cancelled() => return None,
            },
        };
        let turn = match turn {
            Ok(turn) => turn.with(self.opening.take()),
            Err(refused) => {
                let socket = Socket::from(tcp);
                self.refuse(socket, ahead.len(), &refused, Said::Nothing)
                    .await;
                return None;
            }
        };
        let (mut io, mut ahead) = match self.tls.clone() {
            None => (Transport::Plain(tcp.into()), ahead),
            Some(tls) => Box::pin(self.secure(tls, tcp, ahead)).await?,
        };
        if ahead.is_empty() {
            ahead = self.first_octets(&mut io).await?;
        }
        if self.speaks_http2() && http2::begins(&ahead) {
            (io, ahead) = Box::pin(self.preface(io, ahead)).await?;
            if ahead.starts_with(http2::PREFACE) {
                Box::pin(http2::serve(self, io, ahead, turn)).await;
                return None;
            }
        }
        let mut tcp = Socket::new(io, self.inner.recorder(), &ahead, &self.peer);
        if matches!(ahead[0], 0x16 | b'<') {
            Box::pin(self.no_http(&mut tcp, ahead)).await;
            return None;
        }
        match whole(ahead, &self.listener.limits) {
            // In a box, so that who has said nothing yet has no room for it.
            Ok((request, received)) => Box::pin(self.answer(tcp, received, request, turn)).await,
            Err(ahead) => Box::pin(self.by_hyper(tcp, ahead, turn)).await,
        }
    }

    /// Has hyper look at what `ahead` begins.
    async fn by_hyper(self, tcp: Socket, ahead: BytesMut, turn: Turn) -> Option<Serving> {
        // In a box, so that what HTTP needed is given back while a service is
        // waited for.
        let slot = Slot::new(turn);
        let (heard, mut tcp, received) = Box::pin(self.hear(tcp, ahead, &slot)).await;
        let turn = slot.turn();
        match heard {
            Heard::Over if slot.lingers() => linger(&mut tcp, received.len()).await,
            Heard::Over => {}
            Heard::Refused(refused, head) => {
                drop(turn);
                self.refuse(tcp, received.len(), &refused, Said::Head(&head))
                    .await;
            }
            Heard::Request(request) => return self.answer(tcp, received, *request, turn).await,
        }
        None
    }

    /// Reads what a proxy announces: the octets behind that, or `None` if there
    /// is nothing to serve. An error comes with the number of octets that were
    /// read.
    async fn learn_peer(
        &mut self,
        tcp: &mut TcpStream,
    ) -> Result<Option<BytesMut>, (Refused, usize)> {
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

    /// Serves a client whose first octets, `ahead`, cannot be HTTP.
    async fn no_http(&self, tcp: &mut Socket, ahead: BytesMut) {
        if ahead[0] == b'<' {
            return policy::in_band(self, tcp, ahead).await;
        }
        let (id, peer) = (self.id.as_str(), self.peer);
        let via = peer.via.map(display);
        if self.unanswered(TLS, &[]) {
            warn!(id, %peer, via, code = TLS.code, "closed: the client speaks TLS, which this listener does not; use ws://, give the listener `tls`, or put a TLS terminator in front");
        }
        // A fatal alert, protocol_version: the client can say why.
        let _ = tcp.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).await;
        linger(tcp, ahead.len()).await;
    }

    /// Notes that the connection ends without an answer; `read` was read of
    /// it. Whether to log it.
    #[must_use = "the log is limited"]
    pub(crate) fn unanswered(&self, why: Unanswered, read: &[u8]) -> bool {
        self.inner.refused(&Refusal {
            head: read,
            ..self.refusal(why)
        })
    }

    /// That it is refused, for what is known of it.
    pub(crate) fn refusal<'a>(&'a self, why: impl Into<Reason<'a>>) -> Refusal<'a> {
        Refusal::connection(&self.id, self.peer, self.listener.address, why)
    }

    /// In a box, for it is rare.
    fn refuse<'a>(
        &'a self,
        tcp: Socket,
        read: usize,
        refused: &'a Refused,
        said: Said<'a>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.refuse_now(tcp, read, refused, said))
    }

    async fn refuse_now(&self, mut tcp: Socket, read: usize, refused: &Refused, said: Said<'_>) {
        self.tell(refused, said);
        let head_only = matches!(said, Said::Request(it) if it.parts.method == Method::HEAD);
        let answer = match self.tls.is_some() && tcp.is_plain() && refused.code != NOT_TLS {
            true => tls::turned_away().to_vec(),
            false => refused.to_octets(&self.id, head_only),
        };
        say_last(&mut tcp, &answer, read).await;
    }

    /// Counts and logs that it is refused.
    pub(crate) fn tell(&self, refused: &Refused, said: Said<'_>) {
        let refusal = self.refusal(refused);
        let (refusal, request) = match said {
            Said::Nothing => (refusal, None),
            Said::Head(head) => (refusal.read(head), None),
            Said::Request(request) => {
                let (config, parts) = (&self.rules.config, &request.parts);
                let refusal = refusal.asked(Stage::Handshake, config, parts, &request.head);
                (refusal, Some(request))
            }
        };
        let line = request.map(|r| (r.parts.method.as_str(), r.parts.uri.path()));
        let (method, path) = line.unzip();
        if self.inner.refused(&refusal) {
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
    }
}
