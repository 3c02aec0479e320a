//! What can be queued for a peer, and how the one who queued it learns what
//! became of it. A receipt is settled in every case, exactly once, so that a
//! ledger can be kept from receipts alone; it is not a future, because nobody
//! waits for a single item of a channel.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use draftgate_core::{Message, Outgoing, Rendering, SendError, Shared, Text};

/// One item for the send queue of a peer.
pub struct Queued {
    /// What is to be sent.
    pub what: What,
    /// Told what became of it.
    pub receipt: Option<Arc<dyn Receipt>>,
}

/// What an item of the send queue says.
#[derive(Clone)]
pub enum What {
    /// Something for this peer alone. An [`Outgoing::Close`] acts as
    /// [`Sender::close`](crate::Sender::close) does.
    Own(Outgoing),
    /// A message that goes to many peers and is encoded once for each class of them.
    Shared {
        /// Keeps the encodings; whatever holds a [`Shared`], so that it can
        /// travel as the bus delivers it.
        shared: Arc<dyn AsRef<Shared> + Send + Sync>,
        /// The form that this peer is sent.
        rendering: Rendering,
        /// The shared message in that form, see [`Shared::rendered`].
        message: Message,
    },
}

/// Learns what became of an item. Called from the task of the connection or
/// from whoever fills its queue, never while a lock of the queue is held: it
/// may count, and must not block.
pub trait Receipt: Send + Sync {
    /// Called exactly once for each item that it was given with, in every case:
    /// also when the item was refused, the connection was aborted or its task
    /// dropped.
    fn settled(&self, fate: Fate);

    /// The same for `count` items at once.
    fn all_settled(&self, fate: Fate, count: usize) {
        for _ in 0..count {
            self.settled(fate);
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Its last octet was handed to the transport.
    Sent,
    /// It never reached the peer as a whole.
    Lost(Loss),
}

/// Why an item was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The connection was closing when it was to be queued.
    Closing,
    /// The connection ended before the item was sent, or had ended.
    Ended,
    /// The queue was full.
    Overflow,
    /// The draft cannot say it.
    Unsayable(SendError),
}

/// Why an item was not queued. Who keeps a ledger uses the [`Receipt`] alone:
/// it is settled here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Either end has begun to close.
    #[error("the connection is closing")]
    Closing,
    /// The connection is over.
    #[error("the connection has ended")]
    Ended,
    /// The queue is full and its policy drops the newest, or ends the connection.
    #[error("the peer's send queue is full")]
    Overflow,
}

impl Queued {
    /// `what`, for one peer.
    pub fn new(what: Outgoing) -> Self {
        Self {
            what: What::Own(what),
            receipt: None,
        }
    }

    /// A message for many peers: `message` is what [`Shared::rendered`] gives
    /// for `rendering`.
    pub fn shared<S>(shared: Arc<S>, rendering: Rendering, message: Message) -> Self
    where
        S: AsRef<Shared> + Send + Sync + 'static,
    {
        Self {
            what: What::Shared {
                shared,
                rendering,
                message,
            },
            receipt: None,
        }
    }

    /// The same, with `receipt` told what becomes of it; many items may have the
    /// same one.
    pub fn with_receipt(mut self, receipt: Arc<dyn Receipt>) -> Self {
        self.receipt = Some(receipt);
        self
    }
}

impl From<Outgoing> for Queued {
    fn from(what: Outgoing) -> Self {
        Self::new(what)
    }
}

impl From<Message> for Queued {
    fn from(message: Message) -> Self {
        Self::new(Outgoing::Message(message))
    }
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued")
            .field("what", &self.what)
            .field("receipt", &self.receipt.is_some())
            .finish()
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(what) => f.debug_tuple("Own").field(what).finish(),
            Self::Shared {
                rendering, message, ..
            } => f
                .debug_struct("Shared")
                .field("rendering", rendering)
                .field("message", message)
                .finish_non_exhaustive(),
        }
    }
}

/// What an item takes besides its payload: its slot, twice over, for the queue
/// grows by doubling; its receipt; its part of what it shares with others. A
/// queue of messages of one octet would else be many times its limit.
const OVERHEAD: usize = 256;

