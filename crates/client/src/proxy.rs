//! An HTTP proxy, asked by `CONNECT` for a tunnel (RFC 9110 §9.3.6).
//!
//! The proxy's answer is read to its empty line and not one octet further is
//! expected: in neither protocol does the server speak first, so octets behind
//! it are a proxy's own, and refused.

use std::fmt;

use bytes::BytesMut;
use draftgate_drafts::opening::Answer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{ConnectError, Credentials, ProxyRefusal, Url, body::Body, url};

/// curl's, where the URL of a proxy has no port.
const DEFAULT_PORT: u16 = 1080;
const DEFAULT_PORT_TLS: u16 = 443;

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Whether the connection to the proxy itself is under TLS (`https://`).
    pub secure: bool,
    /// As a resolver takes it: an IPv6 address without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
    /// For Basic Authentication.
    pub credentials: Option<Credentials>,
}

/// Why a text is no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAProxy {
    /// Some other kind of proxy.
    #[error(
        "`{0}://` is no kind of proxy that is spoken: write http://host:port or https://host:port"
    )]
    Scheme(String),
    /// It does not read as a URL. Nothing of it is shown: it may hold a password.
    #[error("the proxy's address cannot be read ({0}): write http://host:port")]
    Malformed(String),
}

impl std::str::FromStr for Proxy {
    type Err = NotAProxy;

    /// `[http[s]://][name[:password]@]host[:port][/]`; the port is 1080 if left
    /// out, 443 for `https`, as curl has it.
    fn from_str(text: &str) -> Result<Self, NotAProxy> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(NotAProxy::Scheme(scheme.to_owned())),
        };
        let why = |error: url::NotAUrl| {
            NotAProxy::Malformed(match error {
                url::NotAUrl::Port(_) => "its port is no number from 1 to 65535".into(),
                url::NotAUrl::Credentials => error.to_string(),
                _ => "it names no host".into(),
            })
        };
        let url: Url = format!("ws://{rest}").parse().map_err(why)?;
        if url.resource != "/" {
            return Err(NotAProxy::Malformed("it has a path".into()));
        }
        let (_, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        let named = host.trim_end_matches('/').ends_with(":80");
        let port = match (url.port, secure) {
            (80, false) if !named => DEFAULT_PORT,
            (80, true) if !named => DEFAULT_PORT_TLS,
            (port, _) => port,
        };
        Ok(Self {
            secure,
            name: url.name,
            port,
            credentials: url.credentials,
        })
    }
}

/// The proxy without name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        match self.name.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.name, self.port),
            false => write!(f, "{scheme}://{}:{}", self.name, self.port),
        }
    }
}

impl Proxy {
    fn request(&self, url: &Url) -> Vec<u8> {
        let authority = url.authority();
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        if let Some(value) = self.credentials.as_ref().and_then(Credentials::basic) {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }

    /// Asks for a tunnel to the server of `url`; behind `Ok`, `stream` is one.
    ///
    /// # Errors
    /// The proxy makes none. There is no deadline: the caller has one.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        url: &Url,
    ) -> Result<(), ConnectError> {
        let refused = |refusal| ConnectError::Proxy {
            proxy: self.to_string(),
            host: url.authority(),
            refusal,
        };
        let broken = |source| refused(ProxyRefusal::Broken(source));
        let request = self.request(url);
        stream.write_all(&request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut input = BytesMut::new();
        let answer = loop {
            let read = Answer::read(&mut input);
            match read.map_err(|why| refused(ProxyRefusal::Malformed(why)))? {
                Some(answer) => break answer,
                None if stream.read_buf(&mut input).await.map_err(broken)? == 0 => {
                    return Err(refused(ProxyRefusal::Ended));
                }
                None => {}
            }
        };
        match answer.status {
            200..=299 if input.is_empty() => Ok(()),
            200..=299 => Err(refused(ProxyRefusal::Octets(input.len()))),
            // tinyproxy says 401 to a wrong password.
            status @ (401 | 407) => Err(refused(ProxyRefusal::Authentication {
                status,
                sent: self.credentials.is_some(),
                asked: challenges(&answer),
            })),
            _ => Err(refused(ProxyRefusal::Status {
                line: answer.status_line().escape_debug().to_string(),
                body: Body::read(&answer, input, stream).await.shown(),
            })),
        }
    }
}

/// The schemes of authentication that a proxy asks for.
fn challenges(answer: &Answer) -> String {
    let schemes: Vec<String> = answer
        .named("proxy-authenticate")
        .filter_map(|(_, value)| value.split(|o| *o == b' ').next())
        .map(|scheme| String::from_utf8_lossy(scheme).escape_debug().to_string())
        .collect();
    schemes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_as_curl_reads_it() {
        let proxy = |secure, name: &str, port| Proxy {
            secure,
            name: name.into(),
            port,
            credentials: None,
        };
        for (text, wanted, shown) in [
            ("a", proxy(false, "a", 1080), "http://a:1080"),
            ("a:3128", proxy(false, "a", 3128), "http://a:3128"),
            ("http://a:80/", proxy(false, "a", 80), "http://a:80"),
            ("HTTPS://a", proxy(true, "a", 443), "https://a:443"),
            (
                "http://[::1]:80",
                proxy(false, "::1", 80),
                "http://[::1]:80",
            ),
            (
                "http://[::1]",
                proxy(false, "::1", 1080),
                "http://[::1]:1080",
            ),
        ] {
            let found: Proxy = text.parse().unwrap();
            assert_eq!((found.to_string().as_str(), found), (shown, wanted));
        }
        let proxy: Proxy = "http://me:80@a".parse().unwrap();
        assert_eq!(proxy.credentials, Credentials::new("me", "80"));
        assert_eq!(proxy.to_string(), "http://a:1080");
    }

    #[test]
    fn what_is_no_proxy_is_told_what_to_write() {
        for (text, said) in [
            ("socks5://a:1", "`socks5://` is no kind of proxy"),
            ("", "names no host"),
            ("http://a:x", "its port"),
            ("http://a/b", "it has a path"),
            ("http://me:%@a", "percent-encode"),
        ] {
            let error = text.parse::<Proxy>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_tunnel_is_asked_for_with_both_host_and_port() {
        let request = |proxy: &str, url: &str| {
            let (proxy, url): (Proxy, Url) = (proxy.parse().unwrap(), url.parse().unwrap());
            String::from_utf8(proxy.request(&url)).unwrap()
        };
        assert_eq!(
            request("a", "ws://B.example/x"),
            "CONNECT B.example:80 HTTP/1.1\r\nHost: B.example:80\r\n\r\n"
        );
        assert_eq!(
            request("Aladdin:open%20sesame@a", "wss://[::1]/x"),
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }
}
