//! An opening handshake's turn: one of the few that an address may have under
//! way at once. It lasts from before the first octet is read until the
//! connection is open, which for hixie-76 is when key3 has come, or until the
//! client was refused. Given back by dropping it, so that no way out of a
//! handshake can forget to. With it goes the token by which a gateway that
//! hands over knows which openings are still its own.

use std::task::{Context, Poll};

use bytes::Bytes;
use draftgate_conn::{End, Handler, Peer};
use draftgate_core::{Close, Message, MessageRef, Notice};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A turn; given back when dropped.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub(crate) struct Turn {
    /// `None` where the address may have any number.
    permit: Option<OwnedSemaphorePermit>,
    /// Held while the opening lasts.
    _opening: Option<TaskTrackerToken>,
}

impl Turn {
    pub(crate) fn new(permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            permit,
            _opening: None,
        }
    }

    /// The same, which holds `opening` as long.
    pub(crate) fn with(self, opening: Option<TaskTrackerToken>) -> Self {
        Self {
            _opening: opening,
            ..self
        }
    }

    /// Gives the turn back although the opening lasts: the client waits for
    /// somebody else.
    pub(crate) fn give_way(&mut self) {
        self.permit = None;
    }

    /// `session`, which gives the turn back when its connection is open, and
    /// does what is to be done `then`.
    pub(crate) fn until_opened(
        self,
        session: Box<dyn Handler>,
        then: impl FnOnce() + Send + 'static,
    ) -> UntilOpened {
        UntilOpened {
            session,
            opening: Some(Box::new(Box::new(move || {
                drop(self);
                then();
            }))),
        }
    }
}

/// See [`Turn::until_opened`].
pub(crate) struct UntilOpened {
    session: Box<dyn Handler>,
    /// Gives the turn back, and does the rest.
    opening: Option<Then>,
}

/// A box in a box is a place of 8 octets.
type Then = Box<Box<dyn FnOnce() + Send>>;

impl Handler for UntilOpened {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        if let Some(then) = self.opening.take() {
            then();
        }
        self.session.opened(peer);
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.poll_ready(cx)
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.session.message(message, peer);
    }

    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        self.session.passed(message, peer);
    }

    fn caught_up(&mut self) {
        self.session.caught_up();
    }

    fn is_light(&self) -> bool {
        self.session.is_light()
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
