//! The bounded send queue of one connection, and the [`Sender`] that fills it
//! from any thread. A mutex around a `VecDeque` and not an mpsc channel: a
//! channel is bounded in items, cannot drop its oldest, and would keep what it
//! holds out of reach when the connection ends.

mod item;
mod joined;
mod loan;
mod sender;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::Waker,
};

use draftgate_core::{Batch, Close, Outgoing};
use tokio::sync::Notify;

pub(crate) use self::loan::{Absent, Back, Loan, Sent};
pub use self::sender::Sender;
use self::{
    item::{Bundle, Item, take_apart},
    loan::{Done, Torn},
};
use crate::{
    By, Fate, Loss, Overflow, Queued, Receipt, Refused, Spoken, What, Why,
    live::Live,
    queued::{Entry, Ticket},
};

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;

/// The queue itself, shared by the driver and all senders.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Something was queued or ordered that the driver has not looked at: so
    /// that it takes the lock for that alone, and not at each read.
    stirred: AtomicBool,
    /// Made when somebody first waits.
    changed: OnceLock<Box<Notify>>,
    pub(crate) live: Live,
    /// What the peer turned out to speak.
    pub(crate) decided: OnceLock<Spoken>,
    /// Somebody posts here.
    wanted: AtomicBool,
}

