//! An opening handshake's turn: one of the few that an address may have under
//! way at once. It lasts from before the first octet is read until the
//! connection is open, which for hixie-76 is when key3 has come, or until the
//! client was refused. Given back by dropping it, so that no way out of a
//! handshake can forget to.

use std::task::{Context, Poll};

use bytes::Bytes;
use draftgate_conn::{End, Handler, Peer};
use draftgate_core::{Close, Message, Notice};
use tokio::sync::OwnedSemaphorePermit;

/// A turn; given back when dropped.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub(crate) struct Turn {
    /// `None` where the address may have any number.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    pub(crate) fn new(permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { _permit: permit }
    }

    /// `session`, which gives the `turn` back, if it still has one, when its
    /// connection is open.
    pub(crate) fn until_opened(turn: Option<Self>, session: Box<dyn Handler>) -> UntilOpened {
        UntilOpened { session, turn }
    }
}

/// See [`Turn::until_opened`].
pub(crate) struct UntilOpened {
    session: Box<dyn Handler>,
    turn: Option<Turn>,
}

impl Handler for UntilOpened {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        self.turn = None;
        self.session.opened(peer);
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.poll_ready(cx)
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.session.message(message, peer);
    }

    fn pong(&mut self, body: Bytes, peer: &mut Peer<'_>) {
        self.session.pong(body, peer);
    }

    fn notice(&mut self, notice: Notice) {
        self.session.notice(notice);
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        self.session.closing(close, peer);
    }

    fn ended(&mut self, end: &End<'_>) {
        self.session.ended(end);
    }
}
