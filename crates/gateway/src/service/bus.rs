//! Joins the peers of a channel, whatever draft each of them speaks.
//!
//! The hub hands a message to every subscriber under the channel's turn, so
//! nothing here waits: it decides on a rendering, shares what was made of the
//! message with its class, and puts it into the connection's bounded queue.
//! What the queue loses later is booked by the receipt that travels with it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use draftgate_bus::{
    Burst, Channel, Delivery, Envelope, Flush, Hub, Reason, Subscription, Verdict,
};
use draftgate_conn::{Fate, Handler, Loss, Peer, Queued, Receipt, Sender, Spoken};
use draftgate_core::{COPIED, Close, Message, Outgoing, Rendering, Speaker};
use draftgate_translate::{self as translate, DropReason, Outcome, Policy};
use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{Duration, Instant},
};
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
        hub.flush_by(flush_in_tasks);
        Self(Arc::new(Rules {
            hub,
            binary: route.binary,
            overflow: route.overflow,
            include_sender: route.include_sender,
            muted,
        }))
    }
}

/// How long a part of a pass writes before other tasks have their turn.
const LONGEST_TURN: Duration = Duration::from_millis(1);

/// Subscribers that are written to between two looks at the time: a megabyte
/// for each may take as long.
const BETWEEN_LOOKS: usize = 8;

/// In tasks of their own, behind those that are ready: what is published until
/// then leaves in the same writes.
fn flush_in_tasks(flush: Flush) {
    let Ok(runtime) = Handle::try_current() else {
        return flush.run();
    };
    for mut part in flush.parts() {
        runtime.spawn(async move {
            // A publisher whose turn is over before its messages are comes to
            // its next one first.
            yield_now().await;
            let mut began = Instant::now();
            while part.some(BETWEEN_LOOKS) {
                if began.elapsed() >= LONGEST_TURN {
                    yield_now().await;
                    began = Instant::now();
                }
            }
        });
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
            policy,
            may_subscribe: opening.may_subscribe,
            may_publish: opening.may_publish,
            place: Place::Coming(Box::new((channel, opening.id.into()))),
            said: None,
            tally: Arc::clone(opening.tally),
        })
    }
}

/// A peer on the bus.
#[derive(Debug)]
struct Member {
    rules: Arc<Rules>,
    policy: Policy,
    may_subscribe: bool,
    may_publish: bool,
    place: Place,
    /// What it said in one breath, and is not published yet.
    #[expect(clippy::box_collection, reason = "a place of 8 octets and not of 24")]
    said: Option<Box<Vec<Message>>>,
    tally: Arc<Tally>,
}

/// Messages that are published together at most, of [`COPIED`] octets at most:
/// what one write takes, and no longer than others of the channel may wait.
const TOGETHER: usize = 32;

/// What a peer is on its channel.
#[derive(Debug)]
enum Place {
    /// Nothing yet: where it will be, and under which name.
    Coming(Box<(Channel, Arc<str>)>),
    /// Somebody who hears and is heard.
    Member(Subscription),
    /// Somebody who is heard.
    Speaker(Box<(Channel, Speaker)>),
    /// Nothing any more.
    None,
}

impl Place {
    fn id(&self) -> &str {
        match self {
            Self::Coming(coming) => &coming.1,
            Self::Member(place) => &place.speaker().id,
            Self::Speaker(speaker) => &speaker.1.id,
            Self::None => "",
        }
    }
}

impl Member {
    fn publish_all(&mut self) {
        let Some(said) = self.said.take().map(|said| *said) else {
            return;
        };
        match &self.place {
            Place::Member(place) => {
                place.publish_all(said, self.rules.include_sender);
            }
            Place::Speaker(speaker) => {
                let (channel, speaker) = &**speaker;
                self.rules
                    .hub
                    .publish_all(channel, said, Some(speaker.clone()));
            }
            Place::Coming(_) | Place::None => {}
        }
    }
}

