//! What travels through a channel, and the door of a subscriber's queue.

use std::sync::Arc;

use draftgate_core::{Shared, Speaker};

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
}

/// What became of an envelope at a subscriber's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is in the queue.
    Delivered,
    /// It is not, for this reason.
    Dropped(Reason),
}
