//! Through an HTTP proxy, which is a small one of this file.

use std::{sync::Arc, time::Duration};

use draftgate_client::{
    Client, ConnectError, Credentials, Drafts, Options, ProxyRefusal, Stage, Via,
};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use crate::server::{Heard, Server, converse, head};

/// Tunnels to where it is told, if the name and password are the right ones.
pub(crate) async fn tunnel(mut client: TcpStream, heard: Heard) {
    let Some((request, _)) = head(&mut client, &heard).await else {
        return;
    };
    let allowed = request
        .headers
        .get("proxy-authorization")
        .is_none_or(|value| value == "Basic bWU6cHc=");
    if !allowed {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
            Proxy-Authenticate: Basic realm=x\r\nProxy-Authenticate: Digest y\r\n\r\n";
        let _ = client.write_all(refusal).await;
        return;
    }
    let to = request.uri.authority().unwrap().as_str();
    let mut server = TcpStream::connect(to).await.unwrap();
    let granted = b"HTTP/1.0 200 Connection established\r\nVia: test\r\n\r\n";
    client.write_all(granted).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

pub(crate) fn via(proxy: &Server, user: Option<&str>) -> Via {
    let text = match user {
        Some(user) => format!("http://{user}@{}", proxy.address),
        None => format!("http://{}", proxy.address),
    };
    Via::Proxy(text.parse().unwrap())
}

async fn refusal(answer: &str, user: Option<&str>) -> ProxyRefusal {
    let proxy = Server::answering(answer).await;
    let client = Client::new(Options {
        via: via(&proxy, user),
        ..Options::default()
    });
    let error = client.connect(&"ws://a.example/".parse().unwrap()).await;
    match error {
        Err(ConnectError::Proxy {
            proxy: named,
            host,
            refusal,
        }) => {
            assert_eq!(named, format!("http://{}", proxy.address));
            assert_eq!(host, "a.example:80");
            refusal
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_draft_goes_through_a_proxy() {
    let server = Server::echo(draftgate_drafts::announced().collect(), "").await;
    let proxy = Server::start(tunnel).await;
    for user in [None, Some("me:pw")] {
        for draft in draftgate_drafts::announced() {
            let client = Client::new(Options {
                drafts: Drafts::Named(vec![draft]),
                via: via(&proxy, user),
                ..Options::default()
            });
            let connection = client.connect(&server.url("ws", "/")).await.unwrap();
            assert_eq!(
                connection.stream.tcp().unwrap().peer_addr().unwrap(),
                proxy.address
            );
            converse(connection, "through").await;
        }
    }
    let [first, .., last] = &*proxy.heard() else {
        panic!("{:?}", proxy.heard());
    };
    let line = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", server.address);
    assert_eq!(*first, format!("{line}\r\n"));
    assert_eq!(
        *last,
        format!("{line}Proxy-Authorization: Basic bWU6cHc=\r\n\r\n")
    );
}

#[tokio::test]
async fn a_407_says_whether_a_password_is_missing_or_wrong() {
    let proxy = Server::start(tunnel).await;
    let client = Client::new(Options {
        via: via(&proxy, Some("me:wrong")),
        ..Options::default()
    });
    let error = client.connect(&"ws://a.example/".parse().unwrap()).await;
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("it does not take this name and password"),
        "{text}"
    );
    assert!(text.ends_with("(it asks for Basic, Digest)"), "{text}");
    assert!(!text.contains("wrong"), "{text}");

    let missing = refusal("HTTP/1.1 407 Who\r\n\r\n", None).await;
    let ProxyRefusal::Authentication {
        status: 407,
        sent: false,
        asked,
    } = missing
    else {
        panic!("{missing}");
    };
    assert_eq!(asked, "");
}

#[tokio::test]
async fn what_a_proxy_says_instead_of_a_tunnel_is_shown() {
    let blocked = refusal(
        "HTTP/1.1 403 Blocked\r\nContent-Length: 6\r\n\r\nport 1\0.",
        None,
    )
    .await;
    let text = blocked.to_string();
    assert!(
        text.starts_with("it answers `HTTP/1.1 403 Blocked`"),
        "{text}"
    );
    assert!(text.ends_with("\n  port 1"), "{text}");
    // Inside the tunnel the server speaks second, so this is not the server.
    let early = refusal("HTTP/1.1 200 Ok\r\n\r\nHTTP/1.1 101 Web Socket", None).await;
    assert!(matches!(early, ProxyRefusal::Octets(23)), "{early}");
    let garbage = refusal("SSH-2.0-x\r\n\r\n", None).await;
    assert!(matches!(garbage, ProxyRefusal::Malformed(_)), "{garbage}");
    let endless = refusal(&"x".repeat(17 << 10), None).await;
    assert!(matches!(endless, ProxyRefusal::Malformed(_)), "{endless}");
    for cut in ["", "HTTP/1.1 200 Ok\r\n"] {
        let ended = refusal(cut, None).await;
        assert!(matches!(ended, ProxyRefusal::Ended), "{ended}");
    }
}

#[tokio::test]
async fn a_password_in_a_proxys_address_is_in_no_error() {
    let user = Credentials::new("me", "secret").unwrap();
    assert!(!format!("{user:?}").contains("secret"));
    let refused = refusal("HTTP/1.1 407 Who\r\n\r\n", Some("me:secret")).await;
    assert!(!format!("{refused} {refused:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_gives_no_tunnel_in_time_is_named_as_the_reason() {
    let silent = Server::start(|tcp, heard: Arc<_>| async move {
        let mut tcp = tcp;
        let _ = head(&mut tcp, &heard).await;
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::new(Options {
        via: via(&silent, None),
        connect_timeout: Duration::from_secs(3),
        ..Options::default()
    });
    let error = client.connect(&"ws://a.example/".parse().unwrap()).await;
    let Err(ConnectError::ConnectTimeout { stage, after, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((stage, after), (Stage::Tunnel, Duration::from_secs(3)));
}
