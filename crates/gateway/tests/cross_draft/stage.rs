//! One channel with its clients, and what must stand in the gateway's books.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use draftgate_bus::Reason;
use draftgate_core::{Draft, Traits};
use draftgate_drafts::UNANNOUNCED;
use draftgate_gateway::{Running, config::BinaryPolicy};
use draftgate_translate::{
    DropReason,
    table::{Arrival, Case, Ending, PING, Reply},
};
use tracing::subscriber::DefaultGuard;

use crate::{
    common::{Lines, captured, gateway, until, with_route},
    octets::{self, LIMIT},
    peer::Peer,
    scene::{PLAIN, Scene, message, route},
};

/// Longer than any test: what it limits never comes about by itself.
const NEVER: Duration = Duration::from_secs(300);

pub(crate) struct Stage {
    policy: BinaryPolicy,
    running: Running,
    address: SocketAddr,
    lines: Lines,
    _logging: DefaultGuard,
    /// Whose access lines were looked at.
    ended: BTreeSet<String>,
    books: Books,
    upgrades: BTreeMap<Draft, u64>,
    cast: Option<Cast>,
}

/// Who is there.
struct Cast {
    from: Traits,
    sender: Peer,
    /// The route on which the sender is.
    route: &'static str,
    receivers: Vec<(Traits, Peer)>,
    witness: (Traits, Peer),
}

/// What the bus must have counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Books {
    published: u64,
    delivered: u64,
    dropped: BTreeMap<Reason, u64>,
}

impl Stage {
    pub(crate) fn new(policy: BinaryPolicy) -> Self {
        let (lines, logging) = captured();
        let mut config = with_route("/bus/{channel}", |route| {
            route.binary = policy;
            route.limits.message = LIMIT as u64;
            route.limits.frame = 2 * LIMIT as u64;
            // No reader of this test is slow by intention.
            route.queue = 16 * LIMIT;
        });
        let mut taken = config.routes[1].clone();
        taken.path = "/taken/{channel}".parse().unwrap();
        taken.accept_length_frames = true;
        config.routes.push(taken);
        config.log.rate = None;
        let timeouts = &mut config.listeners[0].timeouts;
        (timeouts.ping, timeouts.idle, timeouts.message) = (None, None, None);
        timeouts.close = NEVER;
        timeouts.close_hixie_76 = NEVER;
        timeouts.write = NEVER;
        let (running, address) = gateway(config);
        Self {
            policy,
            running,
            address,
            lines,
            _logging: logging,
            ended: BTreeSet::new(),
            books: Books::default(),
            upgrades: BTreeMap::new(),
            cast: None,
        }
    }

    /// A new channel, with a sender of `from`.
    pub(crate) async fn enter(&mut self, from: Traits, drafts: &[Traits]) {
        let name = channel(from);
        let sender = self.open(PLAIN, &name, from).await;
        let newest = *drafts.last().unwrap();
        let witness = (newest, self.open(PLAIN, &name, newest).await);
        let mut receivers = Vec::new();
        for to in drafts {
            receivers.push((*to, self.open(PLAIN, &name, *to).await));
        }
        let cast = Cast {
            from,
            sender,
            route: PLAIN,
            receivers,
            witness,
        };
        self.joined(&cast, cast.size()).await;
        self.cast = Some(cast);
    }

    /// Plays one case for every receiver; how many cells that were.
    pub(crate) async fn play(&mut self, case: Case) -> usize {
        let mut cast = self.cast.take().unwrap();
        let scene = cast.scene(case, self.policy);
        if let Some(said) = octets::of_client(case, cast.from.draft) {
            self.put_sender(&mut cast, route(case)).await;
            self.speak(&scene, said, &mut cast).await;
            self.listen(&scene, &mut cast).await;
            self.recast(&scene, &mut cast).await;
            self.nobody_noticed(&scene, &mut cast).await;
            self.balance(&scene.what).await;
        }
        self.cast = Some(cast);
        scene.cells.len()
    }

