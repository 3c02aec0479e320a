//! Clients of before: OpenSSL on both ends, and hellos as they were sent then.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
};

use draftgate_core::Message;
use draftgate_gateway::{
    TlsKind,
    config::{ClientAuth, Config, TlsProfile},
};
use openssl::{
    pkey::PKey,
    rsa::Rsa,
    ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVersion},
    x509::X509,
};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_openssl::SslStream;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::{
    authority::{Authority, Signed},
    common::{
        ANSWER, Client, HIXIE_76, HYBI_13, KEY3, Raw, announced, captured, gateway, soon, until,
    },
    hostile::{reads_nothing, ssl_2, takes_too_little, tls_1_0},
    tunnel,
};

/// One for all tests: it takes a while to find.
static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    key.private_key_to_pkcs8().unwrap()
});

/// A certificate with an RSA key, as old clients need it.
fn rsa(authority: &Authority, file: &str, names: &[&str]) -> Signed {
    let der = PrivatePkcs8KeyDer::from(RSA.clone());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).unwrap();
    authority.sign_with(file, names, key, |_| {})
}

pub(crate) fn config(authority: &Authority) -> Config {
    let mut config = crate::authority::config(&rsa(authority, "rsa", &["localhost"]));
    let tls = config.listeners[0].tls.as_mut().unwrap();
    tls.profile = TlsProfile::Legacy10;
    config
}

/// A client that speaks `version` alone, and takes any certificate.
pub(crate) fn client(version: SslVersion, suites: &str) -> SslContextBuilder {
    let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
    builder.set_security_level(0);
    builder.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    builder
        .set_cipher_list(&format!("{suites}:@SECLEVEL=0"))
        .unwrap();
    builder
}

pub(crate) async fn connect(
    context: &SslContext,
    address: SocketAddr,
) -> Result<SslStream<TcpStream>, String> {
    let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut tls = SslStream::new(Ssl::new(context).unwrap(), tcp).unwrap();
    match soon("handshake", Pin::new(&mut tls).connect()).await {
        Ok(()) => Ok(tls),
        Err(error) => Err(error.to_string()),
    }
}

async fn open(context: SslContextBuilder, address: SocketAddr) -> SocketAddr {
    let context = context.build();
    tunnel::carry(move || {
        let context = context.clone();
        async move { connect(&context, address).await.unwrap() }
    })
    .await
}

/// Version, suites of the client, and who serves it.
const CLIENTS: [(SslVersion, &str, &str, &str); 6] = [
    (SslVersion::TLS1, "ALL", "1.0", "openssl"),
    (SslVersion::TLS1, "AES128-SHA", "1.0", "openssl"),
    (SslVersion::TLS1_1, "ALL", "1.1", "openssl"),
    (SslVersion::TLS1_2, "AES128-SHA256", "1.2", "openssl"),
    (SslVersion::TLS1_2, "ALL", "1.2", "rustls"),
    (SslVersion::TLS1_3, "ALL", "1.3", "rustls"),
];

#[tokio::test]
async fn every_draft_is_spoken_over_every_version_on_one_port() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority));
    for (version, suites, name, library) in CLIENTS {
        let kind = TlsKind {
            version: name,
            library,
        };
        let before = running.counts().tls.get(&kind).copied().unwrap_or(0);
        let here = open(client(version, suites), address).await;
        for draft in announced() {
            let mut client = Client::open_secure(here, draft, "/echo").await;
            client.send("Hello").await;
            assert_eq!(
                client.message().await,
                Message::from("Hello"),
                "{draft} {name}"
            );
            client.close(None).await;
            while client.event().await.is_some() {}
        }
        let now = running.counts().tls[&kind];
        assert_eq!(now - before, announced().len() as u64, "{kind} {suites}");
    }
    assert_eq!(running.counts().refused, [].into());
}

#[tokio::test]
async fn hixie_76_over_tls_1_0_is_told_wss_and_the_log_is_loud() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let config = config(&authority);
    let warnings: Vec<String> = config
        .validate(None)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        warnings
            .iter()
            .any(|it| it.contains("speaks TLS 1.0 and 1.1")),
        "{warnings:?}"
    );
    let (_running, address) = gateway(config);
    let here = open(client(SslVersion::TLS1, "AES128-SHA"), address).await;
    let mut raw = Raw::say(here, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    let head = raw.head().await;
    assert!(
        head.contains("\r\nSec-WebSocket-Location: wss://example.com/echo\r\n"),
        "{head}"
    );
    assert_eq!(raw.exactly(16).await, ANSWER);
    let told = &lines.with("code", "tls-legacy")[0];
    assert_eq!(told["level"], "WARN");
    assert!(
        told["message"].to_string().contains("TLS 1.0 by openssl"),
        "{told}"
    );
    assert!(told["offered"].to_string().contains("AES128-SHA"), "{told}");
}

