//! Within TLS, by ALPN; and where it is off.

use std::sync::Arc;

use draftgate_core::Draft;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    authority::{self, Authority},
    common::{Client, Raw, config, gateway, soon},
    peer::Session,
    tunnel,
};

async fn connect(
    authority: &Authority,
    address: std::net::SocketAddr,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut client = tunnel::of_today(authority);
    client.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    soon("TLS", connector.connect(name, tcp)).await
}

fn spoken(tls: &TlsStream<TcpStream>) -> Option<String> {
    let protocol = tls.get_ref().1.alpn_protocol()?;
    Some(String::from_utf8(protocol.to_vec()).unwrap())
}

#[tokio::test]
async fn who_offers_both_gets_http_2_and_its_websockets() {
    let authority = Authority::new();
    let (_running, address) = gateway(authority::config(&authority.sign("a", &["localhost"])));
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], "h2"),
        (&["http/1.1", "h2"], "h2"),
        (&["http/1.1"], "http/1.1"),
        (&["h2"], "h2"),
    ] {
        let tls = connect(&authority, address, offered).await.unwrap();
        assert_eq!(spoken(&tls).as_deref(), Some(chosen), "{offered:?}");
    }
    let tls = connect(&authority, address, &["h2"]).await.unwrap();
    let session = Session::over(tls, "https").await;
    session.websocket("/echo").await.echoes("Hello").await;
}

#[tokio::test]
async fn where_it_is_off_nobody_is_offered_it_nor_served() {
    let authority = Authority::new();
    let mut secure = authority::config(&authority.sign("a", &["localhost"]));
    secure.listeners[0].http2 = false;
    let (_running, address) = gateway(secure);
    let tls = connect(&authority, address, &["h2", "http/1.1"]).await;
    assert_eq!(spoken(&tls.unwrap()).as_deref(), Some("http/1.1"));
    assert!(connect(&authority, address, &["h2"]).await.is_err());

    let mut clear = config();
    clear.listeners[0].http2 = false;
    let (_running, address) = gateway(clear);
    let mut raw = Raw::say(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let (head, body) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(body.contains("Code: head-malformed"), "{body}");
    Client::open(address, Draft::Hixie76, "/echo").await;
}

#[tokio::test]
async fn where_connections_are_recorded_there_is_no_http_2() {
    let folder = tempfile();
    let mut config = config();
    config.record.dir = Some(folder.clone());
    let (running, address) = gateway(config);
    let mut raw = Raw::say(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let (head, _) = raw.refusal().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    soon("the end", running.shutdown()).await;
    std::fs::remove_dir_all(folder).unwrap();
}

fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("draftgate-http2-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
