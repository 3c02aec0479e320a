//! `wss://` with certificates that are made here: right, expired, for another
//! host, signed by nobody who is known.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use draftgate_client::{
    Client, ConnectError, Connection, Drafts, Options, Request, Stage, Tls, TlsFailure, Url,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    proxy,
    server::{Heard, PATIENCE, Server, converse, echo, head},
};

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
        let file = format!("draftgate-{}-{name}.pem", std::process::id());
        let file = std::env::temp_dir().join(file);
        let encoded = STANDARD.encode(issuer.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        fs::write(&file, pem).unwrap();
        Self { issuer, file }
    }

    /// A server's half of TLS with a certificate for `names`, after `change`.
    fn acceptor(&self, names: &[&str], change: impl Fn(&mut CertificateParams)) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    fn trusted(&self) -> Tls {
        Tls {
            ca_files: vec![self.file.clone()],
            insecure: false,
        }
    }
}

/// An echo in every draft under TLS.
async fn server(acceptor: TlsAcceptor) -> Server {
    Server::start(move |tcp, heard| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(tls) = acceptor.accept(tcp).await {
                let speaks = draftgate_drafts::announced().collect();
                echo(tls, "wss", heard, speaks, String::new()).await;
            }
        }
    })
    .await
}

async fn connect(url: &Url, tls: Tls) -> Result<Connection, ConnectError> {
    let options = Options {
        tls,
        ..Options::default()
    };
    Client::new(options).connect(url).await
}

