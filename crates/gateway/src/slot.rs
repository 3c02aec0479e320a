//! What hyper's service tells the connection that it serves: a request that is
//! not for hyper, and how the connection is to go on or to end.
//!
//! The service has no other way: what it returns goes to hyper, which would
//! write it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{handshake::Request, turn::Turn};

/// Where hyper's service leaves what its connection has to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    /// A request that is not for hyper.
    request: Option<Request>,
    turn: Option<Turn>,
    cut: bool,
    lingers: bool,
    stuck: bool,
}

impl Slot {
    pub(crate) fn new(turn: Turn) -> Self {
        let left = Left {
            turn: Some(turn),
            ..Left::default()
        };
        Self(Arc::new(Mutex::new(left)))
    }

    pub(crate) fn put(&self, request: Request) {
        self.left().request = Some(request);
    }

    pub(crate) fn take(&self) -> Option<Request> {
        self.left().request.take()
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.left().request.is_some()
    }

    /// The connection's turn, or none, if it was given back.
    pub(crate) fn turn(&self) -> Turn {
        let turn = self.left().turn.take();
        turn.unwrap_or_else(|| Turn::new(None))
    }

    /// The connection is no opening any more.
    pub(crate) fn give_turn_back(&self) {
        let turn = self.left().turn.take();
        drop(turn);
    }

    /// Ends the connection at once, whatever waits to be written.
    pub(crate) fn cut(&self) {
        self.left().cut = true;
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.left().cut
    }

    /// The peer took too little of what it was sent.
    pub(crate) fn stuck(&self) {
        self.left().stuck = true;
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.left().stuck
    }

    /// A body is left unread: the answer must not be lost over that.
    pub(crate) fn linger(&self) {
        self.left().lingers = true;
    }

    pub(crate) fn lingers(&self) -> bool {
        self.left().lingers
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
