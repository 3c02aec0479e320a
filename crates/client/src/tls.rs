//! TLS 1.2 and 1.3 by rustls, with the system's certificates.
//!
//! The provider is ring: it builds in seconds, without cmake. The roots are
//! read from the system's files at the first `wss://`, not by a platform's own
//! verifier, which on Linux is the same files with more crates around them.

use std::{fmt, io, path::PathBuf, sync::Arc};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

use crate::Stream;

/// What TLS goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Files with certificates (PEM) that are trusted besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Take any certificate of any server. Nobody who can reach the connection
    /// is kept out then: for tests alone.
    pub insecure: bool,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// A file of certificates cannot be read.
    #[error("cannot read certificates from {}: {why}; name a file with certificates in PEM", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no root certificates ({0}); install them (the package ca-certificates), or name a file with them"
    )]
    NoRoots(String),
    /// The host cannot stand in a certificate.
    #[error("`{0}` is no name that a certificate can be for; check how it is spelled")]
    Name(String),
    /// The certificate's time is over.
    #[error("its certificate has expired; it needs a new one, or this machine's clock is wrong")]
    Expired,
    /// The certificate's time has not come.
    #[error("its certificate is not valid yet; this machine's clock may be wrong")]
    NotYetValid,
    /// The certificate is for others.
    #[error("its certificate is for other names than this one ({0}); connect by one of its names")]
    WrongName(String),
    /// Nobody who is trusted signed the certificate.
    #[error(
        "its certificate is signed by nobody who is trusted here; if it is your own, name the file of its authority"
    )]
    UnknownIssuer,
    /// The certificate is bad in another way.
    #[error("its certificate is not accepted ({0})")]
    Certificate(String),
    /// No TLS at all.
    #[error("what answers there does not speak TLS; use ws:// if it is the plain port")]
    NotTls,
    /// The server speaks no version or cipher of ours.
    #[error(
        "it speaks no TLS that is spoken here, which is 1.2 and 1.3, or none at all ({0}); use ws:// if it is the plain port, else put a program that speaks the older ones between"
    )]
    Incompatible(String),
    /// The server ended the connection.
    #[error(
        "it closed the connection during the handshake; check that the port is the one for TLS"
    )]
    Ended,
    /// Anything else.
    #[error("{0}")]
    Other(#[source] io::Error),
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// There are none, or a file is none.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsFailure> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsFailure::Other(io::Error::other(error)))?;
        let config = if self.insecure {
            let any = Arc::new(AnyCertificate(provider));
            builder
                .dangerous()
                .with_custom_certificate_verifier(any)
                .with_no_client_auth()
        } else {
            builder
                .with_root_certificates(self.roots()?)
                .with_no_client_auth()
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TlsFailure> {
        let mut roots = RootCertStore::empty();
        for file in &self.ca_files {
            let failed = |why: String| TlsFailure::File {
                file: file.clone(),
                why,
            };
            let before = roots.len();
            let read = CertificateDer::pem_file_iter(file);
            for certificate in read.map_err(|error| failed(error.to_string()))? {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                let added = roots.add(certificate);
                added.map_err(|error| failed(error.to_string()))?;
            }
            if roots.len() == before {
                return Err(failed("there are none in it".into()));
            }
        }
        let system = rustls_native_certs::load_native_certs();
        // A system has certificates of all ages; those that cannot be read
        // are no worse than absent.
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
            return Err(TlsFailure::NoRoots(match errors.is_empty() {
                true => "none were found".into(),
                false => errors.join("; "),
            }));
        }
        Ok(roots)
    }
}

/// Speaks TLS with the server `name` over `stream`.
///
/// # Errors
/// There is none, or not with that server. There is no deadline: the caller has one.
pub(crate) async fn handshake(
    config: Arc<ClientConfig>,
    name: &str,
    stream: Stream,
) -> Result<Stream, TlsFailure> {
    let server = ServerName::try_from(name.to_owned());
    let server = server.map_err(|_| TlsFailure::Name(name.to_owned()))?;
    match TlsConnector::from(config).connect(server, stream).await {
        Ok(tls) => Ok(Stream::tls(tls)),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: io::Error) -> TlsFailure {
    use rustls::Error;

    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(why)) => certificate(why),
        Some(Error::InvalidMessage(_)) => TlsFailure::NotTls,
        Some(why @ (Error::PeerIncompatible(_) | Error::AlertReceived(_))) => {
            TlsFailure::Incompatible(why.to_string())
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => TlsFailure::Ended,
        _ => TlsFailure::Other(error),
    }
}

fn certificate(why: &CertificateError) -> TlsFailure {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::NotValidForName => TlsFailure::WrongName("it does not say which".into()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsFailure::WrongName(match presented.is_empty() {
                true => "it names none".into(),
                false => presented.join(", ").escape_debug().to_string(),
            })
        }
        CertificateError::UnknownIssuer => TlsFailure::UnknownIssuer,
        other => TlsFailure::Certificate(other.to_string()),
    }
}

/// Takes any certificate, but still demands that the server has its key.
struct AnyCertificate(Arc<CryptoProvider>);

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCertificate")
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
