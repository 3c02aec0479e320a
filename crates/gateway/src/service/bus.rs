//! Joins the peers of a channel, whatever draft each of them speaks.
//!
//! The hub hands a message to every subscriber under the channel's turn, so
//! nothing here waits: it decides on a rendering, shares what was made of the
//! message with its class, and puts it into the connection's bounded queue.
//! What the queue loses later is booked by the receipt that travels with it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use draftgate_bus::{Channel, Delivery, Envelope, Hub, Reason, Subscription, Verdict};
use draftgate_conn::{Fate, Handler, Loss, Peer, Queued, Receipt, Sender};
use draftgate_core::{Capabilities, Close, Draft, Message, Outgoing, Speaker};
use draftgate_translate::{self as translate, DropReason, Outcome, Policy};
use tracing::info;

use super::{Accept, Answer, MUTED, Opening, Service, Tally, UNDELIVERABLE};
use crate::{
    Refused,
    config::{BinaryPolicy, Overflow, Route},
};

/// A bus route.
#[derive(Debug)]
pub struct Bus(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    hub: Hub,
    binary: BinaryPolicy,
    overflow: Overflow,
    include_sender: bool,
    muted: Arc<AtomicU64>,
}

impl Bus {
    /// The bus that `route` describes, on `hub`. `muted` counts the messages
    /// of peers that may not publish.
    pub fn new(route: &Route, hub: Hub, muted: Arc<AtomicU64>) -> Self {
        Self(Arc::new(Rules {
            hub,
            binary: route.binary,
            overflow: route.overflow,
            include_sender: route.include_sender,
            muted,
        }))
    }
}

impl Service for Bus {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        Box::pin(async { Ok(Accept::new(self.member(opening)?)) })
    }
}

impl Bus {
    fn member(&self, opening: &Opening<'_>) -> Result<Member, Refused> {
        let name = opening.channel.unwrap_or_default();
        let channel: Channel = name.parse().map_err(|e: draftgate_bus::ChannelError| {
            Refused::channel_invalid().with(e.to_string())
        })?;
        let agreed = Policy::default_for(opening.subprotocol);
        let policy = match agreed.base64 {
            true => agreed,
            false => Policy {
                binary: self.0.binary,
                ..agreed
            },
        };
        Ok(Member {
            rules: Arc::clone(&self.0),
            channel,
            policy,
            id: opening.id.into(),
            may_subscribe: opening.may_subscribe,
            may_publish: opening.may_publish,
            place: Place::None,
            tally: Arc::clone(opening.tally),
        })
    }
}

/// A peer on the bus.
#[derive(Debug)]
struct Member {
    rules: Arc<Rules>,
    channel: Channel,
    policy: Policy,
    id: Arc<str>,
    may_subscribe: bool,
    may_publish: bool,
    place: Place,
    tally: Arc<Tally>,
}

/// What a peer is on its channel.
#[derive(Debug)]
enum Place {
    /// Nothing yet, or nothing any more.
    None,
    /// Somebody who hears and is heard.
    Member(Subscription),
    /// Somebody who is heard.
    Speaker(Speaker),
}

impl Handler for Member {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let speaker = Speaker::new(Arc::clone(&self.id), peer.draft());
        if self.policy.envelope {
            // Into the outbox, so in front of everything the channel says.
            let _ = peer.send(Outgoing::Message(translate::greeting(&speaker)));
        }
        if !self.may_subscribe {
            self.place = Place::Speaker(speaker);
            return;
        }
        let outlet = Outlet {
            sender: peer.sender(),
            capabilities: peer.capabilities(),
            draft: peer.draft(),
            policy: self.policy,
            rules: Arc::clone(&self.rules),
            id: Arc::clone(&self.id),
            tally: Arc::clone(&self.tally),
        };
        let place = self
            .rules
            .hub
            .subscribe(&self.channel, speaker, Arc::new(outlet));
        self.place = Place::Member(place);
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if !self.may_publish {
            self.rules.muted.fetch_add(1, Relaxed);
            if self.tally.muted() {
                info!(id = %self.id, code = MUTED, "a message was dropped: the peer may not publish on this channel");
            }
            return;
        }
        match translate::inbound(peer.keep(message), self.policy.base64) {
            Err(violation) => peer.fail(violation.rule),
            Ok(message) => match &self.place {
                Place::Member(place) => {
                    place.publish(message, self.rules.include_sender);
                }
                Place::Speaker(speaker) => {
                    let speaker = Some(speaker.clone());
                    self.rules.hub.publish(&self.channel, message, speaker);
                }
                Place::None => {}
            },
        }
    }

    fn closing(&mut self, _: Option<&Close>, _: &mut Peer<'_>) {
        // Nothing can be queued for it any more.
        self.place = Place::None;
    }
}

/// The door of a connection's queue.
#[derive(Debug)]
struct Outlet {
    sender: Sender,
    capabilities: Capabilities,
    draft: Draft,
    policy: Policy,
    rules: Arc<Rules>,
    id: Arc<str>,
    tally: Arc<Tally>,
}

impl Delivery for Outlet {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        match translate::message(&envelope.shared, &self.capabilities, &self.policy) {
            Outcome::Send(rendering) => {
                let message = envelope.shared.rendered(rendering, |message| {
                    translate::render(message, rendering, envelope.sender.as_ref())
                });
                let slip = Box::new(Slip(Arc::clone(&self.rules)));
                let item = Queued::shared(Arc::clone(envelope), rendering, message);
                // A refusal settles the slip, and the slip books it.
                let _ = self.sender.send(item.with_receipt(slip));
                Verdict::Delivered
            }
            Outcome::Drop(why) => {
                if self.tally.undeliverable() {
                    info!(id = %self.id, code = UNDELIVERABLE, why = why.name(), "a message was dropped: the draft cannot carry it; `binary` of the route says what to do instead");
                }
                Verdict::Dropped(reason(why))
            }
            Outcome::Close(close) => {
                if self.tally.undeliverable() {
                    info!(id = %self.id, code = UNDELIVERABLE, why = DropReason::NoBinary.name(), "the connection is closed: a message came that its draft cannot carry, and `binary` of the route is `close`");
                }
                // Where the draft has no codes the driver says what there is,
                // and the code stands in the log.
                let said = translate::close(Some(close.clone()), &self.capabilities, self.draft);
                self.sender.close(said.or(Some(close)));
                Verdict::Dropped(Reason::NoBinary)
            }
        }
    }
}

/// Books what becomes of one message in one queue.
struct Slip(Arc<Rules>);

impl Receipt for Slip {
    fn settled(self: Box<Self>, fate: Fate) {
        let Fate::Lost(loss) = fate else { return };
        let reason = match (loss, self.0.overflow) {
            (Loss::Closing | Loss::Ended, _) => Reason::Closing,
            (Loss::Overflow, Overflow::Close) => Reason::SlowConsumer,
            (Loss::Overflow, _) => Reason::QueueFull,
            (Loss::Unsayable(_), _) => Reason::Unsendable,
        };
        self.0.hub.lost(reason, 1);
    }
}

fn reason(why: DropReason) -> Reason {
    match why {
        DropReason::NoBinary => Reason::NoBinary,
        DropReason::NotUtf8 => Reason::NotUtf8,
    }
}
