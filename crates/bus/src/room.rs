//! One channel's subscribers and its turn.
//!
//! Two locks, so that they never have to be taken together by a delivery: the
//! *turn* is held while one message goes to everybody, and gives the channel
//! its order; the *list* is held only to change or to copy a pointer to it.
//! Where both are taken (by who keeps the room), the turn is taken first.
//! A publish walks the list as it was when its turn came; whoever changes the
//! list meanwhile copies it. What the subscribers took is flushed after the
//! turn, see [`flush`](crate::flush).

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use draftgate_core::{Message, Shared, Speaker};

use crate::{
    Bounds, Burst, Channel, Delivery, Envelope, Flush, Mark, Missed, Reason, Verdict,
    flush::Subscribers,
    history::{self, History},
    ledger::{Books, Tally},
};

/// What one publish came to at the subscribers' doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Subscribers whose queue took the message.
    pub delivered: u64,
    /// Subscribers that did not get it; why is in the hub's ledger.
    pub dropped: u64,
}

/// What is to be published at once.
pub(crate) enum Said {
    One(Message),
    Many(Vec<Message>),
}

impl Said {
    pub(crate) fn all(mut messages: Vec<Message>) -> Self {
        match (messages.len(), messages.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => {
                messages.extend(last);
                Self::Many(messages)
            }
        }
    }
}

/// The same, as subscribers are handed it.
enum Handed {
    One(Arc<Envelope>),
    Many(Burst),
}

/// One piece of memory with its delivery, for a channel may have thousands.
pub(crate) struct Subscriber<D: ?Sized = dyn Delivery> {
    /// Ascending within a room, so that the list is sorted by it.
    pub(crate) id: u64,
    left: AtomicBool,
    delivery: D,
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) channel: Channel,
    /// Which life of the channel this is.
    epoch: u64,
    /// Held while a message is delivered.
    turn: Mutex<Turn>,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The number of the last message.
    sequence: u64,
    /// The last messages, while somebody wants them kept.
    history: Option<History>,
}

#[derive(Debug, Default)]
struct List {
    subscribers: Arc<Subscribers>,
    last_id: u64,
    /// How many want the room kept, subscribed or not.
    keepers: usize,
    /// The last subscriber has left: the room takes none any more and is on
    /// its way out of the hub.
    over: bool,
}

impl Room {
    pub(crate) fn new(channel: Channel, epoch: u64) -> Self {
        Self {
            channel,
            epoch,
            turn: Mutex::default(),
            list: Mutex::default(),
        }
    }

    /// Keeps the room, whoever leaves, and remembers its messages from now on;
    /// false if the room is over. The first who asks decides on the bounds.
    pub(crate) fn keep(&self, bounds: Bounds, total: &Arc<AtomicUsize>) -> bool {
        not_delivering();
        let mut turn = lock(&self.turn);
        let mut list = lock(&self.list);
        if list.over {
            return false;
        }
        list.keepers += 1;
        let sequence = turn.sequence;
        turn.history
            .get_or_insert_with(|| History::new(bounds, sequence, Arc::clone(total)));
        true
    }

    /// Takes back one [`keep`](Self::keep); true if the room is over.
    pub(crate) fn let_go(&self) -> bool {
        let mut turn = lock(&self.turn);
        let mut list = lock(&self.list);
        list.keepers -= 1;
        if list.keepers == 0 {
            turn.history = None;
        }
        list.end_if_empty()
    }

