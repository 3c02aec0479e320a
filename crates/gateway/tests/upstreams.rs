//! What a proxy route does about its servers, from the file to the wire: turns
//! and fail-over, slots, the draft that worked, addresses of ours, Unix sockets
//! and the PROXY protocol. The servers are gateways with an echo.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use std::{net::SocketAddr, path::PathBuf};

use common::{Client, HYBI_13, Lines, Raw, announced, captured, config, gateway, soon, until};
use draftgate_core::{Draft, Message};
use draftgate_gateway::{
    Running,
    config::{Config, Environment},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener},
};

/// A proxy route at `/near` with these keys.
fn proxy(keys: &str) -> (Running, SocketAddr) {
    let text = format!(
        r#"
        [[listeners]]
        address = "127.0.0.1:0"

        [[routes]]
        path = "/near"
        service = "proxy"
        drafts = "all"
        origins = ["any"]
        {keys}
        "#
    );
    let config = Config::parse(&text, "a.toml", &common::spoken(), &Environment::default());
    gateway(config.unwrap_or_else(|error| panic!("{error}")))
}

/// Says something and hears it, over the proxy.
async fn converse(address: SocketAddr, draft: Draft) -> Client {
    let mut client = Client::open(address, draft, "/near").await;
    client.send("there").await;
    assert_eq!(client.message().await, Message::from("there"), "{draft}");
    client
}

/// The lines about the connections that the server behind has had.
async fn lines_behind(lines: &Lines, count: usize) -> Vec<serde_json::Value> {
    let behind = || {
        let mut all = lines.with("target", "draftgate::access");
        all.retain(|line| line["path"] == "/echo");
        all
    };
    lines
        .until("the lines of the server", || behind().len() >= count)
        .await;
    behind()
}

#[tokio::test]
async fn servers_take_turns_and_stand_in_for_each_other() {
    let (first, first_at) = gateway(config());
    let (second, second_at) = gateway(config());
    let keys = format!("upstream = [\"ws://{first_at}/echo\", \"ws://{second_at}/echo\"]");
    let (front, address) = proxy(&keys);
    for draft in announced() {
        drop(converse(address, draft).await);
    }
    // The first is asked first, and so once more where the drafts are odd in number.
    let all = announced().len() as u64;
    let came = [&first, &second].map(|server| server.counts().accepted);
    assert_eq!(came, [all.div_ceil(2), all / 2]);
    soon("the end of the first", first.shutdown()).await;
    for draft in announced() {
        drop(converse(address, draft).await);
    }
    assert_eq!(second.counts().accepted, all / 2 + all);
    soon("the end of the second", second.shutdown()).await;
    let request = HYBI_13.replace("/echo", "/near");
    let (head, body) = Raw::say(address, request).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert!(body.contains("Code: upstream-unreachable"), "{body}");
    front.shutdown().await;
}

#[tokio::test]
async fn clients_of_a_server_with_one_slot_wait_for_their_turn() {
    let (server, at) = gateway(config());
    let keys = format!(
        "upstream = \"ws://{at}/echo\"\nmax-upstream-connections = 1\nupstream-wait = \"30s\""
    );
    let (front, address) = proxy(&keys);
    for draft in announced() {
        let first = converse(address, draft).await;
        let accepted = server.counts().accepted;
        let second = tokio::spawn(converse(address, draft));
        // It is in the queue, and not at the server.
        until("the second client", || front.counts().connections == 2).await;
        assert_eq!(server.counts().accepted, accepted);
        drop(first);
        drop(soon("its turn", second).await.unwrap());
        until("the end of both", || {
            front.counts().connections + server.counts().connections == 0
        })
        .await;
    }
    front.shutdown().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_queue_that_is_full_is_said_to_be() {
    let (server, at) = gateway(config());
    let keys = format!(
        "upstream = \"ws://{at}/echo\"\nmax-upstream-connections = 1\nupstream-waiting = 1"
    );
    let (front, address) = proxy(&keys);
    let _first = converse(address, announced()[0]).await;
    let request = HYBI_13.replace("/echo", "/near");
    let _second = Raw::say(address, &request).await;
    until("the second client", || front.counts().connections == 2).await;
    let (head, body) = Raw::say(address, &request).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(
        body.contains("its one connection is taken, and one client is waiting already"),
        "{body}"
    );
    front.shutdown().await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_draft_that_worked_is_told_once_and_tried_first() {
    // A server of hixie-76 takes the requests of hybi-02 and -03 for its own: the
    // opening does not tell that they do not understand each other.
    let told_apart = || {
        let drafts = announced().into_iter();
        drafts.filter(|draft| !matches!(draft, Draft::Hybi02 | Draft::Hybi03))
    };
    for draft in told_apart() {
        let (lines, _guard) = captured();
        let mut behind = config();
        for route in &mut behind.routes {
            route.drafts = vec![draft];
        }
        let (server, at) = gateway(behind);
        let names: Vec<String> = told_apart()
            .rev()
            .map(|it| format!("{:?}", it.name()))
            .collect();
        let keys = format!(
            "upstream = \"ws://{at}/echo\"\nupstream-drafts = [{}]",
            names.join(", ")
        );
        let (front, address) = proxy(&keys);
        drop(converse(address, *announced().last().unwrap()).await);
        let tries = server.counts().accepted;
        for near in announced() {
            drop(converse(address, near).await);
        }
        let more = server.counts().accepted - tries;
        assert_eq!(more, announced().len() as u64, "{draft}");
        let told = lines.with("message", "upstream speaks this draft");
        assert_eq!(told.len(), 1, "{draft}: {told:?}");
        assert_eq!(told[0]["draft"], draft.name());
        front.shutdown().await;
        server.shutdown().await;
    }
}

#[tokio::test]
async fn connections_come_from_the_addresses_of_ours_in_turn() {
    let (lines, _guard) = captured();
    let (server, at) = gateway(config());
    let keys =
        format!("upstream = \"ws://{at}/echo\"\nupstream-sources = [\"127.0.0.2\", \"127.0.0.3\"]");
    let (front, address) = proxy(&keys);
    for _ in 0..4 {
        drop(converse(address, announced()[0]).await);
        until("its end", || server.counts().connections == 0).await;
    }
    let from: Vec<String> = lines_behind(&lines, 4)
        .await
        .iter()
        .map(|line| line["peer"].as_str().unwrap()[..9].to_owned())
        .collect();
    assert_eq!(from, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"]);
    front.shutdown().await;
    server.shutdown().await;
}

/// A socket that is removed with it.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A Unix socket in front of a TCP server.
fn socket(at: SocketAddr) -> Socket {
    let name = format!("draftgate-{}-{}.sock", std::process::id(), at.port());
    let socket = Socket(std::env::temp_dir().join(name));
    let listener = UnixListener::bind(&socket.0).unwrap();
    tokio::spawn(async move {
        while let Ok((mut unix, _)) = listener.accept().await {
            let mut tcp = TcpStream::connect(at).await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut unix, &mut tcp).await;
            });
        }
    });
    socket
}

