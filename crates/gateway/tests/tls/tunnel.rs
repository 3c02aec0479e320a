//! A client of TLS in front of the tests' own clients, which know only TCP:
//! what connects here is carried on over TLS.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{PrivateKeyDer, ServerName},
        version::{TLS12, TLS13},
    },
};

use crate::{
    authority::{Authority, Signed},
    common::soon,
};

/// The versions of rustls, as they are counted.
pub(crate) const VERSIONS: [(&str, &SupportedProtocolVersion); 2] =
    [("1.2", &TLS12), ("1.3", &TLS13)];

/// A client that trusts `authority`, in `versions`, and shows `own`.
pub(crate) fn client(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<&Signed>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.key.clone()).unwrap();
            builder
                .with_client_auth_cert(vec![own.der.clone()], key)
                .unwrap()
        }
    }
}

/// Both versions, no certificate.
pub(crate) fn of_today(authority: &Authority) -> ClientConfig {
    client(authority, &[&TLS12, &TLS13], None)
}

/// Connects to `name` at `address`.
///
/// # Errors
/// As rustls says.
pub(crate) async fn connect(
    config: &ClientConfig,
    name: &str,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = soon("connect", TcpStream::connect(address)).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config.clone()));
    soon("handshake", connector.connect(name, tcp)).await
}

/// Where to connect for TLS to `localhost` at `address`.
pub(crate) async fn open(config: ClientConfig, address: SocketAddr) -> SocketAddr {
    carry(move || {
        let config = config.clone();
        async move { connect(&config, "localhost", address).await.unwrap() }
    })
    .await
}

/// Where to connect for what `connect` connects to.
pub(crate) async fn carry<Io, Connect, Connecting>(connect: Connect) -> SocketAddr
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    Connect: Fn() -> Connecting + Send + 'static,
    Connecting: Future<Output = Io> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tcp.set_nodelay(true).unwrap();
            let mut tls = connect().await;
            tokio::spawn(async move {
                let _ = copy_bidirectional(&mut tcp, &mut tls).await;
            });
        }
    });
    here
}
