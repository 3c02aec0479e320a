//! From a URL to octets: the name, TCP or a Unix socket, the proxy's tunnel, what
//! is sent first, and TLS, within one deadline for all of them.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};
use tokio_rustls::rustls::ClientConfig;

use crate::{
    ConnectError, Options, Proxy, Request, Stage, Stream, TlsFailure, Url, Via, environment, http2,
    tcp::{self, Failed},
    tls,
    unix::UnixStream,
};

/// How often TCP asks, without an answer, before it gives a peer up.
const PROBES: u32 = 4;

/// One way to one server.
pub(crate) struct Dial<'a> {
    pub(crate) options: &'a Options,
    pub(crate) url: &'a Url,
    request: &'a Request<'a>,
    until: Instant,
}

impl<'a> Dial<'a> {
    pub(crate) fn new(options: &'a Options, url: &'a Url, request: &'a Request<'a>) -> Self {
        let until = Instant::now() + options.connect_timeout;
        Self {
            options,
            url,
            request,
            until,
        }
    }

    /// Connects; `config` is asked what TLS goes by only where it is needed.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn stream(
        &self,
        config: impl Fn() -> Result<Arc<ClientConfig>, TlsFailure>,
    ) -> Result<Stream, ConnectError> {
        let mut stream = match (self.request.socket, self.proxy()?) {
            (Some(path), _) => self.unix(path).await?,
            (None, None) => self.tcp(&self.url.name, self.url.port).await?,
            (None, Some(proxy)) => {
                let mut stream = self.tcp(&proxy.name, proxy.port).await?;
                if proxy.secure {
                    stream = self.tls(&config, &proxy.name, stream).await?;
                }
                let tunnel = proxy.tunnel(&mut stream, self.url);
                self.in_time(Stage::Tunnel, tunnel).await?;
                stream
            }
        };
        if !self.request.preface.is_empty() {
            let sent = async {
                stream.write_all(self.request.preface).await?;
                stream.flush().await
            };
            let sent = async { sent.await.map_err(|source| self.broken(source)) };
            self.in_time(Stage::Tcp, sent).await?;
        }
        if self.url.secure {
            let config = || config().map(|config| self.inside(config));
            stream = self.tls(config, &self.url.name, stream).await?;
        }
        Ok(stream)
    }

    /// What is offered to be spoken within the server's TLS.
    fn inside(&self, config: Arc<ClientConfig>) -> Arc<ClientConfig> {
        if !self.options.http2 {
            return config;
        }
        let mut config = ClientConfig::clone(&config);
        config.alpn_protocols = vec![http2::PROTOCOL.to_vec()];
        Arc::new(config)
    }

    fn proxy(&self) -> Result<Option<Proxy>, ConnectError> {
        match &self.options.via {
            Via::Directly => Ok(None),
            Via::Proxy(proxy) => Ok(Some(proxy.clone())),
            Via::Environment => {
                let variable = |name: &str| std::env::var(name).ok();
                Ok(environment::proxy(self.url, variable)?)
            }
        }
    }

    /// Connects to one of the addresses of `name`, in the resolver's order.
    async fn tcp(&self, name: &str, port: u16) -> Result<Stream, ConnectError> {
        let attempt = async {
            let found = tokio::net::lookup_host((name, port)).await;
            let found = found.map_err(|source| ConnectError::Resolve {
                name: name.to_owned(),
                source,
            })?;
            let found: Vec<SocketAddr> = found.collect();
            let connected = tcp::first(&found, self.request.sources, self.until).await;
            connected.map_err(|failed| failed_tcp(failed, authority(name, port)))
        };
        let tcp = self.in_time(Stage::Tcp, attempt).await?;
        // Neither is worth a connection that otherwise works.
        let _ = tcp.set_nodelay(self.options.no_delay);
        if let Some(after) = self.options.keep_alive {
            let second = Duration::from_secs(1);
            let keep_alive = TcpKeepalive::new()
                .with_time(after.max(second))
                .with_interval((after / PROBES).max(second))
                .with_retries(PROBES);
            let _ = SockRef::from(&tcp).set_tcp_keepalive(&keep_alive);
        }
        Ok(Stream::plain(tcp))
    }

    async fn unix(&self, path: &Path) -> Result<Stream, ConnectError> {
        let attempt = async {
            let connected = UnixStream::connect(path).await;
            connected.map_err(|source| ConnectError::Connect {
                host: path.display().to_string(),
                source,
            })
        };
        let unix = self.in_time(Stage::Tcp, attempt).await?;
        Ok(Stream::unix(unix))
    }

    fn broken(&self, source: std::io::Error) -> ConnectError {
        ConnectError::Broken {
            host: self.url.host.clone(),
            source,
        }
    }

    async fn tls(
        &self,
        config: impl Fn() -> Result<Arc<ClientConfig>, TlsFailure>,
        name: &str,
        stream: Stream,
    ) -> Result<Stream, ConnectError> {
        let failed = |failure| ConnectError::Tls {
            host: name.to_owned(),
            failure,
        };
        let config = config().map_err(failed)?;
        let handshake = async {
            let stream = tls::handshake(config, name, stream).await;
            stream.map_err(failed)
        };
        self.in_time(Stage::Tls, handshake).await
    }

    async fn in_time<T>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let timed_out = |_| ConnectError::ConnectTimeout {
            host: self.url.host.clone(),
            after: self.options.connect_timeout,
            stage,
        };
        timeout_at(self.until, work).await.map_err(timed_out)?
    }
}

fn failed_tcp(failed: Failed, host: String) -> ConnectError {
    match failed {
        Failed::Connect(source) => ConnectError::Connect { host, source },
        Failed::Source {
            source,
            error,
            bound,
        } => ConnectError::Source {
            host,
            source_address: source,
            source: error,
            bound,
        },
        Failed::Family(family) => ConnectError::NoSource { host, family },
    }
}

fn authority(name: &str, port: u16) -> String {
    match name.contains(':') {
        true => format!("[{name}]:{port}"),
        false => format!("{name}:{port}"),
    }
}