async fn failure(url: &Url, tls: Tls) -> TlsFailure {
    match connect(url, tls).await {
        Err(ConnectError::Tls { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

const INSECURE: fn() -> Tls = || Tls {
    ca_files: Vec::new(),
    insecure: true,
};

#[tokio::test]
async fn every_draft_is_spoken_under_tls_directly_and_through_a_proxy() {
    let authority = Authority::new("every-draft");
    let server = server(authority.acceptor(&["127.0.0.1", "localhost"], |_| ())).await;
    let proxy = Server::start(proxy::tunnel).await;
    for draft in draftgate_drafts::announced() {
        for via in [draftgate_client::Via::Directly, proxy::via(&proxy, None)] {
            let client = Client::new(Options {
                drafts: Drafts::Named(vec![draft]),
                tls: authority.trusted(),
                via,
                ..Options::default()
            });
            for host in ["127.0.0.1", "localhost"] {
                let url = format!("wss://{host}:{}/x", server.address.port());
                let connection = client.connect(&url.parse().unwrap()).await.unwrap();
                assert!(connection.stream.is_secure());
                converse(connection, "secret").await;
            }
        }
    }
    let demands = |head: &&String| head.contains("Origin: https://");
    assert!(server.heard().iter().filter(demands).count() > 0);
}

#[tokio::test]
async fn what_is_sent_first_stands_before_tls_and_behind_the_tunnel() {
    const FIRST: &[u8] = b"PROXY UNKNOWN\r\n";
    let authority = Authority::new("preface");
    let acceptor = authority.acceptor(&["127.0.0.1"], |_| ());
    let server = Server::start(move |mut tcp, heard| {
        let acceptor = acceptor.clone();
        async move {
            let mut first = [0; FIRST.len()];
            tcp.read_exact(&mut first).await.unwrap();
            heard
                .lock()
                .unwrap()
                .push(String::from_utf8(first.into()).unwrap());
            let tls = acceptor.accept(tcp).await.unwrap();
            let speaks = draftgate_drafts::announced().collect();
            echo(tls, "wss", heard, speaks, String::new()).await;
        }
    })
    .await;
    let proxy = Server::start(proxy::tunnel).await;
    for via in [draftgate_client::Via::Directly, proxy::via(&proxy, None)] {
        let client = Client::new(Options {
            tls: authority.trusted(),
            via,
            ..Options::default()
        });
        let request = Request {
            preface: FIRST,
            ..Request::default()
        };
        let connection = client.connect_with(&server.url("wss", "/"), &request).await;
        converse(connection.unwrap(), "behind it").await;
        let heard = std::mem::take(&mut *server.heard.lock().unwrap());
        assert_eq!(heard[0].as_bytes(), FIRST);
        assert!(heard[1].starts_with("GET / "), "{heard:?}");
    }
}

#[tokio::test]
async fn a_proxy_may_be_under_tls_itself() {
    let authority = Authority::new("proxy");
    let acceptor = authority.acceptor(&["127.0.0.1"], |_| ());
    let end = server(acceptor.clone()).await;
    let proxy = Server::start(move |tcp, heard: Heard| {
        let acceptor = acceptor.clone();
        async move {
            let mut client = acceptor.accept(tcp).await.unwrap();
            let (request, _) = head(&mut client, &heard).await.unwrap();
            let to = request.uri.authority().unwrap().as_str();
            let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
            client.write_all(b"HTTP/1.1 200 Ok\r\n\r\n").await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await;
    let address = format!("https://{}", proxy.address);
    let client = Client::new(Options {
        via: draftgate_client::Via::Proxy(address.parse().unwrap()),
        tls: authority.trusted(),
        ..Options::default()
    });
    let connection = client.connect(&end.url("wss", "/")).await.unwrap();
    converse(connection, "twice").await;
}

#[tokio::test]
async fn a_certificate_that_is_not_the_servers_is_refused_with_its_reason() {
    let authority = Authority::new("refused");
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2011, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let host = &["127.0.0.1"][..];

    let end = server(authority.acceptor(host, expired)).await;
    let url = end.url("wss", "/");
    let found = failure(&url, authority.trusted()).await;
    assert!(matches!(found, TlsFailure::Expired), "{found}");
    converse(connect(&url, INSECURE()).await.unwrap(), "anyway").await;

    let end = server(authority.acceptor(host, early)).await;
    let found = failure(&end.url("wss", "/"), authority.trusted()).await;
    assert!(matches!(found, TlsFailure::NotYetValid), "{found}");

    let end = server(authority.acceptor(&["plc.example"], |_| ())).await;
    let url = end.url("wss", "/");
    let found = failure(&url, authority.trusted()).await;
    assert!(
        matches!(&found, TlsFailure::WrongName(names) if names.contains("plc.example")),
        "{found}"
    );
    converse(connect(&url, INSECURE()).await.unwrap(), "anyway").await;

    let stranger = Authority::new("stranger");
    let end = server(authority.acceptor(host, |_| ())).await;
    let url = end.url("wss", "/");
    let found = failure(&url, stranger.trusted()).await;
    assert!(matches!(found, TlsFailure::UnknownIssuer), "{found}");
    converse(connect(&url, INSECURE()).await.unwrap(), "anyway").await;
}

#[tokio::test]
async fn what_is_no_tls_is_told() {
    let plain = Server::start(|mut tcp, _: Heard| async move {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tcp.shutdown().await;
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let found = failure(&plain.url("wss", "/"), INSECURE()).await;
    assert!(matches!(found, TlsFailure::NotTls), "{found}");

    let closing = Server::start(|mut tcp, _: Heard| async move {
        let _ = tcp.read(&mut [0; 1024]).await;
    })
    .await;
    let error = connect(&closing.url("wss", "/"), INSECURE()).await;
    assert!(matches!(error, Err(ConnectError::Tls { .. })), "{error:?}");
}

#[tokio::test]
async fn a_file_that_holds_no_certificate_is_named() {
    let tls = |file: &str| Tls {
        ca_files: vec![file.into()],
        insecure: false,
    };
    let server = Server::start(|_, _: Heard| std::future::pending()).await;
    let url = server.url("wss", "/");
    for file in ["/nonexistent/ca.pem", "Cargo.toml"] {
        let found = failure(&url, tls(file)).await;
        assert!(matches!(found, TlsFailure::File { .. }), "{found}");
        assert!(found.to_string().contains(file), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_negotiates_is_told_apart_from_one_that_is_not_there() {
    let server = Server::start(|tcp, _: Heard| async move {
        let _tcp = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::new(Options {
        tls: INSECURE(),
        connect_timeout: Duration::from_secs(2),
        ..Options::default()
    });
    let error = client.connect(&server.url("wss", "/")).await;
    let Err(ConnectError::ConnectTimeout { stage, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(stage, Stage::Tls);
}

#[tokio::test]
async fn our_half_of_tls_ends_while_the_server_still_speaks() {
    let authority = Authority::new("half");
    let acceptor = authority.acceptor(&["127.0.0.1"], |_| ());
    let server = Server::start(move |tcp, heard: Heard| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(tcp).await.unwrap();
            let (request, _) = head(&mut tls, &heard).await.unwrap();
            let terms = draftgate_drafts::opening::Terms {
                subprotocol: None,
                public_url: "",
                limits: draftgate_core::Limits::default(),
                length_frames: draftgate_drafts::opening::LengthFrames::default(),
                extension: None,
            };
            let draft = draftgate_core::Draft::Hybi13;
            let keys = &mut draftgate_drafts::RandomKeys;
            let accepted = draftgate_drafts::accept(draft, &request, &terms, keys).unwrap();
            tls.write_all(&accepted.head.to_bytes()).await.unwrap();
            tls.flush().await.unwrap();
            let mut rest = Vec::new();
            tls.read_to_end(&mut rest).await.unwrap();
            tls.write_all(&rest).await.unwrap();
            tls.write_all(b" and more").await.unwrap();
            tls.shutdown().await.unwrap();
        }
    })
    .await;
    let connection = connect(&server.url("wss", "/"), authority.trusted()).await;
    let mut stream = connection.unwrap().stream;
    let half = stream.half_close();
    stream.write_all(b"before").await.unwrap();
    stream.flush().await.unwrap();
    half.end();
    let mut all = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    read.expect("the server hears our end").unwrap();
    assert_eq!(all, b"before and more");
}
