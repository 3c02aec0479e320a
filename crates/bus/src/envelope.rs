//! What travels through a channel, and the door of a subscriber's queue.

use std::sync::{Arc, Mutex, PoisonError};

use draftgate_core::{Batch, Message, Rendering, Shared, Sharing, Speaker};

use crate::Reason;

/// A message in a channel. All subscribers get the same one, so what one of
/// them has made of it (a rendering, an encoding) serves the others.
#[derive(Debug)]
pub struct Envelope {
    /// The message, and what was made of it so far.
    pub shared: Shared,
    /// Who said it; `None` if no peer did.
    pub sender: Option<Speaker>,
    /// 1 for the channel's first message, then one more for each. Starts
    /// anew when a channel that had become empty is subscribed to again.
    pub sequence: u64,
}

/// So that an envelope can be queued as it stands, without a count of its own
/// for what is shared in it.
impl AsRef<Shared> for Envelope {
    fn as_ref(&self) -> &Shared {
        &self.shared
    }
}

/// Messages of one sender that follow each other in a channel: what it said in
/// one breath.
#[derive(Debug)]
pub struct Burst {
    envelopes: Vec<Arc<Envelope>>,
    /// At most one for each rendering.
    batches: Mutex<Vec<Arc<Batch>>>,
}

impl Burst {
    pub(crate) fn new(envelopes: Vec<Arc<Envelope>>) -> Self {
        Self {
            envelopes,
            batches: Mutex::default(),
        }
    }

    /// The messages in their order.
    pub fn envelopes(&self) -> &[Arc<Envelope>] {
        &self.envelopes
    }

    /// All of them in `rendering`, for whoever is sent them together; made on
    /// first use out of what `render` makes of each.
    pub fn batch(
        &self,
        rendering: Rendering,
        mut render: impl FnMut(&Envelope) -> Message,
    ) -> Arc<Batch> {
        // The list is whole after every push, so a panic elsewhere harms nothing.
        let mut made = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = made.iter().find(|batch| batch.rendering() == rendering) {
            return Arc::clone(batch);
        }
        let item = |envelope: &Arc<Envelope>| {
            let sharing: Sharing = Arc::clone(envelope) as Sharing;
            (sharing, render(envelope))
        };
        let items = self.envelopes.iter().map(item).collect();
        let batch = Arc::new(Batch::new(rendering, items));
        made.push(Arc::clone(&batch));
        batch
    }
}

/// The door of one subscriber's bounded queue.
///
/// It is called by the publisher, under the channel's turn: it puts the
/// envelope into its own queue or drops it, and never waits. It may drop
/// subscriptions, its own too, and make new ones; it must not publish. If it
/// panics, this message is lost to it ([`Reason::Panicked`]) and to nobody else.
///
/// What it took and lost later (a queue that drops its oldest, a connection
/// that ends with messages still queued) it books with
/// [`Hub::lost`](crate::Hub::lost). A queue that was given up so refuses from
/// then on ([`Reason::Closing`]): a publish under way may still come to it
/// after its [`Subscription`](crate::Subscription) was dropped.
pub trait Delivery: Send + Sync {
    /// Takes `envelope` or drops it, at once.
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict;

    /// Takes all of `burst` or drops all of it, at once, for one reason; or leaves
    /// it alone, and then [`deliver`](Self::deliver) is called for each of its
    /// envelopes. To take them together is cheaper where there are thousands.
    fn deliver_all(&self, burst: &Burst) -> Option<Verdict> {
        let _ = burst;
        None
    }

    /// Lets go on its way what it took. Called soon after a publish, and once
    /// for several if they come close together; without the channel's turn, so
    /// that it may take as long as a write, and more may be delivered meanwhile.
    /// Whoever has no room for what is delivered may do the same there.
    fn flush(&self) {}
}

/// For who keeps a hold on it.
impl<D: Delivery + ?Sized> Delivery for Arc<D> {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        (**self).deliver(envelope)
    }

    fn deliver_all(&self, burst: &Burst) -> Option<Verdict> {
        (**self).deliver_all(burst)
    }

    fn flush(&self) {
        (**self).flush();
    }
}

/// What became of an envelope at a subscriber's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is in the queue.
    Delivered,
    /// It is not, for this reason.
    Dropped(Reason),
}
