//! Where to connect: a `ws://` URL, read strictly, because what is guessed
//! here is sent to a server that compares it octet by octet.
//!
//! `http::Uri` takes the URL apart; it lets more pass than a WebSocket URL may
//! have (user names, other schemes, no host), and what it lets pass is refused
//! here with what to do.

use draftgate_core::Draft;
use http::Uri;

/// RFC 6455 §3, hixie-76 §3.1.
const DEFAULT_PORT: u16 = 80;

/// A server and what to ask it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it stands in `Host`: with the port, unless that is the default.
    pub(crate) host: String,
    /// As the resolver takes it: an IPv6 address without brackets.
    pub(crate) name: String,
    /// The port.
    pub(crate) port: u16,
    /// Path and query.
    pub(crate) resource: String,
}

/// Why a text is no URL to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotATarget {
    #[error("`{0}` has no scheme: write `ws://` before the host")]
    NoScheme(String),
    #[error(
        "wss:// needs TLS, which this version does not speak: connect to the server's plain port with ws://, or through a program that adds TLS (`socat`, `stunnel`)"
    )]
    Secure,
    #[error("`{0}://` is no scheme of WebSocket: write `ws://`")]
    Scheme(String),
    #[error("`{0}` does not name a host: write ws://host:port/path")]
    NoHost(String),
    #[error("a WebSocket URL names no user: leave out what stands before the `@`")]
    User,
    #[error("`{0}` is no port: write a number from 1 to 65535")]
    Port(String),
    #[error("a WebSocket URL has no fragment: leave out what follows `#`, or write it as %23")]
    Fragment,
    #[error(
        "{0:?} cannot stand in a URL as it is: percent-encode it, and write a host name in its ASCII form (xn--…)"
    )]
    Character(char),
    #[error("`{url}` is no URL ({why}): write ws://host:port/path")]
    Malformed { url: String, why: String },
}

impl std::str::FromStr for Target {
    type Err = NotATarget;

    fn from_str(url: &str) -> Result<Self, NotATarget> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(NotATarget::NoScheme(url.to_owned()));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => {}
            "wss" => return Err(NotATarget::Secure),
            _ => return Err(NotATarget::Scheme(scheme.to_owned())),
        }
        if rest.contains('#') {
            return Err(NotATarget::Fragment);
        }
        if let Some(wrong) = rest.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(NotATarget::Character(wrong));
        }
        let malformed = |why: http::uri::InvalidUri| NotATarget::Malformed {
            url: url.to_owned(),
            why: why.to_string(),
        };
        if rest.is_empty() || rest.starts_with(['/', '?', ':']) {
            return Err(NotATarget::NoHost(url.to_owned()));
        }
        let uri: Uri = format!("ws://{rest}").parse().map_err(malformed)?;
        let authority = uri.authority().map_or("", |a| a.as_str());
        if authority.contains('@') {
            return Err(NotATarget::User);
        }
        let host = uri.host().filter(|host| !host.is_empty() && *host != "[]");
        let host = host.ok_or_else(|| NotATarget::NoHost(url.to_owned()))?;
        let port = port(&authority[host.len()..])?;
        let path = uri.path();
        Ok(Self {
            host: match port {
                DEFAULT_PORT => host.to_owned(),
                port => format!("{host}:{port}"),
            },
            name: host.trim_matches(['[', ']']).to_owned(),
            port,
            resource: match uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            },
        })
    }
}

/// What follows the host: nothing, or a colon and a number.
fn port(text: &str) -> Result<u16, NotATarget> {
    let Some(digits) = text.strip_prefix(':') else {
        return Ok(DEFAULT_PORT);
    };
    // `parse` alone would take a sign.
    let number = digits.bytes().all(|o| o.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| number && *port > 0);
    port.ok_or_else(|| NotATarget::Port(digits.to_owned()))
}

impl Target {
    /// The origin to claim if none was given: the server's own page, where the
    /// draft demands an origin; none where it leaves that to browsers.
    pub(crate) fn origin(&self, draft: Draft) -> Option<String> {
        draftgate_drafts::demands_origin(draft)
            .then(|| format!("http://{}", self.host.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, name: &str, port: u16, resource: &str) -> Target {
        Target {
            host: host.into(),
            name: name.into(),
            port,
            resource: resource.into(),
        }
    }

    #[test]
    fn a_url_is_a_host_a_port_and_a_resource() {
        for (url, wanted) in [
            ("ws://a", target("a", "a", 80, "/")),
            ("WS://A.b:80/", target("A.b", "A.b", 80, "/")),
            ("ws://a:8080?x=1", target("a:8080", "a", 8080, "/?x=1")),
            ("ws://a/b/c?d&e=/?", target("a", "a", 80, "/b/c?d&e=/?")),
            ("ws://[::1]/x", target("[::1]", "::1", 80, "/x")),
            ("ws://[::1]:81", target("[::1]:81", "::1", 81, "/")),
            ("ws://a/%20?", target("a", "a", 80, "/%20?")),
        ] {
            assert_eq!(url.parse(), Ok(wanted), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_told_what_to_write() {
        for (url, said) in [
            ("localhost:8080/echo", "has no scheme: write `ws://`"),
            ("", "has no scheme"),
            ("wss://a/", "wss:// needs TLS"),
            ("http://a/", "`http://` is no scheme of WebSocket"),
            ("ws:///echo", "does not name a host"),
            ("ws://", "does not name a host"),
            ("ws://:80/", "does not name a host"),
            ("ws://[]/", "does not name a host"),
            ("ws://me:pw@a/", "names no user"),
            ("ws://a:0/", "`0` is no port"),
            ("ws://a:65536/", "`65536` is no port"),
            ("ws://a:/", "`` is no port"),
            ("ws://a/#b", "no fragment"),
            ("ws://a/b c", "' ' cannot stand in a URL"),
            ("ws://a/\r\nX: y", "'\\r' cannot stand in a URL"),
            ("ws://bücher.example/", "'ü' cannot stand in a URL"),
        ] {
            let error = url.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
        }
    }

    #[test]
    fn only_drafts_that_demand_an_origin_claim_one() {
        let target: Target = "ws://TV.example:8080/".parse().unwrap();
        let origin = Some("http://tv.example:8080".to_owned());
        assert_eq!(target.origin(Draft::Hixie75), origin);
        assert_eq!(target.origin(Draft::Hixie76), origin);
        assert_eq!(target.origin(Draft::Hybi13), None);
    }
}
