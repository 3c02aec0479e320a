//! Clients of today: rustls on both ends.

use draftgate_core::Message;
use draftgate_gateway::TlsKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    authority::{Authority, config},
    common::{ANSWER, Client, HIXIE_76, HYBI_13, KEY3, Raw, announced, captured, gateway, soon},
    tunnel::{self, VERSIONS},
};

#[tokio::test]
async fn every_draft_is_spoken_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    for (name, version) in VERSIONS {
        let here = tunnel::open(tunnel::client(&authority, &[version], None), address).await;
        for draft in announced() {
            let mut client = Client::open_secure(here, draft, "/echo").await;
            client.send("Hello").await;
            assert_eq!(client.message().await, Message::from("Hello"), "{draft}");
            client.close(None).await;
            while client.event().await.is_some() {}
        }
        let kind = TlsKind {
            version: name,
            library: "rustls",
        };
        assert_eq!(running.counts().tls[&kind], announced().len() as u64);
    }
    assert_eq!(running.counts().refused, [].into());
}

#[tokio::test]
async fn two_mebibytes_come_back_whole_in_both_versions() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let text: String = (0..2 << 20)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect();
    for (_, version) in VERSIONS {
        let here = tunnel::open(tunnel::client(&authority, &[version], None), address).await;
        for draft in announced() {
            let mut client = Client::open_secure(here, draft, "/echo").await;
            client.send(text.as_str()).await;
            assert!(
                client.message().await == Message::from(text.as_str()),
                "{draft}"
            );
        }
    }
}

#[tokio::test]
async fn the_location_of_hixie_76_is_wss_and_the_line_names_the_version() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let here = tunnel::open(tunnel::of_today(&authority), address).await;
    let mut raw = Raw::say(here, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    let head = raw.head().await;
    assert!(
        head.contains("\r\nSec-WebSocket-Location: wss://example.com/echo\r\n"),
        "{head}"
    );
    assert_eq!(raw.exactly(16).await, ANSWER);
    drop(raw);
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    assert_eq!(lines.with("target", "draftgate::access")[0]["tls"], "1.3");
}

#[tokio::test]
async fn the_end_is_said_in_tls_too() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    for (_, version) in VERSIONS {
        let client = tunnel::client(&authority, &[version], None);
        let mut tls = tunnel::connect(&client, "localhost", address)
            .await
            .unwrap();
        tls.write_all(HYBI_13.as_bytes()).await.unwrap();
        tls.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8])
            .await
            .unwrap();
        let mut answer = Vec::new();
        // Without a close_notify this is an error.
        soon("the end", tls.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.ends_with(&[0x88, 2, 3, 0xE8]), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_ends_tcp_without_a_word_of_tls_has_gone() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let client = tunnel::of_today(&authority);
    let mut tls = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap();
    tls.write_all(HYBI_13.as_bytes()).await.unwrap();
    let mut octet = [0];
    tls.read_exact(&mut octet).await.unwrap();
    tls.into_inner().0.shutdown().await.unwrap();
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    assert_eq!(
        lines.with("target", "draftgate::access")[0]["why"],
        "peer-gone"
    );
}

#[tokio::test]
async fn http_without_tls_is_told_so_in_plain_text() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", HYBI_13, HIXIE_76] {
        let mut raw = Raw::say(address, request).await;
        let (head, body) = raw.refusal().await;
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(body.contains("this port speaks TLS"), "{body}");
        assert!(body.contains("use wss:// or https://"), "{body}");
        assert!(body.contains("not-tls"), "{body}");
    }
    assert_eq!(running.counts().refused_for("not-tls"), 3);
}

#[tokio::test]
async fn a_flash_policy_is_told_without_tls_as_flash_asks_for_it() {
    let authority = Authority::new();
    let mut config = config(&authority.sign("a", &["localhost"]));
    config.policy = Some(draftgate_gateway::config::Policy::new(["example.com"
        .parse()
        .unwrap()]));
    let (_running, address) = gateway(config);
    let mut raw = Raw::say(address, b"<policy-file-request/>\0").await;
    let policy = String::from_utf8(raw.rest().await).unwrap();
    assert!(policy.contains("domain=\"example.com\""), "{policy}");
}

#[tokio::test]
async fn tls_to_a_plain_port_is_told_by_an_alert() {
    let authority = Authority::new();
    let (running, address) = gateway(crate::common::config());
    let client = tunnel::of_today(&authority);
    let error = tunnel::connect(&client, "localhost", address)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    assert_eq!(running.counts().refused_for("tls"), 1);
}

#[tokio::test]
async fn the_proxy_protocol_comes_before_tls() {
    let (lines, _guard) = captured();
    let authority = Authority::new();
    let mut config = config(&authority.sign("a", &["localhost"]));
    config.listeners[0].proxy_protocol = true;
    config.listeners[0].trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let (_running, address) = gateway(config);
    let client = tunnel::of_today(&authority);
    let here = tunnel::carry(move || {
        let client = client.clone();
        async move {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 4321 443\r\n";
            tcp.write_all(line).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
            let name = "localhost".try_into().unwrap();
            connector.connect(name, tcp).await.unwrap()
        }
    })
    .await;
    let mut raw = Raw::say(here, [HIXIE_76.as_bytes(), KEY3].concat()).await;
    assert!(raw.head().await.contains("wss://example.com/echo"));
    drop(raw);
    lines
        .until("a line", || {
            !lines.with("target", "draftgate::access").is_empty()
        })
        .await;
    let line = &lines.with("target", "draftgate::access")[0];
    assert_eq!(line["peer"], "192.0.2.7:4321", "{line}");
}

#[tokio::test]
async fn the_page_and_events_are_served_over_tls() {
    let authority = Authority::new();
    let (_running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    let here = tunnel::open(tunnel::of_today(&authority), address).await;
    let mut raw = Raw::say(here, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    let ask = "GET /bus/news HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let mut events = Raw::say(here, ask).await;
    let head = events.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let mut peer = Client::open_secure(here, announced()[0], "/bus/news").await;
    peer.send("Hello").await;
    let mut heard = Vec::new();
    while !heard.ends_with(b"data: Hello") {
        heard.extend(events.exactly(1).await);
    }
}

#[tokio::test]
async fn what_is_recorded_is_what_was_said_inside() {
    let authority = Authority::new();
    let mut config = config(&authority.sign("a", &["localhost"]));
    let folder = authority.file("tapes");
    config.record.dir = Some(folder.clone());
    let (running, address) = gateway(config);
    let here = tunnel::open(tunnel::of_today(&authority), address).await;
    let mut raw = Raw::say(here, HYBI_13).await;
    raw.head().await;
    drop(raw);
    running.drain().await;
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert!(text.contains("Sec-WebSocket-Version: 13"), "{text}");
}
