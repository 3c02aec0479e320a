//! The other side of the driver: who is told what the peer says, and what it
//! may do about it. Callbacks and not a stream of events: an answer goes into
//! the same outbox, in order, and out in the same write as everything else
//! that one read brought about.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use draftgate_core::{
    COPIED, Capabilities, Close, Codec, Draft, Message, MessageRef, Notice, Outbox, Outgoing, Rule,
    SendError,
};

use crate::{By, Sender, Spoken, Stats, Why, queue::Queue, queued::detached};

/// What a connection is for. Called in the task of the connection, between
/// reading and writing: it must not block. It outlives
/// [`Conn::run`](crate::Conn::run), which says how the connection ended.
pub trait Handler: Send {
    /// The opening is done. Called exactly once, before any message; never if
    /// the opening fails.
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// Whether what the peer says next can be taken. Asked before each event of
    /// an open connection; while it is pending nothing is decoded, and then
    /// nothing read, so that the peer feels it. Whoever answers
    /// [`Poll::Pending`] sees to it that `cx` is woken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// The peer said `message`. Use [`Peer::keep`] on what outlives the call.
    fn message(&mut self, message: Message, peer: &mut Peer<'_>);

    /// The same for a short message, which lies in the driver's own buffer:
    /// whoever can do without memory for each looks at it there.
    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        self.message(message.to_message(), peer);
    }

    /// All that has come so far is handed on. Called behind each run of messages,
    /// so that a handler can deal with them together;
    /// [`closing`](Self::closing) may come in between.
    fn caught_up(&mut self) {}

    /// Whether a message costs no more than its octets do, however many peers
    /// there are: then the driver looks at the clock only now and then.
    fn is_light(&self) -> bool {
        false
    }

    /// A pong came; `body` is that of the ping that it answers, if it answers one.
    fn pong(&mut self, body: Bytes, peer: &mut Peer<'_>) {
        let _ = (body, peer);
    }

    /// Something worth a counter or a log line.
    fn notice(&mut self, notice: Notice) {
        let _ = notice;
    }

    /// The peer's Close came, of its own accord or as the answer to ours;
    /// `None`: without a code. The driver answers it when all that is queued
    /// is sent; nothing more can be queued after this call, unless
    /// [`Peer::hold`] says otherwise.
    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        let _ = (close, peer);
    }

    /// Nothing more will come from the peer, and nothing more can be said to
    /// it: at the end of the closing handshake as at any other. Called exactly
    /// once, before TCP has ended, unless the connection's future is dropped
    /// before.
    fn ended(&mut self, end: &End<'_>) {
        let _ = end;
    }
}

/// How a connection ended, as far as that is known while TCP is still to end.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Who ended it.
    pub by: By,
    /// What the peer's Close said, or ours.
    pub close: Option<&'a Close>,
    /// What ended it.
    pub why: Why,
    /// Whether the opening was done.
    pub opened: bool,
}

/// The peer, as a [`Handler`] sees it for the time of one call.
pub struct Peer<'a> {
    pub(crate) codec: &'a mut dyn Codec,
    pub(crate) out: &'a mut Outbox,
    pub(crate) queue: &'a Arc<Queue>,
    pub(crate) stats: &'a mut Stats,
    /// Octets of the buffer in which a message may lie; none where it has
    /// memory of its own.
    pub(crate) buffer: usize,
    /// What of that buffer is not written at once, the driver copies.
    pub(crate) lent: bool,
    pub(crate) failed: Option<Rule>,
    pub(crate) held: bool,
    pub(crate) closed_for: Option<Why>,
}

impl Peer<'_> {
    /// Says `what` at once, before anything queued. The driver reads no more
    /// from a peer that leaves 64 KiB of this unread, and a message in it keeps
    /// nothing larger than twice itself alive. [`Outgoing::Close`] acts as
    /// [`Peer::close`].
    ///
    /// # Errors
    /// The draft cannot say it, or not now; nothing was sent.
    pub fn send(&mut self, what: Outgoing) -> Result<(), SendError> {
        let what = match what {
            // What is smaller the outbox copies anyway.
            Outgoing::Message(message) if message.len() > COPIED && !self.lent => {
                Outgoing::Message(self.keep(message))
            }
            other => other,
        };
        send(self.codec, self.out, self.queue, self.stats, what)
    }

    /// The same for a message of [`Handler::passed`], without memory of its own.
    ///
    /// # Errors
    /// The draft cannot say it, or not now; nothing was sent.
    pub fn send_ref(&mut self, message: MessageRef<'_>) -> Result<(), SendError> {
        self.codec.send_ref(message, self.out)?;
        self.stats.messages_out += 1;
        self.stats.binary_out += u64::from(message.is_binary());
        self.stats.payload_out += message.len() as u64;
        Ok(())
    }

    /// Closes the connection once everything queued is sent, as
    /// [`Sender::close`] does. From [`Handler::closing`] it decides what the
    /// peer's Close is answered with.
    pub fn close(&mut self, close: Option<Close>) {
        self.queue.close(close);
    }

    /// From [`Handler::closing`]: the peer's Close is not answered by itself.
    /// Messages can be queued until [`Sender::close`] or
    /// [`Sender::answer_as`] answers it, or, where nobody does, the close
    /// timeout.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Why we have closed, if we have: the peer's Close is then the answer to
    /// ours. [`Handler::ended`] follows, and says with which Close.
    pub fn closed_for(&self) -> Option<Why> {
        self.closed_for
    }

    /// The peer broke `rule`, one that its codec does not know of: the
    /// connection ends as by any other violation.
    pub fn fail(&mut self, rule: Rule) {
        self.failed.get_or_insert(rule);
    }

    /// `message` in a form that may outlive the call: copied if it would keep
    /// alive a buffer of more than twice its size, or is small.
    pub fn keep(&self, message: Message) -> Message {
        match self.buffer {
            0 => message,
            buffer => detached(message, buffer),
        }
    }

    /// Says things to this peer later and from elsewhere.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(self.queue))
    }

    /// The draft that the peer speaks.
    pub fn draft(&self) -> Draft {
        self.codec.draft()
    }

    /// Both, as they are now: see [`Sender::decided`].
    pub fn spoken(&self) -> Spoken {
        Spoken::of(self.codec)
    }

    /// What the peer can be told.
    pub fn capabilities(&self) -> Capabilities {
        self.codec.capabilities()
    }
}

impl fmt::Debug for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("draft", &self.draft())
            .finish_non_exhaustive()
    }
}

/// Encodes `what` for one peer and counts it.
pub(crate) fn send(
    codec: &mut dyn Codec,
    out: &mut Outbox,
    queue: &Queue,
    stats: &mut Stats,
    what: Outgoing,
) -> Result<(), SendError> {
    let (messages, binary, payload, pings) = match &what {
        Outgoing::Close(close) => {
            queue.close(close.clone());
            return Ok(());
        }
        Outgoing::Message(message) => (
            1,
            matches!(message, Message::Binary(_)),
            message.len() as u64,
            0,
        ),
        Outgoing::Ping(_) => (0, false, 0, 1),
        Outgoing::Pong(_) | Outgoing::Filler => (0, false, 0, 0),
    };
    codec.send(what, out)?;
    stats.messages_out += messages;
    stats.binary_out += u64::from(binary);
    stats.payload_out += payload;
    stats.pings_out += pings;
    Ok(())
}
