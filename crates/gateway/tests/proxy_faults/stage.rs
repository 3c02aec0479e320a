//! A gateway with a route to each draft of one upstream, which is the test.

use std::net::SocketAddr;

use draftgate_client::Drafts;
use draftgate_core::{Close, Closing, Draft, Event, Outgoing};
use draftgate_gateway::{
    Running,
    config::{self, Config, Route, Timeouts},
};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Client, KEY3, announced, config, gateway, is_challenged, opening, soon};

pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
}

impl Stage {
    pub(crate) async fn new(change: impl Fn(&mut Route)) -> Self {
        Self::with(change, |_| {}).await
    }

    /// The same, with the timeouts of the listener changed.
    pub(crate) async fn with(
        change: impl Fn(&mut Route),
        timeouts: impl Fn(&mut Timeouts),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = to(listener.local_addr().unwrap(), change);
        timeouts(&mut config.listeners[0].timeouts);
        let (running, address) = gateway(config);
        Self {
            running,
            address,
            listener,
        }
    }

    /// A client and its upstream, both open.
    pub(crate) async fn open(&self, near: Draft, far: Draft) -> (Client, Client) {
        let path = format!("/{far}/x");
        tokio::join!(Client::open(self.address, near, &path), async {
            Client::serve(self.accept().await).await
        })
    }

    pub(crate) async fn accept(&self) -> TcpStream {
        soon("accept", self.listener.accept()).await.unwrap().0
    }
}

pub(crate) fn to(upstream: SocketAddr, change: impl Fn(&mut Route)) -> Config {
    let mut config = config();
    config.routes.clear();
    for far in announced() {
        let path = format!("/{far}/{{rest}}").parse().unwrap();
        let mut route = Route::new(path, config::Service::Proxy, announced());
        let address = format!("ws://{upstream}").parse().unwrap();
        let mut upstream = config::Upstream::new(vec![address]);
        // One of each draft and another. Fewer than any test uses: one that is not
        // given back is missed.
        upstream.max_connections = Some(announced().len() as u32 + 1);
        upstream.drafts = Drafts::Named(vec![far]);
        route.upstream = Some(Box::new(upstream));
        route.origins = config::Origins::any();
        change(&mut route);
        config.routes.push(route);
    }
    config
}

/// The octets with which a client of `near` asks for `far`.
pub(crate) fn asking(near: Draft, far: Draft) -> Vec<u8> {
    let mut octets = opening(near)
        .replace("/echo", &format!("/{far}/x"))
        .into_bytes();
    if is_challenged(near) {
        octets.extend(KEY3);
    }
    octets
}

/// Every draft in front of every draft.
pub(crate) fn pairs() -> impl Iterator<Item = (Draft, Draft)> {
    announced()
        .into_iter()
        .flat_map(|near| announced().into_iter().map(move |far| (near, far)))
}

/// Whether the draft's Close has codes.
pub(crate) fn has_codes(draft: Draft) -> bool {
    draftgate_drafts::traits()
        .any(|it| it.draft == draft && it.capabilities.closing == Closing::Coded)
}

/// Hears all there is up to the peer's Close, which is answered, or to the end
/// of TCP; the Close, if one came.
pub(crate) async fn farewell(peer: &mut Client) -> Option<Option<Close>> {
    while let Some(event) = peer.event().await {
        if let Event::Close(close) = event {
            let code = close.as_ref().map(|close| Close::new(close.code, ""));
            if peer.codec.state() != draftgate_core::State::Closed {
                peer.say(Outgoing::Close(code)).await;
            }
            return Some(close);
        }
    }
    None
}

/// Half of a text frame of 1000 octets.
pub(crate) fn half_a_frame(peer: &mut Client) -> Vec<u8> {
    let octets = frame(peer, 1000);
    octets[..octets.len() / 2].to_vec()
}

/// A text frame of `length` octets.
pub(crate) fn frame(peer: &mut Client, length: usize) -> Vec<u8> {
    let mut out = draftgate_core::Outbox::new();
    let text = Outgoing::Message("m".repeat(length).as_str().into());
    peer.codec.send(text, &mut out).unwrap();
    out.take_all().to_vec()
}

/// Ends `tcp` by an RST.
pub(crate) fn reset(tcp: TcpStream) {
    tcp.set_zero_linger().unwrap();
    drop(tcp);
}

/// Octets that look random, the same in every run.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
