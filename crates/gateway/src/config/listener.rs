//! A listener: its address, who stands in front of it, and how much and how
//! long one peer may ask of it before and after its opening handshake.
//!
//! The limits and timeouts live on the listener and not on the route because
//! they bind before a path is known. What binds afterwards (frame, message,
//! fragments) is [`Route::limits`](super::Route::limits).

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

/// One address that connections are accepted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where to listen; port 0 lets the system choose a free one.
    pub address: SocketAddr,
    /// Whether `GET /` answers with the chat page. Off where a file does not
    /// say otherwise: the page speaks to `/bus/chat`, which a file may not have.
    pub page: bool,
    /// What clients call this listener, when something in front ends TLS or
    /// changes the host. It decides the scheme and host of
    /// `Sec-WebSocket-Location` and what `same-host` compares with.
    pub public_url: Option<PublicUrl>,
    /// Peers whose word on the client's address is taken: `X-Forwarded-*` and
    /// `Forwarded`, or the PROXY protocol. Empty by default: anyone can write
    /// such a header.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether every connection begins with a header of the PROXY protocol,
    /// version 1 or 2. It is then required, and only
    /// [`trusted_proxies`](Self::trusted_proxies) may connect. Off by default: a client would have to
    /// write it.
    pub proxy_protocol: bool,
    /// Whether HTTP/2 is served beside HTTP/1.1: offered within TLS (ALPN), and
    /// in clear to whoever begins with it. On: browsers that load a page over it
    /// open its WebSockets over it, too (RFC 8441). Not where connections are
    /// recorded, for a recording has no form for it.
    pub http2: bool,
    /// The TLS that it speaks; `None`: none.
    pub tls: Option<super::Tls>,
    /// Somebody's server of the time that it is like, for study; `None`: none.
    pub profile: Option<super::Profile>,
    /// How much.
    pub limits: ListenerLimits,
    /// How long.
    pub timeouts: Timeouts,
}

impl Default for Listener {
    /// `127.0.0.1:8080`, without the page.
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            page: false,
            public_url: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            http2: true,
            tls: None,
            profile: None,
            limits: ListenerLimits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Listener {
    /// The port that clients connect to: that of the public URL, where there is
    /// one, else `bound`.
    pub fn public_port(&self, bound: u16) -> u16 {
        match &self.public_url {
            Some(url) => url
                .authority
                .port_u16()
                .unwrap_or(if url.secure { 443 } else { 80 }),
            None => bound,
        }
    }

    /// Whether an address is one of the trusted proxies. An IPv4 address that
    /// arrives mapped into IPv6 counts as the IPv4 address it is.
    pub fn trusts(&self, peer: std::net::IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// What a listener holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections open at once, handshakes included. 10,000: about 100 MB
    /// with idle peers, and within the usual hard limit of open files.
    pub max_connections: u32,
    /// Connections open at once from one address; `None` is unlimited. 1,000:
    /// a household or an office behind one address fits, while one peer
    /// cannot take all the connections.
    pub per_ip: Option<u32>,
    /// The same for loopback addresses. Unlimited: there it is a proxy in
    /// front, which brings every client under one address.
    pub per_ip_loopback: Option<u32>,
    /// Connections of one address whose opening handshake is under way at
    /// once; `None` is unlimited. More wait for their turn, for
    /// [`Timeouts::turn`]. 256: at 100 ms each that is 2,560 openings a second
    /// behind one NAT, while a flood of openings that never end holds no more.
    pub half_open_per_ip: Option<u32>,
    /// The same for loopback addresses. Unlimited, for the same reason.
    pub half_open_per_ip_loopback: Option<u32>,
    /// Connections taken up in a second, after a tenth of a second's worth at
    /// once; `None` is unlimited. More wait unread, in the order of arrival.
    /// Unlimited: what an opening may cost is for whoever runs the services
    /// behind it to say.
    pub accept_rate: Option<u32>,
    /// Connections that the kernel holds until they are accepted; it cuts this
    /// to its own limit (Linux: `net.core.somaxconn`). 4,096: Linux's limit
    /// since 5.4, and what does not fit is delayed by seconds or even reset.
    pub backlog: u32,
    /// Streams of one connection of HTTP/2 that are open at once, each of which
    /// counts as a connection in the limits above besides. 100: what RFC 9113
    /// calls the least, and a page opens a few.
    pub http2_streams: u32,
    /// Octets of a request's head. 16 KiB: cookies of browsers fit (they stop
    /// at 4 KiB each), and a flood of half-sent heads stays small.
    pub head: usize,
    /// Fields in a request's head. 100: browsers send about 15, proxies add a
    /// few.
    pub head_fields: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            per_ip: Some(1_000),
            per_ip_loopback: None,
            half_open_per_ip: Some(256),
            half_open_per_ip_loopback: None,
            accept_rate: None,
            backlog: 4_096,
            http2_streams: 100,
            head: 16 << 10,
            head_fields: 100,
        }
    }
}

