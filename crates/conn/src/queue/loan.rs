//! Writing to a peer without waking its task.
//!
//! To wake a task and poll it costs as much as half of its write, and a channel
//! has thousands. So a driver that has nothing left to do lends its queue what
//! writing takes: its end of the socket and its codec. Whoever
//! [posts](crate::Sender::post) then writes by itself, under the queue's lock,
//! in as few writes as there is to write; the driver takes the loan back before
//! it does anything else. What the socket does not take at once is the
//! driver's again: it alone waits for a slow peer.

use std::{
    cell::Cell,
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Release},
    },
};

use bytes::{Bytes, BytesMut};
use draftgate_core::{
    Batch, Capabilities, Close, Closing, Codec, Draft, Event, Message, Outbox, Outgoing, SendError,
    State as Stands, Violation, WireClass,
};
use tokio::time::Instant;

use super::{
    Item, Queue, Sender, State,
    item::take_apart,
    joined::{Encoder, Joined, Write},
};
use crate::{Fate, Queued, Receipt, Refused, What, live::Live, queued::Ticket, tcp::Half};

/// What a driver lends.
#[derive(Debug)]
pub(crate) struct Loan {
    pub(crate) half: Half,
    pub(crate) codec: Box<dyn Codec>,
    /// The codec's, which does not change any more.
    pub(crate) class: WireClass,
    pub(crate) sent: Sent,
}

/// What was written on loan.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// All else that is counted is in [`Live`].
    pub(crate) payload: u64,
    /// When it was written last.
    pub(crate) last: Option<Instant>,
}

/// A message that the socket took the beginning of.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) rest: Bytes,
    pub(crate) ticket: Ticket,
}

/// What the driver takes back.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) loan: Box<Loan>,
    /// To be written before anything else.
    pub(crate) torn: Option<Box<Torn>>,
    /// How writing failed, if it did.
    pub(crate) failed: Option<io::ErrorKind>,
}

/// What is to be seen to when the lock is given back.
#[derive(Default)]
pub(super) struct Done {
    /// The last octet of theirs was written.
    sent: Vec<Ticket>,
    /// Somebody may wait for room, or for all to be written.
    changed: bool,
}

impl Sender {
    /// The same, without waking the driver, where that can be spared: call
    /// [`flush`](Self::flush) when all is posted that is to leave together, or it may
    /// wait for ever. What is posted while the queue is full is written first. Pays for what goes to many peers ([`Queued::shared`]) over
    /// plain TCP ([`Conn::over_tcp`](crate::Conn::over_tcp)).
    ///
    /// # Errors
    /// It was not queued: see [`Refused`].
    pub fn post(&self, item: impl Into<Queued>) -> Result<(), Refused> {
        self.queue.post(item.into())
    }

    /// The same for the messages of `batch`, each of which `receipt` is told of.
    /// Where they do not all fit, each is queued as if it had come alone.
    ///
    /// # Errors
    /// Not all were queued: see [`Refused`].
    pub fn post_batch(&self, batch: Arc<Batch>, receipt: Arc<dyn Receipt>) -> Result<(), Refused> {
        self.queue.post_batch(batch, receipt)
    }

    /// Writes what was posted, in this thread if the connection's task has
    /// nothing else to write; else wakes that. Never waits.
    pub fn flush(&self) {
        self.queue.flush();
    }
}

impl Queue {
    /// Queues `item`. Where the driver has lent, it is not woken: whoever posts
    /// [flushes](Self::flush) when all is posted.
    pub(crate) fn post(&self, item: Queued) -> Result<(), Refused> {
        self.wanted.store(true, Release);
        self.put(item, true)
    }

    /// Whether somebody posts, so that lending pays.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Acquire)
    }

    /// Takes `loan`, unless there is something for the driver to do.
    pub(crate) fn lend(&self, loan: Box<Loan>) -> Result<(), Box<Loan>> {
        let mut state = self.state();
        let busy = !state.items.is_empty() || state.refusing || state.unheard;
        if busy || state.torn.is_some() || state.failed.is_some() || state.close.is_some() {
            return Err(loan);
        }
        state.loan = Some(loan);
        Ok(())
    }

    /// Gives back what was lent.
    pub(crate) fn take_back(&self) -> Option<Back> {
        let mut state = self.state();
        let loan = state.loan.take()?;
        let torn = state.torn.take();
        state.unwritten |= torn.is_some();
        Some(Back {
            loan,
            torn,
            failed: state.failed,
        })
    }

    /// Sees to it that what is posted leaves: writes it, or wakes the driver.
    pub(crate) fn flush(&self) {
        let mut done = Done::default();
        let mut guard = self.state();
        let state = &mut *guard;
        if state.items.is_empty() {
            return;
        }
        state.write(&self.live, &mut done);
        if !state.is_empty() {
            self.stirred.store(true, Release);
            state.wake();
        }
        drop(guard);
        self.see_to(done);
    }

    pub(super) fn see_to(&self, done: Done) {
        if done.changed {
            self.tell_change();
        }
        let mut sent = done.sent;
        for ticket in sent.drain(..) {
            ticket.settle(Fate::Sent);
        }
        if sent.capacity() > 0 {
            TICKETS.set(sent);
        }
    }
}