const _: () = assert!(OVERHEAD >= 2 * size_of::<Entry>() + size_of::<Shared>() / 4);

impl What {
    /// Octets this keeps alive in a queue.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Own(Outgoing::Message(message)) | Self::Shared { message, .. } => {
                cost_of(message)
            }
            Self::Own(Outgoing::Ping(body) | Outgoing::Pong(body)) => OVERHEAD + body.len(),
            Self::Own(Outgoing::Close(_) | Outgoing::Filler) => OVERHEAD,
        }
    }

    /// The same, with nothing small that lies in something large.
    pub(crate) fn detached(self) -> Self {
        match self {
            Self::Own(Outgoing::Message(m)) => Self::Own(Outgoing::Message(m.unpinned())),
            Self::Own(Outgoing::Ping(b)) => Self::Own(Outgoing::Ping(copied(&b))),
            Self::Own(Outgoing::Pong(b)) => Self::Own(Outgoing::Pong(copied(&b))),
            other => other,
        }
    }
}

/// Octets that a message in a queue keeps alive.
pub(crate) fn cost_of(message: &Message) -> usize {
    OVERHEAD + message.len()
}

/// `message`, copied if it is small or would keep more than twice its size of
/// a `buffer` of so many octets alive.
pub(crate) fn detached(message: Message, buffer: usize) -> Message {
    if message.len().saturating_mul(2) >= buffer {
        return message.unpinned();
    }
    match message {
        Message::Text(text) => Message::Text(Text::from_validated(copied(text.as_bytes()))),
        Message::Binary(octets) => Message::Binary(copied(&octets)),
    }
}

fn copied(octets: &Bytes) -> Bytes {
    Bytes::copy_from_slice(octets)
}

/// An item in the queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) what: What,
    pub(crate) ticket: Ticket,
    pub(crate) cost: usize,
}

/// A receipt that settles itself as lost if nobody else settles it.
pub(crate) struct Ticket {
    receipt: Option<Arc<dyn Receipt>>,
    /// How many items it is for.
    count: u32,
}

impl Ticket {
    pub(crate) fn new(receipt: Option<Arc<dyn Receipt>>) -> Self {
        Self { receipt, count: 1 }
    }

    /// One for `count` items.
    pub(crate) fn of(receipt: Arc<dyn Receipt>, count: u32) -> Self {
        Self {
            receipt: Some(receipt),
            count,
        }
    }

    /// One for each of its items.
    pub(crate) fn split(mut self) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        let receipt = self.receipt.take();
        (0..self.count).map(move |_| Self::new(receipt.clone()))
    }

    pub(crate) fn settle(mut self, fate: Fate) {
        self.tell(fate);
    }

    fn tell(&mut self, fate: Fate) {
        match (self.receipt.take(), self.count) {
            (None, _) => {}
            (Some(receipt), 1) => receipt.settled(fate),
            (Some(receipt), count) => receipt.all_settled(fate, count as usize),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tell(Fate::Lost(Loss::Ended));
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("receipt", &self.receipt.is_some())
            .field("count", &self.count)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_are_copied_out_of_large_buffers() {
        let buffer = Bytes::from(vec![b'x'; 65_536]);
        let small = Message::Binary(buffer.slice(..10));
        let What::Own(Outgoing::Message(kept)) = What::Own(Outgoing::Message(small)).detached()
        else {
            panic!("a message stays a message");
        };
        assert_ne!(kept.payload().as_ptr(), buffer.as_ptr());
        assert_eq!(kept.len(), 10);
    }

    #[test]
    fn a_payload_is_kept_where_it_lies_only_if_it_is_half_of_its_buffer() {
        let buffer = Bytes::from(vec![b'x'; 65_536]);
        let place = |len| detached(Message::Binary(buffer.slice(..len)), 65_536);
        assert_eq!(place(32_768).payload().as_ptr(), buffer.as_ptr());
        assert_ne!(place(32_767).payload().as_ptr(), buffer.as_ptr());
    }
}
