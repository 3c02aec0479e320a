//! Two connections that are relayed to each other: what one peer says, the
//! other is told, as far as its draft has the words.
//!
//! Nothing is dropped for want of room: a peer is not read from while the
//! other's queue is full. A Close is passed on, and answered when the other
//! peer has answered it, so that all it still had to say arrives before. Pings
//! are each connection's own.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use draftgate_conn::{By, End, Handler, Peer, Queued, Sender, Spoken, Why};
use draftgate_core::{COPIED, Close, Closing, Message, MessageRef, Shared};
use draftgate_translate::{self as translate, DropReason, Outcome, Policy, Side};
use tracing::{debug, info};

use crate::service::{Tally, UNDELIVERABLE};

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;

/// The code of the line about an upstream that was lost.
const LOST: &str = "upstream-lost";

/// Hands on what one peer of a pair says to the other.
#[derive(Debug)]
pub(super) struct Half {
    side: Side,
    id: Arc<str>,
    /// The peer that is told.
    other: Other,
    /// What this peer says in text is base64, by agreement.
    base64: bool,
    tally: Arc<Tally>,
    /// What it means that TCP ended properly, in the codes of RFC 6455.
    end: u16,
    /// The other knows that this one is over.
    told: bool,
}

/// How a peer is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) sender: Sender,
    /// What it opened in.
    pub(super) opened: Spoken,
    pub(super) policy: Policy,
}

impl Other {
    fn spoken(&self) -> &Spoken {
        self.sender.decided().unwrap_or(&self.opened)
    }
}

impl Half {
    /// What the peer on `side` says goes to `other`.
    pub(super) fn new(
        side: Side,
        id: Arc<str>,
        other: Other,
        base64: bool,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            side,
            id,
            other,
            base64,
            tally,
            end: Close::NO_STATUS,
            told: false,
        }
    }

    /// The same for a peer that knows no other way to close: to the other peer
    /// it is an ordinary close, as programs say that put WebSocket in front of
    /// a TCP server.
    pub(super) fn of_tcp(mut self) -> Self {
        self.end = Close::NORMAL;
        self
    }

    /// The other peer is told that this one closed, with `close` in the codes
    /// of RFC 6455.
    fn closed(&mut self, close: Close) {
        self.told = true;
        let close = self.words(close);
        self.other
            .sender
            .close_as(close, By::Upstream, Why::UpstreamClosed);
    }

    /// The other peer is told that this one is lost, unless it closed itself:
    /// then it has its answer.
    fn lost(&mut self, close: Option<Close>, why: Why) {
        self.told = true;
        let close = close.and_then(|close| self.words(close));
        self.other.sender.answer_as(close, By::Upstream, why);
    }

    /// What the other peer is told of a close. The code is the one that is
    /// meant, for the log: the driver says the nearest that the draft has.
    fn words(&self, close: Close) -> Option<Close> {
        let Close { code, reason } = close.clone();
        let Spoken {
            draft,
            capabilities,
        } = self.other.spoken();
        let told = translate::close(Some(close), capabilities, *draft);
        let reason = told.map_or(reason, |told| told.reason);
        (code != Close::NO_STATUS).then_some(Close { code, reason })
    }

    fn undeliverable(&self, why: DropReason, what: &str) {
        if self.tally.undeliverable() {
            let from = self.side.name();
            info!(id = %self.id, code = UNDELIVERABLE, why = why.name(), from, "{what}");
        }
    }
}

impl Handler for Half {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Where nothing can be queued any more there is nothing to wait for.
        self.other.sender.poll_ready(cx).map(drop)
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let message = match message.len() > COPIED {
            true => peer.keep(message),
            // The queue copies what is small.
            false => message,
        };
        let message = match translate::inbound(message, self.base64) {
            Ok(message) => message,
            Err(violation) => return peer.fail(violation.rule),
        };
        let other = &self.other;
        let shared = Shared::new(message);
        match translate::message(&shared, &other.spoken().capabilities, &other.policy) {
            Outcome::Send(rendering) => {
                let message =
                    shared.rendered(rendering, |message| translate::render(message, rendering, None));
                // Refused: it is closing or has ended, and hears nothing any more.
                if other.sender.send(Queued::from(message)).is_err() {
                    self.tally.lost();
                }
            }
            Outcome::Drop(why) => self.undeliverable(
                why,
                "a message was dropped: the other side's draft cannot carry it; `binary` of the route says what to do instead",
            ),
            Outcome::Close(close) => {
                self.undeliverable(
                    DropReason::NoBinary,
                    "the connection is closed: a message came that the other side's draft cannot carry, and `binary` of the route is `close`",
                );
                other.sender.close(Some(close));
            }
        }
    }

    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        let other = &self.other;
        let as_is = translate::goes_as_is(
            message.is_binary(),
            &other.spoken().capabilities,
            &other.policy,
        );
        if self.base64 || !as_is {
            return self.message(message.to_message(), peer);
        }
        // One copy, in the queue.
        if other.sender.send_ref(message).is_err() {
            self.tally.lost();
        }
    }

    fn is_light(&self) -> bool {
        true
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        let able = peer.capabilities();
        match peer.closed_for() {
            // It answers the other's Close, without words of its own.
            Some(Why::UpstreamClosed) if able.closing != Closing::Coded => {}
            None | Some(Why::UpstreamClosed) => {
                peer.hold();
                self.closed(translate::received(close.cloned(), &able));
            }
            // It answers a Close of ours, and not the other's: that both are to know.
            Some(_) => {}
        }
    }

    fn ended(&mut self, end: &End<'_>) {
        self.other.sender.unheard();
        if self.told {
            return;
        }
        match end.why {
            // A draft without a closing handshake: TCP ended, and that is proper.
            Why::PeerClosed => self.closed(Close::new(self.end, "")),
            // We closed, on behalf of the other, which has its answer by this.
            Why::Requested | Why::UpstreamClosed | Why::UpstreamLost => {
                self.lost(end.close.cloned(), Why::UpstreamClosed);
            }
            why => {
                let side = self.side.name();
                match self.side == Side::Upstream && self.tally.lets(LOST) {
                    true => {
                        info!(id = %self.id, side, code = LOST, why = why.code(), "the upstream's connection was lost: {why}");
                    }
                    // That stands in the access line.
                    false => {
                        debug!(id = %self.id, side, why = why.code(), "one side of a relayed connection was lost: {why}");
                    }
                }
                let broke = matches!(why, Why::Violation(_));
                self.lost(Some(translate::lost(self.side, broke)), Why::UpstreamLost);
            }
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.other.sender.unheard();
        if !self.told {
            self.lost(Some(translate::lost(self.side, false)), Why::UpstreamLost);
        }
    }
}
