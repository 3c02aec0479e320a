//! TLS where it should be, where it should not be, too old, and with every
//! trouble of certificates.

use std::{fs, path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use draftgate_client::{Options, Tls};
use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Report, Settings, Verdict, probe};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::server::{Server, echo, end, finding};

/// An authority of our own, and a file with its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Authority {
    /// `name` is that of the test: each has a file of its own.
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let file = format!("draftgate-probe-{}-{name}.pem", std::process::id());
        let file = std::env::temp_dir().join(file);
        let encoded = STANDARD.encode(issuer.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        fs::write(&file, pem).unwrap();
        Self { issuer, file }
    }

    /// A server true to every draft, with a certificate for `name` after `change`.
    async fn server(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Server {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        Server::start(move |tcp| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    echo(tls, "wss", Arc::new(|_: &_, _, _: &mut Head| ())).await;
                }
            }
        })
        .await
    }

    fn trusted(&self) -> Tls {
        Tls {
            ca_files: vec![self.file.clone()],
            insecure: false,
        }
    }
}

async fn probed(server: &Server, scheme: &str, tls: Tls) -> Report {
    let options = Options {
        tls,
        ..Options::default()
    };
    probe(options, &server.url(scheme), &Settings::default()).await
}

/// Nothing works, for this reason, which is about all drafts.
#[track_caller]
fn fails(report: &Report, kind: Kind) {
    let found = finding(report, kind);
    assert!(found.drafts.is_empty(), "{report:#?}");
    assert_eq!(report.findings.len(), 1, "{report:#?}");
    let all: Vec<_> = draftgate_drafts::spoken().collect();
    assert_eq!(report.drafts.len(), all.len());
    for tried in &report.drafts {
        assert_eq!(tried.verdict, Verdict::Fails(kind), "{report:#?}");
    }
}

#[tokio::test]
async fn nothing_but_its_age_is_found_under_tls_with_a_server_that_is_true_to_every_draft() {
    let authority = Authority::new("healthy");
    let server = authority.server("127.0.0.1", |_| ()).await;
    let report = probed(&server, "wss", authority.trusted()).await;
    // The one thing that can be said of rustls: it is of today.
    let found = finding(&report, Kind::TlsTooNew);
    assert!(found.seen.contains("with alert "), "{}", found.seen);
    assert_eq!(report.findings.len(), 1, "{}", report.to_json());
    assert!(report.drafts.iter().all(|d| d.verdict == Verdict::Works));
    assert_eq!(report.front.unwrap().tls, Some("TLS 1.3"));
}

#[tokio::test]
async fn each_trouble_of_a_certificate_has_its_name() {
    let authority = Authority::new("troubles");
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2011, 1, 1);
    };
    let server = authority.server("127.0.0.1", expired).await;
    let report = probed(&server, "wss", authority.trusted()).await;
    fails(&report, Kind::CertificateExpired);

    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let server = authority.server("127.0.0.1", early).await;
    let report = probed(&server, "wss", authority.trusted()).await;
    fails(&report, Kind::CertificateTooEarly);

    let server = authority.server("plc.example", |_| ()).await;
    let report = probed(&server, "wss", authority.trusted()).await;
    fails(&report, Kind::CertificateName);
    let seen = &report.findings[0].seen;
    assert!(seen.contains("plc.example"), "{seen}");

    let is_ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    let server = authority.server("127.0.0.1", is_ca).await;
    let report = probed(&server, "wss", authority.trusted()).await;
    fails(&report, Kind::CertificateOther);
    assert!(report.findings[0].fix().contains("CA:FALSE"));

    let stranger = Authority::new("troubles-stranger");
    let server = authority.server("127.0.0.1", |_| ()).await;
    let report = probed(&server, "wss", stranger.trusted()).await;
    fails(&report, Kind::CertificateIssuer);
    let any = Tls {
        insecure: true,
        ..stranger.trusted()
    };
    assert!(probed(&server, "wss", any).await.works());
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let server = Server::healthy().await;
    let tls = Tls {
        ca_files: vec!["/nonexistent/ca.pem".into()],
        insecure: false,
    };
    let report = probed(&server, "wss", tls).await;
    fails(&report, Kind::ConnectFailed);
    let seen = &report.findings[0].seen;
    assert!(seen.contains("/nonexistent/ca.pem"), "{seen}");
}

#[tokio::test]
async fn the_wrong_scheme_is_found_either_way() {
    let plain = Server::healthy().await;
    let any = || Tls {
        ca_files: Vec::new(),
        insecure: true,
    };
    let report = probed(&plain, "wss", any()).await;
    fails(&report, Kind::TlsNotSpoken);
    assert!(report.findings[0].shown);
    let seen = &report.findings[0].seen;
    assert!(seen.contains("HTTP/1.1 426"), "{seen}");

    let authority = Authority::new("scheme");
    let secure = authority.server("127.0.0.1", |_| ()).await;
    let report = probed(&secure, "ws", any()).await;
    assert!(finding(&report, Kind::TlsExpected).shown, "{report:#?}");
    assert!(!report.works());

    // Apache's and nginx's way to say it.
    let answer = "HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>";
    let server = Server::answering(answer).await;
    for draft in draftgate_drafts::spoken() {
        let report = server.probed(draft).await;
        assert!(finding(&report, Kind::TlsExpected).shown, "{draft}");
    }
}

#[tokio::test]
async fn what_agrees_on_tls_1_0_is_too_old() {
    // A ServerHello of TLS 1.0, RSA with AES 128, to whatever comes.
    let mut hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    let server = Server::start(move |mut tcp| {
        let hello = hello.clone();
        async move {
            let mut first = [0; 1];
            if tcp.read(&mut first).await.is_ok_and(|count| count > 0) {
                let said = if first == [22] { &hello[..] } else { b"" };
                end(tcp, said).await;
            }
        }
    })
    .await;
    let report = probed(&server, "wss", Tls::default()).await;
    fails(&report, Kind::TlsTooOld);
    let seen = &report.findings[0].seen;
    assert!(seen.contains("it answers with TLS 1.0 (03 01)"), "{seen}");

    let report = probed(&server, "ws", Tls::default()).await;
    let seen = &finding(&report, Kind::TlsExpected).seen;
    assert!(seen.contains("TLS 1.0"), "{seen}");
}

#[tokio::test]
async fn what_ends_during_tls_is_told() {
    let server = Server::start(|mut tcp| async move {
        let _ = tcp.read(&mut [0; 1024]).await;
        let _ = tcp.shutdown().await;
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let report = probed(&server, "wss", Tls::default()).await;
    fails(&report, Kind::TlsFailed);
}
