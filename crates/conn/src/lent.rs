//! What a connection has only while it is polled: nearly always it is empty in
//! between, and an idle connection is to have a pointer for it and no more. So
//! each thread has one, which its connections are lent in turn; what is not
//! empty at the end of a turn stays where it is, and the thread makes another.

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
    sync::LazyLock,
};

use bytes::BytesMut;
use draftgate_core::Outbox;

use crate::{Stats, queued::Ticket};

/// For what was queued and is not wholly written: where its last octet lies,
/// counted from the first octet of the connection.
pub(crate) type Tickets = VecDeque<(u64, Ticket)>;

/// What may be lent.
pub(crate) trait Spare: Default + 'static {
    /// What there is while there is nothing.
    fn none() -> &'static Self;

    /// Whether it is as good as nothing.
    fn is_spare(&self) -> bool;
}

impl Spare for Outbox {
    fn none() -> &'static Self {
        static NONE: Outbox = Outbox::new();
        &NONE
    }

    fn is_spare(&self) -> bool {
        self.is_empty()
    }
}

impl Spare for BytesMut {
    fn none() -> &'static Self {
        static NONE: LazyLock<BytesMut> = LazyLock::new(BytesMut::new);
        &NONE
    }

    fn is_spare(&self) -> bool {
        self.capacity() == 0
    }
}

impl Spare for Tickets {
    fn none() -> &'static Self {
        static NONE: Tickets = Tickets::new();
        &NONE
    }

    fn is_spare(&self) -> bool {
        self.is_empty()
    }
}

impl Spare for Stats {
    fn none() -> &'static Self {
        static NONE: Stats = Stats::NOTHING;
        &NONE
    }

    /// In between they are kept elsewhere.
    fn is_spare(&self) -> bool {
        true
    }
}

/// Something of a connection's own, or lent to it, or nothing.
#[derive(Debug)]
pub(crate) struct Lent<T>(Option<Box<T>>);

impl<T: Spare> Lent<T> {
    pub(crate) fn new(own: T) -> Self {
        Self((!own.is_spare()).then(|| Box::new(own)))
    }

    /// Takes the thread's, for the time of a turn, unless it has its own.
    pub(crate) fn borrow(&mut self, spare: &mut Option<Box<T>>) {
        if self.0.is_none() {
            self.0 = spare.take();
        }
    }

    /// Gives it to the thread, unless there is something in it.
    pub(crate) fn give_back(&mut self, spare: &mut Option<Box<T>>) {
        if self.0.as_ref().is_some_and(|own| own.is_spare()) {
            *spare = self.0.take();
        }
    }
}

impl<T: Spare> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::none())
    }
}

impl<T: Spare> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

/// What a thread has to lend.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    pub(crate) out: Option<Box<Outbox>>,
    pub(crate) input: Option<Box<BytesMut>>,
    pub(crate) tickets: Option<Box<Tickets>>,
    pub(crate) stats: Option<Box<Stats>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_goes_to_the_next_and_what_is_not_stays() {
        let mut spares = Spares::default();
        let (mut one, mut other) = (Lent::new(Outbox::new()), Lent::new(Outbox::new()));
        assert!(one.0.is_none() && one.is_empty());
        one.put(b"waits");
        one.give_back(&mut spares.out);
        assert!(spares.out.is_none() && one.len() == 5);
        other.put(b"");
        other.give_back(&mut spares.out);
        assert!(spares.out.is_some() && other.0.is_none());
        one.borrow(&mut spares.out);
        other.borrow(&mut spares.out);
        assert!(spares.out.is_none() && other.0.is_some());
        assert_eq!((one.len(), other.len()), (5, 0));
    }
}
