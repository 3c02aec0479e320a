//! Over a stream of HTTP/2, to servers that speak it, or half of it, or none.

use std::time::Duration;

use bytes::Bytes;
use draftgate_client::{Client, ConnectError, Drafts, Http2Failure, Options, Via};
use draftgate_conn::{Conn, Handler, Peer, Settings, Start, Stream};
use draftgate_core::{Draft, Limits, Message, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys, detect,
    opening::{ConnectProtocol, LengthFrames, Terms},
};
use h2::{Reason, RecvStream, server::SendResponse};
use http::{HeaderValue, Request, Response};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    proxy,
    server::{Heard, Server, converse},
};

/// What a server does with the one request that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Echo,
    /// Its settings say nothing of WebSockets.
    Lacks,
    Reset(Reason),
    Refuse,
    /// It answers 200 and names a subprotocol that was not asked for.
    Names,
    Silence,
}

async fn server(does: Does) -> Server {
    Server::start(move |tcp, heard| serve(tcp, heard, does)).await
}

async fn serve(tcp: TcpStream, heard: Heard, does: Does) {
    let mut builder = h2::server::Builder::new();
    if does != Does::Lacks {
        builder.enable_connect_protocol();
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(tcp).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, heard.clone(), does));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    heard: Heard,
    does: Does,
) {
    let (mut parts, body) = request.into_parts();
    let protocol = parts.extensions.remove::<h2::ext::Protocol>().unwrap();
    let protocol = ConnectProtocol(protocol.as_str().into());
    let mut names: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let line = format!("{} {} {}", parts.method, parts.uri, names.join(" "));
    heard.lock().unwrap().push(line);
    parts.extensions.insert(protocol);
    let response = Response::builder();
    match does {
        Does::Echo | Does::Lacks => {}
        Does::Reset(reason) => return respond.send_reset(reason),
        Does::Refuse => {
            let response = response
                .status(426)
                .header("sec-websocket-version", "13, 8");
            let response = response.header("content-length", "12");
            let mut sending = respond
                .send_response(response.body(()).unwrap(), false)
                .unwrap();
            sending
                .send_data("not\x1b[2J here"[..].into(), true)
                .unwrap();
            return;
        }
        Does::Names => {
            let response = response.header("sec-websocket-protocol", "other");
            let _sending = respond.send_response(response.body(()).unwrap(), false);
            return std::future::pending().await;
        }
        Does::Silence => return std::future::pending().await,
    }
    let draft = detect(&parts, Detection::default()).unwrap();
    parts.headers.insert("host", HeaderValue::from_static("a"));
    let asked = draftgate_drafts::subprotocols(draft, &parts.headers);
    let terms = Terms {
        subprotocol: asked.last().copied(),
        extension: None,
        public_url: "ws://a/",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    let accepted = draftgate_drafts::accept(draft, &parts, &terms, &mut RandomKeys).unwrap();
    let mut response = response.status(accepted.head.status);
    for (name, value) in &accepted.head.fields {
        response = response.header(name.as_ref(), value);
    }
    let sending = respond
        .send_response(response.body(()).unwrap(), false)
        .unwrap();
    let start = Start::new(accepted.codec);
    Conn::new(Stream::new(sending, body), start, Settings::server())
        .run(&mut Echo)
        .await;
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(message));
    }
}

fn options() -> Options {
    Options {
        http2: true,
        ..Options::default()
    }
}

async fn failure(does: Does) -> ConnectError {
    let server = server(does).await;
    let client = Client::new(Options {
        opening_timeout: Duration::from_millis(500),
        ..options()
    });
    client.connect(&server.url("ws", "/x")).await.unwrap_err()
}

