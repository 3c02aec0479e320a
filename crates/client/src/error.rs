//! Why there is no connection: what failed, why, and what to do.

use std::{io, net::IpAddr, time::Duration};

use draftgate_core::Draft;
use draftgate_drafts::opening::{Refusal, RefusalKind};

use crate::{Answered, NotInEnvironment, TlsFailure};

/// What was going on when time ran out before the request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The name was looked up, or TCP connected.
    Tcp,
    /// The proxy was asked for a tunnel.
    Tunnel,
    /// TLS was negotiated.
    Tls,
}

impl Stage {
    fn sentence(self) -> &'static str {
        match self {
            Self::Tcp => {
                "nothing answered in time; check address and port, and the firewalls between"
            }
            Self::Tunnel => {
                "the proxy gave no tunnel in time; it may wait for the server itself: check address and port"
            }
            Self::Tls => {
                "TLS was not negotiated in time; check that the port is the one for TLS, or use ws://"
            }
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host, or the proxy, has no address.
    #[error("cannot find the host {name}: {source}; check how it is spelled")]
    Resolve {
        /// The name that was looked up.
        name: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// No address of the host, or of the proxy, can be connected to.
    #[error("cannot connect to {host}: {source}; {}", remedy(source))]
    Connect {
        /// Host and port.
        host: String,
        /// What the last of its addresses gave.
        source: io::Error,
    },
    /// No connection can be made from the addresses that were named for it.
    #[error("cannot connect to {host} from {source_address}: {source}; {}", remedy_of_source(source, *bound))]
    Source {
        /// Host and port.
        host: String,
        /// The address of this machine.
        source_address: IpAddr,
        /// What the system says.
        source: io::Error,
        /// Whether the address could be taken: its ports are used up, then.
        bound: bool,
    },
    /// None of the addresses that were named to connect from is of the family
    /// of the server's.
    #[error(
        "cannot connect to {host}: it has an {family} address, and none of the addresses to connect from is one; name one, or none at all"
    )]
    NoSource {
        /// Host and port.
        host: String,
        /// The server's family: `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The request could not be sent in time.
    #[error("cannot connect to {host}: after {after:?}, {}", stage.sentence())]
    ConnectTimeout {
        /// Host and port.
        host: String,
        /// [`Options::connect_timeout`](crate::Options::connect_timeout).
        after: Duration,
        /// What was going on.
        stage: Stage,
    },
    /// The environment names something else than a proxy.
    #[error(transparent)]
    Environment(#[from] NotInEnvironment),
    /// The proxy makes no tunnel.
    #[error("the proxy {proxy} makes no tunnel to {host}: {refusal}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Host and port of the server.
        host: String,
        /// Why.
        refusal: ProxyRefusal,
    },
    /// There is no TLS with the server, or with the proxy.
    #[error("no TLS with {host}: {failure}")]
    Tls {
        /// The server or the proxy.
        host: String,
        /// Why.
        failure: TlsFailure,
    },
    /// There is no stream of HTTP/2 with the server.
    #[error("no WebSocket over HTTP/2 with {host}: {failure}")]
    Http2 {
        /// The server.
        host: String,
        /// Why.
        failure: Http2Failure,
    },
    /// What was asked for cannot be asked for in this draft.
    #[error("{refusal}; {}", refusal.remedy())]
    Unspeakable {
        /// Why, as the draft says it.
        refusal: Refusal,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection to {host} broke during the opening handshake: {source}")]
    Broken {
        /// The server.
        host: String,
        /// What TCP or TLS says.
        source: io::Error,
    },
    /// The server ended the connection before its answer was whole.
    #[error(
        "{host} closed the connection without an answer ({octets} octets came): it may not know this draft, try another"
    )]
    Ended {
        /// The server.
        host: String,
        /// How much of an answer came.
        octets: usize,
    },
    /// The answer was not whole in time.
    #[error(
        "{host} did not finish the opening handshake in {after:?} ({octets} octets came): it may speak another draft, or be no WebSocket server"
    )]
    OpeningTimeout {
        /// The server.
        host: String,
        /// [`Options::opening_timeout`](crate::Options::opening_timeout).
        after: Duration,
        /// How much of an answer came.
        octets: usize,
    },
    /// The server refused, or its answer is refused.
    #[error("{refusal}; {} [{}]{}", refusal.remedy(), refusal.code(), indented(body))]
    Refused {
        /// Why, as the draft says it; it names the field.
        refusal: Refusal,
        /// The status, if there was a well-formed answer.
        status: Option<u16>,
        /// The versions that the answer lists, in its order.
        versions: Vec<u8>,
        /// The beginning of the answer's body, without anything that would
        /// steer a terminal.
        body: String,
        /// All of the answer, if it is a final one of another status than 101.
        answer: Option<Box<Answered>>,
    },
    /// More than one draft was tried.
    #[error("no draft was accepted:{}", listed(.0))]
    NoDraft(
        /// Each draft that was tried, in order, and why there is no connection.
        Vec<(Draft, Self)>,
    ),
    /// There is no draft to try.
    #[error("no draft is named; name one")]
    NoDraftNamed,
}

/// Why there is no stream of HTTP/2 for a WebSocket (RFC 8441).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Http2Failure {
    /// The server chose no `h2` within TLS.
    #[error("it does not speak HTTP/2 (ALPN); connect to it over HTTP/1.1")]
    NotOffered,
    /// What the server said is no HTTP/2.
    #[error(
        "what answers there does not speak HTTP/2 ({0}); connect to it over HTTP/1.1, or with wss:// if it is spoken under TLS alone"
    )]
    NotSpoken(String),
    /// The server's settings allow no WebSocket.
    #[error(
        "it speaks HTTP/2, but no WebSockets over it (no SETTINGS_ENABLE_CONNECT_PROTOCOL); connect to it over HTTP/1.1"
    )]
    NoWebSockets,
    /// The server reset the stream before it answered.
    #[error(
        "it reset the stream without an answer ({0}); REFUSED_STREAM means that it has too many, anything else that it does not want this request"
    )]
    Reset(String),
}

