//! How an upstream is reached: what it is asked for, over which socket, from
//! which address of ours, and on whose behalf.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use bytes::{Buf, BytesMut};
use draftgate_client::{Drafts, Options};
use draftgate_upstream::{Ask, Link, Settings, Upstream};
use http::HeaderValue;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixListener,
};

use crate::server::{Seen, Server, connect, converse, echo, settings, websocket};

fn in_draft(settings: Settings, draft: draftgate_core::Draft) -> Settings {
    let mut settings = settings;
    settings.client = Options {
        drafts: Drafts::Named(vec![draft]),
        ..settings.client
    };
    settings
}

#[tokio::test]
async fn what_the_client_asked_for_is_asked_for_in_every_draft() {
    let fields = [
        ("Cookie".to_owned(), HeaderValue::from_static("a=b")),
        (
            "X-Forwarded-For".to_owned(),
            HeaderValue::from_static("192.0.2.7"),
        ),
    ];
    for draft in draftgate_drafts::announced() {
        let server = Server::of_all().await;
        let upstream = Upstream::new(in_draft(settings(&[server.ws("")]), draft));
        let ask = Ask {
            resource: "/chat?room=1",
            fields: &fields,
            host: Some("public.example"),
            origin: Some("http://page.example"),
            subprotocols: &["sample".to_owned()],
            peers: None,
        };
        let (connection, _slot) = websocket(upstream.connect(&ask).await.unwrap());
        assert_eq!(connection.subprotocol.as_deref(), Some("sample"));
        converse(connection, "asked").await;
        let heads = server.heads();
        assert!(
            heads[0].starts_with("GET /chat?room=1 HTTP/1.1\r\n"),
            "{heads:?}"
        );
        for line in [
            "Host: public.example",
            "Origin: http://page.example",
            "Cookie: a=b",
            "X-Forwarded-For: 192.0.2.7",
        ] {
            assert!(
                heads[0].contains(&format!("{line}\r\n")),
                "{draft} {line}: {heads:?}"
            );
        }
    }
}

/// A socket of its own, in a directory that is removed with it.
struct Path(PathBuf);

impl Path {
    fn new(test: &str) -> Self {
        let name = format!("draftgate-{}-{test}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Echoes in every draft over a Unix socket; what comes is noted, and what
/// comes before the request first.
fn over_unix(path: &Path, preface: usize) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let listener = UnixListener::bind(&path.0).unwrap();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((unix, _)) = listener.accept().await {
            tokio::spawn(behind(unix, preface, Arc::clone(&shared)));
        }
    });
    seen
}

/// Takes `preface` octets, notes them in hexadecimal, and echoes.
async fn behind(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    preface: usize,
    seen: Arc<Seen>,
) {
    let mut input = BytesMut::new();
    while input.len() < preface {
        if stream.read_buf(&mut input).await.unwrap() == 0 {
            return;
        }
    }
    if preface > 0 {
        let octets: String = input[..preface]
            .iter()
            .map(|o| format!("{o:02x}"))
            .collect();
        seen.heads.lock().unwrap().push(octets);
        input.advance(preface);
    }
    let speaks: Vec<_> = draftgate_drafts::announced().collect();
    echo(stream, input, seen, &speaks, b"").await;
}

