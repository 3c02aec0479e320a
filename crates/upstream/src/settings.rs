//! What an upstream is told once. Every number has its reason beside it.

use std::{net::IpAddr, time::Duration};

use draftgate_client::Options;

use crate::Address;

/// How long an address that failed is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// After the first failure; doubled with each one more.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            // A restart of a small server.
            first: Duration::from_secs(1),
            // A person who repaired it waits no longer than that.
            longest: Duration::from_secs(60),
        }
    }
}

/// Everything that an upstream is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is. Connections go round the addresses.
    pub addresses: Vec<Address>,
    /// How to connect to it: drafts, timeouts, proxy, TLS, limits, and fields
    /// that every request has.
    pub client: Options,
    /// How long the draft that worked at an address is taken there at once,
    /// before all are tried anew.
    pub remember: Duration,
    /// How many connections there may be at a time, to all addresses together.
    pub max_connections: Option<usize>,
    /// How long a slot stays taken when its connection has ended, and how long is
    /// waited between two drafts that are tried: a server with few connections to
    /// give may need a moment before it has one again.
    pub pause: Duration,
    /// How long a connection may wait for another to end; zero: it is refused
    /// at once.
    pub wait: Duration,
    /// How many may wait.
    pub waiting: usize,
    /// How long an address that failed is passed over.
    pub back_off: BackOff,
    /// The addresses of this machine to connect from, in turn. Each has some
    /// 28,000 ports for each address of the upstream.
    pub sources: Vec<IpAddr>,
    /// Whether each connection begins with a header of the PROXY protocol,
    /// version 2.
    pub proxy_protocol: bool,
    /// Whether only one opening handshake at a time goes to one host. hixie-75,
    /// hixie-76 and RFC 6455 §4.1 demand that of clients, so that a page cannot
    /// flood a server; a proxy speaks for many clients, for each of which one is
    /// in turn, and one that hangs would hold up all.
    pub one_at_a_time: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            client: Options::default(),
            // An update of the server is noticed within an hour; until then a
            // try in a newer draft costs each of its clients a connection.
            remember: Duration::from_secs(60 * 60),
            max_connections: None,
            pause: Duration::ZERO,
            // Browsers give up after some 20 s or more.
            wait: Duration::from_secs(10),
            // Each holds a socket and little else.
            waiting: 100,
            back_off: BackOff::default(),
            sources: Vec::new(),
            proxy_protocol: false,
            one_at_a_time: false,
        }
    }
}
