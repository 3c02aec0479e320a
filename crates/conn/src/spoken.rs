//! What a peer is spoken to in, which may become another thing: where two drafts
//! ask with the same head, the first octet behind the opening tells them apart.

use draftgate_core::{Capabilities, Codec, Draft};

use crate::{Sender, session::Session};

/// The draft of a peer, and what it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// The draft.
    pub draft: Draft,
    /// What can be said in it.
    pub capabilities: Capabilities,
}

impl Spoken {
    pub(crate) fn of(codec: &dyn Codec) -> Self {
        Self {
            draft: codec.draft(),
            capabilities: codec.capabilities(),
        }
    }
}

impl Sender {
    /// What the peer is spoken to in, if its first octets told that this is another
    /// draft than the one it opened in; whoever keeps that asks here first.
    pub fn decided(&self) -> Option<&Spoken> {
        self.queue.decided.get()
    }
}

impl Session {
    /// The peer opened in `opened`, and has said something since.
    pub(crate) fn decide(&self, opened: Draft) {
        if self.codec.draft() != opened {
            // Once, since no codec changes its mind again.
            let _ = self.queue.decided.set(Spoken::of(self.codec.as_ref()));
        }
    }
}
