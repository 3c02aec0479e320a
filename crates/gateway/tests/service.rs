//! A service of one's own in place of a route's: the same code for every draft.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::sync::Arc;

use common::{Client, Raw, announced, config};
use draftgate_conn::{Handler, Peer};
use draftgate_core::{Message, Outgoing};
use draftgate_gateway::{
    BindError, Gateway, Refused,
    config::{self, Route},
    service::{Accept, Answer, Opening, Service},
};

/// Greets, and refuses whoever asks for the subprotocol `no`.
#[derive(Debug)]
struct Greeter;

struct Greeting(String);

impl Service for Greeter {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        Box::pin(async {
            if opening.subprotocols.contains(&"no") {
                return Err(Refused::new(
                    403,
                    "not-you",
                    "this greeter does not greet you",
                    "ask for another subprotocol",
                ));
            }
            Ok(Accept::new(Greeting(format!(
                "{} {} {}",
                opening.path,
                opening.draft,
                opening.origin.unwrap_or("-"),
            ))))
        })
    }
}

impl Handler for Greeting {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(self.0.as_str().into()));
    }

    fn message(&mut self, _: Message, peer: &mut Peer<'_>) {
        let sender = peer.sender();
        tokio::spawn(async move { sender.send(Message::from("later")) });
    }
}

#[tokio::test]
async fn a_service_of_ones_own_takes_the_place_of_a_routes() {
    let running = Gateway::bind_with(config(), |route| {
        (route.path.to_string() == "/echo").then(|| Arc::new(Greeter) as Arc<dyn Service>)
    })
    .unwrap();
    let address = running.addrs()[0];
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        let greeting = format!("/echo {draft} http://localhost");
        assert_eq!(client.message().await, Message::from(greeting));
        client.send("?").await;
        assert_eq!(client.message().await, Message::from("later"));
    }
    let asks = common::HYBI_13.replace("Host:", "Sec-WebSocket-Protocol: no\r\nHost:");
    let (head, body) = Raw::say(address, &asks).await.refusal().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(
        body.contains("does not greet you") && body.contains("Code: not-you"),
        "{body}"
    );
    assert_eq!(running.counts().refused_for("not-you"), 1);
}

#[tokio::test]
async fn a_proxy_without_an_upstream_does_not_begin() {
    let mut config = config();
    let upstream = config::Upstream::new(Vec::new());
    for upstream in [None, Some(Box::new(upstream))] {
        let path = "/nowhere".parse().unwrap();
        let mut route = Route::new(path, config::Service::Proxy, announced());
        route.upstream = upstream;
        config.routes = vec![route];
        let error = Gateway::bind(config.clone()).unwrap_err();
        assert!(matches!(&error, BindError::NoUpstream { route } if route == "/nowhere"));
        assert!(error.to_string().contains("Route::upstream"), "{error}");
    }
}
