//! TLS, if the URL wants it: rustls, or in builds with `legacy-tls` the
//! system's OpenSSL for the versions that rustls has left behind. Either speaks
//! over a socket that never waits, and does its handshake in the first reads
//! and writes.

use std::{io, sync::Arc};

use draftgate_client::{Tls, TlsFailure};
use mio::net::TcpStream;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::{LoadError, Target, socket::Socket};

/// What TLS goes by.
#[derive(Debug, Clone, Default)]
pub struct TlsTerms {
    /// Whom to trust.
    pub tls: Tls,
    /// The newest version to speak, by OpenSSL.
    #[cfg(feature = "legacy-tls")]
    pub at_most: Option<TlsVersion>,
}

/// A version of TLS, as it is written on the command line.
#[cfg(feature = "legacy-tls")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.0
    V1_0,
    /// TLS 1.1
    V1_1,
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

/// What is put around each new socket.
#[derive(Clone)]
pub(crate) enum Secure {
    Plain,
    Rustls(Arc<ClientConfig>, ServerName<'static>),
    #[cfg(feature = "legacy-tls")]
    Old(openssl::ssl::SslConnector, TlsTerms, String),
}

impl Secure {
    /// For the target.
    ///
    /// # Errors
    /// There are no certificates, or OpenSSL refuses.
    pub(crate) fn new(target: &Target, terms: &TlsTerms) -> Result<Self, LoadError> {
        if !target.url.secure {
            return Ok(Self::Plain);
        }
        let name = &target.url.name;
        let failed = |failure| LoadError::Tls {
            host: target.url.host.clone(),
            failure,
        };
        #[cfg(feature = "legacy-tls")]
        if let Some(version) = terms.at_most {
            let connector = old(terms, version);
            let connector = connector.map_err(|error| LoadError::OldTls(error.to_string()))?;
            return Ok(Self::Old(connector, terms.clone(), name.clone()));
        }
        let server = ServerName::try_from(name.clone());
        let server = server.map_err(|_| failed(TlsFailure::Name(name.clone())))?;
        let config = terms.tls.config().map_err(failed)?;
        Ok(Self::Rustls(config, server))
    }

    /// Puts it around `tcp`.
    ///
    /// # Errors
    /// The library refuses.
    pub(crate) fn around(&self, tcp: TcpStream) -> io::Result<Socket> {
        Ok(match self {
            Self::Plain => Socket::Plain(tcp),
            Self::Rustls(config, name) => {
                let client = ClientConnection::new(Arc::clone(config), name.clone());
                let client = client.map_err(io::Error::other)?;
                Socket::Tls(Box::new(StreamOwned::new(client, tcp)))
            }
            #[cfg(feature = "legacy-tls")]
            Self::Old(connector, terms, name) => {
                let mut ssl = connector.configure()?;
                ssl.set_verify_hostname(!terms.tls.insecure);
                let mut ssl = ssl.into_ssl(name)?;
                ssl.set_connect_state();
                let stream = openssl::ssl::SslStream::new(ssl, tcp)?;
                Socket::Old(Box::new(stream))
            }
        })
    }
}

#[cfg(feature = "legacy-tls")]
fn old(
    terms: &TlsTerms,
    version: TlsVersion,
) -> Result<openssl::ssl::SslConnector, openssl::error::ErrorStack> {
    use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};

    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    // Level 0 is the one at which today's OpenSSL speaks TLS 1.0 at all.
    builder.set_cipher_list("DEFAULT@SECLEVEL=0")?;
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_max_proto_version(Some(match version {
        TlsVersion::V1_0 => SslVersion::TLS1,
        TlsVersion::V1_1 => SslVersion::TLS1_1,
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }))?;
    if terms.tls.insecure {
        builder.set_verify(SslVerifyMode::NONE);
    }
    for file in &terms.tls.ca_files {
        builder.set_ca_file(file)?;
    }
    Ok(builder.build())
}
