//! Certificates that clients of OpenSSL show: judged by rustls, as those of all
//! other clients of the listener are.
//!
//! A client chooses its library by what it offers. If OpenSSL alone judged, at
//! the security level 0 that old versions need, whoever has a certificate that
//! rustls refuses (signed with MD5, say) would come in by offering TLS 1.0.
//! What is proven with the certificate's key stays OpenSSL's to check.

use std::sync::{Arc, LazyLock, OnceLock};

use openssl::{
    error::ErrorStack,
    ex_data::Index,
    ssl::{Ssl, SslContextBuilder, SslRef, SslVerifyMode},
    x509::{X509StoreContext, X509StoreContextRef, X509VerifyResult, verify::X509VerifyFlags},
};
use tokio_rustls::rustls::{
    Error,
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};

use super::modern;

/// OpenSSL's name for 112 bits: RSA from 2048 bits on and no SHA-1, as rustls
/// has it. It holds for certificates alone.
const LEVEL: i32 = 2;

/// Where a handshake keeps what was wrong with a certificate.
static WHY: LazyLock<Option<Index<Ssl, OnceLock<&'static str>>>> =
    LazyLock::new(|| Ssl::new_ex_index().ok());

/// From now on clients of `builder` are asked for certificates, as `mode` says,
/// and `verifier` judges them.
pub(super) fn judge(
    builder: &mut SslContextBuilder,
    mode: SslVerifyMode,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<(), ErrorStack> {
    let rules = builder.verify_param_mut();
    rules.set_auth_level(LEVEL);
    // As rustls: whoever is in `client-ca` is trusted, be it no root or its
    // time over. The time of all others is rustls' to look at.
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    builder.set_verify_callback(mode, move |good, shown| {
        // OpenSSL tells of each certificate, the client's own last.
        if good && shown.error_depth() > 0 {
            return true;
        }
        let why = match verdict(&*verifier, shown) {
            Err(why) => why,
            Ok(()) if good => return true,
            Ok(()) => shown.error().error_string(),
        };
        if good {
            shown.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
        }
        note(shown, why);
        false
    });
    Ok(())
}

fn verdict(
    verifier: &dyn ClientCertVerifier,
    shown: &X509StoreContextRef,
) -> Result<(), &'static str> {
    const MALFORMED: &str = "it is malformed";

    let chain = shown.chain().ok_or(MALFORMED)?.iter();
    let chain: Result<Vec<_>, _> = chain
        .map(|certificate| certificate.to_der().map(CertificateDer::from))
        .collect();
    let chain = chain.map_err(|_| MALFORMED)?;
    let (own, others) = chain.split_first().ok_or(MALFORMED)?;
    match verifier.verify_client_cert(own, others, UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(why)) => Err(modern::certificate(&why)),
        Err(_) => Err(MALFORMED),
    }
}

fn note(shown: &X509StoreContextRef, why: &'static str) {
    let place = X509StoreContext::ssl_idx().ok().zip(*WHY);
    if let Some((ssl, index)) = place
        && let Some(place) = shown.ex_data(ssl).and_then(|ssl| ssl.ex_data(index))
    {
        // What was wrong first is told.
        let _ = place.set(why);
    }
}

/// Makes room for what may be wrong with the certificate of this client.
pub(super) fn prepare(ssl: &mut SslRef) {
    if let Some(index) = *WHY {
        ssl.set_ex_data(index, OnceLock::new());
    }
}

/// What was wrong with the certificate of this client.
pub(super) fn why(ssl: &SslRef) -> Option<&'static str> {
    ssl.ex_data((*WHY)?)?.get().copied()
}
