//! Certificates that change while the gateway runs.

use std::{net::SocketAddr, time::Duration};

use draftgate_core::Message;
use tokio_rustls::rustls::{ClientConfig, pki_types::CertificateDer};

use crate::{
    authority::{Authority, config, write},
    common::{Client, captured, gateway, soon, spoken, until},
    tunnel,
};

async fn shown(client: &ClientConfig, address: SocketAddr) -> CertificateDer<'static> {
    let tls = tunnel::connect(client, "localhost", address).await.unwrap();
    tls.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

#[tokio::test]
async fn renewed_files_are_noticed_and_open_connections_go_on() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let mut config = config(&signed);
    let tls = config.listeners[0].tls.as_mut().unwrap();
    tls.reload_check = Some(Duration::from_millis(10));
    let (running, address) = gateway(config);
    let client = tunnel::of_today(&authority);
    let here = tunnel::open(client.clone(), address).await;
    let mut open = Vec::new();
    for draft in spoken() {
        open.push(Client::open_secure(here, draft, "/echo").await);
    }
    assert_eq!(shown(&client, address).await, signed.der);

    // Half of a renewal, or a damaged one: what was there is served on.
    let renewed = authority.sign("b", &["localhost"]);
    write(&signed.files.key, "this is no key");
    until("the bad file", || running.counts().tls_reloads_failed == 1).await;
    assert_eq!(shown(&client, address).await, signed.der);
    let told = &lines.with("code", "tls-reload")[0];
    assert!(
        told["error"]
            .to_string()
            .contains("a.key: has no private key"),
        "{told}"
    );

    renewed.write(&signed.files);
    soon("the new certificate", async {
        while shown(&client, address).await != renewed.der {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(running.counts().tls_reloads >= 1);
    for client in &mut open {
        client.send("still here").await;
        assert_eq!(client.message().await, Message::from("still here"));
    }
}

#[tokio::test]
async fn a_configuration_that_is_read_again_reads_certificates_again() {
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let mut config = config(&signed);
    config.listeners[0].tls.as_mut().unwrap().reload_check = None;
    let (running, address) = gateway(config.clone());
    let client = tunnel::of_today(&authority);
    let here = tunnel::open(client.clone(), address).await;
    let mut open = Client::open_secure(here, spoken()[0], "/echo").await;

    running.reload(config.clone()).unwrap();
    assert_eq!(shown(&client, address).await, signed.der);

    let renewed = authority.sign("b", &["localhost"]);
    renewed.write(&signed.files);
    running.reload(config.clone()).unwrap();
    assert_eq!(shown(&client, address).await, renewed.der);

    write(&signed.files.certificate, "nothing");
    let error = running.reload(config.clone()).unwrap_err().to_string();
    assert!(
        error.contains("a.pem: has no certificate in PEM"),
        "{error}"
    );
    assert_eq!(shown(&client, address).await, renewed.der);

    // TLS comes and goes at one address as other keys do.
    config.listeners[0].tls = None;
    running.reload(config).unwrap();
    Client::open(address, spoken()[0], "/echo").await;
    open.send("still here").await;
    assert_eq!(open.message().await, Message::from("still here"));
}