impl State {
    /// Whether what is posted must leave for `cost` octets to fit: many may post
    /// before the first of them flushes, and a peer that takes all it is sent
    /// must not be found to be too slow.
    pub(super) fn is_laden(&self, cost: usize) -> bool {
        self.loan.is_some() && !self.fits(cost)
    }

    /// Writes what is queued, as far as it can be written on loan.
    pub(super) fn write(&mut self, live: &Live, done: &mut Done) {
        let Some(loan) = &mut self.loan else { return };
        if self.aborted || self.torn.is_some() || self.failed.is_some() {
            return;
        }
        let before = self.octets;
        let mut joined = SCRATCH.take();
        if done.sent.capacity() == 0 {
            done.sent = TICKETS.take();
        }
        let mut encoder = Encoder {
            class: loan.class,
            codec: loan.codec.as_mut(),
        };
        while let Some(write) = joined.gather(&mut self.items, &mut encoder) {
            let octets = joined.octets(&write);
            let length = octets.len();
            let taken = match loan.half.try_write(octets) {
                Ok(taken) => taken,
                Err(error) => {
                    let later = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
                    self.failed = Some(error.kind()).filter(|kind| !later.contains(kind));
                    break;
                }
            };
            loan.sent.count(taken, live);
            if taken < length {
                self.tear(&joined, &write, taken, live, done);
                break;
            }
            for item in self.items.drain(..joined.items(&write)) {
                self.octets -= item.cost();
                loan.sent.count_item(&item, live);
                done.sent.push(item.into_ticket());
            }
        }
        SCRATCH.set(joined);
        if self.items.is_empty() {
            self.items = VecDeque::new();
        }
        let half = self.limit / 2;
        let ready = before > half && self.octets <= half;
        if ready {
            self.wake_waiting();
        }
        done.changed |= ready || (self.items.is_empty() && self.torn.is_none());
    }

    /// Settles what went out as a whole when the socket took `taken` octets of
    /// `write` and no more; the message within which it stopped goes first from now on.
    fn tear(&mut self, joined: &Joined, write: &Write, taken: usize, live: &Live, done: &mut Done) {
        let Some(loan) = &mut self.loan else { return };
        let mut begin = 0;
        for end in joined.ends(write).iter().copied() {
            if taken <= begin {
                break;
            }
            take_apart(&mut self.items);
            let Some(item) = self.items.pop_front() else {
                break;
            };
            self.octets -= item.cost();
            loan.sent.count_item(&item, live);
            let ticket = item.into_ticket();
            if taken < end {
                let rest = match write {
                    Write::One(octets, _) => octets.slice(taken..),
                    // Small, next to what it would keep alive.
                    _ => Bytes::copy_from_slice(&joined.octets(write)[taken..end]),
                };
                self.torn = Some(Box::new(Torn { rest, ticket }));
                break;
            }
            done.sent.push(ticket);
            begin = end;
        }
    }
}

impl Sent {
    fn count(&mut self, octets: usize, live: &Live) {
        self.last = Some(Instant::now());
        live.add_octets(octets as u64);
    }

    fn count_item(&mut self, item: &Item, live: &Live) {
        let (messages, binary, payload) = match item {
            Item::Batch(bundle) => {
                let batch = &bundle.batch;
                (batch.items().len(), batch.binary(), batch.payload())
            }
            Item::One(entry) => match &entry.what {
                What::Shared { message, .. } => {
                    let binary = matches!(message, Message::Binary(_));
                    (1, usize::from(binary), message.len())
                }
                What::Own(_) => return,
            },
        };
        self.payload += payload as u64;
        live.add_messages((messages - binary) as u64, binary as u64);
    }
}

thread_local! {
    static SCRATCH: Cell<Joined> = const { Cell::new(Joined::new()) };
    static TICKETS: Cell<Vec<Ticket>> = const { Cell::new(Vec::new()) };
}

/// Stands where the codec is while that is lent; nobody asks it anything.
#[derive(Debug)]
pub(crate) struct Absent;

impl Codec for Absent {
    fn draft(&self) -> Draft {
        Draft::ALL[0]
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            binary: false,
            ping: false,
            fragments: false,
            closing: Closing::Absent,
        }
    }

    fn wire_class(&self) -> Option<WireClass> {
        None
    }

    fn state(&self) -> Stands {
        Stands::Closed
    }

    fn is_within_message(&self) -> bool {
        false
    }

    fn start(&mut self, _: &mut Outbox) {}

    fn receive(&mut self, _: &mut BytesMut, _: &mut Outbox) -> Result<Option<Event>, Violation> {
        Ok(None)
    }

    fn send(&mut self, _: Outgoing, _: &mut Outbox) -> Result<(), SendError> {
        Err(SendError::Closing)
    }

    fn fail(&mut self, _: &Violation, _: &mut Outbox) {}

    fn end(&mut self) -> Option<Close> {
        None
    }
}
