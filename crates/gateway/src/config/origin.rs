//! Who may open a connection, by the origin that a browser reports.
//!
//! Any web page can open a WebSocket to any address its reader can reach,
//! loopback included, and brings that reader's cookies: the origin is the only
//! thing that tells such a page from the right one. Browsers of hybi-04 to
//! hybi-12 call the header `Sec-WebSocket-Origin`, all others `Origin`; the
//! rules read either. Programs that are no browser can write any origin, so
//! the rules protect readers of pages, not the gateway from programs.

use std::{fmt, str::FromStr};

use http::{HeaderName, header};

/// The origin's field of hybi-04 to -10.
static OLD_ORIGIN: HeaderName = HeaderName::from_static("sec-websocket-origin");

/// The origins a route accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<OriginRule>);

impl Origins {
    /// Exactly these rules; an origin is accepted if one of them accepts it.
    pub fn new(rules: impl IntoIterator<Item = OriginRule>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// Every origin, and none.
    pub fn any() -> Self {
        Self(vec![OriginRule::Any])
    }

    /// Pages on this machine, pages without an origin of their own, and
    /// programs: what the embedded configuration accepts on 127.0.0.1.
    pub fn local() -> Self {
        Self(vec![
            OriginRule::Loopback,
            OriginRule::Null,
            OriginRule::File,
            OriginRule::Missing,
        ])
    }

    /// Pages that this machine serves, and clients without an origin: what is
    /// right in front of a server that pages may not reach by themselves. Any
    /// page can have a frame whose origin is `null`.
    pub fn loopback() -> Self {
        Self(vec![OriginRule::Loopback, OriginRule::Missing])
    }

    /// The rules, in the order in which they were written.
    pub fn rules(&self) -> &[OriginRule] {
        &self.0
    }

    /// Whether a rule stands here.
    pub fn has(&self, rule: &OriginRule) -> bool {
        self.0.contains(rule)
    }

    /// [`allows`] for a request's headers and the host by which its client
    /// reached us.
    ///
    /// # Errors
    ///
    /// As [`allows`].
    pub fn allow(
        &self,
        headers: &http::HeaderMap,
        host: Option<&str>,
    ) -> Result<(), OriginRefused> {
        let values: Vec<&[u8]> = [&header::ORIGIN, &OLD_ORIGIN]
            .into_iter()
            .flat_map(|name| headers.get_all(name))
            .map(http::HeaderValue::as_bytes)
            .collect();
        allows(self, &values, host)
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rule) in self.0.iter().enumerate() {
            write!(f, "{}{rule}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Default for Origins {
    /// Pages of the host that the client connects to, and clients that send no
    /// origin: no browser is among those. `null` is not accepted, because any
    /// page can have a frame whose origin is `null`.
    fn default() -> Self {
        Self(vec![OriginRule::SameHost, OriginRule::Missing])
    }
}

/// One entry of `origins`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OriginRule {
    /// `any` or `*`: whatever is sent, also nothing.
    Any,
    /// `same-host`: the host that the client connects to, on any port. Ports
    /// are not compared: pages stand on 80 and 443 while the gateway listens
    /// elsewhere, and cookies do not keep ports apart either.
    SameHost,
    /// `loopback`: `localhost`, `127.0.0.1` or `[::1]` over `http` or `https`,
    /// on any port.
    Loopback,
    /// `null`: the page has no origin that it may tell.
    Null,
    /// `file://`: a page from the disk, as WebKit of 2010 reports it.
    File,
    /// `missing`: neither header is there.
    Missing,
    /// `https://example.com:8443`: this scheme, host and port.
    Exact(Origin),
    /// `*.example.com`, `https://*.example.com`: each host below this one, not
    /// itself; with a scheme only over it, on its default port unless another
    /// is written; without a scheme on any port.
    Below(Wildcard),
}

/// A scheme, a host and a port, in lower case and with the default port filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// Every host below one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wildcard {
    scheme: Option<String>,
    /// `.example.com`
    suffix: String,
    port: Option<u16>,
}

/// Why an opening is refused for its origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginRefused {
    /// The headers disagree with each other.
    #[error(
        "the request names two different origins, `{0}` and `{1}`; a browser sends one, so something in between added the other"
    )]
    TwoOrigins(String, String),
    /// An octet that no origin has.
    #[error(
        "the origin has octets that no origin has; it is printable ASCII without spaces, such as `https://example.com`"
    )]
    Malformed,
    /// No rule accepts that there is none.
    #[error(
        "the request has no Origin; add \"missing\" to the route's `origins` to accept clients that are no browsers"
    )]
    Missing,
    /// No rule accepts `null`.
    #[error(
        "the origin is `null` (a sandboxed frame or a page from the disk); add \"null\" to the route's `origins` to accept it"
    )]
    Null,
    /// No rule accepts it.
    #[error("the origin `{0}` is not accepted here")]
    NotListed(String),
}

