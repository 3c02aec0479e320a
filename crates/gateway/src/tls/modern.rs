//! TLS 1.2 and 1.3 by rustls, over ring.
//!
//! Sessions are resumed by tickets: they cost us no memory, however many
//! clients there are.

use std::{io, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, AlertDescription, CertificateError, PeerIncompatible, ProtocolVersion, ServerConfig,
        SignatureScheme,
        crypto::{CryptoProvider, ring},
        server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
        sign::CertifiedKey,
    },
    server::TlsStream,
};

use super::{
    files::{self, BadFile, Of, Why},
    hello::{Hello, TLS_1_2, TLS_1_3},
    names::{Names, Resolver},
    replayed::Replayed,
};
use crate::{
    config::{ClientAuth, Tls},
    last_words::linger,
};

/// What is spoken inside, best first.
pub(super) const APPLICATION_PROTOCOLS: [&[u8]; 2] = [b"h2", HTTP_1];

/// What is spoken with old clients, and where HTTP/2 is off.
pub(super) const HTTP_1: &[u8] = b"http/1.1";

/// Octets that wait in rustls while a client takes its time: one record. The
/// kernel tells of progress in parts of the same size, so that the write
/// timeout sees a slow client move.
const WAITING: usize = 16 << 10;

/// What rustls serves the clients of one listener by.
#[derive(Debug)]
pub(super) struct Configs {
    /// HTTP/1.1 is offered inside.
    http_1: Arc<ServerConfig>,
    /// HTTP/2, too.
    http_2: Arc<ServerConfig>,
}

impl Configs {
    pub(super) fn new(
        names: &Arc<Names>,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
        provider: &Arc<CryptoProvider>,
    ) -> Self {
        let mut config = config(names, verifier, provider);
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        let http_1 = Arc::new(config.clone());
        config.alpn_protocols = APPLICATION_PROTOCOLS.iter().map(|it| it.to_vec()).collect();
        Self {
            http_1,
            http_2: Arc::new(config),
        }
    }

    /// That with HTTP/2, or without.
    pub(super) fn of(&self, http2: bool) -> Arc<ServerConfig> {
        Arc::clone(if http2 { &self.http_2 } else { &self.http_1 })
    }
}

fn config(
    names: &Arc<Names>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    provider: &Arc<CryptoProvider>,
) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions");
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Resolver(Arc::clone(names))));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Without randomness no key could be made either: then nothing is resumed.
    if let Ok(ticketer) = ring::Ticketer::new() {
        config.ticketer = ticketer;
    }
    config.send_tls13_tickets = 1;
    config
}

/// What judges the certificates of clients; `None` where they show none.
pub(super) fn verifier(
    settings: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, BadFile> {
    if settings.client_auth == ClientAuth::Off {
        return Ok(None);
    }
    let roots = Arc::new(files::authorities(&settings.client_ca)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let verifier = match settings.client_auth {
        ClientAuth::Optional => verifier.allow_unauthenticated(),
        _ => verifier,
    };
    let verifier = verifier.build().map_err(|error| BadFile {
        file: settings.client_ca.first().cloned().unwrap_or_default(),
        of: Of::ClientCa(0),
        why: Why::Certificate(error.to_string()),
    })?;
    Ok(Some(verifier))
}

/// Whether rustls can serve a client that says `hello` with `key`: version,
/// suite, group and signature.
#[cfg_attr(
    not(feature = "legacy-tls"),
    expect(dead_code, reason = "without OpenSSL there is no choice")
)]
pub(super) fn suits(hello: &Hello, key: &CertifiedKey, provider: &CryptoProvider) -> bool {
    let (Some(schemes), Some(groups)) = (&hello.schemes, &hello.groups) else {
        return false;
    };
    let schemes: Vec<SignatureScheme> = schemes.iter().copied().map(Into::into).collect();
    let signs = key.key.choose_scheme(&schemes).is_some();
    let group = provider.kx_groups.iter().any(|group| {
        let number = u16::from(group.name());
        groups.contains(&number)
    });
    let suite = provider.cipher_suites.iter().any(|suite| {
        let version = match suite.tls13() {
            Some(_) => TLS_1_3,
            None => TLS_1_2,
        };
        hello.versions.contains(&version)
            && hello.suites.contains(&u16::from(suite.suite()))
            && suite.usable_for_signature_algorithm(key.key.algorithm())
    });
    !hello.ssl_2 && signs && group && suite
}

/// Speaks TLS with a client.
///
/// # Errors
/// A sentence that says why not; the client has been sent its alert.
pub(super) async fn accept(
    config: Arc<ServerConfig>,
    tcp: Replayed,
) -> Result<TlsStream<Replayed>, String> {
    let accepting = TlsAcceptor::from(config)
        .accept_with(tcp, |session| session.set_buffer_limit(Some(WAITING)));
    match accepting.into_fallible().await {
        Ok(tls) => Ok(tls),
        Err((error, mut tcp)) => {
            // The client is to have the time to read its alert.
            linger(&mut tcp, 0).await;
            Err(failure(&error))
        }
    }
}

/// The version that was agreed on, as numbers have it.
pub(super) fn version(tls: &TlsStream<Replayed>) -> &'static str {
    match tls.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        _ => "1.3",
    }
}

fn failure(error: &io::Error) -> String {
    use rustls::Error;

    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match inner {
        Some(Error::AlertReceived(alert)) => alerted(*alert),
        Some(Error::NoApplicationProtocol) => {
            "the client speaks only other protocols inside (ALPN) than this listener, which speaks http/1.1 and, unless that is off, h2".to_owned()
        }
        Some(Error::NoCertificatesPresented) => {
            "the client shows no certificate, which `client-auth = \"required\"` asks for"
                .to_owned()
        }
        Some(Error::InvalidCertificate(why)) => {
            format!(
                "the client's certificate is not accepted: {}",
                certificate(why)
            )
        }
        Some(Error::PeerIncompatible(why)) => incompatible(why),
        Some(other) => format!("the client breaks the rules of TLS: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client closed the connection during the handshake".to_owned()
        }
        None => format!("the connection broke: {error}"),
    }
}

/// What a client says when it is dissatisfied.
fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as Alert;

    let means = match alert {
        Alert::UnknownCA => {
            "it knows nobody who signed the certificate; is the chain complete, and its root one that the client has?"
        }
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
            "it does not accept the certificate; is it for the name that the client connects to?"
        }
        Alert::CertificateExpired => "for it the certificate has expired; its clock may be wrong",
        Alert::UserCanceled | Alert::CloseNotify => "it gave up",
        _ => "it does not say more",
    };
    format!("the client ended the handshake with the alert {alert:?}: {means}")
}

/// What is wrong with a client's certificate.
pub(super) fn certificate(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::UnknownIssuer => "nobody in `client-ca` signed it",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for clients"
        }
        _ => "it is malformed, or its signature is wrong",
    }
}

fn incompatible(why: &PeerIncompatible) -> String {
    let what = match why {
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite that is served here",
        PeerIncompatible::NoKxGroupsInCommon => "no group for its keys that is served here",
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
            "no signature that the certificate's key can make"
        }
        PeerIncompatible::Tls12NotOffered | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            "no version from TLS 1.2 on"
        }
        other => return format!("the client offers nothing that is served here: {other:?}"),
    };
    format!("the client offers {what}")
}