    /// The sender says it, and, if it may still speak, one thing more; then it
    /// hears what it is told.
    async fn speak(&mut self, scene: &Scene, said: &[u8], cast: &mut Cast) {
        let (sender, draft) = (&mut cast.sender, cast.from.draft);
        sender.write(said).await;
        sender.noticed += scene.notices;
        if scene.published() {
            sender.said += 1;
            self.books.published += 1;
        }
        if let Some(mark) = &scene.mark {
            sender.say(mark).await;
            self.books.published += 1;
        }
        match &scene.reply {
            Reply::Pong => {
                let pong = octets::pong_to(PING, draft);
                sender.hears(&pong, &scene.what).await;
            }
            Reply::Closed { told, .. } | Reply::Failed { told, .. } => {
                if matches!(scene.reply, Reply::Closed { .. }) && *told == Ending::Tcp {
                    // Its close is no octet.
                    sender.shut().await;
                }
                let ending = octets::ending_to(sender.role, told, draft);
                sender.hears(&ending, &scene.what).await;
                sender.ends(&scene.what).await;
            }
            Reply::Nothing | Reply::Unsayable => {}
        }
    }

    /// The others hear it, and what the sender said behind it. The witness
    /// first: once it has heard that, nothing is on its way from the sender that
    /// is not in their queues.
    async fn listen(&mut self, scene: &Scene, cast: &mut Cast) {
        let (_, witness) = &mut cast.witness;
        self.arrives(scene, witness, &scene.witnessed).await;
        for (cell, (_, receiver)) in scene.cells.iter().zip(&mut cast.receivers) {
            self.arrives(scene, receiver, cell).await;
        }
    }

    /// Whoever was closed comes again.
    async fn recast(&mut self, scene: &Scene, cast: &mut Cast) {
        if scene.mark.is_none() {
            self.sender_ended(&scene.reply, cast).await;
        }
        for (at, (cell, _)) in scene.cells.iter().enumerate() {
            if matches!(cell, Arrival::Closed(_)) {
                self.receiver_ended(at, cast).await;
            }
        }
        self.joined(cast, cast.size()).await;
    }

    /// All of them hear what the witness says next, and nothing before it.
    async fn nobody_noticed(&mut self, scene: &Scene, cast: &mut Cast) {
        let next = format!("after {:?}", scene.case);
        let (_, witness) = &mut cast.witness;
        witness.say(&next).await;
        self.books.published += 1;
        let others = cast.receivers.iter_mut().map(|(_, receiver)| receiver);
        for other in others.chain([&mut cast.sender]) {
            let octets = octets::text_to(next.as_bytes(), other.draft);
            let what = format!("after {}, at {}", scene.what, other.draft);
            other.hears(&octets, &what).await;
            self.books.delivered += 1;
        }
    }

    /// What one receiver hears of a case, and of the mark behind it.
    async fn arrives(&mut self, scene: &Scene, peer: &mut Peer, (cell, what): &(Arrival, String)) {
        let mut drop = |reason| *self.books.dropped.entry(reason).or_default() += 1;
        match cell {
            Arrival::Nothing => {}
            Arrival::Message(change) => {
                self.books.delivered += 1;
                peer.hears(&message(scene.case, *change, peer.draft), what)
                    .await;
            }
            Arrival::Dropped(why) => {
                peer.missed += 1;
                drop(match why {
                    DropReason::NoBinary => Reason::NoBinary,
                    DropReason::NotUtf8 => Reason::NotUtf8,
                });
            }
            Arrival::Closed(told) => {
                peer.missed += 1;
                drop(Reason::NoBinary);
                peer.hears(&octets::ending_to(peer.role, told, peer.draft), what)
                    .await;
                if *told == Ending::Marker {
                    peer.write(b"\xff\x00").await;
                }
                peer.ends(what).await;
                // The mark finds it closing.
                return drop(Reason::Closing);
            }
        }
        if let Some(mark) = &scene.mark {
            self.books.delivered += 1;
            let octets = octets::text_to(mark.as_bytes(), peer.draft);
            peer.hears(&octets, &format!("{what}, the mark")).await;
        }
    }

    /// The sender goes to `route`, if it is not there.
    async fn put_sender(&mut self, cast: &mut Cast, route: &'static str) {
        if cast.route == route {
            return;
        }
        cast.sender.shut().await;
        self.joined(cast, cast.size() - 1).await;
        self.line(&cast.sender).await;
        cast.route = route;
        cast.sender = self.open(route, &channel(cast.from), cast.from).await;
        self.joined(cast, cast.size()).await;
    }

