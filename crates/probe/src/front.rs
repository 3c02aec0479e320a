//! What stands at the address, asked without WebSocket: one plain GET; and, if
//! there is no way in by what the URL says, whether TLS, another TLS or none
//! would be.

use std::{net::IpAddr, time::Duration};

use bytes::BytesMut;
use draftgate_client::{Client, ConnectError, Options, Stream, Tls, TlsFailure, Url};
use draftgate_drafts::opening::Answer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    Finding, FindingKind,
    hello::{self, Said},
    quote,
};

/// What answers a plain GET.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Front {
    /// The address that was connected to; a proxy's, if there is one on the way.
    pub address: Option<IpAddr>,
    /// The version of TLS, if it is spoken.
    pub tls: Option<&'static str>,
    /// The status line of the answer to a plain GET.
    pub status_line: Option<String>,
    /// Its `Server` field.
    pub server: Option<String>,
    /// Its `Via` field.
    pub via: Option<String>,
}

/// Asks; an error says why there is no way in at all.
pub(crate) async fn look(
    client: &Client,
    url: &Url,
    within: Duration,
) -> Result<Front, ConnectError> {
    let mut stream = client.dial(url).await?;
    let mut front = Front {
        address: stream
            .tcp()
            .and_then(|tcp| tcp.peer_addr().ok())
            .map(|address| address.ip()),
        tls: stream.tls_version(),
        ..Front::default()
    };
    let mut octets = get(&mut stream, client.options(), url, within).await;
    if let Ok(Some(answer)) = Answer::read(&mut octets) {
        let field = |name| {
            let value = answer.named(name).next();
            value.map(|(_, value)| quote::plain(value))
        };
        front.server = field("server");
        front.via = field("via");
        front.status_line = Some(quote::plain(answer.status_line().as_bytes()));
    }
    Ok(front)
}

