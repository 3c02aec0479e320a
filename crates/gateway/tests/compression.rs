//! Compression over sockets: what is answered to offers, one channel for peers
//! with every extension and none, and what a route must say for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::net::SocketAddr;

use common::{Client, announced, config, gateway, with_route};
use draftgate_core::{Draft, Message};
use draftgate_gateway::config::{Compression, Config, Environment};
use http::HeaderValue;
use tokio::net::TcpStream;

/// Everything is compressed.
const ALL: Compression = Compression {
    level: 6,
    least: 1,
    window_bits: 15,
    takeover: false,
    stream: true,
};

async fn client(address: SocketAddr, draft: Draft, path: &str, offers: &'static str) -> Client {
    let tcp = TcpStream::connect(address).await.unwrap();
    let field = ("Sec-WebSocket-Extensions", HeaderValue::from_static(offers));
    let fields = if offers.is_empty() {
        vec![]
    } else {
        vec![field]
    };
    Client::over_with(tcp, &address.to_string(), draft, path, &[], &fields).await
}

/// Each draft with each extension that goes with it, and without.
fn peers() -> Vec<(Draft, &'static str)> {
    let drafts = announced().into_iter();
    let mut peers: Vec<_> = drafts.map(|draft| (draft, "")).collect();
    peers.extend([
        (Draft::Hybi06, "deflate-stream"),
        (Draft::Hybi07, "deflate-stream"),
        (Draft::Hybi08, "deflate-stream"),
        (Draft::Hybi08, "deflate-frame"),
        (Draft::Hybi08, "x-webkit-deflate-frame"),
        (Draft::Hybi13, "x-webkit-deflate-frame"),
        (Draft::Hybi13, "permessage-deflate; client_max_window_bits"),
        (
            Draft::Hybi13,
            "permessage-deflate; server_max_window_bits=9",
        ),
        (
            Draft::Hybi13,
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            Draft::Hybi13,
            "permessage-deflate; server_max_window_bits=8",
        ),
    ]);
    peers
}

#[tokio::test]
async fn every_peer_of_a_channel_hears_every_other_whatever_each_compresses() {
    for takeover in [false, true] {
        let compression = Compression { takeover, ..ALL };
        let config = with_route("/bus/{channel}", |route| {
            route.compression = Some(compression);
        });
        let (_running, address) = gateway(config);
        let mut all = Vec::new();
        for (draft, offers) in peers() {
            all.push(client(address, draft, "/bus/a", offers).await);
        }
        for from in 0..all.len() {
            for round in 0..2 {
                let said = format!("{round} from {from}: {}", "again and ".repeat(30));
                all[from].send(said.clone()).await;
                for (at, to) in all.iter_mut().enumerate() {
                    if at != from {
                        let heard = to.message().await;
                        let who = (peers()[from], peers()[at]);
                        assert_eq!(heard, Message::from(said.clone()), "{who:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn long_messages_and_short_ones_are_echoed_through_every_extension() {
    let config = with_route("/echo", |route| {
        route.compression = Some(Compression { least: 100, ..ALL });
    });
    let (_running, address) = gateway(config);
    for (draft, offers) in peers() {
        let mut client = client(address, draft, "/echo", offers).await;
        for length in [0, 1, 99, 100, 2048, 70_000, 1 << 20] {
            let text: String = (0..length)
                .map(|n| char::from(b'a' + n as u8 % 7))
                .collect();
            client.send(text.clone()).await;
            assert_eq!(client.message().await, text.into(), "{draft} {offers}");
        }
    }
}

/// The fields of the answer to `offers`.
async fn answered(address: SocketAddr, offers: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let field = format!("\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n");
    let request = common::HYBI_13.replacen("\r\n\r\n", &field, 1);
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut lines = head.lines();
    let field = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    field.map(str::to_owned)
}

#[tokio::test]
async fn an_offer_is_answered_where_the_route_compresses_and_nowhere_else() {
    let compressing = |takeover| {
        with_route("/echo", |route| {
            route.compression = Some(Compression { takeover, ..ALL });
        })
    };
    let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let frames = Some("x-webkit-deflate-frame");
    for (config, chromium, webkit) in [
        (config(), None, None),
        (compressing(false), Some(alone), frames),
        (compressing(true), Some("permessage-deflate"), frames),
    ] {
        let (_running, address) = gateway(config);
        let answer = answered(address, "permessage-deflate; client_max_window_bits").await;
        assert_eq!(answer.as_deref(), chromium);
        let answer = answered(address, "x-webkit-deflate-frame").await;
        assert_eq!(answer.as_deref(), webkit);
        assert_eq!(answered(address, "x-google-mux").await, None);
    }
}

fn parsed(keys: &str) -> Result<Config, String> {
    let text =
        format!("drafts = \"all\"\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n{keys}");
    Config::parse(&text, "a.toml", &common::spoken(), &Environment::default())
        .map_err(|e| e.to_string())
}

#[test]
fn a_route_says_how_it_compresses() {
    let said = |keys: &str| parsed(keys).unwrap().routes[0].compression;
    assert_eq!(said(""), None);
    assert_eq!(said("compression = false"), None);
    assert_eq!(said("compression = true"), Some(Compression::default()));
    let all = "compression = true\ncompression-level = 9\ncompression-least = \"1KiB\"\n\
               compression-window-bits = 9\ncompression-context = true\ncompression-stream = true";
    let want = Compression {
        level: 9,
        least: 1024,
        window_bits: 9,
        takeover: true,
        stream: true,
    };
    assert_eq!(said(all), Some(want));
    for (keys, wrong) in [
        (
            "compression = true\ncompression-level = 10",
            "must be from 1 to 9",
        ),
        (
            "compression = true\ncompression-window-bits = 8",
            "must be from 9 to 15",
        ),
        (
            "compression = true\ncompression-window-bits = 16",
            "must be from 9 to 15",
        ),
        ("compression = \"yes\"", "must be `true` or `false`"),
    ] {
        let told = parsed(keys).unwrap_err();
        assert!(told.contains(wrong), "{keys}: {told}");
    }
}