/// Why a proxy makes no tunnel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyRefusal {
    /// 407, or 401 as some say it.
    #[error("{status}, it {}{}", authentication(*sent), if asked.is_empty() { String::new() } else { format!(" (it asks for {asked})") })]
    Authentication {
        /// The status.
        status: u16,
        /// Whether a name and a password were sent.
        sent: bool,
        /// The schemes that it asks for.
        asked: String,
    },
    /// Any other status.
    #[error(
        "it answers `{line}`; it may allow other ports only, or not reach the server{}",
        indented(body)
    )]
    Status {
        /// The status line.
        line: String,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is no HTTP.
    #[error("{0}; check that it is an HTTP proxy")]
    Malformed(Refusal),
    /// It ended the connection.
    #[error("it closed the connection without an answer; check that it is an HTTP proxy")]
    Ended,
    /// The connection broke.
    #[error("the connection to it broke: {0}")]
    Broken(io::Error),
    /// It said something inside the tunnel.
    #[error(
        "{0} octets stand behind its answer, where only the server may speak, and it speaks second; something between is not to be trusted"
    )]
    Octets(usize),
}

fn authentication(sent: bool) -> &'static str {
    match sent {
        false => {
            "wants a name and a password: write them before its host, http://name:password@host:port"
        }
        true => "does not take this name and password; Basic Authentication is all that is spoken",
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there: check address and port",
        // Without an address of ours to connect from, the system has one per
        // server, with some 28,000 ports.
        io::ErrorKind::AddrNotAvailable => {
            "the local ports for this server are used up: name more addresses of this machine to connect from, or widen net.ipv4.ip_local_port_range"
        }
        io::ErrorKind::NotFound => {
            "there is no such socket: check its path, and that the server runs"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not: check the socket's permissions, or the firewall"
        }
        _ => "check address and port",
    }
}

fn remedy_of_source(error: &io::Error, bound: bool) -> &'static str {
    match (error.kind(), bound) {
        (io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse, true) => {
            "its ports for this server are used up: name more addresses of this machine to connect from, or widen net.ipv4.ip_local_port_range"
        }
        (io::ErrorKind::AddrNotAvailable, false) => {
            "it is no address of this machine: name one that it has"
        }
        _ => "check address and port",
    }
}

/// A body below its error.
fn indented(body: &str) -> String {
    body.lines().map(|line| format!("\n  {line}")).collect()
}

fn listed(tried: &[(Draft, ConnectError)]) -> String {
    tried
        .iter()
        .map(|(draft, error)| format!("\n  {draft}: {error}"))
        .collect()
}

impl ConnectError {
    /// Whether a server that speaks other drafts says this to one that it does
    /// not speak. Not among them are 401, 403, 404 and 5xx, which mean this
    /// request in any draft, and silence, which may mean anything.
    pub fn may_be_the_draft(&self) -> bool {
        match self {
            Self::Ended { .. } => true,
            Self::Broken { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
            Self::Refused {
                refusal, status, ..
            } => match refusal.kind {
                RefusalKind::AnswerStatus => matches!(status, Some(400 | 426)),
                // A 101 of another draft: it lacks this one's fields.
                RefusalKind::AnswerField
                | RefusalKind::AnswerUpgrade
                | RefusalKind::AnswerStatusLine => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// The versions that the server says it speaks instead, in its order: those
    /// of a 400 or 426; empty if it names none.
    pub fn versions(&self) -> &[u8] {
        match self {
            Self::Refused {
                status: Some(400 | 426),
                versions,
                ..
            } => versions,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_shows_the_body() {
        let error = ConnectError::Refused {
            refusal: Refusal::with(RefusalKind::AnswerStatus, "HTTP/1.1 403 Forbidden"),
            status: Some(403),
            versions: Vec::new(),
            body: "one\ntwo".into(),
            answer: None,
        };
        let text = error.to_string();
        assert!(text.starts_with("the server did not switch protocols (HTTP/1.1 403 Forbidden); "));
        assert!(text.ends_with("[answer-status]\n  one\n  two"), "{text}");
    }

    #[test]
    fn what_means_this_request_in_any_draft_is_not_the_drafts() {
        let refused = |status| ConnectError::Refused {
            refusal: RefusalKind::AnswerStatus.into(),
            status: Some(status),
            versions: vec![13],
            body: String::new(),
            answer: None,
        };
        for status in [200, 302, 401, 403, 404, 407, 500, 501, 503, 505] {
            assert!(!refused(status).may_be_the_draft(), "{status}");
            assert_eq!(refused(status).versions(), [0; 0], "{status}");
        }
        for status in [400, 426] {
            assert!(refused(status).may_be_the_draft(), "{status}");
            assert_eq!(refused(status).versions(), [13], "{status}");
        }
    }

    #[test]
    fn a_407_says_whether_there_was_a_password() {
        let text = |sent, asked: &str| {
            let asked = asked.to_owned();
            let status = 407;
            ProxyRefusal::Authentication {
                status,
                sent,
                asked,
            }
            .to_string()
        };
        assert!(
            text(false, "Basic").ends_with("http://name:password@host:port (it asks for Basic)")
        );
        assert!(text(true, "").starts_with("407, it does not take this name and password"));
    }
}