/// How long a listener waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// How long a connection waits for its turn to be read, where its address
    /// has [`ListenerLimits::half_open_per_ip`] openings under way. 10 s:
    /// clients wait at least that long for an answer.
    pub turn: Duration,
    /// From accepting a connection, or from its turn if it had to wait, to its
    /// first octet. 5 s: a client speaks
    /// first, and only a lost segment or two should delay it.
    pub first_octet: Duration,
    /// From the first octet to the end of the TLS handshake, where the
    /// listener speaks TLS. 10 s: devices of 2010 need seconds for their part.
    pub tls: Duration,
    /// From the first octet to the end of the request's head. 10 s: slow
    /// mobile links fit, a peer that drips octets does not.
    pub head: Duration,
    /// From the head of a hixie-76 opening to the last of key3's eight octets.
    /// 5 s: the client sends them at once; what takes longer is a proxy that
    /// holds them back until it sees an answer.
    pub key3: Duration,
    /// How long the answer to a hixie-76 opening may wait for key3, so that head
    /// and challenge response leave in one write. 50 ms: embedded clients
    /// read both in one go, and a person does not notice it. Zero is taken.
    pub head_delay: Duration,
    /// Silence after which a connection is closed, where its draft has ping;
    /// `None` never. 120 s: four to five of our pings unanswered, and twice
    /// the 50 s in which some clients ping by themselves. Drafts without ping
    /// have no idle timeout, since silence there proves nothing.
    pub idle: Option<Duration>,
    /// Silence after which we ping, where the draft has ping; `None` never.
    /// 25 s: below the 30 s and 60 s after which proxies and NATs cut.
    pub ping: Option<Duration>,
    /// How far a peer may fall behind 1000 octets a second with a message that
    /// it has begun; `None` as far as it likes. 60 s: two hand-overs of a
    /// mobile network, while a peer that drips octets is left.
    pub message: Option<Duration>,
    /// How far a peer may fall behind 1000 octets a second in taking what it is
    /// sent. 30 s: longer than a mobile network's hand-over, shorter than the
    /// minutes of TCP.
    pub write: Duration,
    /// How long the peer's TCP may leave octets unacknowledged, or its window
    /// shut, before the system ends the connection; `None` leaves that to the
    /// system's resends, about a quarter of an hour. 120 s: as long as
    /// the TCP keep-alive, which rests while octets are under way. So the two
    /// find a vanished peer where no ping does.
    pub unacknowledged: Option<Duration>,
    /// From our Close to the peer's, where the draft has a closing handshake.
    /// 5 s: queued messages may still stand before it.
    pub close: Duration,
    /// The same after `FF 00` of hixie-76. 2 s: WebKit of that time never
    /// answers it, so that every wait would be a whole one.
    pub close_hixie_76: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            turn: Duration::from_secs(10),
            first_octet: Duration::from_secs(5),
            tls: Duration::from_secs(10),
            head: Duration::from_secs(10),
            key3: Duration::from_secs(5),
            head_delay: Duration::from_millis(50),
            idle: Some(Duration::from_secs(120)),
            ping: Some(Duration::from_secs(25)),
            message: Some(Duration::from_secs(60)),
            write: Duration::from_secs(30),
            unacknowledged: Some(Duration::from_secs(120)),
            close: Duration::from_secs(5),
            close_hixie_76: Duration::from_secs(2),
        }
    }
}

/// The scheme and authority by which clients reach a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `wss` (or `https`) and not `ws` (or `http`).
    pub secure: bool,
    /// Host and, where it was written, port: `example.com:8443`.
    pub authority: http::uri::Authority,
}

impl PublicUrl {
    /// `ws` or `wss`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let uri: http::Uri = text.parse().map_err(|_| NotAPublicUrl)?;
        let secure = match uri.scheme_str() {
            Some("wss" | "https") => true,
            Some("ws" | "http") => false,
            _ => return Err(NotAPublicUrl),
        };
        let authority = uri.authority().ok_or(NotAPublicUrl)?.clone();
        if authority.as_str().contains('@')
            || !crate::public_url::has_valid_port(&authority)
            || !matches!(uri.path(), "" | "/")
            || uri.query().is_some()
        {
            return Err(NotAPublicUrl);
        }
        Ok(Self { secure, authority })
    }
}

/// A text that is no public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a public URL is `wss://` or `ws://`, a host and perhaps a port: no path, no user, no query"
)]
pub struct NotAPublicUrl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_scheme_and_an_authority() {
        let url: PublicUrl = "https://example.com:8443/".parse().unwrap();
        assert_eq!(url.to_string(), "wss://example.com:8443");
        for wrong in [
            "example.com",
            "ftp://a",
            "ws://",
            "ws://a/b",
            "ws://a?b",
            "ws://u@a",
            "ws://a:65536",
            "//a",
            "",
        ] {
            assert_eq!(wrong.parse::<PublicUrl>(), Err(NotAPublicUrl), "{wrong}");
        }
    }

    #[test]
    fn a_proxy_is_trusted_by_network_and_mapped_addresses_count() {
        let listener = Listener {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..Listener::default()
        };
        for (peer, trusted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.0.0.1", false),
            ("::1", true),
        ] {
            assert_eq!(listener.trusts(peer.parse().unwrap()), trusted, "{peer}");
        }
    }
}