/// Whether a request may open a connection.
///
/// `values` are the values of every `Origin` and `Sec-WebSocket-Origin` field
/// of the request; `host` is the authority by which the client reached us: the
/// public URL's where one is configured, else the `Host` field's.
///
/// # Errors
///
/// [`OriginRefused`] says which rule is missing. Values that differ, or hold
/// octets that cannot be echoed, are refused under every rule.
pub fn allows(
    origins: &Origins,
    values: &[&[u8]],
    host: Option<&str>,
) -> Result<(), OriginRefused> {
    let mut presented: Option<&str> = None;
    for value in values {
        let value = value.trim_ascii();
        if value.is_empty() || !value.iter().all(u8::is_ascii_graphic) {
            return Err(OriginRefused::Malformed);
        }
        let value = std::str::from_utf8(value).map_err(|_| OriginRefused::Malformed)?;
        match presented {
            Some(first) if !first.eq_ignore_ascii_case(value) => {
                return Err(OriginRefused::TwoOrigins(
                    first.to_owned(),
                    value.to_owned(),
                ));
            }
            _ => presented = Some(value),
        }
    }
    let any = origins.has(&OriginRule::Any);
    let Some(presented) = presented else {
        return match any || origins.has(&OriginRule::Missing) {
            true => Ok(()),
            false => Err(OriginRefused::Missing),
        };
    };
    if any {
        return Ok(());
    }
    if presented.eq_ignore_ascii_case("null") {
        return match origins.has(&OriginRule::Null) {
            true => Ok(()),
            false => Err(OriginRefused::Null),
        };
    }
    if presented.eq_ignore_ascii_case("file://") && origins.has(&OriginRule::File) {
        return Ok(());
    }
    let accepted = presented
        .parse::<Origin>()
        .is_ok_and(|origin| origins.0.iter().any(|rule| rule.accepts(&origin, host)));
    match accepted {
        true => Ok(()),
        false => Err(OriginRefused::NotListed(presented.to_owned())),
    }
}

impl OriginRule {
    /// Whether it accepts an origin that has a host.
    fn accepts(&self, origin: &Origin, host: Option<&str>) -> bool {
        match self {
            Self::SameHost => host
                .and_then(|authority| host_and_port(authority).ok())
                .is_some_and(|(host, _)| host == origin.host),
            Self::Loopback => {
                matches!(origin.scheme.as_str(), "http" | "https")
                    && matches!(origin.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
            }
            Self::Exact(exact) => exact == origin,
            Self::Below(wildcard) => wildcard.accepts(origin),
            Self::Any | Self::Null | Self::File | Self::Missing => false,
        }
    }
}

impl Wildcard {
    fn accepts(&self, origin: &Origin) -> bool {
        let below = origin.host.len() > self.suffix.len() && origin.host.ends_with(&self.suffix);
        below
            && match &self.scheme {
                Some(scheme) => *scheme == origin.scheme && self.port == origin.port,
                None => self.port.is_none() || self.port == origin.port,
            }
    }
}

impl FromStr for OriginRule {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        Ok(match text {
            "any" | "*" => Self::Any,
            "same-host" => Self::SameHost,
            "loopback" => Self::Loopback,
            "null" => Self::Null,
            "file://" => Self::File,
            "missing" => Self::Missing,
            _ => match text.parse::<Wildcard>() {
                Ok(wildcard) => Self::Below(wildcard),
                Err(_) => Self::Exact(text.parse()?),
            },
        })
    }
}

impl OriginRule {
    /// The entries that are words.
    pub const WORDS: [&'static str; 6] =
        ["any", "same-host", "loopback", "null", "file://", "missing"];
}

impl fmt::Display for OriginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::SameHost => f.write_str("same-host"),
            Self::Loopback => f.write_str("loopback"),
            Self::Null => f.write_str("null"),
            Self::File => f.write_str("file://"),
            Self::Missing => f.write_str("missing"),
            Self::Exact(origin) => origin.fmt(f),
            Self::Below(wildcard) => wildcard.fmt(f),
        }
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let (scheme, authority) = text.split_once("://").ok_or(NotAnOrigin)?;
        let scheme = parse_scheme(scheme)?;
        let (host, port) = host_and_port(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        write_port(f, Some(&self.scheme), self.port)
    }
}

impl FromStr for Wildcard {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(parse_scheme(scheme)?), rest),
            None => (None, text),
        };
        let (host, port) = host_and_port(rest.strip_prefix("*.").ok_or(NotAnOrigin)?)?;
        let port = port.or_else(|| scheme.as_deref().and_then(default_port));
        // `*.com` is every second site there is: nobody means it.
        match host.contains('.') && host.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            true => Ok(Self {
                scheme,
                suffix: format!(".{host}"),
                port,
            }),
            false => Err(NotAnOrigin),
        }
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        write!(f, "*{}", self.suffix)?;
        write_port(f, self.scheme.as_deref(), self.port)
    }
}

fn write_port(f: &mut fmt::Formatter<'_>, scheme: Option<&str>, port: Option<u16>) -> fmt::Result {
    match port {
        Some(port) if scheme.and_then(default_port) != Some(port) => write!(f, ":{port}"),
        _ => Ok(()),
    }
}

fn parse_scheme(text: &str) -> Result<String, NotAnOrigin> {
    let known = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    match known {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(NotAnOrigin),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// The host in lower case, without the dot of a fully qualified name, and the port.
pub(super) fn host_and_port(authority: &str) -> Result<(String, Option<u16>), NotAnOrigin> {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of `[::1]` stands inside the brackets.
        Some((_, port)) if port.contains(']') => (authority, None),
        Some((host, port)) => match port.bytes().all(|b| b.is_ascii_digit()) {
            true => (host, Some(port.parse().map_err(|_| NotAnOrigin)?)),
            false => return Err(NotAnOrigin),
        },
        None => (authority, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = match bracketed {
        // One way to write an address, of the many that IPv6 has.
        Some(v6) => format!(
            "[{}]",
            v6.parse::<std::net::Ipv6Addr>().map_err(|_| NotAnOrigin)?
        ),
        None => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    match !host.is_empty() && (bracketed.is_some() || host.chars().all(plain)) {
        true => Ok((host, port)),
        false => Err(NotAnOrigin),
    }
}

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is a scheme, a host and perhaps a port (`https://example.com`), without a path; or hosts below one (`*.example.com`); or a word: `same-host`, `loopback`, `null`, `file://`, `missing`, `any`"
)]
pub struct NotAnOrigin;

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
