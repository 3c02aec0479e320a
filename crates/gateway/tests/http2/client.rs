//! The project's own client over HTTP/2, against the gateway.

use draftgate_client::{Client, ConnectError, Http2Failure, Options, Tls, Url};
use draftgate_conn::{Conn, Handler, Peer, Settings};
use draftgate_core::Message;

use crate::{
    authority::{self, Authority},
    common::{config, gateway, soon, until},
};

struct First(Option<Message>);

impl Handler for First {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.0 = Some(message);
        peer.close(None);
    }
}

async fn echoes(client: &Client, url: &str) {
    let url: Url = url.parse().unwrap();
    let connection = soon("the opening", client.connect(&url)).await.unwrap();
    assert_eq!(connection.stream.is_secure(), url.secure);
    let (stream, start) = connection.start();
    let conn = Conn::new(stream, start, Settings::client());
    let text = "Hello".repeat(100_000);
    conn.sender().send(Message::from(text.as_str())).unwrap();
    let mut first = First(None);
    let closed = soon("the end", conn.run(&mut first)).await;
    assert!(first.0 == Some(Message::from(text)), "{closed}");
    assert_eq!(closed.why.code(), "requested", "{closed}");
}

#[tokio::test]
async fn it_speaks_with_the_gateway_in_clear_and_under_tls() {
    let (running, address) = gateway(config());
    let client = Client::new(Options {
        http2: true,
        ..Options::default()
    });
    echoes(&client, &format!("ws://{address}/echo")).await;
    let counts = running.counts();
    assert_eq!((counts.http2_upgrades, counts.accepted), (1, 1));
    until("its connection ends", || running.counts().connections == 0).await;

    let authority = Authority::new();
    let (running, address) = gateway(authority::config(&authority.sign("a", &["localhost"])));
    let client = Client::new(Options {
        http2: true,
        tls: Tls {
            ca_files: vec![authority.own_file()],
            insecure: false,
        },
        ..Options::default()
    });
    echoes(&client, &format!("wss://localhost:{}/echo", address.port())).await;
    assert_eq!(running.counts().http2_upgrades, 1);
}

#[tokio::test]
async fn where_the_gateway_has_it_off_the_client_says_so() {
    let authority = Authority::new();
    let mut config = authority::config(&authority.sign("a", &["localhost"]));
    config.listeners[0].http2 = false;
    let (_running, address) = gateway(config);
    let client = Client::new(Options {
        http2: true,
        tls: Tls {
            ca_files: vec![authority.own_file()],
            insecure: false,
        },
        ..Options::default()
    });
    let url = format!("wss://localhost:{}/echo", address.port());
    let error = client.connect(&url.parse().unwrap()).await.unwrap_err();
    // rustls ends the handshake where nothing that is offered is spoken.
    assert!(
        matches!(
            error,
            ConnectError::Tls { .. }
                | ConnectError::Http2 {
                    failure: Http2Failure::NotOffered,
                    ..
                }
        ),
        "{error}"
    );
}