impl Handler for Member {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let Place::Coming(coming) = mem::replace(&mut self.place, Place::None) else {
            return;
        };
        let (channel, id) = *coming;
        let speaker = Speaker::new(Arc::clone(&id), peer.draft());
        if self.policy.envelope {
            // Into the outbox, so in front of everything the channel says.
            let _ = peer.send(Outgoing::Message(translate::greeting(&speaker)));
        }
        if !self.may_subscribe {
            self.place = Place::Speaker(Box::new((channel, speaker)));
            return;
        }
        let outlet = Outlet {
            sender: peer.sender(),
            opened: peer.spoken(),
            policy: self.policy,
            rules: Arc::clone(&self.rules),
            id,
            tally: Arc::clone(&self.tally),
        };
        let place = self.rules.hub.subscribe(&channel, speaker, outlet);
        self.place = Place::Member(place);
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if !self.may_publish {
            self.rules.muted.fetch_add(1, Relaxed);
            if self.tally.muted() {
                info!(
                    id = self.place.id(),
                    code = MUTED,
                    "a message was dropped: the peer may not publish on this channel"
                );
            }
            return;
        }
        match translate::inbound(peer.keep(message), self.policy.base64) {
            Err(violation) => peer.fail(violation.rule),
            Ok(message) => {
                let alone = message.len() > COPIED;
                if alone {
                    self.publish_all();
                }
                let said = self.said.get_or_insert_default();
                said.push(message);
                if alone || said.len() == TOGETHER {
                    self.publish_all();
                }
            }
        }
    }

    fn caught_up(&mut self) {
        self.publish_all();
    }

    fn closing(&mut self, _: Option<&Close>, _: &mut Peer<'_>) {
        self.publish_all();
        // Nothing can be queued for it any more.
        self.place = Place::None;
    }
}

/// The door of a connection's queue.
#[derive(Debug)]
struct Outlet {
    sender: Sender,
    /// What the peer opened in.
    opened: Spoken,
    policy: Policy,
    rules: Arc<Rules>,
    id: Arc<str>,
    tally: Arc<Tally>,
}

impl Outlet {
    fn spoken(&self) -> &Spoken {
        self.sender.decided().unwrap_or(&self.opened)
    }
}

impl Delivery for Outlet {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        let Spoken {
            draft,
            capabilities,
        } = self.spoken();
        match translate::message(&envelope.shared, capabilities, &self.policy) {
            Outcome::Send(rendering) => {
                let message = rendered(envelope, rendering);
                let rules: Arc<Rules> = Arc::clone(&self.rules);
                let item = Queued::shared(Arc::clone(envelope), rendering, message);
                // A refusal is settled too, and so booked.
                let _ = self.sender.post(item.with_receipt(rules));
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
                let said = translate::close(Some(close.clone()), capabilities, *draft);
                self.sender.close(said.or(Some(close)));
                Verdict::Dropped(Reason::NoBinary)
            }
        }
    }

    fn deliver_all(&self, burst: &Burst) -> Option<Verdict> {
        let capabilities = &self.spoken().capabilities;
        let mut outcomes = burst
            .envelopes()
            .iter()
            .map(|it| translate::message(&it.shared, capabilities, &self.policy));
        let Outcome::Send(rendering) = outcomes.next()? else {
            return None;
        };
        let alike = |outcome| matches!(outcome, Outcome::Send(other) if other == rendering);
        if !outcomes.all(alike) {
            return None;
        }
        let batch = burst.batch(rendering, |it| rendered(it, rendering));
        let rules: Arc<Rules> = Arc::clone(&self.rules);
        // A refusal is settled too, and so booked.
        let _ = self.sender.post_batch(batch, rules);
        Some(Verdict::Delivered)
    }

    fn flush(&self) {
        self.sender.flush();
    }
}

fn rendered(envelope: &Envelope, rendering: Rendering) -> Message {
    envelope.shared.rendered(rendering, |message| {
        translate::render(message, rendering, envelope.sender.as_ref())
    })
}

/// Books what becomes of each message in a queue.
impl Receipt for Rules {
    fn settled(&self, fate: Fate) {
        self.all_settled(fate, 1);
    }

    fn all_settled(&self, fate: Fate, count: usize) {
        let Fate::Lost(loss) = fate else { return };
        let reason = match (loss, self.overflow) {
            (Loss::Closing | Loss::Ended, _) => Reason::Closing,
            (Loss::Overflow, Overflow::Close) => Reason::SlowConsumer,
            (Loss::Overflow, _) => Reason::QueueFull,
            (Loss::Unsayable(_), _) => Reason::Unsendable,
        };
        self.hub.lost(reason, count as u64);
    }
}

fn reason(why: DropReason) -> Reason {
    match why {
        DropReason::NoBinary => Reason::NoBinary,
        DropReason::NotUtf8 => Reason::NotUtf8,
    }
}
