//! What a route does with its connections: [`Service`], and those that come
//! with the gateway: [`Echo`], [`Bus`], [`Clock`] and [`Proxy`].
//!
//! A service never sees octets and never asks for a draft to behave
//! differently: the codec and `draftgate-translate` have done that before.

mod bus;
mod clock;
mod echo;
mod proxy;
mod source;

mod accept;

use std::{
    fmt,
    future::Future,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use draftgate_core::{Capabilities, Draft};
use http::{HeaderMap, HeaderName};

use crate::{Refused, config::Timeouts, forwarded::Believed, throttle::Throttle};

pub use draftgate_conn::{End, Handler, Overflow, Peer, Queued, Sender};
pub use draftgate_core::{Close, Message, MessageRef, Outgoing};

pub use accept::Accept;
pub use bus::Bus;
pub(crate) use clock::CHANNEL as CLOCK_CHANNEL;
pub use clock::Clock;
pub use echo::Echo;
pub use proxy::Proxy;
pub(crate) use source::Source;

/// What a route does.
pub trait Service: fmt::Debug + Send + Sync {
    /// A client wishes to open a connection. Its draft, origin and `Host` have
    /// been checked already, and it has no answer yet: it waits for as long as
    /// the future takes, which is dropped if the client goes meanwhile.
    ///
    /// What is accepted comes with a [`Handler`], which the connection calls from then on and drops at its end. What is
    /// refused, the client is told.
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a>;
}

/// What a [`Service`] says to an opening, now or later: `Box::pin(async { … })`.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Accept, Refused>> + Send + 'a>>;

/// What a session counts that its connection cannot see, for the access line.
#[derive(Debug, Default)]
pub struct Tally {
    /// Nothing, for most.
    rare: OnceLock<Box<Rare>>,
    /// The address as one of IPv6, which has room for both kinds.
    throttle: Option<(Arc<Throttle>, Ipv6Addr)>,
}

#[derive(Debug, Default)]
struct Rare {
    undeliverable: AtomicU64,
    muted: AtomicU64,
    lost: AtomicU64,
    too_fast: AtomicU64,
    upstream: OnceLock<(String, Option<Draft>)>,
}

/// The code of the line about a message that a draft cannot carry.
pub const UNDELIVERABLE: &str = "undeliverable";

/// The code of the line about a message of a client that may not publish.
pub const MUTED: &str = "muted";

/// The code of the line about a message that came too fast.
pub const TOO_FAST: &str = "too-fast";

impl Tally {
    pub(crate) fn new(throttle: Arc<Throttle>, peer: SocketAddr) -> Self {
        Self {
            throttle: Some((throttle, in_ipv6(peer.ip()))),
            ..Self::default()
        }
    }

    /// A message was not sent, because the client's draft cannot carry it.
    /// Whether to log it, with the code [`UNDELIVERABLE`]: the first, unless
    /// too many connections have such a line.
    pub fn undeliverable(&self) -> bool {
        self.rare().undeliverable.fetch_add(1, Relaxed) == 0 && self.lets(UNDELIVERABLE)
    }

    /// A message of the client was dropped, because it may not publish.
    /// Whether to log it, with the code [`MUTED`], as above.
    pub fn muted(&self) -> bool {
        self.rare().muted.fetch_add(1, Relaxed) == 0 && self.lets(MUTED)
    }

    /// A message of the client was dropped, or ended its connection, because it
    /// came too fast. Whether to log it, with the code [`TOO_FAST`], as above.
    pub fn too_fast(&self) -> bool {
        self.rare().too_fast.fetch_add(1, Relaxed) == 0 && self.lets(TOO_FAST)
    }

    /// How many came too fast, if any did.
    pub(crate) fn read_too_fast(&self) -> Option<u64> {
        let count = self.rare.get()?.too_fast.load(Relaxed);
        (count > 0).then_some(count)
    }

    /// The client is relayed to the upstream at `address`, in `draft`, if in
    /// any.
    pub fn relayed(&self, address: String, draft: Option<Draft>) {
        // A connection has one upstream.
        let _ = self.rare().upstream.set((address, draft));
    }

    /// The upstream that the client is relayed to, if it is.
    pub fn upstream(&self) -> Option<(&str, Option<Draft>)> {
        let (address, draft) = self.rare.get()?.upstream.get()?;
        Some((address, *draft))
    }

    /// A message was not sent, because its receiver hears nothing any more.
    pub fn lost(&self) {
        self.rare().lost.fetch_add(1, Relaxed);
    }

    /// How many were undeliverable or lost, and how many muted.
    pub fn read(&self) -> (u64, u64) {
        let Some(rare) = self.rare.get() else {
            return (0, 0);
        };
        let dropped = rare.undeliverable.load(Relaxed) + rare.lost.load(Relaxed);
        (dropped, rare.muted.load(Relaxed))
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    pub(crate) fn lets(&self, code: &'static str) -> bool {
        match &self.throttle {
            Some((throttle, peer)) => throttle.lets(code, IpAddr::from(*peer).to_canonical()),
            None => true,
        }
    }
}

fn in_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// A connection that is about to be opened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Opening<'a> {
    /// The connection's name, unique while the process runs.
    pub id: &'a str,
    /// Where it comes from: the client, if a trusted proxy tells who that is,
    /// with port 0 if it does not tell the port.
    pub peer: SocketAddr,
    /// Our own end of its TCP connection.
    pub local: SocketAddr,
    /// The socket's own address, if that is a trusted proxy's.
    pub via: Option<SocketAddr>,
    /// The URL by which the client reached us, as far as that is known.
    pub url: &'a str,
    /// Which fields of the request a trusted proxy wrote.
    pub(crate) forwarded: Believed,
    /// The path, without its query.
    pub path: &'a str,
    /// What follows the path's `?`, without the token that let the client in.
    pub query: Option<&'a str>,
    /// The request's fields, without that token, and with what the server that
    /// was asked about the client says of it; nobody else wrote those.
    pub headers: &'a HeaderMap,
    /// The names of the fields that such a server writes.
    pub(crate) handed: &'a [HeaderName],
    /// Who the client is, where that was asked.
    pub user: Option<&'a str>,
    /// Whether it may hear what is said on the channel.
    pub may_subscribe: bool,
    /// Whether it may say something there.
    pub may_publish: bool,
    /// What stands in place of `{channel}`, or the route's `channel`.
    pub channel: Option<&'a str>,
    /// The draft.
    pub draft: Draft,
    /// What the client can be told.
    pub capabilities: Capabilities,
    /// The subprotocols the client asked for.
    pub subprotocols: &'a [&'a str],
    /// The one that is answered, unless the service chooses another
    /// ([`Accept::with_subprotocol`]).
    pub subprotocol: Option<&'a str>,
    /// The origin the client claims.
    pub origin: Option<&'a str>,
    /// The timeouts of the client's connection.
    pub timeouts: &'a Timeouts,
    /// Where to count what the connection itself cannot see.
    pub tally: &'a Arc<Tally>,
}