#[tokio::test]
async fn a_websocket_is_a_stream_whose_request_has_nothing_of_http_1() {
    let server = server(Does::Echo).await;
    let client = Client::new(Options {
        subprotocols: vec!["chat".to_owned(), "news".to_owned()],
        cookies: vec!["a=b".to_owned()],
        origin: Some("http://example.com".to_owned()),
        ..options()
    });
    let connection = client.connect(&server.url("ws", "/x?y=z")).await.unwrap();
    assert_eq!(connection.draft(), Draft::Hybi13);
    assert_eq!(connection.subprotocol.as_deref(), Some("news"));
    assert!(!connection.stream.is_secure());
    assert!(connection.head.starts_with(b"HTTP/2 200 OK\r\n"));
    let fields = connection.fields();
    assert_eq!(fields.len(), 1);
    assert_eq!(
        (fields[0].0.as_str(), &fields[0].1),
        ("sec-websocket-protocol", &"news".parse().unwrap())
    );
    let request = String::from_utf8(connection.request.to_vec()).unwrap();
    assert!(
        request.starts_with("CONNECT /x?y=z HTTP/2\r\nHost: 127.0.0.1:"),
        "{request}"
    );
    converse(connection, &"Hello".repeat(50_000)).await;
    let wanted = format!(
        "CONNECT http://{}/x?y=z cookie origin sec-websocket-protocol sec-websocket-version",
        server.address
    );
    assert_eq!(server.heard(), [wanted]);
}

#[tokio::test]
async fn it_goes_through_a_proxy() {
    let server = server(Does::Echo).await;
    let proxy = Server::start(proxy::tunnel).await;
    let client = Client::new(Options {
        via: proxy::via(&proxy, Some("me:pw")),
        ..options()
    });
    let connection = client.connect(&server.url("ws", "/x")).await.unwrap();
    converse(connection, "Hello").await;
    assert_eq!(proxy.heard().len(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_is_told_from_one_that_will_not() {
    let is = |error: &ConnectError, wanted: fn(&Http2Failure) -> bool| match error {
        ConnectError::Http2 { failure, .. } => wanted(failure),
        _ => false,
    };
    let error = failure(Does::Lacks).await;
    assert!(
        is(&error, |it| matches!(it, Http2Failure::NoWebSockets)),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("SETTINGS_ENABLE_CONNECT_PROTOCOL")
    );

    let error = failure(Does::Reset(Reason::REFUSED_STREAM)).await;
    assert!(
        is(&error, |it| matches!(it, Http2Failure::Reset(_))),
        "{error}"
    );
    assert!(error.to_string().contains("refused"), "{error}");

    let error = failure(Does::Silence).await;
    assert!(
        matches!(error, ConnectError::OpeningTimeout { .. }),
        "{error}"
    );

    let ConnectError::Refused {
        refusal,
        status,
        versions,
        body,
        answer,
    } = failure(Does::Refuse).await
    else {
        panic!("it is not refused");
    };
    assert_eq!((refusal.code(), status), ("answer-status", Some(426)));
    assert_eq!((versions, body.as_str()), (vec![13, 8], "not[2J here"));
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.whole), (426, true));

    let ConnectError::Refused { refusal, .. } = failure(Does::Names).await else {
        panic!("it is not refused");
    };
    assert_eq!(refusal.code(), "answer-subprotocol");
}

#[tokio::test]
async fn what_speaks_http_1_alone_is_said_to() {
    let server = Server::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let client = Client::new(options());
    let error = client.connect(&server.url("ws", "/")).await.unwrap_err();
    let ConnectError::Http2 { failure, .. } = &error else {
        panic!("{error}");
    };
    assert!(matches!(failure, Http2Failure::NotSpoken(_)), "{error}");
    // And one that says nothing at all.
    let server = Server::start(|mut tcp, _| async move {
        let _ = tcp.shutdown().await;
    })
    .await;
    let error = client.connect(&server.url("ws", "/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Http2 { .. }), "{error}");
}

#[tokio::test]
async fn other_drafts_are_not_for_it() {
    let server = server(Does::Echo).await;
    let client = Client::new(Options {
        drafts: Drafts::Named(vec![Draft::Hixie76]),
        via: Via::Directly,
        ..options()
    });
    let error = client.connect(&server.url("ws", "/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unspeakable { .. }), "{error}");
    assert!(error.to_string().contains("HTTP/2"), "{error}");
    assert!(server.heard().is_empty());
}
