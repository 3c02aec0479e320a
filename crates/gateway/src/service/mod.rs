//! What a route does with its connections: [`Service`], and the two that come
//! with the gateway, [`Echo`] and [`Bus`].
//!
//! A service never sees octets and never asks for a draft to behave
//! differently: the codec and `draftgate-translate` have done that before.

mod bus;
mod echo;

use std::{fmt, net::SocketAddr};

use draftgate_conn::Handler;
use draftgate_core::Draft;

use crate::Refused;

pub use bus::Bus;
pub use echo::Echo;

/// What a route does.
pub trait Service: fmt::Debug + Send + Sync {
    /// A client wishes to open a connection. Its draft, origin and `Host` have
    /// been checked already. What comes back is called by the connection:
    /// `opened`, `message`, `closing`; it is dropped when the connection ends.
    ///
    /// # Errors
    /// Why not; the client is told.
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Handler>, Refused>;
}

/// A connection that is about to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The connection's name, unique while the process runs.
    pub id: &'a str,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The path, without its query.
    pub path: &'a str,
    /// What stands in place of `{channel}`, or the route's `channel`.
    pub channel: Option<&'a str>,
    /// The draft.
    pub draft: Draft,
    /// The subprotocols the client asked for.
    pub subprotocols: &'a [&'a str],
    /// The one that is answered.
    pub subprotocol: Option<&'a str>,
    /// The origin the client claims.
    pub origin: Option<&'a str>,
}
