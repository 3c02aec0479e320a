//! One channel with its clients, and what must stand in the gateway's books.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use draftgate_bus::Reason;
use draftgate_core::{Draft, Rendering, Traits};
use draftgate_gateway::{Running, config::BinaryPolicy};
use draftgate_translate::{
    DropReason,
    table::{Arrival, Case, Change, Declared, Ending, PING, Reply, declared},
};
use tracing::subscriber::DefaultGuard;

use crate::{
    common::{Lines, captured, gateway, until, with_route},
    octets::{self, LIMIT},
    peer::Peer,
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
    path: String,
    from: Traits,
    sender: Peer,
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
        let path = format!("/bus/from-{}", from.draft);
        let sender = self.open(&path, from).await;
        let newest = *drafts.last().unwrap();
        let witness = (newest, self.open(&path, newest).await);
        let mut receivers = Vec::new();
        for to in drafts {
            receivers.push((*to, self.open(&path, *to).await));
        }
        let cast = Cast {
            path,
            from,
            sender,
            receivers,
            witness,
        };
        self.joined(&cast, cast.size()).await;
        self.cast = Some(cast);
    }

    /// Plays one case for every receiver; how many cells that were.
    pub(crate) async fn play(&mut self, case: Case) -> usize {
        let mut cast = self.cast.take().unwrap();
        let (policy, from) = (self.policy, cast.from);
        let told = |from: &Traits, to: &Traits| declared(case, from, to, policy);
        let what = |to: &Traits| format!("{case:?} from {} to {}, {policy}", from.draft, to.draft);
        let first = told(&from, &cast.witness.0);
        let said = octets::of_client(case, from.draft);
        assert_eq!(said.is_none(), first.reply == Reply::Unsayable, "{case:?}");
        let cells: Vec<(Declared, String)> = cast
            .receivers
            .iter()
            .map(|(to, _)| (told(&from, to), what(to)))
            .collect();
        let witnessed = (first.clone(), format!("{}, the witness", what(&from)));
        for (cell, what) in &cells {
            // What the sender is told is the same whoever listens.
            assert_eq!(
                (&cell.reply, cell.notices),
                (&first.reply, first.notices),
                "{what}"
            );
        }
        let Some(said) = said else {
            self.cast = Some(cast);
            return cells.len();
        };

        // The sender says it, and, if it may still speak, one thing more.
        let sender = &mut cast.sender;
        sender.write(said).await;
        if let Reply::Closed {
            told: Ending::Tcp, ..
        } = first.reply
        {
            // Its close is no octet.
            sender.shut().await;
        }
        sender.noticed += first.notices;
        let published = first.arrival != Arrival::Nothing;
        sender.said += u64::from(published);
        let goes_on = matches!(first.reply, Reply::Nothing | Reply::Pong);
        let mark = format!("behind {case:?}");
        if goes_on {
            sender.say(&mark).await;
        }
        let at_sender = format!("{case:?} back to {}, {policy}", from.draft);
        match &first.reply {
            Reply::Pong => {
                let pong = octets::pong_to(PING, from.draft);
                sender.hears(&pong, &at_sender).await;
            }
            Reply::Closed { told, .. } | Reply::Failed { told, .. } => {
                let ending = octets::ending_to(told, from.draft);
                sender.hears(&ending, &at_sender).await;
                sender.ends(&at_sender).await;
            }
            Reply::Nothing | Reply::Unsayable => {}
        }

        // The witness first: once it has heard the mark, nothing is on its way
        // from the sender to the others that is not in their queues.
        let (_, witness) = &mut cast.witness;
        self.arrives(case, witness, &witnessed, goes_on.then_some(&mark))
            .await;
        let mut leavers = Vec::new();
        for (at, (cell, (_, receiver))) in cells.iter().zip(&mut cast.receivers).enumerate() {
            self.arrives(case, receiver, cell, goes_on.then_some(&mark))
                .await;
            if matches!(cell.0.arrival, Arrival::Closed(_)) {
                leavers.push(at);
            }
        }
        self.books.published += u64::from(published) + u64::from(goes_on);

        // Whoever was closed comes again.
        if !goes_on {
            self.sender_ended(&mut cast, &first.reply).await;
        }
        for at in leavers {
            self.receiver_ended(&mut cast, at).await;
        }
        self.joined(&cast, cast.size()).await;

        // Nobody else noticed: all of them hear what the witness says next.
        let next = format!("after {case:?}");
        let (_, witness) = &mut cast.witness;
        witness.say(&next).await;
        let others = cast.receivers.iter_mut().map(|(_, receiver)| receiver);
        for other in others.chain([&mut cast.sender]) {
            let octets = octets::text_to(next.as_bytes(), other.draft);
            let what = format!("after {at_sender}, at {}", other.draft);
            other.hears(&octets, &what).await;
            self.books.delivered += 1;
        }
        self.books.published += 1;
        self.balance(&at_sender).await;
        self.cast = Some(cast);
        cells.len()
    }

    /// What one receiver hears of a case, and of the mark behind it.
    async fn arrives(
        &mut self,
        case: Case,
        peer: &mut Peer,
        (cell, what): &(Declared, String),
        mark: Option<&String>,
    ) {
        let mut drop = |reason| *self.books.dropped.entry(reason).or_default() += 1;
        match &cell.arrival {
            Arrival::Nothing => {}
            Arrival::Message(change) => {
                self.books.delivered += 1;
                peer.hears(&message(case, *change, peer.draft), what).await;
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
                peer.hears(&octets::ending_to(told, peer.draft), what).await;
                if *told == Ending::Marker {
                    peer.write(b"\xff\x00").await;
                }
                peer.ends(what).await;
                // The mark finds it closing.
                return drop(Reason::Closing);
            }
        }
        if let Some(mark) = mark {
            self.books.delivered += 1;
            let octets = octets::text_to(mark.as_bytes(), peer.draft);
            peer.hears(&octets, &format!("{what}, the mark")).await;
        }
    }

    /// The sender is gone: its line says why, and another takes its place.
    async fn sender_ended(&mut self, cast: &mut Cast, reply: &Reply) {
        let sender = cast.sender.shut();
        sender.await;
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
        cast.sender = self.open(&cast.path, cast.from).await;
    }

    /// A receiver was closed, because binary came.
    async fn receiver_ended(&mut self, cast: &mut Cast, at: usize) {
        let (to, receiver) = &mut cast.receivers[at];
        receiver.shut().await;
        let line = self.line(receiver).await;
        assert_eq!(
            (&line["by"], &line["why"]),
            (&"us".into(), &"requested".into()),
            "{line}"
        );
        assert_eq!(line["code"], 1003, "{line}");
        *receiver = self.open(&cast.path, *to).await;
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

    async fn open(&mut self, path: &str, draft: Traits) -> Peer {
        *self.upgrades.entry(draft.draft).or_default() += 1;
        Peer::open(self.address, draft.draft, path).await
    }

    async fn joined(&self, cast: &Cast, count: usize) {
        let channel = cast.path.trim_start_matches("/bus/").parse().unwrap();
        let there = || self.running.hub().subscribers(&channel) == count;
        until("all have joined or left", there).await;
    }

    /// The access line of `peer`, which has ended.
    async fn line(&mut self, peer: &Peer) -> serde_json::Value {
        let mut found = None;
        until("the access line", || {
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
    fn size(&self) -> usize {
        self.receivers.len() + 2
    }
}

/// The octets of a message that was changed like that.
fn message(case: Case, change: Change, to: Draft) -> Vec<u8> {
    let payload = octets::payload(case);
    let binary = matches!(
        case,
        Case::Binary
            | Case::BinaryUtf8
            | Case::EmptyBinary
            | Case::LongBinary
            | Case::HugeBinary
            | Case::BinaryInFragments
    );
    match change.rendering {
        Rendering::Base64 => octets::text_to(&octets::base64(payload), to),
        Rendering::Hex => octets::text_to(&octets::hex(payload), to),
        Rendering::Utf8 => octets::text_to(payload, to),
        Rendering::AsIs if binary => octets::binary_to(payload, to),
        Rendering::AsIs if change.repaired => octets::text_to(octets::REPAIRED.as_bytes(), to),
        Rendering::AsIs => octets::text_to(payload, to),
        other => panic!("{other:?} is not among these cells"),
    }
}