#[tokio::test]
async fn a_server_that_reads_the_proxy_protocol_knows_the_client_over_tcp_and_unix_sockets() {
    let mut behind = config();
    behind.listeners[0].proxy_protocol = true;
    behind.listeners[0].trusted_proxies =
        vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    for draft in announced() {
        let (lines, _guard) = captured();
        let (server, at) = gateway(behind.clone());
        let socket = socket(at);
        let mut clients = Vec::new();
        for upstream in [
            format!("ws://{at}/echo"),
            format!("unix:{}:/echo", socket.0.display()),
        ] {
            let keys = format!(
                "upstream = \"{upstream}\"\nupstream-proxy-protocol = true\nupstream-drafts = [\"{}\"]",
                draft.name()
            );
            let (front, address) = proxy(&keys);
            // One that is nobody else's here.
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.5:0".parse().unwrap()).unwrap();
            let tcp = soon("connect", socket.connect(address)).await.unwrap();
            clients.push(tcp.local_addr().unwrap().to_string());
            let host = address.to_string();
            let mut client = Client::over(tcp, &host, draft, "/near", &[]).await;
            client.send("there").await;
            assert_eq!(client.message().await, Message::from("there"), "{draft}");
            drop(client);
            until("its end", || server.counts().connections == 0).await;
            front.shutdown().await;
        }
        let told = lines_behind(&lines, 2).await;
        let peers: Vec<&str> = told
            .iter()
            .map(|line| line["peer"].as_str().unwrap())
            .collect();
        assert_eq!(peers, clients, "{draft}");
        server.shutdown().await;
    }
}

#[tokio::test]
async fn one_that_fails_is_passed_over_no_longer_than_the_route_says() {
    // Bound, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (lines, _guard) = captured();
    let (running, address) = proxy(&format!(
        r#"
        upstream = "ws://{}"
        upstream-back-off = "40ms"
        "#,
        socket.local_addr().unwrap()
    ));
    let hello = HYBI_13.replace("/echo", "/near");
    let (head, _) = Raw::say(address, &hello).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    running.shutdown().await;
    let told = lines.with("message", "upstream failed and is passed over");
    let delay = told[0]["delay_ms"].as_u64().unwrap();
    assert!((20..=40).contains(&delay), "{told:?}");
}

#[tokio::test]
async fn a_flood_of_clients_whose_servers_answer_is_forgiven_is_a_few_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                // It names another origin and location than it was asked for.
                let answer = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
                     Upgrade: WebSocket\r\nConnection: Upgrade\r\n\
                     WebSocket-Origin: http://example.com\r\n\
                     WebSocket-Location: ws://other.example/\r\n\r\n";
                tcp.write_all(answer.as_bytes()).await.unwrap();
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    let (lines, _guard) = captured();
    let (running, address) = proxy(&format!(
        r#"
        upstream = "ws://{behind}"
        upstream-drafts = "hixie-75"
        upstream-answer-checks = "lenient"

        [log]
        rate = 1
        "#
    ));
    for _ in 0..40 {
        drop(Client::open(address, Draft::Hybi13, "/near").await);
    }
    running.shutdown().await;
    let mut forgiven = lines.all();
    forgiven.retain(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("was forgiven")
    });
    // Each forgives the origin and the location, which are two kinds.
    let of_kind = |code: &str| {
        let of_code = lines.with("code", code);
        let told = of_code.iter().filter(|line| line["id"].is_string()).count();
        let left_out = of_code.iter().filter_map(|line| line["left_out"].as_u64());
        (told as u64, left_out.sum::<u64>())
    };
    assert!(!forgiven.is_empty());
    for line in &forgiven {
        let (told, left_out) = of_kind(line["code"].as_str().unwrap());
        assert!(told >= 10 && left_out > 0, "{told}, {left_out}: {line}");
        assert_eq!(told + left_out, 40, "{line}");
    }
}
