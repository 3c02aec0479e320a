//! The bounded send queue of one connection, and the [`Sender`] that fills it
//! from any thread. A mutex around a `VecDeque` and not an mpsc channel: a
//! channel is bounded in items, cannot drop its oldest, and would keep what it
//! holds out of reach when the connection ends.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use draftgate_core::{Close, Outgoing};
use tokio::sync::Notify;

use crate::{
    By, Fate, Loss, Overflow, Queued, Refused, What, Why,
    live::Live,
    queued::{Entry, Ticket},
};

/// Room for this many items is kept when the queue runs empty.
const KEPT: usize = 32;

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
        let mut state = self.queue.state();
        state.unheard = true;
        state.wake();
    }

    /// Ends the connection at once: no Close, nothing more written.
    pub fn abort(&self) {
        let mut state = self.queue.state();
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
        if !state.waiting.iter().any(|it| it.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
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
                _ => (state.items.is_empty() && !state.unwritten).then_some(Ok(())),
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

/// The queue itself, shared by the driver and all senders.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    pub(crate) live: Live,
}

#[derive(Debug)]
struct State {
    items: VecDeque<Entry>,
    octets: usize,
    limit: usize,
    overflow: Overflow,
    close: Option<Order>,
    /// Whoever waits for room.
    waiting: Vec<Waker>,
    /// Nothing more is taken in.
    refusing: bool,
    aborted: bool,
    unheard: bool,
    overflowed: bool,
    ended: bool,
    /// Something taken out is not wholly written yet.
    unwritten: bool,
    dropped: u64,
    driver: Option<Waker>,
}

/// That the connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) words: Words,
    pub(crate) by: By,
    pub(crate) why: Why,
}

/// What is said in a Close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Words {
    /// This.
    These(Option<Close>),
    /// What the peer said in its own; this, if it said nothing.
    Answer(Option<Close>),
}

/// What the driver finds when it looks at the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) aborted: bool,
    pub(crate) unheard: bool,
    pub(crate) overflowed: bool,
}