    /// The sender is gone: its line says why, and another takes its place.
    async fn sender_ended(&mut self, reply: &Reply, cast: &mut Cast) {
        cast.sender.shut().await;
        self.joined(cast, cast.size() - 1).await;
        let line = self.line(&cast.sender).await;
        match reply {
            Reply::Closed { logged, .. } => {
                assert_eq!(
                    (&line["by"], &line["why"]),
                    (&"peer".into(), &"peer-closed".into()),
                    "{line}"
                );
                assert_eq!(line["code"].as_u64(), logged.map(u64::from), "{line}");
            }
            Reply::Failed { rule, told } => {
                assert_eq!(
                    (&line["by"], &line["why"]),
                    (&"us".into(), &"violation".into()),
                    "{line}"
                );
                assert_eq!(line["rule"], rule.code(), "{line}");
                let code = match told {
                    Ending::Frame(Some(close)) => Some(u64::from(close.code)),
                    _ => None,
                };
                assert_eq!(line["code"].as_u64(), code, "{line}");
            }
            other => panic!("{other:?} ends nobody"),
        }
        cast.sender = self.open(cast.route, &channel(cast.from), cast.from).await;
    }

    /// A receiver was closed, because binary came.
    async fn receiver_ended(&mut self, at: usize, cast: &mut Cast) {
        let (to, receiver) = &mut cast.receivers[at];
        receiver.shut().await;
        let line = self.line(receiver).await;
        assert_eq!(
            (&line["by"], &line["why"]),
            (&"us".into(), &"requested".into()),
            "{line}"
        );
        assert_eq!(line["code"], 1003, "{line}");
        *receiver = self.open(PLAIN, &channel(cast.from), *to).await;
    }

    /// Everybody leaves, and has its line.
    pub(crate) async fn leave(&mut self) {
        let cast = self.cast.take().unwrap();
        let receivers = cast.receivers.into_iter().map(|(_, receiver)| receiver);
        for mut peer in receivers.chain([cast.sender, cast.witness.1]) {
            peer.shut().await;
            self.line(&peer).await;
        }
        until("all have left", || self.running.counts().connections == 0).await;
        assert_eq!(self.running.hub().channels(), 0);
    }

    async fn open(&mut self, route: &str, channel: &str, draft: Traits) -> Peer {
        // It is counted by what it announced.
        let announced = match draft.draft {
            UNANNOUNCED => Draft::Hixie76,
            other => other,
        };
        *self.upgrades.entry(announced).or_default() += 1;
        let path = format!("{route}{channel}");
        Peer::open(self.address, draft.draft, &path).await
    }

    async fn joined(&self, cast: &Cast, count: usize) {
        let channel = channel(cast.from).parse().unwrap();
        let there = || self.running.hub().subscribers(&channel) == count;
        until("all have joined or left", there).await;
    }

    /// The access line of `peer`, which has ended.
    async fn line(&mut self, peer: &Peer) -> serde_json::Value {
        let mut found = None;
        self.lines
            .until("the access line", || {
                let mut lines = self.lines.with("peer", &peer.address.to_string());
                // A port may have been another's before.
                lines.retain(|line| !self.ended.contains(line["id"].as_str().unwrap()));
                found = lines.pop();
                found.is_some()
            })
            .await;
        let line = found.unwrap();
        self.ended.insert(line["id"].as_str().unwrap().to_owned());
        assert_eq!(line["draft"], peer.draft.name(), "{line}");
        for (key, count) in [
            ("messages_in", peer.said),
            ("notices", peer.noticed),
            ("dropped", peer.missed),
            ("muted", 0),
        ] {
            assert_eq!(line[key], count, "{key} of {line}");
        }
        line
    }

    /// The gateway's books say what was heard.
    async fn balance(&self, what: &str) {
        let read = || {
            let ledger = self.running.ledger();
            assert!(ledger.balances(), "{what}: {ledger}");
            let count = |reason| (reason, ledger.dropped(reason));
            let dropped = Reason::ALL.map(count).into_iter();
            Books {
                published: ledger.published(),
                delivered: ledger.delivered(),
                dropped: dropped.filter(|(_, count)| *count > 0).collect(),
            }
        };
        assert_eq!(read(), self.books, "{what}");
        let counts = self.running.counts();
        assert_eq!(counts.upgrades, self.upgrades, "{what}");
        assert!(
            counts.refused.is_empty() && counts.muted == 0,
            "{what}: {counts:?}"
        );
    }
}

impl Cast {
    fn scene(&self, case: Case, policy: BinaryPolicy) -> Scene {
        let receivers = self.receivers.iter().map(|(to, _)| *to);
        Scene::new(case, policy, &self.from, receivers, &self.witness.0)
    }

    fn size(&self) -> usize {
        self.receivers.len() + 2
    }
}

fn channel(from: Traits) -> String {
    format!("from-{}", from.draft)
}
