//! TLS of our own listeners: modern clients by rustls, and old ones, where a
//! listener wants them, by OpenSSL.
//!
//! One port serves both. The first message of the client is read here, before
//! any library is chosen: only those meet OpenSSL whom rustls cannot serve.
//! Certificates are read anew while connections run: each handshake takes
//! those of its moment.

mod files;
mod hello;
#[cfg(feature = "legacy-tls")]
mod judged;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod modern;
mod names;
mod replayed;
mod suites;
mod transport;
mod watch;

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::BytesMut;
use tokio::{io::AsyncReadExt, net::TcpStream};
#[cfg(feature = "legacy-tls")]
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

pub use self::files::{BadFile, Certificate};
pub(crate) use self::{files::Of, transport::Transport, watch::keep_fresh};
use self::{
    files::Stamps,
    hello::{Begun, Hello},
    names::Names,
    replayed::Replayed,
};
use crate::config::{self, Listener};

/// Which TLS a client speaks with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsKind {
    /// `1.0` to `1.3`.
    pub version: &'static str,
    /// `rustls` or `openssl`.
    pub library: &'static str,
}

impl TlsKind {
    /// Whether the version is one that everybody was asked to leave.
    pub(crate) fn is_old(self) -> bool {
        matches!(self.version, "1.0" | "1.1")
    }
}

impl fmt::Display for TlsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS {} by {}", self.version, self.library)
    }
}

/// The TLS of one listener.
#[derive(Debug)]
pub(crate) struct Tls {
    settings: config::Tls,
    provider: Arc<CryptoProvider>,
    /// What handshakes take that begin now.
    now: RwLock<Arc<Loaded>>,
    /// Whether the files changed to what cannot be used.
    bad: AtomicBool,
}

/// What was read of the files at one moment.
struct Loaded {
    names: Arc<Names>,
    modern: modern::Configs,
    /// One for each certificate; none where old clients are not served.
    #[cfg(feature = "legacy-tls")]
    legacy: Vec<openssl::ssl::SslContext>,
    stamps: Stamps,
}

/// A client that speaks TLS with us.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) transport: Transport,
    pub(crate) kind: TlsKind,
    /// What a client offered that rustls could not serve.
    pub(crate) offered: Option<String>,
}

/// Why there is no TLS with a client.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It speaks HTTP.
    Text(TcpStream, BytesMut),
    /// It speaks something else, or TLS that we do not; it has been sent an alert.
    Handshake(String),
    /// It went before it said a thing.
    Gone,
}

/// Octets of a hello that are read at a time.
const CHUNK: usize = 4 << 10;

/// The alert that ends a connection for its version, as all versions know it.
const PROTOCOL_VERSION: u8 = 70;
/// The same for octets that mean nothing.
const DECODE_ERROR: u8 = 50;
/// The same for us, who cannot go on.
const INTERNAL_ERROR: u8 = 80;

/// A fatal alert in the clear.
fn alert(description: u8) -> [u8; 7] {
    [0x15, 3, 1, 0, 2, 2, description]
}

/// What a client of TLS is told that is turned away before its handshake:
/// words of HTTP would be none to it.
pub(crate) fn turned_away() -> [u8; 7] {
    alert(INTERNAL_ERROR)
}

impl Tls {
    /// Reads what `settings` name.
    ///
    /// # Errors
    /// A file is not what it should be.
    pub(crate) fn new(settings: &config::Tls) -> Result<Self, BadFile> {
        let provider = Arc::new(ring::default_provider());
        let loaded = load(settings, &provider)?;
        Ok(Self {
            settings: settings.clone(),
            provider,
            now: RwLock::new(Arc::new(loaded)),
            bad: AtomicBool::new(false),
        })
    }

