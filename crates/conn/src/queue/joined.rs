//! Encodings joined for one write: whoever writes on loan to thousands of a
//! channel, one after the other, joins what was posted to them once, and not
//! once for each.

use std::{collections::VecDeque, slice, sync::Arc};

use bytes::Bytes;
use draftgate_core::{
    self as core, Batch, COPIED, Codec, Message, Outbox, Outgoing, Rendering, SendError, Sharing,
    WireClass,
};

use super::item::{Item, take_apart};
use crate::What;

/// Octets that are joined for one write.
const JOINED: usize = 64 << 10;

/// Encodings next to each other, for one write. They serve all peers of a
/// class to whom the same is posted, one after the other.
#[derive(Default)]
pub(super) struct Joined {
    octets: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// What was joined, for whom; held, so that nothing else can lie where it lay.
    of: Vec<Of>,
    class: Option<WireClass>,
}

/// What an item says, and not to whom.
enum Of {
    One(Sharing, Rendering),
    Batch(Arc<Batch>),
}

/// What one write is given.
pub(super) enum Write {
    /// One message, where its encoding lies, and its length.
    One(Bytes, usize),
    /// One batch.
    Batch(Arc<core::Joined>),
    /// Those that are joined.
    Joined,
}

impl Joined {
    pub(super) const fn new() -> Self {
        Self {
            octets: Vec::new(),
            ends: Vec::new(),
            of: Vec::new(),
            class: None,
        }
    }

    /// As much of the front of `items` as goes into one write; `None` if the
    /// first of them is the driver's affair, or there is none. A batch of which a
    /// message cannot be said is taken apart.
    pub(super) fn gather(
        &mut self,
        items: &mut VecDeque<Item>,
        encoder: &mut Encoder<'_>,
    ) -> Option<Write> {
        let class = Some(encoder.class);
        if items.len() > 1 && self.is_of(items, class) {
            return Some(Write::Joined);
        }
        self.octets.clear();
        self.ends.clear();
        self.of.clear();
        self.class = class;
        if let Item::Batch(bundle) = items.front()? {
            match encoder.joined(&bundle.batch) {
                None => take_apart(items),
                Some(joined) if items.len() == 1 || joined.octets.len() > JOINED => {
                    return Some(Write::Batch(joined));
                }
                Some(_) => {}
            }
        }
        if let Item::One(entry) = items.front()? {
            let first = encoder.encoded(&entry.what)?;
            if items.len() == 1 || first.len() > COPIED {
                let length = first.len();
                return Some(Write::One(first, length));
            }
        }
        for item in items.iter() {
            if !self.join(item, encoder) {
                break;
            }
        }
        Some(Write::Joined)
    }

    /// Whether there was room for `item`, and it may be joined.
    fn join(&mut self, item: &Item, encoder: &mut Encoder<'_>) -> bool {
        let begin = self.octets.len();
        match item {
            Item::Batch(bundle) => {
                let batch = &bundle.batch;
                let Some(next) = encoder.joined(batch) else {
                    return false;
                };
                if begin + next.octets.len() > JOINED {
                    return false;
                }
                self.octets.extend_from_slice(&next.octets);
                self.ends.extend(next.ends.iter().map(|end| begin + end));
                self.of.push(Of::Batch(Arc::clone(batch)));
            }
            Item::One(entry) => {
                let What::Shared {
                    shared, rendering, ..
                } = &entry.what
                else {
                    return false;
                };
                let Some(next) = encoder.encoded(&entry.what) else {
                    return false;
                };
                if next.len() > COPIED || begin + next.len() > JOINED {
                    return false;
                }
                self.octets.extend_from_slice(&next);
                self.ends.push(self.octets.len());
                self.of.push(Of::One(Arc::clone(shared), *rendering));
            }
        }
        true
    }

    /// Whether just `items` are joined already, for peers of `class`.
    fn is_of(&self, items: &VecDeque<Item>, class: Option<WireClass>) -> bool {
        let same = |(item, of): (&Item, &Of)| match (item, of) {
            (Item::Batch(bundle), Of::Batch(of)) => Arc::ptr_eq(&bundle.batch, of),
            (Item::One(entry), Of::One(of, in_form)) => match &entry.what {
                What::Shared {
                    shared, rendering, ..
                } => Arc::ptr_eq(shared, of) && rendering == in_form,
                What::Own(_) => false,
            },
            _ => false,
        };
        self.class == class && self.of.len() == items.len() && items.iter().zip(&self.of).all(same)
    }

    pub(super) fn octets<'a>(&'a self, write: &'a Write) -> &'a [u8] {
        match write {
            Write::One(octets, _) => octets,
            Write::Batch(joined) => &joined.octets,
            Write::Joined => &self.octets,
        }
    }

    /// Where each message of `write` ends.
    pub(super) fn ends<'a>(&'a self, write: &'a Write) -> &'a [usize] {
        match write {
            Write::One(_, length) => slice::from_ref(length),
            Write::Batch(joined) => &joined.ends,
            Write::Joined => &self.ends,
        }
    }

    /// How many items `write` is made of.
    pub(super) fn items(&self, write: &Write) -> usize {
        match write {
            Write::One(..) | Write::Batch(_) => 1,
            Write::Joined => self.of.len(),
        }
    }
}

/// Encodes for a peer what peers of its class share. Nearly always that is there
/// already, and its codec, which lies elsewhere, is not looked at.
pub(super) struct Encoder<'a> {
    pub(super) class: WireClass,
    pub(super) codec: &'a mut dyn Codec,
}

impl Encoder<'_> {
    /// `None` if a message of it cannot be said.
    fn joined(&mut self, batch: &Batch) -> Option<Arc<core::Joined>> {
        let class = self.class;
        batch.joined(class, |message| self.encode(message))
    }

    /// `None` for what is no shared message, or cannot be said.
    fn encoded(&mut self, what: &What) -> Option<Bytes> {
        let What::Shared {
            shared,
            rendering,
            message,
        } = what
        else {
            return None;
        };
        let (class, shared) = (self.class, (**shared).as_ref());
        let encode = || self.encode(message);
        shared.encoded(class, *rendering, encode).ok()
    }

    fn encode(&mut self, message: &Message) -> Result<Bytes, SendError> {
        let mut scratch = Outbox::new();
        let outgoing = Outgoing::Message(message.clone());
        self.codec.send(outgoing, &mut scratch)?;
        Ok(scratch.take_all())
    }
}
