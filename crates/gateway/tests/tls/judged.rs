//! Certificates of clients, by both libraries: the answer is the same, however
//! old the TLS is that a client chooses.

use std::{fs, net::SocketAddr, path::PathBuf, sync::LazyLock};

use draftgate_gateway::config::ClientAuth;
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    ssl::{SslContext, SslVersion},
    x509::{X509, X509Builder, X509NameBuilder, extension::BasicConstraints},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    authority::Authority,
    common::{HYBI_13, captured, gateway, soon},
    legacy::{client, config, connect},
};

/// Of these the first two meet OpenSSL.
const VERSIONS: [SslVersion; 4] = [
    SslVersion::TLS1,
    SslVersion::TLS1_1,
    SslVersion::TLS1_2,
    SslVersion::TLS1_3,
];

/// A certificate and its key.
#[derive(Clone)]
struct Own {
    certificate: X509,
    key: PKey<Private>,
}

/// One of 2048 bits and one of 1024, for all: they take a while to find.
static KEYS: LazyLock<[PKey<Private>; 2]> = LazyLock::new(|| {
    [2048, 1024].map(|bits| PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap())
});

/// How one is made.
struct Kind {
    bits: u32,
    digest: MessageDigest,
    is_authority: bool,
    until: &'static str,
}

const FAR: &str = "20600101000000Z";
const PAST: &str = "20110101000000Z";

fn good() -> Kind {
    Kind {
        bits: 2048,
        digest: MessageDigest::sha256(),
        is_authority: false,
        until: FAR,
    }
}

fn authority() -> Kind {
    Kind {
        is_authority: true,
        ..good()
    }
}

/// A certificate for `name` by `issuer`, or by itself.
fn own(name: &str, issuer: Option<&Own>, kind: &Kind) -> Own {
    let key = KEYS[usize::from(kind.bits < 2048)].clone();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issuer_name = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    let from = Asn1Time::from_str("20100101000000Z").unwrap();
    builder.set_not_before(&from).unwrap();
    builder
        .set_not_after(&Asn1Time::from_str(kind.until).unwrap())
        .unwrap();
    builder.set_pubkey(&key).unwrap();
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    if kind.is_authority {
        constraints.ca();
    }
    builder
        .append_extension(constraints.build().unwrap())
        .unwrap();
    let signs = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signs, kind.digest).unwrap();
    Own {
        certificate: builder.build(),
        key,
    }
}

fn file(folder: &Authority, name: &str, own: &Own) -> PathBuf {
    let file = folder.file(name);
    fs::write(&file, own.certificate.to_pem().unwrap()).unwrap();
    file
}

fn showing(version: SslVersion, shown: &[&Own]) -> SslContext {
    let mut context = client(version, "ALL");
    let (own, others) = shown.split_first().unwrap();
    context.set_certificate(&own.certificate).unwrap();
    context.set_private_key(&own.key).unwrap();
    for other in others {
        context
            .add_extra_chain_cert(other.certificate.clone())
            .unwrap();
    }
    context.build()
}

/// Whether such a client is answered. TLS 1.3 tells only then.
async fn comes_in(context: &SslContext, address: SocketAddr) -> bool {
    let Ok(mut tls) = connect(context, address).await else {
        return false;
    };
    let _ = tls.write_all(HYBI_13.as_bytes()).await;
    let mut octet = [0];
    soon("an answer", tls.read_exact(&mut octet)).await.is_ok()
}

#[tokio::test]
async fn both_libraries_judge_certificates_of_clients_alike() {
    let (lines, _guard) = captured();
    let root = own("root", None, &authority());
    let between = own("between", Some(&root), &authority());
    let by_sha_1 = Kind {
        digest: MessageDigest::sha1(),
        ..authority()
    };
    let weak_between = own("weak between", Some(&root), &by_sha_1);
    let over = Kind {
        until: PAST,
        ..authority()
    };
    let old_root = own("old root", None, &over);
    let old_between = own("old between", Some(&root), &over);
    // Nobody looks at a root's own signature.
    let root_by_md5 = Kind {
        digest: MessageDigest::md5(),
        ..authority()
    };
    let root_by_md5 = own("root by MD5", None, &root_by_md5);
    let small = Kind {
        bits: 1024,
        ..authority()
    };
    let small_root = own("small root", None, &small);
    let other_root = own("another root", None, &authority());
    let device = |issuer| own("device-7", Some(issuer), &good());
    let with = |digest| {
        let kind = Kind { digest, ..good() };
        own("device-7", Some(&root), &kind)
    };
    let expired = Kind {
        until: PAST,
        ..good()
    };
    let small = Kind {
        bits: 1024,
        ..good()
    };
    let good = device(&root);
    let below = device(&between);
    for (what, authority, shown, expected) in [
        ("a good one", &root, vec![&good], true),
        ("below another", &root, vec![&below, &between], true),
        ("an authority that is no root", &between, vec![&below], true),
        ("one is missing", &root, vec![&below], false),
        ("of a stranger", &other_root, vec![&good], false),
        ("by MD5", &root, vec![&with(MessageDigest::md5())], false),
        ("by SHA-1", &root, vec![&with(MessageDigest::sha1())], false),
        (
            "by SHA-1 above",
            &root,
            vec![&device(&weak_between), &weak_between],
            false,
        ),
        (
            "over",
            &root,
            vec![&own("device-7", Some(&root), &expired)],
            false,
        ),
        (
            "over above",
            &root,
            vec![&device(&old_between), &old_between],
            false,
        ),
        (
            "a key of 1024 bits",
            &root,
            vec![&own("device-7", Some(&root), &small)],
            false,
        ),
        (
            "by a key of 1024 bits",
            &small_root,
            vec![&device(&small_root)],
            false,
        ),
        (
            "of a root that is over",
            &old_root,
            vec![&device(&old_root)],
            true,
        ),
        (
            "of a root by MD5",
            &root_by_md5,
            vec![&device(&root_by_md5)],
            true,
        ),
        ("itself in client-ca", &good, vec![&good], false),
        ("an authority's own", &root, vec![&root], false),
    ] {
        let folder = Authority::new();
        for auth in [ClientAuth::Required, ClientAuth::Optional] {
            let mut config = config(&folder);
            let tls = config.listeners[0].tls.as_mut().unwrap();
            tls.client_auth = auth;
            tls.client_ca = vec![file(&folder, "clients.pem", authority)];
            let (running, address) = gateway(config);
            let mut came = Vec::new();
            for version in VERSIONS {
                came.push(comes_in(&showing(version, &shown), address).await);
            }
            assert_eq!(came, [expected; 4], "{what}, {auth:?}");
            let served = running.counts().tls;
            let by_openssl = served.keys().filter(|kind| kind.library == "openssl");
            assert_eq!(by_openssl.count(), if expected { 2 } else { 0 }, "{what}");
        }
    }
    for why in [
        "not accepted: nobody in `client-ca` signed it",
        "not accepted: it has expired",
        "not accepted: it is malformed, or its signature is wrong",
        "not accepted: EE certificate key too weak",
    ] {
        lines
            .until(why, || {
                let said = lines.with("code", "tls-handshake");
                said.iter()
                    .any(|line| line["message"].to_string().contains(why))
            })
            .await;
    }
}
