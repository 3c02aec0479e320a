//! A server that is asked over TLS: only one whose certificate is trusted is
//! believed.

use std::{net::SocketAddr, sync::Arc};

use draftgate_core::Draft;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    common::{announced, captured},
    stage::{Opening, gateway},
};

/// A server that lets everybody in, and its certificate in PEM.
async fn lets_in() -> (SocketAddr, String) {
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut read = Vec::new();
                while let Ok(octet) = tls.read_u8().await {
                    read.push(octet);
                    if read.ends_with(b"\r\n\r\n") {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                        tls.write_all(answer).await.unwrap();
                        read.clear();
                    }
                }
            });
        }
    });
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pem = STANDARD.encode(made.cert.der());
    (
        address,
        format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n"),
    )
}

#[tokio::test]
async fn a_server_is_asked_over_tls_if_its_certificate_is_trusted() {
    let (lines, _guard) = captured();
    let (server, pem) = lets_in().await;
    let file = std::env::temp_dir().join(format!("draftgate-auth-{}.pem", std::process::id()));
    std::fs::write(&file, pem).unwrap();
    let route = |url: &str, more: &str| {
        format!(
            "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.auth]\nurl = \"{url}\"\n{more}\n"
        )
    };
    let trusts = format!("ca = {file:?}");
    let (_running, address) = gateway(&route(&format!("https://{server}/"), &trusts));
    for draft in announced() {
        Opening::new(draft, "/echo").open(address).await;
    }
    for (url, more, why) in [
        (
            format!("https://{server}/"),
            "",
            "signed by nobody who is trusted",
        ),
        (
            format!("https://localhost:{}/", server.port()),
            &*trusts,
            "for other names",
        ),
        (format!("http://{server}/"), "", ""),
    ] {
        let (_running, address) = gateway(&route(&url, more));
        let told = Opening::new(Draft::Hybi13, "/echo").refused(address).await;
        told.is(503, "auth-unavailable");
        let refusals = lines.with("code", "auth-unavailable");
        let detail = refusals.last().unwrap()["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{url}: {detail}");
    }
    std::fs::remove_file(file).unwrap();
    // Certificates that are not there are found when the gateway starts.
    let wrong = route("https://127.0.0.1/", "ca = \"/nowhere.pem\"");
    let error = draftgate_gateway::Gateway::bind(crate::stage::config(&wrong)).unwrap_err();
    assert!(
        error.to_string().starts_with("route /echo: `auth`: "),
        "{error}"
    );
}
