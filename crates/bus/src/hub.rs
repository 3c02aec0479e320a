//! The hub: which channels there are. A publish asks it once for its channel
//! and then holds nothing of it, so that channels do not wait for each other.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use draftgate_core::{Message, Speaker};

use crate::{
    Channel, Delivery, Ledger, Published, Reason,
    ledger::Books,
    room::{Room, Subscriber},
};

/// The channels of this process. Cloning gives another hold on the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rooms: RwLock<HashMap<Channel, Arc<Room>>>,
    books: Books,
}

/// A subscriber's place in a channel. Dropping it unsubscribes; a publish
/// under way on another thread may still deliver one message after that.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    hub: Hub,
    channel: Channel,
    room: Arc<Room>,
    subscriber: Arc<Subscriber>,
    speaker: Speaker,
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
        delivery: Arc<dyn Delivery>,
    ) -> Subscription {
        loop {
            let room = self.room_or_new(channel);
            if let Some(subscriber) = room.join(&delivery) {
                return Subscription {
                    hub: self.clone(),
                    channel: channel.clone(),
                    room,
                    subscriber,
                    speaker,
                };
            }
            // The last one left between the two lines above.
            self.forget(channel, &room);
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
        let room = self.rooms().get(channel).cloned();
        // Where nobody subscribed, a room for the moment keeps the books.
        room.unwrap_or_default()
            .publish(message, sender, None, &self.0.books)
    }

    /// Books `count` messages as lost for `reason` that a subscriber's queue
    /// had taken ([`Verdict::Delivered`](crate::Verdict::Delivered)). One
    /// atomic addition; may be called from within a [`Delivery`].
    pub fn lost(&self, reason: Reason, count: u64) {
        self.0.books.lose(reason, count);
    }

    /// The books as they stand.
    pub fn ledger(&self) -> Ledger {
        self.0.books.read()
    }

    /// How many channels have a subscriber.
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
        room.unwrap_or_else(|| Arc::clone(self.rooms_mut().entry(channel.clone()).or_default()))
    }

    /// Removes `room`, which is over, unless another has taken its place.
    fn forget(&self, channel: &Channel, room: &Arc<Room>) {
        let mut rooms = self.rooms_mut();
        if rooms.get(channel).is_some_and(|r| Arc::ptr_eq(r, room)) {
            rooms.remove(channel);
        }
    }

    fn rooms(&self) -> RwLockReadGuard<'_, HashMap<Channel, Arc<Room>>> {
        self.0.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms_mut(&self) -> RwLockWriteGuard<'_, HashMap<Channel, Arc<Room>>> {
        self.0.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
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
        let except = (!include_sender).then_some(&*self.subscriber);
        let sender = Some(self.speaker.clone());
        self.room
            .publish(message, sender, except, &self.hub.0.books)
    }

    /// The channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What others hear of this subscriber.
    pub fn speaker(&self) -> &Speaker {
        &self.speaker
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.room.leave(&self.subscriber) {
            self.hub.forget(&self.channel, &self.room);
        }
    }
}
