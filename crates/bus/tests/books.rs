//! Whatever happens in whatever order, the books balance and say what a model
//! of the subscribers counted, and each channel keeps its order.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::{collections::HashMap, sync::Arc};

use common::{Overflow, Queue, channel, speaker, text};
use draftgate_bus::{Hub, Subscription};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Subscribe {
        channel: usize,
        capacity: usize,
        overflow: Overflow,
    },
    /// Drops the subscription; its queue is abandoned with what it holds.
    Unsubscribe {
        which: usize,
    },
    PublishFromOutside {
        channel: usize,
    },
    Publish {
        which: usize,
        include_sender: bool,
    },
    Take {
        which: usize,
        count: usize,
    },
    Abandon {
        which: usize,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let which = 0..8_usize;
    prop_oneof![
        2 => (0..3_usize, 0..4_usize, any::<bool>()).prop_map(|(channel, capacity, oldest)| {
            let overflow = if oldest { Overflow::DropOldest } else { Overflow::DropNewest };
            Step::Subscribe { channel, capacity, overflow }
        }),
        1 => which.clone().prop_map(|which| Step::Unsubscribe { which }),
        2 => (0..3_usize).prop_map(|channel| Step::PublishFromOutside { channel }),
        4 => (which.clone(), any::<bool>())
            .prop_map(|(which, include_sender)| Step::Publish { which, include_sender }),
        2 => (which.clone(), 0..5_usize).prop_map(|(which, count)| Step::Take { which, count }),
        1 => which.prop_map(|which| Step::Abandon { which }),
    ]
}

struct Peer {
    place: Subscription,
    queue: Arc<Queue>,
    last_heard: u64,
}

#[derive(Default)]
struct Model {
    hub: Hub,
    peers: Vec<Peer>,
    /// Texts by channel and sequence, for the channel's present life.
    said: HashMap<String, Vec<String>>,
    published: u64,
    owed: u64,
    written: u64,
}

impl Model {
    fn step(&mut self, step: Step) {
        let at = |which: usize, len: usize| (len > 0).then(|| which % len);
        match step {
            Step::Subscribe {
                channel: name,
                capacity,
                overflow,
            } => {
                let queue = Queue::new(&self.hub, capacity, overflow);
                let name = channel(&format!("channel-{name}"));
                let place = self.hub.subscribe(&name, speaker("c"), queue.clone());
                self.peers.push(Peer {
                    place,
                    queue,
                    // It hears nothing of what was said before it came.
                    last_heard: self.said.get(name.as_str()).map_or(0, Vec::len) as u64,
                });
            }
            Step::Unsubscribe { which } => {
                let Some(at) = at(which, self.peers.len()) else {
                    return;
                };
                let peer = self.peers.remove(at);
                let name = peer.place.channel().as_str().to_owned();
                drop(peer.place);
                peer.queue.abandon();
                if !self
                    .peers
                    .iter()
                    .any(|p| p.place.channel().as_str() == name)
                {
                    self.said.remove(&name);
                }
            }
            Step::PublishFromOutside { channel: name } => {
                let name = channel(&format!("channel-{name}"));
                let text = self.next_text();
                let owed = self.members(name.as_str());
                let published = self.hub.publish(&name, text.as_str().into(), None);
                self.said_in(
                    name.as_str(),
                    text,
                    owed,
                    published.delivered + published.dropped,
                );
            }
            Step::Publish {
                which,
                include_sender,
            } => {
                let Some(at) = at(which, self.peers.len()) else {
                    return;
                };
                let text = self.next_text();
                let place = &self.peers[at].place;
                let name = place.channel().as_str().to_owned();
                let owed = self.members(&name) - u64::from(!include_sender);
                let published = place.publish(text.as_str().into(), include_sender);
                self.said_in(&name, text, owed, published.delivered + published.dropped);
            }
            Step::Take { which, count } => {
                let Some(at) = at(which, self.peers.len()) else {
                    return;
                };
                let peer = &mut self.peers[at];
                let said = self.said.get(peer.place.channel().as_str());
                for envelope in peer.queue.take(count) {
                    assert!(envelope.sequence > peer.last_heard, "out of order");
                    peer.last_heard = envelope.sequence;
                    let said = &said.unwrap()[envelope.sequence as usize - 1];
                    assert_eq!(&text(&envelope), said);
                    self.written += 1;
                }
            }
            Step::Abandon { which } => {
                let Some(at) = at(which, self.peers.len()) else {
                    return;
                };
                self.peers[at].queue.abandon();
            }
        }
    }

    fn next_text(&self) -> String {
        format!("message {}", self.published)
    }

    fn members(&self, name: &str) -> u64 {
        let here = |p: &&Peer| p.place.channel().as_str() == name;
        self.peers.iter().filter(here).count() as u64
    }

    fn said_in(&mut self, name: &str, text: String, owed: u64, told: u64) {
        assert_eq!(owed, told, "a subscriber was forgotten");
        self.published += 1;
        self.owed += owed;
        if self.members(name) > 0 {
            self.said.entry(name.to_owned()).or_default().push(text);
        }
    }

    fn check(&self) {
        let ledger = self.hub.ledger();
        let waiting: usize = self.peers.iter().map(|p| p.queue.len()).sum();
        assert!(ledger.balances(), "{ledger}");
        assert_eq!(ledger.published(), self.published, "{ledger}");
        assert_eq!(ledger.expected(), self.owed, "{ledger}");
        assert_eq!(
            ledger.delivered(),
            self.written + waiting as u64,
            "{ledger}"
        );
        let mut names: Vec<_> = self.peers.iter().map(|p| p.place.channel()).collect();
        names.sort();
        names.dedup();
        assert_eq!(self.hub.channels(), names.len());
    }
}

proptest! {
    #[test]
    fn the_books_balance_after_any_sequence_of_steps(
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut model = Model::default();
        for step in steps {
            model.step(step);
            model.check();
        }
        let hub = model.hub.clone();
        while !model.peers.is_empty() {
            model.step(Step::Unsubscribe { which: 0 });
            model.check();
        }
        prop_assert_eq!(hub.channels(), 0);
        prop_assert_eq!(hub.ledger().delivered(), model.written);
    }
}
