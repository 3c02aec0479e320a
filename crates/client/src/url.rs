//! Where to connect: a `ws://` or `wss://` URL, read strictly, because what is
//! guessed here is sent to a server that compares it octet by octet.
//!
//! `http::Uri` takes the URL apart; it lets more pass than a WebSocket URL may
//! have (other schemes, no host), and what it lets pass is refused here with
//! what to do.

use std::fmt;

use draftgate_core::Draft;
use http::Uri;

use crate::Credentials;

/// A server and what to ask it for (RFC 6455 §3, hixie-76 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether the connection is under TLS (`wss`).
    pub secure: bool,
    /// As it stands in `Host`: with the port, unless that is the scheme's own.
    pub host: String,
    /// As a resolver takes it: an IPv6 address without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub resource: String,
    /// What stood before the `@`, for Basic Authentication.
    pub credentials: Option<Credentials>,
}

/// Why a text is no URL to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAUrl {
    /// There is no `://`.
    #[error("`{0}` has no scheme: write `ws://` before the host")]
    NoScheme(String),
    /// It is neither `ws` nor `wss`.
    #[error("`{0}://` is no scheme of WebSocket: write `ws://` or `wss://`")]
    Scheme(String),
    /// The host is empty.
    #[error("`{0}` does not name a host: write ws://host:port/path")]
    NoHost(String),
    /// What stands before the `@` cannot be decoded. It is not shown.
    #[error(
        "what stands before the `@` is no name and password: percent-encode what is special in them; a name holds no colon"
    )]
    Credentials,
    /// The port is no number, or 0.
    #[error("`{0}` is no port: write a number from 1 to 65535")]
    Port(String),
    /// There is a `#`.
    #[error("a WebSocket URL has no fragment: leave out what follows `#`, or write it as %23")]
    Fragment,
    /// A character that must be encoded.
    #[error(
        "{0:?} cannot stand in a URL as it is: percent-encode it, and write a host name in its ASCII form (xn--…)"
    )]
    Character(char),
    /// Anything else. The URL is not shown where it may hold a password.
    #[error("`{url}` is no URL ({why}): write ws://host:port/path")]
    Malformed {
        /// The URL without what stood before the `@`.
        url: String,
        /// What the parser says.
        why: String,
    },
}

impl std::str::FromStr for Url {
    type Err = NotAUrl;

    fn from_str(url: &str) -> Result<Self, NotAUrl> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(NotAUrl::NoScheme(url.to_owned()));
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(NotAUrl::Scheme(scheme.to_owned())),
        };
        if rest.contains('#') {
            return Err(NotAUrl::Fragment);
        }
        if let Some(wrong) = rest.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(NotAUrl::Character(wrong));
        }
        let (credentials, rest) = credentials(rest)?;
        let shown = format!("{scheme}://{rest}");
        if rest.is_empty() || rest.starts_with(['/', '?', ':']) {
            return Err(NotAUrl::NoHost(shown));
        }
        let malformed = |why: http::uri::InvalidUri| NotAUrl::Malformed {
            url: shown.clone(),
            why: why.to_string(),
        };
        let uri: Uri = format!("ws://{rest}").parse().map_err(malformed)?;
        let authority = uri.authority().map_or("", |a| a.as_str());
        let host = uri.host().filter(|host| !host.is_empty() && *host != "[]");
        let host = host.ok_or_else(|| NotAUrl::NoHost(shown.clone()))?;
        let default = default_port(secure);
        let port = port(&authority[host.len()..])?.unwrap_or(default);
        let path = uri.path();
        Ok(Self {
            secure,
            host: match port {
                port if port == default => host.to_owned(),
                port => format!("{host}:{port}"),
            },
            name: host.trim_matches(['[', ']']).to_owned(),
            port,
            resource: match uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            },
            credentials,
        })
    }
}

/// RFC 6455 §3, hixie-76 §3.1.
fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// What stands before the `@` of the authority, and what is left of the URL.
fn credentials(rest: &str) -> Result<(Option<Credentials>, &str), NotAUrl> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((user, _)) = rest[..end].rsplit_once('@') else {
        return Ok((None, rest));
    };
    let credentials = Credentials::from_url(user).ok_or(NotAUrl::Credentials)?;
    Ok((Some(credentials), &rest[user.len() + 1..]))
}

