//! The one trait that every draft implements and every driver drives.

use std::fmt::Debug;

use bytes::BytesMut;

use crate::{
    Capabilities, Close, Draft, Event, MessageRef, Outbox, Outgoing, Passed, SendError, Violation,
    WireClass,
};

/// Where a connection stands. Timers are chosen by this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// [`Event::Opened`] is still to come: the opening handshake needs more
    /// octets from the peer (hixie-76: key3), or `receive` was not called yet.
    Opening,
    /// Messages may go both ways.
    Open,
    /// We sent our Close and wait for the peer's.
    ClosingByUs,
    /// The peer sent its Close; ours is still to be sent.
    ClosingByPeer,
    /// Nothing more may be sent, and nothing the peer sends matters.
    Closed,
}

/// One connection's protocol, without its socket, clock or dice.
///
/// The driver calls [`start`](Self::start) once, then at once and for every
/// read [`receive`](Self::receive) until `Ok(None)` (at once, because most
/// drafts are open without a further octet), and flushes the outbox after each
/// turn, even after an error. On `Err(violation)` it calls
/// [`fail`](Self::fail), flushes and closes TCP.
pub trait Codec: Debug + Send {
    /// The draft spoken. Ask each time: some drafts are told apart only by the
    /// peer's first octet.
    fn draft(&self) -> Draft;

    /// What the peer can be told.
    fn capabilities(&self) -> Capabilities;

    /// `Some` if what this peer is sent is the same for every peer of the
    /// class, so that one encoding can be shared ([`Shared`](crate::Shared)).
    fn wire_class(&self) -> Option<WireClass>;

    /// What both opening heads say the client masks with, for who shows its frames:
    /// the key of a connection of hybi-04, from which that of each frame is made.
    fn connection_mask(&self) -> Option<[u8; 20]> {
        None
    }

    /// Where the connection stands.
    fn state(&self) -> State;

    /// Whether a message has begun whose end is still to come. Control frames
    /// may come before that, so their events say nothing about it.
    fn is_within_message(&self) -> bool;

    /// What was taken from `input` and is still needed, the front of a message
    /// whose end is to come, lies in memory of its own from now on: the buffer
    /// of `input` was lent.
    fn detach(&mut self) {}

    /// Called once, before the first `receive`.
    fn start(&mut self, out: &mut Outbox);

    /// Takes what it can from the front of `input` and returns at most one
    /// event; call it until `Ok(None)`, then read more. Answers that the draft
    /// itself demands (pong, challenge answer) go to `out`. It never answers a
    /// Close: the driver sends ours when its queue is empty.
    ///
    /// # Errors
    /// The peer broke its draft: call [`fail`](Self::fail) with it.
    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation>;

    /// The message at the very front of `input`, if one of up to
    /// [`COPIED`](crate::COPIED) octets lies there whole, in one frame without a
    /// fault, and nothing else is to be told before it: unmasked where it lies,
    /// so without a copy, a count or memory. Nothing is
    /// taken from `input`: the caller goes on behind
    /// [`octets`](Passed::octets), and has dropped all that passed when it calls
    /// [`receive`](Self::receive), which gives the same messages. On `None`,
    /// `input` is as it was, and `receive` judges it.
    fn pass<'i>(&mut self, input: &'i mut [u8]) -> Option<Passed<'i>> {
        let _ = input;
        None
    }

    /// Writes `what` to `out`.
    ///
    /// # Errors
    /// The draft cannot say it, or not now. Nothing was written.
    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError>;

    /// Writes a message that lies elsewhere to `out`, which copies it.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    fn send_ref(&mut self, message: MessageRef<'_>, out: &mut Outbox) -> Result<(), SendError> {
        self.send(Outgoing::Message(message.to_message()), out)
    }

    /// Writes what this draft can say about a breach (a Close with its code,
    /// `FF 00`, or nothing) and ends the connection.
    fn fail(&mut self, violation: &Violation, out: &mut Outbox);

    /// The peer closed TCP. What to report as its close: 1006 where the draft
    /// has a closing handshake and it did not take place, else `None`; `None`
    /// as well for a connection that never opened.
    fn end(&mut self) -> Option<Close>;
}
