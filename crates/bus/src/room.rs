//! One channel's subscribers and its turn.
//!
//! Two locks, so that they never have to be taken together by a delivery: the
//! *turn* is held while one message goes to everybody, and gives the channel
//! its order; the *list* is held only to change or to copy a pointer to it.
//! Where both are taken (by who keeps the room), the turn is taken first.
//! A publish walks the list as it was when its turn came; whoever changes the
//! list meanwhile copies it.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use draftgate_core::{Message, Shared, Speaker};

use crate::{
    Bounds, Delivery, Envelope, Mark, Missed, Reason, Verdict,
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

pub(crate) struct Subscriber {
    /// Ascending within a room, so that the list is sorted by it.
    id: u64,
    delivery: Arc<dyn Delivery>,
    left: AtomicBool,
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Room {
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
    subscribers: Arc<Vec<Arc<Subscriber>>>,
    last_id: u64,
    /// How many want the room kept, subscribed or not.
    keepers: usize,
    /// The last subscriber has left: the room takes none any more and is on
    /// its way out of the hub.
    over: bool,
}

impl Room {
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
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
    pub(crate) fn join_at(
        &self,
        delivery: &Arc<dyn Delivery>,
        mark: Option<Mark>,
    ) -> Option<(Arc<Subscriber>, Missed)> {
        not_delivering();
        let turn = lock(&self.turn);
        let subscriber = self.join(delivery)?;
        let now = self.mark(turn.sequence);
        let missed = match (mark, &turn.history) {
            (Some(mark), Some(history)) => history.after(mark, now),
            (mark, _) => history::forgotten(mark, now),
        };
        Some((subscriber, missed))
    }

    fn mark(&self, sequence: u64) -> Mark {
        Mark {
            epoch: self.epoch,
            sequence,
        }
    }

    /// Adds a subscriber; `None` if the room is over.
    pub(crate) fn join(&self, delivery: &Arc<dyn Delivery>) -> Option<Arc<Subscriber>> {
        let mut list = lock(&self.list);
        if list.over {
            return None;
        }
        list.last_id += 1;
        let subscriber = Arc::new(Subscriber {
            id: list.last_id,
            delivery: Arc::clone(delivery),
            left: AtomicBool::new(false),
        });
        Arc::make_mut(&mut list.subscribers).push(Arc::clone(&subscriber));
        Some(subscriber)
    }

    /// Takes a subscriber off the list; true if it was the last and the room
    /// is over.
    pub(crate) fn leave(&self, subscriber: &Subscriber) -> bool {
        subscriber.left.store(true, Relaxed);
        let mut list = lock(&self.list);
        let found = list
            .subscribers
            .binary_search_by_key(&subscriber.id, |s| s.id);
        if let Ok(at) = found {
            // The caller holds the subscriber too, so no foreign `drop` runs under the lock.
            Arc::make_mut(&mut list.subscribers).remove(at);
        }
        list.end_if_empty()
    }

    pub(crate) fn subscribers(&self) -> usize {
        lock(&self.list).subscribers.len()
    }

    /// Hands `message` to every subscriber but `except`, after every message
    /// whose turn came before.
    pub(crate) fn publish(
        &self,
        message: Message,
        sender: Option<Speaker>,
        except: Option<&Subscriber>,
        books: &Books,
    ) -> (Published, Mark) {
        let delivering = Delivering::begin();
        let mut turn = lock(&self.turn);
        turn.sequence += 1;
        let envelope = Arc::new(Envelope {
            shared: Shared::new(message.unpinned()),
            sender,
            sequence: turn.sequence,
        });
        let subscribers = Arc::clone(&lock(&self.list).subscribers);
        let excepted =
            except.is_some_and(|e| subscribers.binary_search_by_key(&e.id, |s| s.id).is_ok());
        books.owe(subscribers.len() as u64 - u64::from(excepted));
        let mut tally = Tally::default();
        for subscriber in subscribers.iter() {
            if except.is_some_and(|e| e.id == subscriber.id) {
                continue;
            }
            match subscriber.hand(&envelope) {
                Verdict::Delivered => tally.accepted += 1,
                Verdict::Dropped(reason) => tally.refuse(reason),
            }
        }
        books.enter(&tally);
        if let Some(history) = &mut turn.history {
            history.push(&envelope);
        }
        let mark = self.mark(turn.sequence);
        drop(turn);
        drop(delivering);
        // Only now may the last hold on a subscriber that has left go, and its `drop` run.
        drop(subscribers);
        let published = Published {
            delivered: tally.accepted,
            dropped: tally.refused(),
        };
        (published, mark)
    }
}

impl List {
    fn end_if_empty(&mut self) -> bool {
        self.over |= self.subscribers.is_empty() && self.keepers == 0;
        self.over
    }
}

impl Subscriber {
    fn hand(&self, envelope: &Arc<Envelope>) -> Verdict {
        if self.left.load(Relaxed) {
            return Verdict::Dropped(Reason::Closing);
        }
        // What a panic leaves half done is the delivery's own state, which
        // nobody else sees; the envelope's has no half-done state.
        catch_unwind(AssertUnwindSafe(|| self.delivery.deliver(envelope)))
            .unwrap_or(Verdict::Dropped(Reason::Panicked))
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
