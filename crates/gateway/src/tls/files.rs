//! Certificates and keys as they lie in files, and what can be wrong with them.
//!
//! PEM is read by `rustls-pki-types`, the dates and names by `x509-cert`, and
//! whether key and certificate belong together is for rustls to say. Every
//! mistake names its file and what to do, because whoever renews certificates
//! does so by a script at night.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ring::digest;
use tokio_rustls::rustls::{
    self, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};
use x509_cert::{
    certificate::Raw,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::config::CertificateFiles;

/// Octets of a file, at most. All authorities of a system are a quarter of it.
const LARGEST: u64 = 1 << 20;

/// A certificate of a listener, as it is served now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file with its chain.
    pub file: PathBuf,
    /// The names that it is for, in lower case, wildcards as they stand there.
    pub names: Vec<String>,
    /// The moment from which it is valid.
    pub not_before: SystemTime,
    /// The moment at which it expires.
    pub not_after: SystemTime,
}

/// A certificate with its chain and its key.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) about: Certificate,
    pub(super) key: Arc<CertifiedKey>,
    /// For OpenSSL, which reads it anew.
    #[cfg_attr(
        not(feature = "legacy-tls"),
        expect(dead_code, reason = "only OpenSSL needs it once more")
    )]
    pub(super) private: PrivateKeyDer<'static>,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct BadFile {
    /// The file.
    pub file: PathBuf,
    /// Which of the settings names it.
    pub(crate) of: Of,
    pub(crate) why: Why,
}

/// The setting that names a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The chain of the certificate in this place.
    Certificate(usize),
    /// The key of it.
    Key(usize),
    /// The authority in this place whose clients are let in.
    ClientCa(usize),
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Why {
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("is no plain file; PEM is not read from folders, pipes and devices")]
    NoPlainFile,
    #[error("is larger than 1 MiB, which no PEM of certificates is; is it another file?")]
    TooLarge,
    #[error(
        "has no certificate in PEM in it, which begins with -----BEGIN CERTIFICATE-----; `openssl x509 -inform DER` makes PEM of DER"
    )]
    NoCertificate,
    #[error(
        "has no private key in PEM in it, which begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"
    )]
    NoKey,
    #[error(
        "its private key is encrypted; nobody can type the pass phrase here: `openssl pkey -in FILE -out NEW` takes it off"
    )]
    EncryptedKey,
    #[error("its PEM is damaged: {0}")]
    Pem(String),
    #[error("its certificate cannot be read: {0}")]
    Certificate(String),
    #[error(
        "its key is none that can be served: RSA of 2048 to 8192 bits, ECDSA (P-256, P-384) or Ed25519"
    )]
    KeyKind,
    #[error("its key does not belong to the certificate in {}; take the key with which that one was asked for", .0.display())]
    Mismatch(PathBuf),
    #[cfg(feature = "legacy-tls")]
    #[error("OpenSSL does not take it: {0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
}

/// Reads the certificate in place `index`.
///
/// # Errors
/// A file is not what it should be.
pub(super) fn pair(
    files: &CertificateFiles,
    index: usize,
    provider: &CryptoProvider,
) -> Result<Pair, BadFile> {
    let of_chain = |why| BadFile {
        file: files.certificate.clone(),
        of: Of::Certificate(index),
        why,
    };
    let of_key = |why| BadFile {
        file: files.key.clone(),
        of: Of::Key(index),
        why,
    };
    let chain = certificates(&files.certificate).map_err(of_chain)?;
    let about = about(&files.certificate, &chain[0]).map_err(of_chain)?;
    let private = private_key(&files.key).map_err(of_key)?;
    let key = provider
        .key_provider
        .load_private_key(private.clone_key())
        .map_err(|_| of_key(Why::KeyKind))?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(of_key(Why::Mismatch(files.certificate.clone())));
        }
        Err(error) => return Err(of_chain(Why::Certificate(error.to_string()))),
    }
    Ok(Pair {
        about,
        key: Arc::new(key),
        private,
    })
}

/// Every certificate of a file, of which there is at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Why> {
    let text = read(file)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(all) if all.is_empty() => Err(Why::NoCertificate),
        Ok(all) => Ok(all),
        Err(error) => Err(Why::Pem(error.to_string())),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Why> {
    let text = read(file)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if is_encrypted(&text) => Err(Why::EncryptedKey),
        Err(pem::Error::NoItemsFound) => Err(Why::NoKey),
        // What openssl wrote before PKCS #8 says so in a field within.
        Err(_) if is_encrypted(&text) => Err(Why::EncryptedKey),
        Err(error) => Err(Why::Pem(error.to_string())),
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"ENCRYPTED").is_some()
}

/// The authorities in `files`, as rustls wants them.
///
/// # Errors
/// A file is not what it should be.
pub(super) fn authorities(files: &[PathBuf]) -> Result<RootCertStore, BadFile> {
    let mut roots = RootCertStore::empty();
    for (index, file) in files.iter().enumerate() {
        let bad = |why| BadFile {
            file: file.clone(),
            of: Of::ClientCa(index),
            why,
        };
        for certificate in certificates(file).map_err(bad)? {
            let added = roots.add(certificate);
            added.map_err(|error| bad(Why::Certificate(error.to_string())))?;
        }
    }
    Ok(roots)
}

fn about(file: &Path, certificate: &CertificateDer<'_>) -> Result<Certificate, Why> {
    let malformed = |error: x509_cert::der::Error| Why::Certificate(error.to_string());
    // Raw: serial numbers of old authorities break rules that do not matter here.
    let read = x509_cert::certificate::CertificateInner::<Raw>::from_der(certificate);
    let read = read.map_err(malformed)?;
    let of = read.tbs_certificate();
    let mut names = Vec::new();
    if let Some((_, alternatives)) = of.get_extension::<SubjectAltName>().map_err(malformed)? {
        let dns = alternatives.0.iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        names.extend(dns);
    }
    // Certificates for old clients may have nothing but that.
    if names.is_empty()
        && let Ok(Some(name)) = of.subject().common_name()
    {
        names.push(name.value().to_ascii_lowercase());
    }
    Ok(Certificate {
        file: file.to_owned(),
        names,
        not_before: UNIX_EPOCH + of.validity().not_before.to_unix_duration(),
        not_after: UNIX_EPOCH + of.validity().not_after.to_unix_duration(),
    })
}

/// By its first name, as logs show it.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.first() {
            Some(name) => f.write_str(name),
            None => self.file.display().fmt(f),
        }
    }
}

/// The octets of `file`, which is a plain one and not too large to be PEM: it
/// is read while everybody waits.
fn read(file: &Path) -> Result<Vec<u8>, Why> {
    // Asked before it is opened: a pipe opens once somebody writes into it.
    if !fs::metadata(file).map_err(Why::Read)?.is_file() {
        return Err(Why::NoPlainFile);
    }
    let open = fs::File::open(file).map_err(Why::Read)?;
    let mut octets = Vec::new();
    let read = open.take(LARGEST + 1).read_to_end(&mut octets);
    read.map_err(Why::Read)?;
    match octets.len() as u64 > LARGEST {
        true => Err(Why::TooLarge),
        false => Ok(octets),
    }
}

/// Whether files changed: digests of what is in them. Times and lengths do not
/// say: those of images are all the same, and so are those of `cp -p`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<[u8; 32]>>);

impl Stamps {
    /// As they are now.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let stamp = |file: &Path| {
            let digest = digest::digest(&digest::SHA256, &read(file).ok()?);
            digest.as_ref().try_into().ok()
        };
        Self(files.map(stamp).collect())
    }
}
