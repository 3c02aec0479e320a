//! The hub: which channels there are. A publish asks it once for its channel
//! and then holds nothing of it, so that channels do not wait for each other.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use draftgate_core::{Message, Speaker};

use crate::{
    Bounds, Channel, Delivery, Flush, Ledger, Mark, Missed, Published, Reason,
    ledger::Books,
    room::{Room, Said, Subscriber},
};

/// The channels of this process. Cloning gives another hold on the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rooms: RwLock<HashMap<Channel, Arc<Room>>>,
    shared: Arc<InAll>,
}

/// What hubs with channels of their own have in common.
struct InAll {
    books: Books,
    /// The next room's; begins anywhere, so that no two processes agree.
    epoch: AtomicU64,
    /// Octets that all histories hold.
    remembered: Arc<AtomicUsize>,
    /// Sees to flushes.
    flusher: OnceLock<fn(Flush)>,
}

impl Default for InAll {
    fn default() -> Self {
        Self {
            books: Books::default(),
            // Seeded by the system; nothing here needs to be hard to guess.
            epoch: AtomicU64::new(RandomState::new().build_hasher().finish()),
            remembered: Arc::default(),
            flusher: OnceLock::new(),
        }
    }
}

/// A subscriber's place in a channel. Dropping it unsubscribes; a publish
/// under way on another thread may still deliver one message after that.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    place: Listening,
    speaker: Speaker,
}

/// The place of a subscriber that says nothing. Dropping it unsubscribes, as
/// with [`Subscription`].
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Listening {
    hub: Hub,
    room: Arc<Room>,
    subscriber: Arc<Subscriber>,
}

/// A channel that goes on although nobody may be subscribed, and remembers
/// its last messages. Dropping it lets it go; not from within a [`Delivery`],
/// which would wait for itself.
#[derive(Debug)]
#[must_use = "dropping it lets the channel go"]
pub struct Kept {
    hub: Hub,
    room: Arc<Room>,
}

impl Hub {
    /// A hub without channels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a subscriber to `channel`, which begins to exist if it did not. It
    /// gets what is published from now on; `speaker` is what others hear of it.
    pub fn subscribe(
        &self,
        channel: &Channel,
        speaker: Speaker,
        mut delivery: impl Delivery + 'static,
    ) -> Subscription {
        loop {
            let room = self.room_or_new(channel);
            delivery = match room.join(delivery) {
                Ok(subscriber) => {
                    let place = self.listening(room, subscriber);
                    return Subscription { place, speaker };
                }
                Err(delivery) => delivery,
            };
            // The last one left between the two lines above.
            self.forget(&room);
        }
    }

