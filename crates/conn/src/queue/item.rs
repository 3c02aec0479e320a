//! What lies in the queue: single messages, and batches that are taken apart
//! where somebody needs their messages one by one.

use std::{collections::VecDeque, sync::Arc};

use draftgate_core::Batch;

use crate::{
    What,
    queued::{Entry, Ticket, cost_of},
};

/// An item of the queue.
#[derive(Debug)]
pub(super) enum Item {
    One(Entry),
    Batch(Bundle),
}

/// A batch in the queue, with the ticket of all its messages.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) batch: Arc<Batch>,
    pub(super) ticket: Ticket,
    pub(super) cost: usize,
}

impl Item {
    /// Octets that it keeps alive.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::One(entry) => entry.cost,
            Self::Batch(bundle) => bundle.cost,
        }
    }

    /// How many messages it is.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Batch(bundle) => bundle.batch.items().len(),
        }
    }

    pub(super) fn into_ticket(self) -> Ticket {
        match self {
            Self::One(entry) => entry.ticket,
            Self::Batch(bundle) => bundle.ticket,
        }
    }
}

impl Bundle {
    pub(super) fn new(batch: Arc<Batch>, ticket: Ticket) -> Self {
        let cost = batch.items().iter().map(|(_, m)| cost_of(m)).sum();
        Self {
            batch,
            ticket,
            cost,
        }
    }

    /// The messages, each with its ticket, the last one first.
    pub(super) fn into_entries(self) -> impl DoubleEndedIterator<Item = Entry> {
        let Self { batch, ticket, .. } = self;
        let tickets = ticket.split();
        (0..batch.items().len())
            .zip(tickets)
            .map(move |(at, ticket)| {
                let (shared, message) = &batch.items()[at];
                Entry {
                    cost: cost_of(message),
                    what: What::Shared {
                        shared: Arc::clone(shared),
                        rendering: batch.rendering(),
                        message: message.clone(),
                    },
                    ticket,
                }
            })
    }
}

/// Takes what is first in `items` apart, if it is a batch.
pub(super) fn take_apart(items: &mut VecDeque<Item>) {
    if !matches!(items.front(), Some(Item::Batch(_))) {
        return;
    }
    if let Some(Item::Batch(bundle)) = items.pop_front() {
        for entry in bundle.into_entries().rev() {
            items.push_front(Item::One(entry));
        }
    }
}
