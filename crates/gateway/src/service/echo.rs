//! Hands every message back to its sender.

use draftgate_conn::{Handler, Peer};
use draftgate_core::{Message, MessageRef, Outgoing};

use super::{Accept, Answer, Opening, Service};

/// Hands every message back. A client that does not read what it is sent is
/// not read from either: nothing is dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Service for Echo {
    fn open<'a>(&'a self, _: &'a Opening<'a>) -> Answer<'a> {
        Box::pin(async { Ok(Accept::new(Self)) })
    }
}

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        // What came in a draft can be said in it; an `Err` means that the
        // connection is closing, and then nobody waits for an echo.
        let _ = peer.send(Outgoing::Message(message));
    }

    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        let _ = peer.send_ref(message);
    }

    fn is_light(&self) -> bool {
        true
    }
}
