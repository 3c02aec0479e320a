//! What others have of a connection: the door to its queue.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use draftgate_core::{Close, MessageRef, Outgoing};

use super::{Order, Queue, State, Words};
use crate::{By, Queued, Refused, What, Why, queued::Ticket};

/// Says things to one peer, from any thread; cheap to clone. It may be used
/// before the connection is open (what is queued waits for that) and after it
/// has ended (what is queued is refused).
#[derive(Clone)]
pub struct Sender {
    pub(crate) queue: Arc<Queue>,
}

impl Sender {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// Queues `item`. Never waits. Small payloads are copied, so that they
    /// keep nothing larger than themselves alive.
    ///
    /// # Errors
    /// It was not queued: see [`Refused`].
    pub fn send(&self, item: impl Into<Queued>) -> Result<(), Refused> {
        self.queue.push(item.into())
    }

    /// Queues a copy of `message`, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// It was not queued: see [`Refused`].
    pub fn send_ref(&self, message: MessageRef<'_>) -> Result<(), Refused> {
        let what = What::Own(Outgoing::Message(message.to_message()));
        self.queue.take_in(what, Ticket::new(None), false)
    }

    /// Closes the connection once everything queued is sent. Nothing can be
    /// queued from now on; the first call counts. `None` says no code.
    pub fn close(&self, close: Option<Close>) {
        self.queue.close(close);
    }

    /// The same, for `why` and on behalf of `by`, as [`Closed`](crate::Closed)
    /// is to tell it.
    pub fn close_as(&self, close: Option<Close>, by: By, why: Why) {
        let words = Words::These(close);
        self.queue.order(Order { words, by, why });
    }

    /// Answers the peer's Close with its own code once everything queued is
    /// sent, where [`Handler::closing`](crate::Handler::closing) held that
    /// back. Where the peer has not closed, does as
    /// [`close_as`](Self::close_as).
    pub fn answer_as(&self, close: Option<Close>, by: By, why: Why) {
        let words = Words::Answer(close);
        self.queue.order(Order { words, by, why });
    }

    /// Nobody hears any more what this peer says: once the connection is being
    /// closed, it has the close timeout, however much it still says.
    pub fn unheard(&self) {
        let mut state = self.queue.stir();
        state.unheard = true;
        state.wake();
    }

    /// Ends the connection at once: no Close, nothing more written.
    pub fn abort(&self) {
        let mut state = self.queue.stir();
        state.refuse();
        state.aborted = true;
        state.wake();
    }

    /// Octets that the queue keeps alive; what the driver has already encoded
    /// is no longer among them.
    pub fn queued_octets(&self) -> usize {
        self.queue.state().octets
    }

    /// Whether the connection has ended.
    pub fn is_ended(&self) -> bool {
        self.queue.state().ended
    }

    /// Waits until at most half of the queue's room is taken.
    ///
    /// # Errors
    /// Nothing more can be queued: [`Refused::Closing`] or [`Refused::Ended`].
    pub async fn ready(&self) -> Result<(), Refused> {
        self.queue
            .until(|state| match state {
                State { ended: true, .. } => Some(Err(Refused::Ended)),
                State { refusing: true, .. } => Some(Err(Refused::Closing)),
                _ => (state.octets <= state.limit / 2).then_some(Ok(())),
            })
            .await
    }

    /// [`ready`](Self::ready) for whoever polls: a
    /// [`Handler`](crate::Handler) of another connection. Every task that
    /// asked is woken.
    ///
    /// # Errors
    /// As there; then nothing is to be waited for.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Refused>> {
        let mut state = self.queue.state();
        if state.ended {
            return Poll::Ready(Err(Refused::Ended));
        }
        if state.refusing {
            return Poll::Ready(Err(Refused::Closing));
        }
        if state.octets <= state.limit / 2 {
            return Poll::Ready(Ok(()));
        }
        let waiting = state.waiting.get_or_insert_default();
        if !waiting.iter().any(|it| it.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until all that was queued is handed to the transport or lost.
    ///
    /// # Errors
    /// [`Refused::Ended`]: the connection ended before that.
    pub async fn drained(&self) -> Result<(), Refused> {
        self.queue
            .until(|state| match state {
                State { ended: true, .. } => Some(Err(Refused::Ended)),
                _ => (state.is_empty() && !state.unwritten).then_some(Ok(())),
            })
            .await
    }

    /// Waits until the connection has ended.
    pub async fn ended(&self) {
        self.queue.until(|state| state.ended.then_some(())).await;
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.queue.state();
        f.debug_struct("Sender")
            .field("items", &state.items.len())
            .field("octets", &state.octets)
            .field("ended", &state.ended)
            .finish()
    }
}