    /// The TLS of `listener`, which had `before`: that is kept where nothing
    /// changed, nor anything in the files.
    ///
    /// # Errors
    /// A file is not what it should be.
    pub(crate) fn of_listener(
        listener: &Listener,
        before: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, BadFile> {
        let Some(settings) = &listener.tls else {
            return Ok(None);
        };
        let before = before.filter(|before| before.settings == *settings);
        let kept = before.filter(|before| !before.is_stale());
        let tls = match kept {
            Some(kept) => Ok(Arc::clone(kept)),
            None => Self::new(settings).map(Arc::new),
        };
        if let Some(before) = before {
            before.bad.store(tls.is_err(), Relaxed);
        }
        tls.map(Some)
    }

    /// The certificates that are served now.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let pairs = &self.loaded().names.pairs;
        pairs.iter().map(|pair| pair.about.clone()).collect()
    }

    /// Whether the files, as they were looked at last, are served, and not those
    /// of before.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.bad.load(Relaxed)
    }

    /// Whether the files are others than those that were read.
    fn is_stale(&self) -> bool {
        self.stamps() != self.loaded().stamps
    }

    fn stamps(&self) -> Stamps {
        Stamps::of(paths(&self.settings))
    }

    /// Reads the files anew.
    ///
    /// # Errors
    /// A file is not what it should be; what was read before stays.
    fn reload(&self) -> Result<(), BadFile> {
        let loaded = Arc::new(load(&self.settings, &self.provider)?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Speaks TLS with the client of `tcp`, of which `ahead` was already read; with
    /// HTTP/2 inside, if it likes, where `http2` says so.
    /// There is no deadline: the caller has one.
    pub(crate) async fn accept(
        &self,
        mut tcp: TcpStream,
        mut ahead: BytesMut,
        http2: bool,
    ) -> Result<Secured, Failed> {
        let hello = loop {
            if ahead.is_empty() {
                // Nothing was read yet.
            } else {
                match hello::read(&ahead) {
                    Begun::Hello(hello) => break hello,
                    Begun::More => {}
                    Begun::Text => return Err(Failed::Text(tcp, ahead)),
                    Begun::Garbage(why) => {
                        end(tcp, ahead.len(), DECODE_ERROR).await;
                        return Err(Failed::Handshake(format!("this is no TLS: {why}")));
                    }
                }
            }
            ahead.reserve(CHUNK);
            let mut room = (&mut tcp).take(CHUNK as u64);
            match (room.read_buf(&mut ahead).await, ahead.is_empty()) {
                (Ok(1..), _) => {}
                (_, true) => return Err(Failed::Gone),
                (_, false) => {
                    return Err(Failed::Handshake(
                        "the connection ended within the client's hello".to_owned(),
                    ));
                }
            }
        };
        self.serve(tcp, ahead, &hello, http2).await
    }

    async fn serve(
        &self,
        tcp: TcpStream,
        ahead: BytesMut,
        hello: &Hello,
        http2: bool,
    ) -> Result<Secured, Failed> {
        let loaded = self.loaded();
        #[cfg(feature = "legacy-tls")]
        if let Some((context, offered)) = self.old(&loaded, hello) {
            let tcp = Replayed::new(tcp, ahead);
            let tls = legacy::accept(context, tcp, hello).await;
            let tls = Box::new(tls.map_err(Failed::Handshake)?);
            let kind = TlsKind {
                version: tls.version(),
                library: "openssl",
            };
            return Ok(Secured {
                transport: Transport::Legacy(tls),
                kind,
                offered: Some(offered),
            });
        }
        if hello.ssl_2 || hello.highest() < self.lowest() {
            end(tcp, ahead.len(), PROTOCOL_VERSION).await;
            return Err(Failed::Handshake(self.too_old(hello)));
        }
        let tcp = Replayed::new(tcp, ahead);
        let tls = modern::accept(loaded.modern.of(http2), tcp).await;
        let tls = tls.map_err(Failed::Handshake)?;
        let kind = TlsKind {
            version: modern::version(&tls),
            library: "rustls",
        };
        Ok(Secured {
            transport: Transport::Modern(Box::new(tls)),
            kind,
            offered: None,
        })
    }

    /// What serves a client that rustls cannot serve, and what that one
    /// offered; `None` if it can, or nobody does.
    #[cfg(feature = "legacy-tls")]
    fn old<'l>(
        &self,
        loaded: &'l Loaded,
        hello: &Hello,
    ) -> Option<(&'l openssl::ssl::SslContext, String)> {
        if hello.highest() < self.lowest() {
            return None;
        }
        let names = &loaded.names;
        let suits = |key: &_| modern::suits(hello, key, &self.provider);
        let name = hello.name.as_deref();
        if suits(&names.pairs[names.choose(name, suits)].key) {
            return None;
        }
        // ECDSA came after most of these clients.
        let index = names.choose(name, |key| {
            key.key.algorithm() == rustls::SignatureAlgorithm::RSA
        });
        Some((loaded.legacy.get(index)?, hello.offered()))
    }

    /// The lowest version that is served.
    fn lowest(&self) -> u16 {
        match self.settings.profile {
            config::TlsProfile::Modern => hello::TLS_1_2,
            config::TlsProfile::Legacy10 => hello::TLS_1_0,
        }
    }

    fn too_old(&self, hello: &Hello) -> String {
        let offered = hello.offered();
        match self.settings.profile {
            config::TlsProfile::Modern => format!(
                "the client offers {offered}, and this listener speaks TLS 1.2 and 1.3; `profile = \"legacy-1.0\"` speaks TLS 1.0 too"
            ),
            config::TlsProfile::Legacy10 => format!(
                "the client offers {offered}, which no library of today speaks; put something older between, as docs/tls.md says"
            ),
        }
    }
}

