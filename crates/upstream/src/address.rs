//! Where an upstream is: a URL of WebSocket, a Unix socket on which WebSocket is
//! spoken, or a port where octets are taken as they come.

use std::{fmt, path::PathBuf, str::FromStr};

use draftgate_client::{NotAUrl, Url};

use crate::masked::masked;

/// Where an upstream is.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// `ws://host[:port][/path]` or `wss://…`.
    WebSocket {
        /// Where to connect.
        url: Url,
        /// Path and query, if the address names them.
        resource: Option<String>,
    },
    /// `unix:/path/of/socket[:/path]`: WebSocket over a Unix socket.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// Path and query, if the address names them.
        resource: Option<String>,
        /// What is asked for over it: the host is `localhost`.
        url: Url,
    },
    /// `tcp://host:port`: octets, without WebSocket.
    Tcp {
        /// Where to connect.
        url: Url,
    },
}

/// Why a text is no address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnAddress {
    /// There is no scheme.
    #[error(
        "`{0}` has no scheme: write ws://host:port, wss://host, unix:/path/of/socket or tcp://host:port"
    )]
    NoScheme(String),
    /// The scheme is another one.
    #[error("`{found}` is no scheme of an upstream{}", meant(*.nearest))]
    Scheme {
        /// What stands there.
        found: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The socket's path is relative.
    #[error(
        "`{0}` is no absolute path of a socket: write unix:/path/of/socket, or unix:/path/of/socket:/resource"
    )]
    Socket(String),
    /// There is no port behind the host of `tcp://`.
    #[error("`tcp://{0}` names no port: write tcp://host:port")]
    NoPort(String),
    /// There is more than host and port.
    #[error(
        "`tcp://` is a host and a port, and octets as they come: there is nobody to ask for `{0}`, nor to tell a name and a password; write tcp://host:port, or ws:// if it speaks WebSocket"
    )]
    MoreThanPort(String),
    /// What stands behind the scheme is wrong.
    #[error(transparent)]
    Url(#[from] NotAUrl),
}

/// What a word may have been meant for.
fn meant(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => ": write ws://, wss://, unix: or tcp://".to_owned(),
    }
}

const SCHEMES: [&str; 4] = ["ws", "wss", "unix", "tcp"];

/// What other programs call the same.
const OTHERS: [(&str, &str); 6] = [
    ("http", "ws"),
    ("https", "wss"),
    ("h2c", "ws"),
    ("tls", "wss"),
    ("unix-connect", "unix"),
    ("http+unix", "unix"),
];

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(NotAnAddress::NoScheme(masked(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "unix" => unix(rest),
            "ws" | "wss" if rest.starts_with("//") => {
                let url: Url = text.parse()?;
                let authority = &rest[2..];
                let named = authority.contains(['/', '?']);
                let resource = named.then(|| url.resource.clone());
                Ok(Self::WebSocket { url, resource })
            }
            "tcp" if rest.starts_with("//") => tcp(&rest[2..]),
            // `plc:8080`
            _ if !rest.starts_with('/') => Err(NotAnAddress::NoScheme(without_credentials(text))),
            other => Err(NotAnAddress::Scheme {
                found: format!("{scheme}:"),
                nearest: nearest(other),
            }),
        }
    }
}

fn unix(rest: &str) -> Result<Address, NotAnAddress> {
    // Some write `unix:///run/app.sock`, as URLs of files are.
    let rest = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        _ => rest,
    };
    let (socket, resource) = match rest.find(":/") {
        Some(colon) => (&rest[..colon], Some(&rest[colon + 1..])),
        None => (rest, None),
    };
    if !socket.starts_with('/') || socket.len() < 2 || socket.starts_with("//") {
        return Err(NotAnAddress::Socket(masked(socket)));
    }
    let url: Url = format!("ws://localhost{}", resource.unwrap_or("/")).parse()?;
    Ok(Address::Unix {
        socket: socket.into(),
        resource: resource.map(|_| url.resource.clone()),
        url,
    })
}

fn tcp(authority: &str) -> Result<Address, NotAnAddress> {
    let url: Url = format!("ws://{authority}").parse()?;
    if url.resource != "/" || url.credentials.is_some() {
        let more = if url.resource == "/" {
            "…@"
        } else {
            &url.resource
        };
        return Err(NotAnAddress::MoreThanPort(masked(more)));
    }
    let authority = authority.trim_end_matches('/');
    // The URL's port 80 is WebSocket's own, not of any octets.
    if url.port == 80 && !authority.ends_with(":80") {
        return Err(NotAnAddress::NoPort(authority.to_owned()));
    }
    Ok(Address::Tcp { url })
}

/// What may stand in a message: not what stands before an `@`.
fn without_credentials(text: &str) -> String {
    masked(text.rsplit_once('@').map_or(text, |(_, rest)| rest))
}