    /// Adds a subscriber that says nothing, and that stood at `mark`: it gets
    /// what is published from now on, and learns what it missed.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn listen(
        &self,
        channel: &Channel,
        mark: Option<Mark>,
        mut delivery: impl Delivery + 'static,
    ) -> (Listening, Missed) {
        loop {
            let room = self.room_or_new(channel);
            delivery = match room.join_at(delivery, mark) {
                Ok((subscriber, missed)) => return (self.listening(room, subscriber), missed),
                Err(delivery) => delivery,
            };
            self.forget(&room);
        }
    }

    /// Keeps `channel`, which begins to exist if it did not, and lets it
    /// remember what is published from now on. Where it is kept already, it
    /// goes on by the bounds that it has.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn keep(&self, channel: &Channel, bounds: Bounds) -> Kept {
        loop {
            let room = self.room_or_new(channel);
            if room.keep(bounds, &self.0.shared.remembered) {
                return Kept {
                    hub: self.clone(),
                    room,
                };
            }
            self.forget(&room);
        }
    }

    /// A hub with channels of its own and the same books.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self(Arc::new(Inner {
            rooms: RwLock::default(),
            shared: Arc::clone(&self.0.shared),
        }))
    }

    /// Octets that the channels of this hub and of those [`apart`](Self::apart)
    /// from it remember.
    pub fn remembered(&self) -> usize {
        self.0.shared.remembered.load(Relaxed)
    }

    /// From now on `flusher` is handed what is to be flushed after a publish, to
    /// be run soon and in another task; else that is done before the publish
    /// returns. It counts for this hub and those [`apart`](Self::apart) from it,
    /// and only the first.
    pub fn flush_by(&self, flusher: fn(Flush)) {
        // The first stays.
        let _ = self.0.shared.flusher.set(flusher);
    }

    fn flush(&self, flush: Option<Flush>) {
        match (flush, self.0.shared.flusher.get()) {
            (None, _) => {}
            (Some(flush), Some(flusher)) => flusher(flush),
            (Some(flush), None) => flush.run(),
        }
    }

    fn listening(&self, room: Arc<Room>, subscriber: Arc<Subscriber>) -> Listening {
        Listening {
            hub: self.clone(),
            room,
            subscriber,
        }
    }

    /// Publishes `message` to all subscribers of `channel`, in the name of no
    /// subscriber; `sender` is what they hear of who said it. To a channel
    /// that does not exist it goes to nobody.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn publish(
        &self,
        channel: &Channel,
        message: Message,
        sender: Option<Speaker>,
    ) -> Published {
        self.publish_marked(channel, message, sender).0
    }

    /// [`publish`](Self::publish), and where the message stands in the
    /// channel; `None` if the channel does not exist.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn publish_marked(
        &self,
        channel: &Channel,
        message: Message,
        sender: Option<Speaker>,
    ) -> (Published, Option<Mark>) {
        let room = self.rooms().get(channel).cloned();
        let exists = room.is_some();
        // Where nobody subscribed, a room for the moment keeps the books.
        let room = room.unwrap_or_else(|| nowhere(channel));
        let said = Said::One(message);
        let (published, mark, flush) = room.publish(said, sender, None, self.books());
        self.flush(flush);
        (published, exists.then_some(mark))
    }

    /// [`publish`](Self::publish) of several messages, none of another's between
    /// them. What it came to counts deliveries of each.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn publish_all(
        &self,
        channel: &Channel,
        messages: Vec<Message>,
        sender: Option<Speaker>,
    ) -> Published {
        let room = self.rooms().get(channel).cloned();
        let room = room.unwrap_or_else(|| nowhere(channel));
        let (published, _, flush) = room.publish(Said::all(messages), sender, None, self.books());
        self.flush(flush);
        published
    }

    /// Books `count` messages as lost for `reason` that a subscriber's queue
    /// had taken ([`Verdict::Delivered`](crate::Verdict::Delivered)). One
    /// atomic addition; may be called from within a [`Delivery`].
    pub fn lost(&self, reason: Reason, count: u64) {
        self.books().lose(reason, count);
    }

    /// The books as they stand.
    pub fn ledger(&self) -> Ledger {
        self.books().read()
    }

    /// How many channels have a subscriber, or are kept.
    pub fn channels(&self) -> usize {
        self.rooms().len()
    }

    /// How many subscribers `channel` has.
    pub fn subscribers(&self, channel: &Channel) -> usize {
        let room = self.rooms().get(channel).cloned();
        room.map_or(0, |room| room.subscribers())
    }

    fn room_or_new(&self, channel: &Channel) -> Arc<Room> {
        let room = self.rooms().get(channel).cloned();
        room.unwrap_or_else(|| {
            let mut rooms = self.rooms_mut();
            let room = rooms.entry(channel.clone());
            Arc::clone(room.or_insert_with(|| {
                let epoch = self.0.shared.epoch.fetch_add(1, Relaxed);
                Arc::new(Room::new(channel.clone(), epoch))
            }))
        })
    }

    fn books(&self) -> &Books {
        &self.0.shared.books
    }

    /// Removes `room`, which is over, unless another has taken its place.
    fn forget(&self, room: &Arc<Room>) {
        let mut rooms = self.rooms_mut();
        let there = rooms.get(&room.channel);
        if there.is_some_and(|there| Arc::ptr_eq(there, room)) {
            rooms.remove(&room.channel);
        }
    }

    fn rooms(&self) -> RwLockReadGuard<'_, HashMap<Channel, Arc<Room>>> {
        self.0.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms_mut(&self) -> RwLockWriteGuard<'_, HashMap<Channel, Arc<Room>>> {
        self.0.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room for the moment, in which nobody is.
fn nowhere(channel: &Channel) -> Arc<Room> {
    Arc::new(Room::new(channel.clone(), 0))
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every subscription holds the hub: its books, not its 10,000 peers.
        f.debug_tuple("Hub").field(&self.ledger()).finish()
    }
}

impl Subscription {
    /// Publishes `message` to the channel in this subscriber's name. It gets
    /// its own message back only with `include_sender`.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn publish(&self, message: Message, include_sender: bool) -> Published {
        self.say(Said::One(message), include_sender)
    }

    /// [`publish`](Self::publish) of several messages, none of another's between
    /// them: to each subscriber they go together, and in as few writes as they
    /// fit. What it came to counts deliveries of each.
    ///
    /// # Panics
    /// If called from within a [`Delivery`].
    pub fn publish_all(&self, messages: Vec<Message>, include_sender: bool) -> Published {
        self.say(Said::all(messages), include_sender)
    }

    fn say(&self, said: Said, include_sender: bool) -> Published {
        let place = &self.place;
        let except = (!include_sender).then_some(&*place.subscriber);
        let sender = Some(self.speaker.clone());
        let (published, _, flush) = place.room.publish(said, sender, except, place.hub.books());
        place.hub.flush(flush);
        published
    }

    /// The channel.
    pub fn channel(&self) -> &Channel {
        &self.place.room.channel
    }

    /// What others hear of this subscriber.
    pub fn speaker(&self) -> &Speaker {
        &self.speaker
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.room.leave(&self.subscriber) {
            self.hub.forget(&self.room);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.room.let_go() {
            self.hub.forget(&self.room);
        }
    }
}