#[tokio::test]
async fn every_draft_is_spoken_over_a_unix_socket() {
    let path = Path::new("every-draft");
    let seen = over_unix(&path, 0);
    let address = format!("unix:{}", path.0.display());
    for draft in draftgate_drafts::announced() {
        for (address, asked) in [
            (address.clone(), "/chat?x=1"),
            (format!("{address}:/plc"), "/plc?x=1"),
        ] {
            let upstream = Upstream::new(in_draft(settings(&[&address]), draft));
            let ask = Ask {
                resource: "/chat?x=1",
                ..Ask::default()
            };
            let reached = upstream.connect(&ask).await.unwrap();
            assert_eq!(reached.address, address);
            let (connection, _slot) = websocket(reached);
            assert!(connection.stream.tcp().is_none());
            converse(connection, "over a socket").await;
            let head = seen.heads.lock().unwrap().pop().unwrap();
            assert!(
                head.starts_with(&format!("GET {asked} HTTP/1.1\r\n")),
                "{head}"
            );
            assert!(head.contains("Host: localhost\r\n"), "{head}");
        }
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_told() {
    let upstream = Upstream::new(settings(&["unix:/nowhere/app.sock"]));
    let text = connect(&upstream).await.unwrap_err().to_string();
    assert!(text.contains("/nowhere/app.sock"), "{text}");
    assert!(text.contains("there is no such socket"), "{text}");
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_stands_before_everything() {
    let signature = "0d0a0d0a000d0a515549540a";
    let v4 = "2111000cc0000207".to_owned() + "7f000001" + "d431" + "1f90";
    let v6 = "21210024".to_owned()
        + "20010db8000000000000000000000007"
        + "00000000000000000000000000000001"
        + "d431"
        + "1f90";
    for (peers, rest) in [
        (Some(("192.0.2.7:54321", "127.0.0.1:8080")), v4.as_str()),
        (Some(("[2001:db8::7]:54321", "[::1]:8080")), &v6),
        (None, "20000000"),
    ] {
        let header = format!("{signature}{rest}");
        let length = header.len() / 2;
        let path = Path::new(&format!("proxy-{length}"));
        let unix = over_unix(&path, length);
        let tcp = Server::start(move |tcp, seen| behind(tcp, length, seen)).await;
        for draft in draftgate_drafts::announced() {
            for (address, seen) in [
                (tcp.ws(""), &tcp.seen),
                (format!("unix:{}", path.0.display()), &unix),
            ] {
                let upstream = Upstream::new(Settings {
                    proxy_protocol: true,
                    ..in_draft(settings(&[address]), draft)
                });
                let ask = Ask {
                    peers: peers
                        .map(|(client, local)| (client.parse().unwrap(), local.parse().unwrap())),
                    ..Ask::default()
                };
                let (connection, _slot) = websocket(upstream.connect(&ask).await.unwrap());
                converse(connection, "behind it").await;
                let mut heads = seen.heads.lock().unwrap();
                assert_eq!(heads[0], header, "{draft}");
                assert!(heads[1].starts_with("GET / "), "{draft}: {heads:?}");
                heads.clear();
            }
        }
    }
}

#[tokio::test]
async fn octets_are_taken_as_they_come_behind_the_header() {
    let server = Server::start(|mut tcp, _| async move {
        let (mut reading, mut writing) = tcp.split();
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    })
    .await;
    for proxy_protocol in [false, true] {
        let upstream = Upstream::new(Settings {
            proxy_protocol,
            ..settings(&[format!("tcp://{}", server.address)])
        });
        let reached = connect(&upstream).await.unwrap();
        let Link::Raw(mut stream) = reached.link else {
            panic!("{:?}", reached.link);
        };
        stream.write_all(b"\0\xFFRFB").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        let header = if proxy_protocol { 16 } else { 0 };
        assert_eq!(&back[header..], b"\0\xFFRFB");
    }
}

#[tokio::test]
async fn the_addresses_of_ours_take_turns() {
    let server = Server::of_all().await;
    let sources = ["127.0.0.2", "127.0.0.3"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let upstream = Upstream::new(Settings {
        sources: sources.into(),
        ..settings(&[server.ws("")])
    });
    for _ in 0..4 {
        let (connection, _slot) = websocket(connect(&upstream).await.unwrap());
        let ours = connection.stream.tcp().unwrap().local_addr().unwrap();
        assert_eq!(server.seen.from.lock().unwrap().last(), Some(&ours));
        converse(connection, "from here").await;
    }
    let from: Vec<IpAddr> = server
        .seen
        .from
        .lock()
        .unwrap()
        .iter()
        .map(|a| a.ip())
        .collect();
    assert_eq!(from, [sources, sources].concat());
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_told() {
    let server = Server::of_all().await;
    for (source, said) in [
        (
            "192.0.2.7",
            "it is no address of this machine: name one that it has",
        ),
        ("::1", "none of the addresses to connect from is one"),
    ] {
        let upstream = Upstream::new(Settings {
            sources: vec![source.parse().unwrap()],
            ..settings(&[server.ws("")])
        });
        let failure = connect(&upstream).await.unwrap_err();
        assert_eq!(failure.code(), "upstream-unreachable");
        assert!(failure.to_string().contains(said), "{failure}");
    }
    assert_eq!(server.count(), 0);
}