fn nearest(found: &str) -> Option<&'static str> {
    let written = |name: &str| match name {
        "unix" => "unix:",
        "wss" => "wss://",
        "tcp" => "tcp://",
        _ => "ws://",
    };
    if let Some((_, ours)) = OTHERS.iter().find(|(other, _)| *other == found) {
        return Some(written(ours));
    }
    SCHEMES
        .iter()
        .chain(&["ws", "wss"])
        .map(|ours| (strsim::osa_distance(found, ours), *ours))
        .filter(|(distance, _)| *distance <= 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, ours)| written(ours))
}

impl Address {
    /// Where to connect and whom to ask for; of a Unix socket what is asked for
    /// over it.
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::WebSocket { url, .. } | Self::Unix { url, .. } | Self::Tcp { url } => url,
        }
    }

    /// Path and query, if the address names them.
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::WebSocket { resource, .. } | Self::Unix { resource, .. } => resource.as_deref(),
            Self::Tcp { .. } => None,
        }
    }

    /// Whether WebSocket is spoken there.
    pub fn is_websocket(&self) -> bool {
        !matches!(self, Self::Tcp { .. })
    }
}

/// The address without name and password, and without what its query says.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebSocket { url, resource } => {
                let scheme = if url.secure { "wss" } else { "ws" };
                let resource = resource.as_deref().unwrap_or_default();
                write!(f, "{scheme}://{}{}", url.host, masked(resource))
            }
            Self::Unix {
                socket, resource, ..
            } => {
                write!(f, "unix:{}", socket.display())?;
                match resource {
                    Some(resource) => write!(f, ":{}", masked(resource)),
                    None => Ok(()),
                }
            }
            Self::Tcp { url } if url.name.contains(':') => {
                write!(f, "tcp://[{}]:{}", url.name, url.port)
            }
            Self::Tcp { url } => write!(f, "tcp://{}:{}", url.name, url.port),
        }
    }
}

/// As it is shown.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_as_it_was_written() {
        for (text, resource) in [
            ("ws://plc:8080", None),
            ("ws://plc:8080/", Some("/")),
            ("wss://plc/a/b", Some("/a/b")),
            ("ws://[::1]:81/x", Some("/x")),
            ("unix:/run/app.sock", None),
            ("unix:/run/app.sock:/chat/x", Some("/chat/x")),
            ("tcp://plc:5900", None),
            ("tcp://plc:80", None),
            ("tcp://[::1]:5900", None),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.resource(), resource, "{text}");
        }
        for (text, shown) in [
            ("WS://plc:80", "ws://plc"),
            ("ws://plc?x", "ws://plc/?***"),
            ("ws://me:secret@plc/x", "ws://plc/x"),
            ("wss://plc/a?b=c&token=d", "wss://plc/a?b=***&token=***"),
            ("unix:/run/a:/b?c=d", "unix:/run/a:/b?c=***"),
            ("unix:///run/app.sock", "unix:/run/app.sock"),
            ("tcp://plc:5900/", "tcp://plc:5900"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_told_what_to_write() {
        for (text, said) in [
            ("plc", "has no scheme: write ws://"),
            ("plc:8080", "has no scheme"),
            ("localhost:8080/x", "has no scheme"),
            ("ws:plc", "has no scheme"),
            ("", "has no scheme"),
            ("http://plc", "did you mean `ws://`?"),
            ("https://plc", "did you mean `wss://`?"),
            ("wsss://plc", "did you mean `wss://`?"),
            ("udp://plc:1", "did you mean `tcp://`?"),
            ("unixx:/run/x", "did you mean `unix:`?"),
            ("gopher://plc", "write ws://, wss://, unix: or tcp://"),
            (
                "ws:/plc",
                "is no scheme of an upstream; did you mean `ws://`?",
            ),
            ("unix:run/app.sock", "is no absolute path"),
            ("unix:", "is no absolute path"),
            ("unix://app.sock", "is no absolute path"),
            ("unix:/run/app.sock:/a b", "' ' cannot stand in a URL"),
            ("tcp://plc", "names no port"),
            ("tcp://plc/", "names no port"),
            ("tcp://plc:x", "is no port"),
            ("tcp://plc:0", "is no port"),
            ("tcp://plc:5900/x", "nobody to ask for `/x`"),
            ("tcp://me:secret@plc:5900", "nor to tell a name"),
            ("ws://", "does not name a host"),
            ("ws://a/#b", "no fragment"),
            ("plc/?token=secret", "has no scheme"),
            ("ws:plc?secret", "has no scheme"),
            ("tcp://plc:5900/?token=secret", "nobody to ask for"),
            ("unix:run?token=secret", "is no absolute path"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