/// What follows the host: nothing, or a colon and a number.
pub(crate) fn port(text: &str) -> Result<Option<u16>, NotAUrl> {
    let Some(digits) = text.strip_prefix(':') else {
        return Ok(None);
    };
    // `parse` alone would take a sign.
    let number = digits.bytes().all(|o| o.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| number && *port > 0);
    port.map(Some)
        .ok_or_else(|| NotAUrl::Port(digits.to_owned()))
}

impl Url {
    /// The origin to claim if none was given: the server's own page, where the
    /// draft demands an origin; none where it leaves that to browsers.
    pub fn origin(&self, draft: Draft) -> Option<String> {
        let scheme = if self.secure { "https" } else { "http" };
        draftgate_drafts::demands_origin(draft)
            .then(|| format!("{scheme}://{}", self.host.to_ascii_lowercase()))
    }

    /// Host and port, both always, as `CONNECT` wants them.
    pub(crate) fn authority(&self) -> String {
        match self.name.contains(':') {
            true => format!("[{}]:{}", self.name, self.port),
            false => format!("{}:{}", self.name, self.port),
        }
    }
}

/// The URL without name and password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host, self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str, name: &str, port: u16, resource: &str) -> Url {
        Url {
            secure: false,
            host: host.into(),
            name: name.into(),
            port,
            resource: resource.into(),
            credentials: None,
        }
    }

    #[test]
    fn a_url_is_a_host_a_port_and_a_resource() {
        let secure = |url| Url {
            secure: true,
            ..url
        };
        for (text, wanted) in [
            ("ws://a", url("a", "a", 80, "/")),
            ("WS://A.b:80/", url("A.b", "A.b", 80, "/")),
            ("ws://a:443/", url("a:443", "a", 443, "/")),
            ("ws://a:8080?x=1", url("a:8080", "a", 8080, "/?x=1")),
            ("ws://a/b/c?d&e=/?", url("a", "a", 80, "/b/c?d&e=/?")),
            ("ws://[::1]/x", url("[::1]", "::1", 80, "/x")),
            ("ws://[::1]:81", url("[::1]:81", "::1", 81, "/")),
            ("ws://a/%20?", url("a", "a", 80, "/%20?")),
            ("ws://a/@b?c@d", url("a", "a", 80, "/@b?c@d")),
            ("wss://a/b", secure(url("a", "a", 443, "/b"))),
            ("WSS://a:443", secure(url("a", "a", 443, "/"))),
            ("wss://a:80", secure(url("a:80", "a", 80, "/"))),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_told_what_to_write() {
        for (text, said) in [
            ("localhost:8080/echo", "has no scheme: write `ws://`"),
            ("", "has no scheme"),
            ("http://a/", "`http://` is no scheme of WebSocket"),
            ("ws:///echo", "does not name a host"),
            ("ws://", "does not name a host"),
            ("ws://:80/", "does not name a host"),
            ("ws://[]/", "does not name a host"),
            ("ws://me@/", "does not name a host"),
            ("ws://me:x/@a/", "`x` is no port"),
            ("ws://me:%@a/", "before the `@`"),
            ("ws://a:0/", "`0` is no port"),
            ("ws://a:65536/", "`65536` is no port"),
            ("ws://a:+80/", "is no "),
            ("ws://a:/", "`` is no port"),
            ("ws://a/#b", "no fragment"),
            ("ws://a/b c", "' ' cannot stand in a URL"),
            ("ws://a/\r\nX: y", "'\\r' cannot stand in a URL"),
            ("ws://bücher.example/", "'ü' cannot stand in a URL"),
        ] {
            let error = text.parse::<Url>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_kept_and_never_shown() {
        let url: Url = "wss://me:se%40cret@a:8443/x".parse().unwrap();
        assert_eq!(url.credentials, Credentials::new("me", "se@cret"));
        assert_eq!(url.to_string(), "wss://a:8443/x");
        assert!(!format!("{url:?}").contains("cret"));
        for text in [
            "ws://me:secret@",
            "ws://me:secret@a b/",
            "ws://me:secret@[/",
        ] {
            let error = text.parse::<Url>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_drafts_that_demand_an_origin_claim_one() {
        let url: Url = "ws://TV.example:8080/".parse().unwrap();
        let under_tls: Url = "wss://TV.example/".parse().unwrap();
        for draft in draftgate_drafts::spoken() {
            let demands = draftgate_drafts::demands_origin(draft);
            let origin = |text: &str| demands.then(|| text.to_owned());
            assert_eq!(url.origin(draft), origin("http://tv.example:8080"));
            assert_eq!(under_tls.origin(draft), origin("https://tv.example"));
        }
    }
}