fn load(settings: &config::Tls, provider: &Arc<CryptoProvider>) -> Result<Loaded, BadFile> {
    // First: what changes while it is read is then read once more.
    let stamps = Stamps::of(paths(settings));
    let pairs = settings.certificates.iter().enumerate();
    let pairs: Result<_, _> = pairs
        .map(|(index, files)| files::pair(files, index, provider))
        .collect();
    let names = Arc::new(Names::new(pairs?));
    let verifier = modern::verifier(settings, provider)?;
    Ok(Loaded {
        #[cfg(feature = "legacy-tls")]
        legacy: match settings.profile {
            config::TlsProfile::Modern => Vec::new(),
            config::TlsProfile::Legacy10 => {
                let pairs = names.pairs.iter().enumerate();
                pairs
                    .map(|(index, pair)| legacy::context(settings, pair, index, verifier.as_ref()))
                    .collect::<Result<_, _>>()?
            }
        },
        modern: modern::Configs::new(&names, verifier, provider),
        names,
        stamps,
    })
}

/// Every file that is read.
fn paths(settings: &config::Tls) -> impl Iterator<Item = &Path> {
    let pairs = settings.certificates.iter();
    let pairs = pairs.flat_map(|files| [files.certificate.as_path(), &files.key]);
    pairs.chain(settings.client_ca.iter().map(|file| file.as_path()))
}

/// Ends a connection of which `read` octets were read with an alert.
async fn end(mut tcp: TcpStream, read: usize, description: u8) {
    crate::last_words::say_last(&mut tcp, &alert(description), read).await;
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A certificate that is served, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The listener.
    pub listener: SocketAddr,
    /// What it shows.
    pub certificate: Certificate,
}

/// As a line: where, for whom, until when.
impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Certificate {
            file,
            names,
            not_after,
            ..
        } = &self.certificate;
        let names = match names.is_empty() {
            true => "no name".to_owned(),
            false => names.join(", "),
        };
        let until = time::OffsetDateTime::from(*not_after).date();
        let file = file.display();
        write!(f, "{}: {names}, until {until} ({file})", self.listener)
    }
}
