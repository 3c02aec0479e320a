//! Two gateways: the one with the proxy, and the upstream behind it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use draftgate_client::Drafts;
use draftgate_conn::{End, Handler, Peer, Sender};
use draftgate_core::{Close, Draft, Message, Outgoing};
use draftgate_gateway::{
    Gateway, Refused, Running,
    config::{self, Config, Route},
    service::{Accept, Answer, Opening, Service},
};

use crate::common::{Client, announced, config, gateway, until};

/// What the upstream does, and what it saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behind(Arc<Mutex<Seen>>);

/// What the upstream saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The openings: path and query, fields by name, subprotocols.
    pub(crate) openings: Vec<Opened>,
    pub(crate) said: Vec<Message>,
    pub(crate) closes: Vec<Option<Close>>,
    pub(crate) ends: Vec<String>,
    /// Those that are open.
    pub(crate) senders: Vec<Sender>,
}

#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) draft: Draft,
    pub(crate) target: String,
    pub(crate) fields: http::HeaderMap,
    pub(crate) origin: Option<String>,
    pub(crate) subprotocols: Vec<String>,
}

impl Behind {
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// Waits until it saw that.
    pub(crate) async fn until(&self, what: &str, mut saw: impl FnMut(&mut Seen) -> bool) {
        until(what, || self.seen(&mut saw)).await;
    }
}

impl Service for Behind {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        let query = opening.query.map(|query| format!("?{query}"));
        let opened = Opened {
            draft: opening.draft,
            target: format!("{}{}", opening.path, query.unwrap_or_default()),
            fields: opening.headers.clone(),
            origin: opening.origin.map(str::to_owned),
            subprotocols: opening.subprotocols.iter().map(|&it| it.into()).collect(),
        };
        self.seen(|seen| seen.openings.push(opened));
        Box::pin(async move {
            if opening.path == "/no" {
                return Err(Refused::new(418, "teapot", "this is a teapot", "make tea"));
            }
            let last = opening.subprotocols.last().map(|&name| name.to_owned());
            Ok(Accept::new(Session {
                behind: self.clone(),
                path: opening.path.to_owned(),
            })
            .with_subprotocol(last)
            .with_field(
                http::header::SET_COOKIE,
                http::HeaderValue::from_static("session=abc; Path=/"),
            ))
        })
    }
}

/// What is said behind a close on `/talks-long`, besides.
pub(crate) static LONG: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| "-".repeat(64 << 10));

struct Session {
    behind: Behind,
    path: String,
}

impl Handler for Session {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        self.behind.seen(|seen| seen.senders.push(peer.sender()));
        if self.path == "/greets" {
            let _ = peer.send(Outgoing::Message("first".into()));
        }
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.behind.seen(|seen| seen.said.push(message.clone()));
        if self.path != "/listens" {
            let _ = peer.send(Outgoing::Message(peer.keep(message)));
        }
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        self.behind.seen(|seen| seen.closes.push(close.cloned()));
        if self.path.starts_with("/talks") {
            let long = match self.path.as_str() {
                "/talks" => "",
                _ => &LONG,
            };
            // A hundred more, and only then its own Close.
            peer.hold();
            let sender = peer.sender();
            tokio::spawn(async move {
                for n in 0..100 {
                    if sender.ready().await.is_err() {
                        return;
                    }
                    let _ = sender.send(Message::from(format!("after the close {n}{long}")));
                    tokio::task::yield_now().await;
                }
                sender.close(Some(Close::new(4002, "all said")));
            });
        }
    }

    fn ended(&mut self, end: &End<'_>) {
        let code = end.close.map(|close| close.code);
        self.behind.seen(|seen| {
            let why = format!("{} {} {code:?}", end.by.code(), end.why.code());
            seen.ends.push(why);
        });
    }
}

/// A proxy in front of a [`Behind`].
pub(crate) struct Rig {
    pub(crate) behind: Behind,
    pub(crate) upstream: Running,
    pub(crate) front: Running,
    pub(crate) address: SocketAddr,
}

impl Rig {
    /// The upstream is spoken to in `beyond`.
    pub(crate) fn new(beyond: Draft) -> Self {
        Self::with(beyond, |_| {})
    }

    /// The same, with the proxy's route changed.
    pub(crate) fn with(beyond: Draft, change: impl FnOnce(&mut Route)) -> Self {
        Self::with_config(beyond, |config| change(&mut config.routes[0]))
    }

    /// The same, with the proxy's configuration changed.
    pub(crate) fn with_config(beyond: Draft, change: impl FnOnce(&mut Config)) -> Self {
        let behind = Behind::default();
        let service = behind.clone();
        let upstream = Gateway::bind_with(anywhere(), move |_| {
            Some(Arc::new(service.clone()) as Arc<dyn Service>)
        })
        .unwrap();
        let at = upstream.addrs()[0];
        let mut config = to(&format!("ws://{at}"), |route| {
            route.upstream.as_mut().unwrap().drafts = Drafts::Named(vec![beyond]);
        });
        change(&mut config);
        let (front, address) = gateway(config);
        Self {
            behind,
            upstream,
            front,
            address,
        }
    }

    pub(crate) async fn open(&self, draft: Draft, path: &str) -> Client {
        Client::open(self.address, draft, path).await
    }

    /// Ends both; nothing may be left.
    pub(crate) async fn end(self) {
        self.front.shutdown().await;
        self.upstream.shutdown().await;
    }
}

/// A gateway that takes every path.
fn anywhere() -> Config {
    let mut config = config();
    config.routes = vec![route(config::Service::Echo)];
    config
}

/// A gateway that passes every path on to `upstream`.
pub(crate) fn to(upstream: &str, change: impl FnOnce(&mut Route)) -> Config {
    let mut config = config();
    let mut route = route(config::Service::Proxy);
    let addresses = vec![upstream.parse().unwrap()];
    route.upstream = Some(Box::new(config::Upstream::new(addresses)));
    change(&mut route);
    config.routes = vec![route];
    config
}

fn route(service: config::Service) -> Route {
    let mut route = Route::new("/{rest}".parse().unwrap(), service, announced());
    route.origins = config::Origins::any();
    route
}

/// Every draft in front of every draft.
pub(crate) fn pairs() -> impl Iterator<Item = (Draft, Draft)> {
    announced()
        .into_iter()
        .flat_map(|near| announced().into_iter().map(move |far| (near, far)))
}

/// Whether `task` does not end within a moment. Wrong only in saying that it
/// stalls on a machine that stands still, which a test must bear.
pub(crate) async fn stalls<T>(task: &tokio::task::JoinHandle<T>) -> bool {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    !task.is_finished()
}