/// The beginning of what answers a plain GET.
async fn get(stream: &mut Stream, options: &Options, url: &Url, within: Duration) -> BytesMut {
    let mut request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", url.resource, url.host);
    for (name, value) in &options.fields {
        if let Ok(value) = value.to_str() {
            request += &format!("{name}: {value}\r\n");
        }
    }
    request += "Connection: close\r\n\r\n";
    let mut octets = BytesMut::new();
    let answer = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let whole = |octets: &[u8]| octets.windows(4).any(|w| w == b"\r\n\r\n");
        while octets.len() < draftgate_drafts::opening::MAX_HEAD && !whole(&octets) {
            if stream.read_buf(&mut octets).await? == 0 {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = timeout(within, answer).await;
    octets
}

/// What `error`, which says that there is no way in, comes of.
pub(crate) async fn no_way(
    client: &Client,
    url: &Url,
    error: &ConnectError,
    within: Duration,
) -> Finding {
    use FindingKind as Kind;

    let found = |kind| Finding::new(kind, &[], error.to_string());
    match error {
        ConnectError::Resolve { .. } => found(Kind::HostUnknown),
        ConnectError::Connect { source, .. } => match source.kind() {
            std::io::ErrorKind::ConnectionRefused => found(Kind::ConnectRefused),
            std::io::ErrorKind::TimedOut => found(Kind::ConnectSilent),
            _ => found(Kind::ConnectFailed),
        },
        ConnectError::ConnectTimeout { stage, .. } => match stage {
            draftgate_client::Stage::Tls => without_tls(client, url, error, within).await,
            draftgate_client::Stage::Tunnel => found(Kind::ProxyRefused),
            draftgate_client::Stage::Tcp => found(Kind::ConnectSilent),
        },
        ConnectError::Proxy { .. } | ConnectError::Environment(_) => found(Kind::ProxyRefused),
        ConnectError::Tls { failure, .. } => match failure {
            TlsFailure::Expired => found(Kind::CertificateExpired),
            TlsFailure::NotYetValid => found(Kind::CertificateTooEarly),
            TlsFailure::WrongName(_) | TlsFailure::Name(_) => found(Kind::CertificateName),
            TlsFailure::UnknownIssuer => found(Kind::CertificateIssuer),
            // What `openssl req -x509` makes unless it is told otherwise.
            TlsFailure::Certificate(why) if why.contains("CaUsedAsEndEntity") => {
                found(Kind::CertificateOther).with_fix(
                    "it is the certificate of an authority, used as a server's: make one with `-addext basicConstraints=critical,CA:FALSE`; for a test, --insecure",
                )
            }
            TlsFailure::Certificate(_) => found(Kind::CertificateOther),
            TlsFailure::NoRoots(_) | TlsFailure::File { .. } => {
                found(Kind::ConnectFailed).with_fix("name a file with certificates in PEM")
            }
            _ => without_tls(client, url, error, within).await,
        },
        _ => found(Kind::ConnectFailed),
    }
}

/// Why TLS is not agreed upon, by what the port says without it and to an old one.
async fn without_tls(
    client: &Client,
    url: &Url,
    error: &ConnectError,
    within: Duration,
) -> Finding {
    let plain = Url {
        secure: false,
        ..url.clone()
    };
    if let Ok(mut stream) = client.dial(&plain).await {
        let said = hello::ask(&mut stream, &url.name, within).await;
        if let Said::Version(version) = said {
            let name = hello::name(version);
            let seen = format!(
                "{error}; to a hello of TLS 1.1 it answers with {name} ({:02x} {:02x})",
                version[0], version[1]
            );
            return Finding::new(FindingKind::TlsTooOld, &[], seen);
        }
    }
    if let Ok(mut stream) = client.dial(&plain).await {
        let octets = get(&mut stream, client.options(), &plain, within).await;
        if octets.starts_with(b"HTTP/") && !tells_of_tls(&octets) {
            let line: &[u8] = octets[..].split(|o| *o == b'\r').next().unwrap_or_default();
            let seen = format!("{error}; a plain GET is answered {}", quote::octets(line));
            return Finding::new(FindingKind::TlsNotSpoken, &[], seen).shown();
        }
    }
    let kind = match error {
        ConnectError::Tls {
            failure: TlsFailure::NotTls,
            ..
        } => FindingKind::TlsNotSpoken,
        _ => FindingKind::TlsFailed,
    };
    Finding::new(kind, &[], error.to_string())
}

/// Whether a server that speaks TLS refuses that of old devices.
pub(crate) async fn too_new(client: &Client, url: &Url, within: Duration) -> Option<Finding> {
    let plain = Url {
        secure: false,
        ..url.clone()
    };
    let mut stream = client.dial(&plain).await.ok()?;
    match hello::ask(&mut stream, &url.name, within).await {
        Said::Alert(alert) => {
            let seen = format!(
                "a hello of TLS 1.1 with the ciphers of its time is answered with alert {alert}"
            );
            Some(Finding::new(FindingKind::TlsTooNew, &[], seen))
        }
        Said::Version(_) | Said::Other => None,
    }
}

/// Whether octets in plain text say that they should be under TLS: an alert, or
/// nginx's and Apache's words.
pub(crate) fn tells_of_tls(octets: &[u8]) -> bool {
    const WORDS: [&[u8]; 2] = [
        b"The plain HTTP request was sent to HTTPS port",
        b"speaking plain HTTP to an SSL-enabled server port",
    ];
    let says = |word: &[u8]| octets.windows(word.len()).any(|w| w == word);
    octets.starts_with(&[21, 3]) || WORDS.iter().any(|word| says(word))
}

/// Whether TLS is spoken at `url`, whose scheme says that it is not, by whatever
/// certificate and in whatever version; by what that is told.
pub(crate) async fn speaks_tls(client: &Client, url: &Url, within: Duration) -> Option<String> {
    let options = Options {
        tls: Tls {
            insecure: true,
            ..client.options().tls.clone()
        },
        ..client.options().clone()
    };
    let secure = Url {
        secure: true,
        ..url.clone()
    };
    if let Ok(stream) = Client::new(options).dial(&secure).await {
        let version = stream.tls_version()?;
        return Some(format!("{version} is agreed upon on this port"));
    }
    let mut stream = client.dial(url).await.ok()?;
    match hello::ask(&mut stream, &url.name, within).await {
        Said::Version(version) => Some(format!(
            "a hello of TLS 1.1 is answered with {}",
            hello::name(version)
        )),
        Said::Alert(alert) => Some(format!("a hello of TLS is answered with alert {alert}")),
        Said::Other => None,
    }
}
