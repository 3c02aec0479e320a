//! An authority of the test's own, the files that it signs, and a gateway that
//! is served by them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use draftgate_gateway::config::{CertificateFiles, Config, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tokio_rustls::rustls::pki_types::CertificateDer;

/// A folder of one test's files, and who signs what is in it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate that was signed.
pub(crate) struct Signed {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: Vec<u8>,
    pub(crate) files: CertificateFiles,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("authority {number}");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = format!("draftgate-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("authority.pem"),
            pem("CERTIFICATE", issuer.der()),
        )
        .unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The file with its own certificate.
    pub(crate) fn own_file(&self) -> PathBuf {
        self.file("authority.pem")
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for `names`, in files that begin with `file`.
    pub(crate) fn sign(&self, file: &str, names: &[&str]) -> Signed {
        self.sign_with(file, names, KeyPair::generate().unwrap(), |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        file: &str,
        names: &[&str],
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            certificate: self.file(&format!("{file}.pem")),
            key: self.file(&format!("{file}.key")),
        };
        let signed = Signed {
            der: certificate.der().clone(),
            key: key.serialize_der(),
            files,
        };
        signed.write(&signed.files);
        signed
    }
}

impl Signed {
    /// Writes it under other names.
    pub(crate) fn write(&self, files: &CertificateFiles) {
        write(&files.key, &pem("PRIVATE KEY", &self.key));
        let secret = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&files.key, secret).unwrap();
        write(&files.certificate, &pem("CERTIFICATE", &self.der));
    }
}

/// As those who renew do it: whole files take the place of others.
pub(crate) fn write(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, file).unwrap();
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{encoded}\n-----END {label}-----\n")
}

/// The embedded configuration with TLS by `signed`, on a free port.
pub(crate) fn config(signed: &Signed) -> Config {
    let mut config = crate::common::config();
    config.listeners[0].tls = Some(Tls::new(vec![signed.files.clone()]));
    config
}
