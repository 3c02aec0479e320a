//! Every draft that is served, against our own acceptor of it.

use std::time::Duration;

use draftgate_client::{AnswerChecks, Client, ConnectError, Drafts, Options, Stage};
use draftgate_drafts::opening::RefusalKind;
use http::HeaderValue;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::server::{Server, converse};

#[tokio::test]
async fn every_draft_connects_says_what_it_was_told_and_converses() {
    for draft in draftgate_drafts::announced() {
        let server = Server::echo(vec![draft], "").await;
        let client = Client::new(Options {
            drafts: Drafts::Named(vec![draft]),
            subprotocols: vec!["sample".into()],
            cookies: vec!["a=b".into(), "c=d".into()],
            fields: vec![("X-Device".into(), HeaderValue::from_static("7 b"))],
            ..Options::default()
        });
        let mut url = server.url("ws", "/echo?x=1");
        url.credentials = draftgate_client::Credentials::new("me", "pw");
        let connection = client.connect(&url).await.unwrap();
        assert_eq!(connection.draft(), draft);
        assert_eq!(connection.subprotocol.as_deref(), Some("sample"));
        assert_eq!(
            (&*connection.forgiven, connection.tried.len()),
            (&[][..], 0)
        );
        assert!(connection.head.starts_with(b"HTTP/1.1 101 "));
        assert!(!connection.stream.is_secure());
        let [head] = &*server.heard() else {
            panic!("{:?}", server.heard());
        };
        assert!(connection.request.starts_with(head.as_bytes()));
        assert!(head.starts_with("GET /echo?x=1 HTTP/1.1\r\n"), "{head}");
        for line in [
            format!("Host: {}", server.address),
            "X-Device: 7 b".into(),
            "Cookie: a=b; c=d".into(),
            "Authorization: Basic bWU6cHc=".into(),
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{draft}: {head}");
        }
        let claimed = format!("Origin: http://{}\r\n", server.address);
        let demands = draftgate_drafts::demands_origin(draft);
        assert_eq!(head.contains(&claimed), demands, "{draft}: {head}");
        converse(connection, "Grüße").await;
    }
}

#[tokio::test]
async fn a_name_is_looked_up_and_an_origin_is_claimed_as_told() {
    let server = Server::echo(draftgate_drafts::announced().collect(), "").await;
    let url = format!("ws://localhost:{}/", server.address.port());
    for draft in draftgate_drafts::announced() {
        let client = Client::new(Options {
            drafts: Drafts::Named(vec![draft]),
            origin: Some("http://page.example".into()),
            ..Options::default()
        });
        let connection = client.connect(&url.parse().unwrap()).await.unwrap();
        converse(connection, "").await;
    }
    for head in server.heard() {
        assert!(head.contains("Origin: http://page.example\r\n"), "{head}");
    }
}

#[tokio::test]
async fn what_is_forgiven_is_told_and_a_strict_client_refuses_it() {
    // What nginx makes of the answer of hixie-75, before a message.
    let answer = "HTTP/1.1 101 Web Socket Protocol Handshake\r\nServer: nginx\r\n\
        Connection: upgrade\r\nUpgrade: WebSocket\r\n\
        WebSocket-Origin: http://elsewhere\r\n\r\n\0Hi\u{ff}";
    let server = Server::answering(answer).await;
    let url = server.url("ws", "/");
    let client = |answer_checks| {
        Client::new(Options {
            drafts: Drafts::Named(vec![draftgate_drafts::WITHOUT_KEYS]),
            answer_checks,
            ..Options::default()
        })
    };
    let refused = client(AnswerChecks::Strict).connect(&url).await;
    let Err(ConnectError::Refused { refusal, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.kind, RefusalKind::AnswerStatusLine);
    let connection = client(AnswerChecks::Lenient).connect(&url).await.unwrap();
    let found: Vec<_> = connection
        .forgiven
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].contains("websocket-origin is `http://elsewhere`"));
    assert!(found[2].contains("websocket-location is missing"));
    assert!(connection.received.starts_with(b"\0Hi"));
}

#[tokio::test]
async fn what_a_draft_cannot_ask_for_is_said_before_connecting() {
    let url = "ws://127.0.0.1:9/".parse().unwrap();
    let client = Client::new(Options {
        drafts: Drafts::Named(vec![draftgate_drafts::WITHOUT_KEYS]),
        subprotocols: vec!["a".into(), "b".into()],
        ..Options::default()
    });
    let error = client.connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unspeakable { .. }), "{error}");
    let client = Client::new(Options {
        drafts: Drafts::Named(Vec::new()),
        ..Options::default()
    });
    let error = client.connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoDraftNamed), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_told_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(Options::default());
    let url = format!("ws://{address}/").parse().unwrap();
    let error = client.connect(&url).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot connect to {address}: ")),
        "{error}"
    );
    assert!(
        error.ends_with("nothing listens there: check address and port"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_where_nothing_answers_is_told_apart_from_a_silent_server() {
    // A queue that is full takes no more connections, and refuses none.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(tcp) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        queued.push(tcp.unwrap());
    }
    let client = |connect, opening| {
        Client::new(Options {
            connect_timeout: Duration::from_secs(connect),
            opening_timeout: Duration::from_secs(opening),
            ..Options::default()
        })
    };
    let url = format!("ws://{address}/").parse().unwrap();
    let error = client(5, 60).connect(&url).await.unwrap_err();
    let ConnectError::ConnectTimeout { stage, after, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((stage, after.as_secs()), (Stage::Tcp, 5));

    let silent = Server::start(|tcp, _| async move {
        let _tcp = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let error = client(60, 7).connect(&silent.url("ws", "/")).await;
    let Err(ConnectError::OpeningTimeout { after, octets, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((after.as_secs(), octets), (7, 0));
}