impl Queue {
    pub(crate) fn new(limit: usize, overflow: Overflow) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                octets: 0,
                limit,
                overflow,
                close: None,
                waiting: Vec::new(),
                refusing: false,
                aborted: false,
                unheard: false,
                overflowed: false,
                ended: false,
                unwritten: false,
                dropped: 0,
                driver: None,
            }),
            changed: Notify::new(),
            live: Live::default(),
        }
    }

    fn push(&self, item: Queued) -> Result<(), Refused> {
        let Queued { what, receipt } = item;
        let ticket = Ticket::new(receipt);
        if let What::Own(Outgoing::Close(close)) = what {
            self.close(close);
            ticket.settle(Fate::Sent);
            return Ok(());
        }
        let what = what.detached();
        let cost = what.cost();
        let entry = Entry { what, ticket, cost };
        // Settled below, when the lock is given back.
        let (result, lost) = self.state().push(entry);
        for (entry, loss) in lost {
            entry.ticket.settle(Fate::Lost(loss));
        }
        result
    }

    pub(crate) fn close(&self, close: Option<Close>) {
        self.order(Order {
            words: Words::These(close),
            by: By::Us,
            why: Why::Requested,
        });
    }

    fn order(&self, order: Order) {
        let mut state = self.state();
        state.refuse();
        state.close.get_or_insert(order);
        state.wake();
    }

    /// Takes in nothing more, but keeps what there is.
    pub(crate) fn refuse(&self) {
        self.state().refuse();
    }

    /// What is to be done; `waker` is woken by the next change.
    pub(crate) fn orders(&self, waker: &Waker) -> Orders {
        let mut state = self.state();
        match &mut state.driver {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Orders {
            aborted: state.aborted,
            unheard: state.unheard,
            overflowed: state.overflowed,
        }
    }

    /// The close that was asked for, once, when nothing is queued before it
    /// or it is to come `at_once`.
    pub(crate) fn take_close(&self, at_once: bool) -> Option<Order> {
        let mut state = self.state();
        if at_once || state.items.is_empty() {
            state.close.take()
        } else {
            None
        }
    }

    /// The item that has waited longest.
    pub(crate) fn pop(&self) -> Option<Entry> {
        let mut state = self.state();
        let entry = state.items.pop_front()?;
        let before = state.octets;
        state.octets -= entry.cost;
        state.unwritten = true;
        if state.items.is_empty() && state.items.capacity() > KEPT {
            state.items = VecDeque::new();
        }
        let half = state.limit / 2;
        let ready = before > half && state.octets <= half;
        if ready {
            state.wake_waiting();
        }
        drop(state);
        if ready {
            self.changed.notify_waiters();
        }
        Some(entry)
    }

    /// All that was taken out is written.
    pub(crate) fn written(&self) {
        let mut state = self.state();
        if !state.unwritten {
            return;
        }
        state.unwritten = false;
        let drained = state.items.is_empty();
        drop(state);
        if drained {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// The connection is over. How many items were still queued.
    pub(crate) fn end(&self) -> usize {
        let mut state = self.state();
        state.refuse();
        state.ended = true;
        state.octets = 0;
        state.driver = None;
        let items = std::mem::take(&mut state.items);
        drop(state);
        self.changed.notify_waiters();
        // The tickets settle themselves.
        items.len()
    }

    async fn until<T>(&self, mut check: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that a change right after it is not missed.
            changed.as_mut().enable();
            if let Some(done) = check(&self.state()) {
                return done;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, entry: Entry) -> (Result<(), Refused>, Vec<(Entry, Loss)>) {
        let mut lost = Vec::new();
        let refusal = if self.ended {
            Some((Refused::Ended, Loss::Ended))
        } else if self.refusing {
            Some((Refused::Closing, Loss::Closing))
        } else if self.fits(entry.cost) {
            None
        } else {
            self.make_room(entry.cost, &mut lost)
        };
        let result = match refusal {
            Some((refused, loss)) => {
                lost.push((entry, loss));
                Err(refused)
            }
            None => {
                self.octets += entry.cost;
                self.items.push_back(entry);
                self.wake();
                Ok(())
            }
        };
        let dropped = lost.iter().filter(|(_, loss)| *loss == Loss::Overflow);
        self.dropped += dropped.count() as u64;
        (result, lost)
    }

    /// One message is always taken, however large: else it could never be sent.
    fn fits(&self, cost: usize) -> bool {
        self.items.is_empty() || self.octets.saturating_add(cost) <= self.limit
    }

    fn make_room(&mut self, cost: usize, lost: &mut Vec<(Entry, Loss)>) -> Option<(Refused, Loss)> {
        let full = Some((Refused::Overflow, Loss::Overflow));
        match self.overflow {
            Overflow::DropNewest => full,
            Overflow::DropOldest => {
                while !self.fits(cost) {
                    let Some(oldest) = self.items.pop_front() else {
                        break;
                    };
                    self.octets -= oldest.cost;
                    lost.push((oldest, Loss::Overflow));
                }
                None
            }
            Overflow::Wait => None,
            Overflow::Close => {
                self.refuse();
                self.overflowed = true;
                self.octets = 0;
                lost.extend(self.items.drain(..).map(|e| (e, Loss::Overflow)));
                self.items = VecDeque::new();
                self.wake();
                full
            }
        }
    }

    fn refuse(&mut self) {
        self.refusing = true;
        // No room will come: whoever waits for it is to learn that.
        self.wake_waiting();
    }

    fn wake_waiting(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn wake(&mut self) {
        // Taken out: until the driver has looked, one wake is enough.
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use draftgate_core::Message;

    use super::*;

    #[test]
    fn a_close_is_not_given_out_before_what_was_queued() {
        let queue = Queue::new(1000, Overflow::Close);
        queue.push(Message::from("last").into()).unwrap();
        queue.close(None);
        assert_eq!(queue.take_close(false), None);
        assert!(queue.pop().is_some());
        assert_eq!(queue.take_close(false), Some(requested()));
        assert_eq!(queue.take_close(false), None);
    }

    fn requested() -> Order {
        Order {
            words: Words::These(None),
            by: By::Us,
            why: Why::Requested,
        }
    }

    #[test]
    fn a_close_that_cannot_wait_is_given_out_at_once() {
        let queue = Queue::new(1000, Overflow::Close);
        queue.push(Message::from("never sent").into()).unwrap();
        queue.close(None);
        assert_eq!(queue.take_close(true), Some(requested()));
    }

    #[test]
    fn what_is_queued_keeps_no_read_buffer_alive() {
        let buffer = bytes::Bytes::from(vec![0; 65_536]);
        let queue = Queue::new(1000, Overflow::Close);
        let small = Message::Binary(buffer.slice(..10));
        queue.push(small.into()).unwrap();
        assert!(buffer.is_unique());
    }
}