#[tokio::test]
async fn the_log_tells_old_versions_from_clients_whom_rustls_does_not_suit() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority));
    for (version, suites, level, told) in [
        (
            SslVersion::TLS1,
            "ALL",
            "WARN",
            "TLS 1.0 by openssl, which protects little",
        ),
        (
            SslVersion::TLS1_2,
            "AES128-SHA",
            "INFO",
            "nothing of rustls': TLS 1.2 by openssl",
        ),
        (
            SslVersion::TLS1_3,
            "ALL",
            "INFO",
            "nothing of rustls': TLS 1.3 by openssl",
        ),
    ] {
        let mut context = client(version, suites);
        if version == SslVersion::TLS1_3 {
            context.set_groups_list("P-521").unwrap();
        }
        connect(&context.build(), address).await.unwrap();
        lines
            .until(told, || {
                lines.with("code", "tls-legacy").iter().any(|line| {
                    line["message"].to_string().contains(told) && line["level"] == level
                })
            })
            .await;
    }
}

/// A way to `address` that notes what comes back.
async fn tapped(address: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&noted);
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut gateway = TcpStream::connect(address).await.unwrap();
        let (mut from_client, mut to_client) = client.split();
        let (mut from_gateway, mut to_gateway) = gateway.split();
        let back = async {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = from_gateway.read(&mut chunk).await {
                note.lock().unwrap().extend_from_slice(&chunk[..count]);
                to_client.write_all(&chunk[..count]).await.unwrap();
            }
        };
        tokio::join!(tokio::io::copy(&mut from_client, &mut to_gateway), back)
    });
    (here, noted)
}

/// In TLS 1.0 the last block of a record is the vector of the next, which
/// whoever listens knows before it is sent (BEAST).
#[tokio::test]
async fn an_empty_record_stands_before_each_of_tls_1_0() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority));
    let (here, noted) = tapped(address).await;
    let context = client(SslVersion::TLS1, "AES128-SHA").build();
    let mut tls = connect(&context, here).await.unwrap();
    tls.write_all(HYBI_13.as_bytes()).await.unwrap();
    tls.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'H', b'i', 0x88, 0x80, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut answer = Vec::new();
    soon("the end", tls.read_to_end(&mut answer)).await.unwrap();
    assert!(
        answer.ends_with(&[0x81, 2, b'H', b'i', 0x88, 0]),
        "{answer:?}"
    );

    let noted = noted.lock().unwrap();
    let mut rest = &noted[..];
    let mut lengths = Vec::new();
    while let [kind, _, _, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == 0x17 {
            lengths.push(length);
        }
        rest = &behind[length..];
    }
    // Padding and SHA-1's 20 octets, in blocks of 16 or behind one of them.
    assert!(lengths.len() >= 2, "{lengths:?}");
    for pair in lengths.chunks(2) {
        assert!(
            [32, 36].contains(&pair[0]) && pair.len() == 2,
            "{lengths:?}"
        );
    }
}

#[tokio::test]
async fn two_mebibytes_come_back_whole_by_openssl() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority));
    let text: String = (0..2 << 20)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect();
    let here = open(client(SslVersion::TLS1, "AES128-SHA"), address).await;
    for draft in announced() {
        let mut client = Client::open_secure(here, draft, "/echo").await;
        client.send(text.as_str()).await;
        assert!(
            client.message().await == Message::from(text.as_str()),
            "{draft}"
        );
    }
}

#[tokio::test]
async fn the_end_is_said_by_openssl_too() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority));
    let context = client(SslVersion::TLS1_1, "ALL").build();
    let mut tls = connect(&context, address).await.unwrap();
    tls.write_all(HYBI_13.as_bytes()).await.unwrap();
    tls.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8])
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Without a close_notify this is an error.
    soon("the end", tls.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.ends_with(&[0x88, 2, 3, 0xE8]), "{answer:?}");
}

/// The record that answers a hello: its version and the suite of the
/// ServerHello within.
async fn answered(raw: &mut Raw) -> ([u8; 2], [u8; 2]) {
    let head = raw.exactly(5).await;
    assert_eq!(head[0], 0x16, "{head:?}");
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let record = raw.exactly(length).await;
    assert_eq!(record[0], 2, "no ServerHello: {record:?}");
    let session = usize::from(record[4 + 34]);
    let suite = 4 + 35 + session;
    ([record[4], record[5]], [record[suite], record[suite + 1]])
}

#[tokio::test]
async fn hellos_of_2010_are_answered_whole_and_cut_at_each_octet() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority));
    for hello in [tls_1_0(&[0x05, 0x0A, 0x2F]), ssl_2()] {
        for cut in 1..=hello.len() {
            let mut raw = Raw::say(address, &hello[..cut]).await;
            raw.write(&hello[cut..]).await;
            assert_eq!(answered(&mut raw).await, ([3, 1], [0, 0x2F]), "{cut}");
        }
    }
    assert_eq!(running.counts().refused_for("tls-timeout"), 0);
}

