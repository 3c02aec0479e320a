//! Certificates that change while the gateway runs.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use draftgate_core::Message;
use draftgate_gateway::{
    Running,
    config::{Admin, CertificateFiles},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::rustls::{ClientConfig, pki_types::CertificateDer};

use crate::{
    authority::{Authority, Signed, config, write},
    common::{Client, announced, captured, gateway, until, until_so},
    tunnel,
};

async fn shown(client: &ClientConfig, address: SocketAddr) -> CertificateDer<'static> {
    let tls = tunnel::connect(client, "localhost", address).await.unwrap();
    tls.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// What the metric says of the certificates.
async fn is_fresh(running: &Running) -> bool {
    let mut tcp = TcpStream::connect(running.admin_addr().unwrap())
        .await
        .unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (_, told) = answer
        .split_once("\ndraftgate_tls_last_reload_successful ")
        .unwrap();
    told.starts_with('1')
}

#[tokio::test]
async fn renewed_files_are_noticed_and_open_connections_go_on() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let mut config = config(&signed);
    let tls = config.listeners[0].tls.as_mut().unwrap();
    tls.reload_check = Some(Duration::from_millis(10));
    config.admin = Some(Admin {
        address: ([127, 0, 0, 1], 0).into(),
        ..Admin::default()
    });
    let (running, address) = gateway(config);
    let client = tunnel::of_today(&authority);
    let here = tunnel::open(client.clone(), address).await;
    let mut open = Vec::new();
    assert!(is_fresh(&running).await);
    for draft in announced() {
        open.push(Client::open_secure(here, draft, "/echo").await);
    }
    assert_eq!(shown(&client, address).await, signed.der);

    // Half of a renewal, or a damaged one: what was there is served on.
    let renewed = authority.sign("b", &["localhost"]);
    write(&signed.files.key, "this is no key");
    until("the bad file", || running.counts().tls_reloads_failed == 1).await;
    assert_eq!(shown(&client, address).await, signed.der);
    assert!(!is_fresh(&running).await);
    let told = &lines.with("code", "tls-reload")[0];
    assert!(
        told["error"]
            .to_string()
            .contains("a.key: has no private key"),
        "{told}"
    );

    renewed.write(&signed.files);
    until_so("the new certificate", async || {
        shown(&client, address).await == renewed.der
    })
    .await;
    assert!(running.counts().tls_reloads >= 1);
    until_so("the metric", async || is_fresh(&running).await).await;
    for client in &mut open {
        client.send("still here").await;
        assert_eq!(client.message().await, Message::from("still here"));
    }
}

/// Puts `from` in the place of `to`, as old as all files of an image are.
fn put(from: &Signed, to: &CertificateFiles) {
    for (from, to) in [
        (&from.files.key, &to.key),
        (&from.files.certificate, &to.certificate),
    ] {
        let beside = to.with_extension("new");
        fs::copy(from, &beside).unwrap();
        let file = fs::File::options().write(true).open(&beside).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
        fs::rename(&beside, to).unwrap();
    }
}

#[tokio::test]
async fn a_renewal_of_the_same_time_and_length_is_one() {
    let authority = Authority::new();
    let first = authority.sign("first", &["localhost"]);
    // The lengths of ECDSA's signatures vary a little.
    let second = std::iter::repeat_with(|| authority.sign("second", &["localhost"]))
        .find(|second| second.der.len() == first.der.len())
        .unwrap();
    assert_eq!(first.key.len(), second.key.len());
    for by_itself in [true, false] {
        let served = authority.sign("served", &["localhost"]);
        put(&first, &served.files);
        let mut config = config(&served);
        let tls = config.listeners[0].tls.as_mut().unwrap();
        tls.reload_check = by_itself.then_some(Duration::from_millis(10));
        let (running, address) = gateway(config.clone());
        let client = tunnel::of_today(&authority);
        assert_eq!(shown(&client, address).await, first.der);
        put(&second, &served.files);
        if !by_itself {
            running.reload(config).unwrap();
            assert_eq!(shown(&client, address).await, second.der);
            continue;
        }
        until_so("the new certificate", async || {
            shown(&client, address).await == second.der
        })
        .await;
    }
}

#[tokio::test]
async fn a_configuration_that_is_read_again_reads_certificates_again() {
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let mut config = config(&signed);
    config.listeners[0].tls.as_mut().unwrap().reload_check = None;
    config.admin = Some(Admin {
        address: ([127, 0, 0, 1], 0).into(),
        ..Admin::default()
    });
    let (running, address) = gateway(config.clone());
    let client = tunnel::of_today(&authority);
    let here = tunnel::open(client.clone(), address).await;
    let mut open = Client::open_secure(here, announced()[0], "/echo").await;

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
    assert!(!is_fresh(&running).await);
    renewed.write(&signed.files);
    running.reload(config.clone()).unwrap();
    assert!(is_fresh(&running).await);
    assert_eq!(shown(&client, address).await, renewed.der);

    // TLS comes and goes at one address as other keys do.
    config.listeners[0].tls = None;
    running.reload(config).unwrap();
    Client::open(address, announced()[0], "/echo").await;
    open.send("still here").await;
    assert_eq!(open.message().await, Message::from("still here"));
}
