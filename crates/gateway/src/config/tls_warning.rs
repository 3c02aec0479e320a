//! What is probably not meant about the TLS of a listener. Certificates are
//! read for it; what cannot be read is a mistake, and told as one elsewhere.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use time::{Date, OffsetDateTime};

use super::{Config, Listener, TlsProfile};
use crate::{Certificate, Served, tls::Tls};

/// A certificate with less time left is warned of, unless that is a good part
/// of the time that it has in all.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Of a listener's TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsWarning {
    /// Old clients are served.
    #[error(
        "{address} speaks TLS 1.0 and 1.1 with old clients (profile \"legacy-1.0\"): whoever is on the way may read and change what they say; give them a listener, routes and channels of their own"
    )]
    Legacy {
        /// The listener.
        address: SocketAddr,
    },
    /// Clients refuse it.
    #[error("{address}: the certificate in {} has expired on {}: clients refuse it; renew it", file.display(), date(*.not_after))]
    Expired {
        /// The listener.
        address: SocketAddr,
        /// The file of the certificate.
        file: PathBuf,
        /// When.
        not_after: SystemTime,
    },
    /// Clients will refuse it.
    #[error("{address}: the certificate in {} expires in {} days, on {}; renew it, it is read without a restart", file.display(), days(*.left), date(*.not_after))]
    Expires {
        /// The listener.
        address: SocketAddr,
        /// The file of the certificate.
        file: PathBuf,
        /// How long it is valid.
        left: Duration,
        /// When.
        not_after: SystemTime,
    },
    /// Clients refuse it yet.
    #[error("{address}: the certificate in {} is valid from {} on, and clients refuse it until then; is this machine's clock right?", file.display(), date(*.not_before))]
    NotYetValid {
        /// The listener.
        address: SocketAddr,
        /// The file of the certificate.
        file: PathBuf,
        /// When.
        not_before: SystemTime,
    },
    /// A key that is no secret.
    #[error("{address}: every user of this machine may read the key {}; `chmod o= ` it", file.display())]
    KeyForAll {
        /// The listener.
        address: SocketAddr,
        /// The file of the key.
        file: PathBuf,
    },
}

fn days(left: Duration) -> u64 {
    left.as_secs().div_ceil(86_400)
}

fn date(at: SystemTime) -> Date {
    OffsetDateTime::from(at).date()
}

impl Config {
    /// The certificates that its listeners would show, in their order: what
    /// can be read of them.
    pub fn certificates(&self) -> Vec<Served> {
        let of = |listener: &Listener| {
            let tls = listener.tls.as_ref().and_then(|tls| Tls::new(tls).ok());
            let certificates = tls.map(|tls| tls.certificates()).unwrap_or_default();
            let listener = listener.address;
            certificates.into_iter().map(move |certificate| Served {
                listener,
                certificate,
            })
        };
        self.listeners.iter().flat_map(of).collect()
    }
}

/// Those of `listener`, now.
pub(super) fn of(listener: &Listener, now: SystemTime) -> Vec<TlsWarning> {
    let address = listener.address;
    let Some(settings) = &listener.tls else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if settings.profile == TlsProfile::Legacy10 {
        warnings.push(TlsWarning::Legacy { address });
    }
    if let Ok(tls) = Tls::new(settings) {
        let expiring = tls.certificates().into_iter();
        warnings.extend(expiring.filter_map(|it| of_certificate(address, it, now)));
    }
    let open = settings
        .certificates
        .iter()
        .filter(|it| is_for_all(&it.key));
    warnings.extend(open.map(|it| TlsWarning::KeyForAll {
        address,
        file: it.key.clone(),
    }));
    warnings
}

fn of_certificate(
    address: SocketAddr,
    certificate: Certificate,
    now: SystemTime,
) -> Option<TlsWarning> {
    let Certificate {
        file,
        not_before,
        not_after,
        ..
    } = certificate;
    if now < not_before {
        return Some(TlsWarning::NotYetValid {
            address,
            file,
            not_before,
        });
    }
    let Ok(left) = not_after.duration_since(now) else {
        return Some(TlsWarning::Expired {
            address,
            file,
            not_after,
        });
    };
    let whole = not_after.duration_since(not_before).unwrap_or(left);
    (left < SOON && left < whole / 3).then_some(TlsWarning::Expires {
        address,
        file,
        left,
        not_after,
    })
}

#[cfg(unix)]
pub(super) fn is_for_all(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let about = std::fs::metadata(file);
    about.is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_for_all(_: &std::path::Path) -> bool {
    false
}