#[derive(Debug)]
struct State {
    items: VecDeque<Item>,
    octets: usize,
    limit: usize,
    overflow: Overflow,
    close: Option<Box<Order>>,
    /// Whoever waits for room.
    #[expect(clippy::box_collection, reason = "a place of 8 octets and not of 24")]
    waiting: Option<Box<Vec<Waker>>>,
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
    /// What the driver has lent.
    loan: Option<Box<Loan>>,
    /// What was written on loan, but not to its end: the next to be written,
    /// whatever else is dropped.
    torn: Option<Box<Torn>>,
    /// How writing on loan failed.
    failed: Option<io::ErrorKind>,
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
                waiting: None,
                refusing: false,
                aborted: false,
                unheard: false,
                overflowed: false,
                ended: false,
                unwritten: false,
                dropped: 0,
                driver: None,
                loan: None,
                torn: None,
                failed: None,
            }),
            stirred: AtomicBool::new(false),
            changed: OnceLock::new(),
            live: Live::default(),
            decided: OnceLock::new(),
            wanted: AtomicBool::new(false),
        }
    }

    fn push(&self, item: Queued) -> Result<(), Refused> {
        self.put(item, false)
    }

    /// Queues the messages of `batch`: together, or, where they do not all fit,
    /// as if each had come alone.
    pub(crate) fn post_batch(
        &self,
        batch: Arc<Batch>,
        receipt: Arc<dyn Receipt>,
    ) -> Result<(), Refused> {
        self.wanted.store(true, Release);
        let count = u32::try_from(batch.items().len()).unwrap_or(u32::MAX);
        let bundle = Bundle::new(batch, Ticket::of(receipt, count));
        self.add(Item::Batch(bundle), true)
    }

    fn put(&self, item: Queued, posted: bool) -> Result<(), Refused> {
        let Queued { what, receipt } = item;
        let ticket = Ticket::new(receipt);
        if let What::Own(Outgoing::Close(close)) = what {
            self.close(close);
            ticket.settle(Fate::Sent);
            return Ok(());
        }
        self.take_in(what.detached(), ticket, posted)
    }

    /// Queues what has memory of its own.
    fn take_in(&self, what: What, ticket: Ticket, posted: bool) -> Result<(), Refused> {
        let cost = what.cost();
        self.add(Item::One(Entry { what, ticket, cost }), posted)
    }

    fn add(&self, item: Item, posted: bool) -> Result<(), Refused> {
        // Settled below, when the lock is given back.
        let mut done = Done::default();
        let mut lost = Vec::new();
        let mut state = self.stir();
        let mut add = |item: Item| {
            if posted && state.is_laden(item.cost()) {
                state.write(&self.live, &mut done);
            }
            match item {
                Item::Batch(bundle) if !state.has_room(bundle.cost) => Err(bundle),
                item => Ok(state.push(item, &mut lost)),
            }
        };
        let result = add(item).unwrap_or_else(|bundle| {
            let entries = bundle.into_entries();
            let each = entries.map(|entry| add(Item::One(entry)).unwrap_or(Ok(())));
            each.fold(Ok(()), Result::and)
        });
        if result.is_ok() && !(posted && state.loan.is_some()) {
            state.wake();
        }
        drop(state);
        self.see_to(done);
        for (item, loss) in lost {
            item.into_ticket().settle(Fate::Lost(loss));
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
        let mut state = self.stir();
        state.refuse();
        state.close.get_or_insert_with(|| Box::new(order));
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
        if at_once || state.is_empty() {
            state.close.take().map(|order| *order)
        } else {
            None
        }
    }

    /// The item that has waited longest.
    pub(crate) fn pop(&self) -> Option<Entry> {
        let mut state = self.state();
        take_apart(&mut state.items);
        let Some(Item::One(entry)) = state.items.pop_front() else {
            return None;
        };
        let before = state.octets;
        state.octets -= entry.cost;
        state.unwritten = true;
        if state.items.is_empty() {
            state.items = VecDeque::new();
        }
        let half = state.limit / 2;
        let ready = before > half && state.octets <= half;
        if ready {
            state.wake_waiting();
        }
        drop(state);
        if ready {
            self.tell_change();
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
        let drained = state.is_empty();
        drop(state);
        if drained {
            self.tell_change();
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
        let (torn, loan) = (state.torn.take(), state.loan.take());
        drop(state);
        drop(loan);
        self.tell_change();
        // The tickets settle themselves.
        items.iter().map(Item::count).sum::<usize>() + usize::from(torn.is_some())
    }

    async fn until<T>(&self, mut check: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.get_or_init(Box::default).notified();
            tokio::pin!(changed);
            // Before the look, so that a change right after it is not missed.
            changed.as_mut().enable();
            if let Some(done) = check(&self.state()) {
                return done;
            }
            changed.await;
        }
    }

    fn tell_change(&self) {
        if let Some(changed) = self.changed.get() {
            changed.notify_waiters();
        }
    }

    /// Whether something was queued or ordered since the driver looked last.
    pub(crate) fn is_stirred(&self) -> bool {
        self.stirred.load(Relaxed)
    }

    /// The same for the driver, which looks now.
    pub(crate) fn take_stirred(&self) -> bool {
        self.is_stirred() && self.stirred.swap(false, Acquire)
    }

    /// The state, for a change that the driver is to see.
    fn stir(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        // Below the lock, and before the driver is woken: whoever finds this
        // set waits for the lock, and then sees the change.
        self.stirred.store(true, Release);
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.torn.is_none()
    }

    fn push(&mut self, item: Item, lost: &mut Vec<(Item, Loss)>) -> Result<(), Refused> {
        let before = lost.len();
        let refusal = if self.ended {
            Some((Refused::Ended, Loss::Ended))
        } else if self.refusing {
            Some((Refused::Closing, Loss::Closing))
        } else if self.fits(item.cost()) {
            None
        } else {
            self.make_room(item.cost(), lost)
        };
        let result = match refusal {
            Some((refused, loss)) => {
                lost.push((item, loss));
                Err(refused)
            }
            None => {
                self.octets += item.cost();
                if self.items.capacity() == 0 {
                    // A channel's message comes to thousands before the first of
                    // them writes it: no room for four where there is one.
                    self.items.reserve_exact(1);
                }
                self.items.push_back(item);
                Ok(())
            }
        };
        let dropped = lost[before..]
            .iter()
            .filter(|(_, loss)| *loss == Loss::Overflow);
        self.dropped += dropped.map(|(item, _)| item.count() as u64).sum::<u64>();
        result
    }

    /// One message is always taken, however large: else it could never be sent.
    fn fits(&self, cost: usize) -> bool {
        self.items.is_empty() || self.has_room(cost)
    }

    fn has_room(&self, cost: usize) -> bool {
        self.octets.saturating_add(cost) <= self.limit
    }

    fn make_room(&mut self, cost: usize, lost: &mut Vec<(Item, Loss)>) -> Option<(Refused, Loss)> {
        let full = Some((Refused::Overflow, Loss::Overflow));
        match self.overflow {
            Overflow::DropNewest => full,
            Overflow::DropOldest => {
                while !self.fits(cost) {
                    take_apart(&mut self.items);
                    let Some(oldest) = self.items.pop_front() else {
                        break;
                    };
                    self.octets -= oldest.cost();
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
        if let Some(waiting) = self.waiting.take() {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn wake(&mut self) {
        // Taken out: until the driver has looked, one wake is enough.
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}
