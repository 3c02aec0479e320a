//! Which certificate a client gets, which of its own it must show, and what is
//! told about bad ones.

use std::{fs, time::Duration};

use draftgate_client::{Client, ConnectError, Options, TlsFailure};
use draftgate_gateway::config::{ClientAuth, Config, Environment, Tls};
use rcgen::{KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::{ClientConfig, pki_types::CertificateDer};

use crate::{
    authority::{Authority, Signed, config, write},
    common::{HYBI_13, captured, gateway, spoken, until},
    tunnel::{self, VERSIONS},
};

/// The certificate that a client gets that asks for `name`.
async fn shown(
    config: &ClientConfig,
    name: &str,
    address: std::net::SocketAddr,
) -> CertificateDer<'static> {
    let tls = tunnel::connect(config, name, address).await.unwrap();
    let shown = tls.get_ref().1.peer_certificates().unwrap();
    shown[0].clone().into_owned()
}

#[tokio::test]
async fn a_client_gets_the_certificate_for_the_name_it_asks_for() {
    let authority = Authority::new();
    let first = authority.sign("first", &["first.example", "*.example.net", "localhost"]);
    let second = authority.sign("second", &["second.example", "x.example.net"]);
    let mut config = config(&first);
    config.listeners[0].tls = Some(Tls::new(vec![first.files.clone(), second.files.clone()]));
    let (running, address) = gateway(config);
    let client = tunnel::of_today(&authority);
    for (name, expected) in [
        ("first.example", &first),
        ("second.example", &second),
        ("SECOND.example", &second),
        ("y.example.net", &first),
        // An exact name goes before a wildcard.
        ("x.example.net", &second),
    ] {
        assert_eq!(shown(&client, name, address).await, expected.der, "{name}");
    }
    let mut nameless = client.clone();
    nameless.enable_sni = false;
    assert_eq!(shown(&nameless, "localhost", address).await, first.der);
    // A name of nobody gets the first, and the client says what it misses: a
    // wildcard stands for one label.
    for name in ["other.example", "a.b.example.net"] {
        let error = tunnel::connect(&client, name, address).await.unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
    let served = running.certificates();
    assert_eq!(served.len(), 2);
    assert_eq!(
        served[1].certificate.names,
        ["second.example", "x.example.net"]
    );
    assert_eq!(served[1].listener, address);
    assert!(served[1].certificate.not_after > std::time::SystemTime::now());
}

/// Whether a client comes in, with certificate `own`; TLS 1.3 tells only once
/// something is read.
async fn comes_in(
    authority: &Authority,
    own: Option<&Signed>,
    address: std::net::SocketAddr,
) -> Vec<bool> {
    let mut came = Vec::new();
    for (_, version) in VERSIONS {
        let client = tunnel::client(authority, &[version], own);
        let mut octet = [0];
        came.push(match tunnel::connect(&client, "localhost", address).await {
            Ok(mut tls) => {
                let _ = tls.write_all(HYBI_13.as_bytes()).await;
                tls.read_exact(&mut octet).await.is_ok()
            }
            Err(_) => false,
        });
    }
    came
}

#[tokio::test]
async fn clients_show_certificates_where_the_listener_asks_for_them() {
    let (lines, _guard) = captured();
    let (authority, other) = (Authority::new(), Authority::new());
    let own = authority.sign("own", &["device-7"]);
    let strange = other.sign("strange", &["device-7"]);
    let old = authority.sign_with(
        "old",
        &["device-7"],
        KeyPair::generate().unwrap(),
        |params| {
            params.not_before = date_time_ymd(2010, 1, 1);
            params.not_after = date_time_ymd(2011, 1, 1);
        },
    );
    for (auth, without) in [(ClientAuth::Required, false), (ClientAuth::Optional, true)] {
        let mut config = config(&authority.sign("a", &["localhost"]));
        let tls = config.listeners[0].tls.as_mut().unwrap();
        tls.client_auth = auth;
        tls.client_ca = vec![authority.own_file()];
        let (running, address) = gateway(config);
        assert_eq!(comes_in(&authority, Some(&own), address).await, [true; 2]);
        assert_eq!(comes_in(&authority, None, address).await, [without; 2]);
        assert_eq!(
            comes_in(&authority, Some(&strange), address).await,
            [false; 2]
        );
        assert_eq!(comes_in(&authority, Some(&old), address).await, [false; 2]);
        let refused = if without { 4 } else { 6 };
        until("all refusals", || {
            running.counts().refused_for("tls-handshake") == refused
        })
        .await;
    }
    let said: Vec<String> = lines
        .with("code", "tls-handshake")
        .iter()
        .map(|line| line["message"].to_string())
        .collect();
    for why in [
        "the client shows no certificate",
        "nobody in `client-ca` signed it",
        "it has expired",
    ] {
        assert!(
            said.iter().any(|line| line.contains(why)),
            "{why}: {said:?}"
        );
    }
}

/// What a client of the project says of a gateway that shows `signed`.
async fn verdict(authority: &Authority, signed: &Signed) -> TlsFailure {
    let (running, address) = gateway(config(signed));
    let client = Client::new(Options {
        tls: draftgate_client::Tls {
            ca_files: vec![authority.own_file()],
            insecure: false,
        },
        ..Options::default()
    });
    let url = format!("wss://localhost:{}/echo", address.port());
    let outcome = client.connect(&url.parse().unwrap()).await;
    until("it is told", || {
        running.counts().refused_for("tls-handshake") > 0
    })
    .await;
    match outcome {
        Err(ConnectError::Tls { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_says_what_is_wrong_with_our_certificate_and_the_line_repeats_it() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let expired = authority.sign_with(
        "old",
        &["localhost"],
        KeyPair::generate().unwrap(),
        |params| {
            params.not_before = date_time_ymd(2010, 1, 1);
            params.not_after = date_time_ymd(2011, 1, 1);
        },
    );
    let failure = verdict(&authority, &expired).await;
    assert!(matches!(failure, TlsFailure::Expired), "{failure}");
    let wrong = authority.sign("wrong", &["elsewhere.example"]);
    let failure = verdict(&authority, &wrong).await;
    assert!(matches!(failure, TlsFailure::WrongName(_)), "{failure}");
    let other = Authority::new();
    let foreign = other.sign("foreign", &["localhost"]);
    let failure = verdict(&authority, &foreign).await;
    assert!(matches!(failure, TlsFailure::UnknownIssuer), "{failure}");
    lines
        .until("three lines", || {
            lines.with("code", "tls-handshake").len() == 3
        })
        .await;
    let said: Vec<String> = lines
        .with("code", "tls-handshake")
        .iter()
        .map(|line| line["message"].to_string())
        .collect();
    for alert in ["CertificateExpired", "BadCertificate", "UnknownCA"] {
        assert!(
            said.iter().any(|line| line.contains(alert)),
            "{alert}: {said:?}"
        );
    }
}

/// A file of configuration beside the certificates of `authority`, with `tls`.
fn load(authority: &Authority, tls: &str) -> Result<Config, String> {
    let file = authority.file("gate.toml");
    let text = format!(
        "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n{tls}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n"
    );
    fs::write(&file, text).unwrap();
    Config::load(&file, &spoken(), &Environment::default()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_configuration_is_told_what_is_wrong_with_its_files_and_where() {
    let authority = Authority::new();
    authority.sign("a", &["localhost"]);
    authority.sign("b", &["localhost"]);
    write(&authority.file("empty.pem"), "no PEM at all\n");
    write(
        &authority.file("damaged.pem"),
        "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
    );
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    write(&authority.file("locked.key"), locked);
    let good = load(
        &authority,
        "tls = { certificate = \"a.pem\", key = \"a.key\" }",
    )
    .unwrap();
    let told = good.certificates()[0].to_string();
    assert!(told.starts_with("127.0.0.1:0: localhost, until "), "{told}");
    let tls = good.listeners[0].tls.as_ref().unwrap();
    assert_eq!(tls.certificates[0].certificate, authority.file("a.pem"));
    for (tls, told, column) in [
        (
            "tls = { certificate = \"missing.pem\", key = \"a.key\" }",
            "missing.pem: cannot be read: No such file",
            23,
        ),
        (
            "tls = { certificate = \"a.pem\", key = \"b.key\" }",
            "b.key: its key does not belong to the certificate in",
            38,
        ),
        (
            "tls = { certificate = \"empty.pem\", key = \"b.key\" }",
            "empty.pem: has no certificate in PEM in it",
            23,
        ),
        (
            "tls = { certificate = \"damaged.pem\", key = \"b.key\" }",
            "damaged.pem: its PEM is damaged",
            23,
        ),
        (
            "tls = { certificate = \"a.pem\", key = \"empty.pem\" }",
            "empty.pem: has no private key in PEM in it",
            38,
        ),
        (
            "tls = { certificate = \"a.pem\", key = \"locked.key\" }",
            "locked.key: its private key is encrypted",
            38,
        ),
        (
            "tls = { certificate = \"a.pem\" }",
            "a.pem: has no private key in PEM in it",
            23,
        ),
        (
            "tls = { certificate = \"a.pem\", key = \"a.key\", client-ca = [\"b.pem\", \"empty.pem\"] }",
            "empty.pem: has no certificate",
            69,
        ),
        (
            "tls.certificates = [{ certificate = \"a.pem\", key = \"a.key\" }, { certificate = \"b.pem\", key = \"a.key\" }]",
            "a.key: its key does not belong",
            63,
        ),
    ] {
        let error = load(&authority, tls).unwrap_err();
        assert!(error.contains(told), "{tls}\n{error}");
        assert!(
            error.contains(&format!("gate.toml:4:{column}\n")),
            "{column} {error}"
        );
    }
    // A certificate and its key may lie in one file.
    let both = fs::read_to_string(authority.file("a.pem")).unwrap()
        + &fs::read_to_string(authority.file("a.key")).unwrap();
    write(&authority.file("both.pem"), &both);
    load(&authority, "tls.certificate = \"both.pem\"").unwrap();
}

/// Each would be read for ever.
#[tokio::test]
async fn files_that_are_no_plain_ones_or_huge_are_not_read() {
    let authority = Authority::new();
    authority.sign("a", &["localhost"]);
    let pipe = authority.file("pipe.pem");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let huge = fs::File::create(authority.file("huge.pem")).unwrap();
    huge.set_len(1 << 40).unwrap();
    for (file, told) in [
        ("pipe.pem", "pipe.pem: is no plain file"),
        ("/dev/zero", "/dev/zero: is no plain file"),
        (".", "is no plain file"),
        ("huge.pem", "huge.pem: is larger than 1 MiB"),
    ] {
        for tls in [
            format!("tls = {{ certificate = \"{file}\", key = \"a.key\" }}"),
            format!("tls = {{ certificate = \"a.pem\", key = \"{file}\" }}"),
            format!("tls = {{ certificate = \"a.pem\", key = \"a.key\", client-ca = \"{file}\" }}"),
        ] {
            let error = load(&authority, &tls).unwrap_err();
            assert!(error.contains(told), "{tls}\n{error}");
        }
    }
}

#[tokio::test]
async fn a_gateway_does_not_begin_with_certificates_that_it_cannot_use() {
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let config = config(&signed);
    write(&signed.files.key, "nothing");
    let error = draftgate_gateway::Gateway::bind(config)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a.key: has no private key in PEM"),
        "{error}"
    );
}

#[tokio::test]
async fn certificates_that_expire_or_have_are_warned_of() {
    let authority = Authority::new();
    let soon = |days: i64| {
        move |params: &mut rcgen::CertificateParams| {
            let now = time::OffsetDateTime::now_utc();
            params.not_before = now - Duration::from_secs(90 * 86_400);
            params.not_after = now + time::Duration::days(days);
        }
    };
    for (days, told) in [
        (-3, Some("has expired")),
        (5, Some("expires in 5 days")),
        (60, None),
    ] {
        let key = KeyPair::generate().unwrap();
        let signed = authority.sign_with("a", &["localhost"], key, soon(days));
        let config = config(&signed);
        let warnings: Vec<String> = config
            .validate(None)
            .iter()
            .map(ToString::to_string)
            .collect();
        match told {
            Some(told) => assert!(warnings.iter().any(|it| it.contains(told)), "{warnings:?}"),
            None => assert_eq!(warnings, [] as [String; 0]),
        }
    }
}

/// What stands there as an example must be one.
#[test]
fn the_examples_in_the_page_on_tls_are_good_configurations() {
    const PAGE: &str = include_str!("../../../../docs/tls.md");
    let blocks: Vec<&str> = PAGE
        .split("\n```toml\n")
        .skip(1)
        .map(|block| block.split_once("\n```\n").expect("the end of the block").0)
        .collect();
    assert!(blocks.len() >= 5, "{}", blocks.len());
    for block in blocks {
        // Most show a listener alone.
        let text = match block.contains("[[routes]]") {
            true => block.to_owned(),
            false => format!(
                "drafts = \"all\"\n{block}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n"
            ),
        };
        let old = block.contains("legacy-1.0");
        match Config::parse(&text, "the page", &spoken(), &Environment::default()) {
            Ok(config) => {
                let warnings = config.validate(None);
                assert_eq!(warnings.len(), usize::from(old), "{warnings:?}");
            }
            Err(error) => assert!(old && !cfg!(feature = "legacy-tls"), "{error}"),
        }
    }
}