    /// [`join`](Self::join), and what whoever stands at `mark` missed until
    /// then: every message is either in that or delivered.
    pub(crate) fn join_at<D: Delivery + 'static>(
        &self,
        delivery: D,
        mark: Option<Mark>,
    ) -> Result<(Arc<Subscriber>, Missed), D> {
        not_delivering();
        let turn = lock(&self.turn);
        let subscriber = self.join(delivery)?;
        let now = self.mark(turn.sequence);
        let missed = match (mark, &turn.history) {
            (Some(mark), Some(history)) => history.after(mark, now),
            (mark, _) => history::forgotten(mark, now),
        };
        Ok((subscriber, missed))
    }

    fn mark(&self, sequence: u64) -> Mark {
        Mark {
            epoch: self.epoch,
            sequence,
        }
    }

    /// Adds a subscriber; gives `delivery` back if the room is over.
    pub(crate) fn join<D: Delivery + 'static>(&self, delivery: D) -> Result<Arc<Subscriber>, D> {
        let mut list = lock(&self.list);
        if list.over {
            return Err(delivery);
        }
        list.last_id += 1;
        let subscriber: Arc<Subscriber> = Arc::new(Subscriber {
            id: list.last_id,
            left: AtomicBool::new(false),
            delivery,
        });
        Arc::make_mut(&mut list.subscribers).push(Arc::clone(&subscriber));
        Ok(subscriber)
    }

    /// Takes a subscriber off the list; true if it was the last and the room
    /// is over.
    pub(crate) fn leave(&self, subscriber: &Subscriber) -> bool {
        subscriber.left.store(true, Relaxed);
        let mut list = lock(&self.list);
        // The caller holds the subscriber too, so no foreign `drop` runs under the lock.
        Arc::make_mut(&mut list.subscribers).remove(subscriber.id);
        list.end_if_empty()
    }

    pub(crate) fn subscribers(&self) -> usize {
        lock(&self.list).subscribers.len()
    }

    /// Hands `messages` to every subscriber but `except`, after every message
    /// whose turn came before. What they took is still to be flushed.
    pub(crate) fn publish(
        &self,
        messages: Said,
        sender: Option<Speaker>,
        except: Option<&Subscriber>,
        books: &Books,
    ) -> (Published, Mark, Option<Flush>) {
        let delivering = Delivering::begin();
        let mut turn = lock(&self.turn);
        let said = match messages {
            Said::One(message) => Handed::One(turn.envelope(message, sender)),
            Said::Many(messages) => {
                let envelopes = messages
                    .into_iter()
                    .map(|message| turn.envelope(message, sender.clone()));
                Handed::Many(Burst::new(envelopes.collect()))
            }
        };
        let subscribers = Arc::clone(&lock(&self.list).subscribers);
        let excepted = except.is_some_and(|e| subscribers.contains(e.id));
        books.owe(said.count(), subscribers.len() as u64 - u64::from(excepted));
        let mut tally = Tally::default();
        for subscriber in subscribers.iter() {
            if except.is_some_and(|e| e.id == subscriber.id) {
                continue;
            }
            subscriber.take(&said, &mut tally);
        }
        books.enter(&tally);
        if let Some(history) = &mut turn.history {
            said.envelopes().iter().for_each(|it| history.push(it));
        }
        let mark = self.mark(turn.sequence);
        drop(turn);
        drop(delivering);
        let flush = match tally.accepted {
            0 => None,
            _ => Flush::of(&subscribers),
        };
        // Only now, or when it is flushed, may the last hold on a subscriber
        // that has left go, and its `drop` run.
        drop(subscribers);
        let published = Published {
            delivered: tally.accepted,
            dropped: tally.refused(),
        };
        (published, mark, flush)
    }
}

impl Turn {
    fn envelope(&mut self, message: Message, sender: Option<Speaker>) -> Arc<Envelope> {
        self.sequence += 1;
        Arc::new(Envelope {
            shared: Shared::new(message.unpinned()),
            sender,
            sequence: self.sequence,
        })
    }
}

impl Handed {
    fn envelopes(&self) -> &[Arc<Envelope>] {
        match self {
            Self::One(envelope) => slice::from_ref(envelope),
            Self::Many(burst) => burst.envelopes(),
        }
    }

    fn count(&self) -> u64 {
        self.envelopes().len() as u64
    }
}

impl List {
    fn end_if_empty(&mut self) -> bool {
        self.over |= self.subscribers.len() == 0 && self.keepers == 0;
        self.over
    }
}

impl Subscriber {
    fn take(&self, said: &Handed, tally: &mut Tally) {
        if let Handed::Many(burst) = said
            && let Some(verdict) = self.hand_all(burst)
        {
            return tally.count(verdict, said.count());
        }
        for envelope in said.envelopes() {
            tally.count(self.hand(envelope), 1);
        }
    }

    /// `None` if they are to be handed one by one.
    fn hand_all(&self, burst: &Burst) -> Option<Verdict> {
        if self.left.load(Relaxed) {
            return Some(Verdict::Dropped(Reason::Closing));
        }
        // As in `hand`.
        catch_unwind(AssertUnwindSafe(|| self.delivery.deliver_all(burst)))
            .unwrap_or(Some(Verdict::Dropped(Reason::Panicked)))
    }

    fn hand(&self, envelope: &Arc<Envelope>) -> Verdict {
        if self.left.load(Relaxed) {
            return Verdict::Dropped(Reason::Closing);
        }
        // What a panic leaves half done is the delivery's own state, which
        // nobody else sees; the envelope's has no half-done state.
        catch_unwind(AssertUnwindSafe(|| self.delivery.deliver(envelope)))
            .unwrap_or(Verdict::Dropped(Reason::Panicked))
    }

    /// Also of one that has left: what it took is its own affair.
    pub(crate) fn flush(&self) {
        // As in `hand`: nobody else sees what is half done.
        let _ = catch_unwind(AssertUnwindSafe(|| self.delivery.flush()));
    }
}

thread_local! {
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

/// What waits for the channel's turn would wait for itself.
fn not_delivering() {
    assert!(
        !DELIVERING.get(),
        "a Delivery must not wait for a channel's turn: do it from elsewhere"
    );
}

/// Marks the thread as delivering while it lives. A publish from within a
/// delivery would wait for its own turn; it panics instead, and the panic ends
/// in [`Subscriber::hand`].
struct Delivering;

impl Delivering {
    fn begin() -> Self {
        assert!(
            !DELIVERING.replace(true),
            "a Delivery must not publish: put the message into a queue and publish from there"
        );
        Self
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        DELIVERING.set(false);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No foreign code runs under the list's lock, and under the turn's all panics are caught.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
