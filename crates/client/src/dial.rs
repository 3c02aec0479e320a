//! From a URL to octets: the name, TCP, the proxy's tunnel and TLS, within one
//! deadline for all of them.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::rustls::ClientConfig;

use crate::{ConnectError, Options, Proxy, Stage, Stream, TlsFailure, Url, Via, environment, tls};

/// One way to one server.
pub(crate) struct Dial<'a> {
    pub(crate) options: &'a Options,
    pub(crate) url: &'a Url,
    until: Instant,
}

impl<'a> Dial<'a> {
    pub(crate) fn new(options: &'a Options, url: &'a Url) -> Self {
        let until = Instant::now() + options.connect_timeout;
        Self {
            options,
            url,
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
        let mut stream = match self.proxy()? {
            None => self.tcp(&self.url.name, self.url.port).await?,
            Some(proxy) => {
                let mut stream = self.tcp(&proxy.name, proxy.port).await?;
                if proxy.secure {
                    stream = self.tls(&config, &proxy.name, stream).await?;
                }
                let tunnel = proxy.tunnel(&mut stream, self.url);
                self.in_time(Stage::Tunnel, tunnel).await?;
                stream
            }
        };
        if self.url.secure {
            stream = self.tls(&config, &self.url.name, stream).await?;
        }
        Ok(stream)
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
            let connected = first(&found, self.until).await;
            connected.map_err(|source| ConnectError::Connect {
                host: authority(name, port),
                source,
            })
        };
        let tcp = self.in_time(Stage::Tcp, attempt).await?;
        // Neither is worth a connection that otherwise works.
        let _ = tcp.set_nodelay(self.options.no_delay);
        if let Some(after) = self.options.keep_alive {
            let keep_alive = TcpKeepalive::new().with_time(after.max(Duration::from_secs(1)));
            let _ = SockRef::from(&tcp).set_tcp_keepalive(&keep_alive);
        }
        Ok(Stream::plain(tcp))
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

/// Connects to the first of `addresses` that lets us. Each may take its share of
/// what is left of the time, so that one that is silent (a host without the IPv6
/// that its name promises) does not take the time of the others; the last has
/// what is left, and whoever calls ends that.
async fn first(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (at, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let connect = TcpStream::connect(address);
        let connected = match left {
            1 => connect.await,
            _ => {
                let share = until.saturating_duration_since(Instant::now()) / left;
                let silent = |_| Err(io::ErrorKind::TimedOut.into());
                timeout(share, connect).await.unwrap_or_else(silent)
            }
        };
        match connected {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn authority(name: &str, port: u16) -> String {
    match name.contains(':') {
        true => format!("[{name}]:{port}"),
        false => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_leaves_time_for_the_next() {
        // A queue that is full takes no more connections, and refuses none.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(tcp) = timeout(Duration::from_secs(1), TcpStream::connect(silent)).await {
            queued.push(tcp.unwrap());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let begun = Instant::now();
        let until = begun + Duration::from_secs(9);
        let tcp = first(&[silent, silent, good], until).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
        assert_eq!(begun.elapsed().as_secs(), 6);
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_over_and_the_last_reason_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        let until = Instant::now() + Duration::from_secs(30);
        assert!(first(&[refusing, good], until).await.is_ok());
        let error = first(&[refusing, refusing], until).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = first(&[], until).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