#[tokio::test]
async fn what_no_library_speaks_any_more_is_refused_with_a_sentence() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority));
    let mut ssl_3 = tls_1_0(&[0x05]);
    ssl_3[10] = 0;
    let mut of_ssl_2 = ssl_2();
    of_ssl_2[3..5].copy_from_slice(&[0, 2]);
    for (hello, alert, told) in [
        (
            tls_1_0(&[0x04, 0x05, 0x0A]),
            40,
            "RC4-MD5, RC4-SHA, DES-CBC3-SHA",
        ),
        (ssl_3, 70, "the client offers SSL 3.0 with RC4-SHA"),
        (
            of_ssl_2,
            70,
            "the client offers SSL 2.0 in a hello of SSL 2",
        ),
    ] {
        let mut raw = Raw::say(address, &hello).await;
        let answer = raw.rest().await;
        assert_eq!((answer[0], answer[6]), (0x15, alert), "{told} {answer:?}");
        lines
            .until(told, || {
                let lines = lines.with("code", "tls-handshake");
                lines
                    .iter()
                    .any(|line| line["message"].to_string().contains(told))
            })
            .await;
    }
}

#[tokio::test]
async fn modern_clients_never_meet_openssl() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority));
    let today = tunnel::of_today(&authority);
    tunnel::connect(&today, "localhost", address).await.unwrap();
    until("one", || !running.counts().tls.is_empty()).await;
    let kinds: Vec<TlsKind> = running.counts().tls.into_keys().collect();
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0].to_string(), "TLS 1.3 by rustls");
}

#[tokio::test]
async fn the_listener_beside_it_serves_modern_clients_alone() {
    let authority = Authority::new();
    let mut config = config(&authority);
    let mut modern = config.listeners[0].clone();
    modern.tls.as_mut().unwrap().profile = TlsProfile::Modern;
    config.listeners.push(modern);
    let (running, _) = gateway(config);
    let context = client(SslVersion::TLS1, "ALL").build();
    connect(&context, running.addrs()[0]).await.unwrap();
    let error = connect(&context, running.addrs()[1]).await.unwrap_err();
    assert!(error.contains("alert protocol version"), "{error}");
}

#[tokio::test]
async fn a_second_certificate_is_chosen_by_name_for_old_clients_too() {
    let authority = Authority::new();
    let mut config = config(&authority);
    let second = rsa(&authority, "second", &["second.example"]);
    let tls = config.listeners[0].tls.as_mut().unwrap();
    tls.certificates.push(second.files.clone());
    let (_running, address) = gateway(config);
    let context = client(SslVersion::TLS1, "ALL").build();
    for (name, is_second) in [(None, false), (Some("second.example"), true)] {
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut ssl = Ssl::new(&context).unwrap();
        if let Some(name) = name {
            ssl.set_hostname(name).unwrap();
        }
        let mut tls = SslStream::new(ssl, tcp).unwrap();
        soon("handshake", Pin::new(&mut tls).connect())
            .await
            .unwrap();
        let shown = tls.ssl().peer_certificate().unwrap().to_der().unwrap();
        assert_eq!(shown == second.der.as_ref(), is_second, "{name:?}");
    }
}

#[tokio::test]
async fn of_two_keys_for_one_name_each_client_gets_what_it_can_check() {
    let authority = Authority::new();
    let mut config = config(&authority);
    let modern = authority.sign("ecdsa", &["localhost"]);
    let tls = config.listeners[0].tls.as_mut().unwrap();
    let rsa = tls.certificates[0].clone();
    tls.certificates = vec![modern.files.clone(), rsa];
    let (_running, address) = gateway(config);
    let today = tunnel::of_today(&authority);
    let tls = tunnel::connect(&today, "localhost", address).await.unwrap();
    assert_eq!(tls.get_ref().1.peer_certificates().unwrap()[0], modern.der);
    // It names nobody.
    let old = client(SslVersion::TLS1, "AES128-SHA").build();
    connect(&old, address).await.unwrap();
}

#[tokio::test]
async fn an_old_client_that_reads_nothing_is_let_go() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let mut config = config(&authority);
    config.listeners[0].timeouts.write = std::time::Duration::from_millis(100);
    let (_running, address) = gateway(config);
    let context = client(SslVersion::TLS1, "AES128-SHA").build();
    let tls = connect(&context, address).await.unwrap();
    let writing = tokio::spawn(reads_nothing(tls));
    takes_too_little(&lines).await;
    writing.abort();
}

#[tokio::test]
async fn old_clients_show_certificates_where_the_listener_asks_for_them() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let own = rsa(&authority, "own", &["device-7"]);
    let mut config = config(&authority);
    let tls = config.listeners[0].tls.as_mut().unwrap();
    tls.client_auth = ClientAuth::Required;
    tls.client_ca = vec![authority.own_file()];
    let (_running, address) = gateway(config);
    let mut with = client(SslVersion::TLS1, "ALL");
    with.set_certificate(&X509::from_der(&own.der).unwrap())
        .unwrap();
    with.set_private_key(&PKey::private_key_from_der(&own.key).unwrap())
        .unwrap();
    connect(&with.build(), address).await.unwrap();
    let without = client(SslVersion::TLS1, "ALL").build();
    connect(&without, address).await.unwrap_err();
    lines
        .until("a line", || {
            let lines = lines.with("code", "tls-handshake");
            lines
                .iter()
                .any(|line| line["message"].to_string().contains("shows no certificate"))
        })
        .await;
}
