//! Who is at the other end: the client, and the proxy that speaks for it.
//!
//! One type for every way to learn it (the socket, the PROXY protocol, the
//! forwarding fields), so that limits, log and public URL cannot disagree
//! about whom they mean.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use crate::TlsKind;

/// The other end of a connection, as far as it is known by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client; with port 0 where its proxy did not tell the port.
    pub(crate) client: SocketAddr,
    /// The socket's own address, if that is a proxy's.
    pub(crate) via: Option<SocketAddr>,
    /// The client came over TLS: to us, or as the proxy says, to it.
    pub(crate) tls: bool,
    /// The TLS that is spoken with ourselves, once it is.
    pub(crate) kind: Option<TlsKind>,
}

impl Peer {
    /// Whoever the socket says.
    pub(crate) fn new(socket: SocketAddr) -> Self {
        Self {
            client: socket,
            via: None,
            tls: false,
            kind: None,
        }
    }

    /// The same connection, whose proxy announces `client`.
    pub(crate) fn announced(self, client: SocketAddr) -> Self {
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        Self {
            client,
            via: Some(self.via.unwrap_or(self.client)),
            ..self
        }
    }
}

/// A [`Peer`] for as long as its connection lasts. Most come neither through a
/// proxy nor over TLS, and need no room for what the others have.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// As one of IPv6, which has room for both kinds.
    client: (Ipv6Addr, u16),
    more: Option<Box<Peer>>,
}

impl Remembered {
    pub(crate) fn peer(&self) -> Peer {
        match &self.more {
            Some(peer) => **peer,
            None => Peer::new(socket(self.client)),
        }
    }
}

impl From<Peer> for Remembered {
    fn from(peer: Peer) -> Self {
        let address = match peer.client.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let client = (address, peer.client.port());
        let more = (peer != Peer::new(socket(client))).then(|| Box::new(peer));
        Self { client, more }
    }
}

/// An address without a scope.
fn socket((address, port): (Ipv6Addr, u16)) -> SocketAddr {
    SocketAddr::new(IpAddr::from(address).to_canonical(), port)
}

/// The client, without a port that is not known.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client.port() {
            0 => self.client.ip().fmt(f),
            _ => self.client.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_stays_named_while_the_client_gets_clearer() {
        let socket = "10.0.0.1:5000".parse().unwrap();
        let peer = Peer::new(socket);
        assert_eq!((peer.to_string(), peer.via), ("10.0.0.1:5000".into(), None));
        assert_eq!(Remembered::from(peer).peer(), peer);
        for other in ["[fe80::1%3]:80", "[2001:db8::1]:80", "[::ffff:10.0.0.2]:80"] {
            let other = Peer::new(other.parse().unwrap());
            assert_eq!(Remembered::from(other).peer(), other);
        }
        let peer = peer.announced("[::ffff:10.0.0.2]:6000".parse().unwrap());
        assert_eq!(Remembered::from(peer).peer(), peer);
        assert_eq!(
            (peer.to_string(), peer.via),
            ("10.0.0.2:6000".into(), Some(socket))
        );
        let peer = peer.announced("192.0.2.9:0".parse().unwrap());
        assert_eq!(
            (peer.to_string(), peer.via),
            ("192.0.2.9".into(), Some(socket))
        );
    }
}
