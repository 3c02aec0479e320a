//! Both ends of a connection, made by the real opening handshake of a draft
//! with keys that are always the same, and the octets that they write.
//!
//! The octets of a table are those of the codecs in service. Only fragments,
//! which no codec of ours sends, are written one layer below, by the draft's
//! own layout.

use bytes::Bytes;
use draftgate_core::{Codec, Draft, Limits, Message, Outbox, Outgoing, Role, SendError};
use draftgate_drafts::{
    FixedKeys, KeySource, RandomKeys, accept, acceptor, loopback, offer,
    opening::{Ask, LengthFrames, Refusal, RefusalKind, Terms, parts},
};
use draftgate_wire::{Derived, Hybi, Layout, Masking, Opcode, dissect::Frames};

/// With what clients mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masks {
    /// The same key for every frame: a table that is made twice is the same.
    Fixed([u8; 4]),
    /// A fresh key for every frame.
    Random,
}

impl Default for Masks {
    /// The key of RFC 6455's examples (§5.7).
    fn default() -> Self {
        Self::Fixed([0x37, 0xfa, 0x21, 0x3d])
    }
}

impl Masks {
    /// What `role` masks with on a connection.
    pub(crate) fn masking(self, role: Role, derived: Option<Derived>) -> Masking {
        let masking = match role {
            Role::Client => Masking::outgoing(self.source()),
            Role::Server => Masking::incoming(),
        };
        match derived {
            Some(derived) => masking.derived(derived),
            None => masking,
        }
    }

    fn source(self) -> Box<dyn KeySource> {
        match self {
            Self::Fixed(key) => Box::new(FixedKeys::new(key)),
            Self::Random => Box::new(RandomKeys),
        }
    }
}

/// The nonce of RFC 6455's example (§1.3), the octets of every opening key.
const NONCE: &[u8] = b"the sample nonce";

/// Keys of an opening, always the same, and masks as they were asked for.
#[derive(Debug)]
struct Keys {
    opening: FixedKeys,
    masks: Masks,
}

impl KeySource for Keys {
    fn fill(&mut self, octets: &mut [u8]) {
        self.opening.fill(octets);
    }

    fn fork(&mut self) -> Box<dyn KeySource> {
        self.masks.source()
    }

    fn number(&mut self, low: u32, high: u32) -> u32 {
        self.opening.number(low, high)
    }
}

/// A connection that is open.
pub(crate) struct Ends {
    /// What the client wrote to open it.
    pub(crate) request: Bytes,
    /// What the server answered.
    pub(crate) answer: Bytes,
    pub(crate) client: Box<dyn Codec>,
    pub(crate) server: Box<dyn Codec>,
}

impl Ends {
    /// Opens a connection in `draft`.
    ///
    /// # Errors
    /// The draft is not built.
    pub(crate) fn open(
        draft: Draft,
        masks: Masks,
        length_frames: LengthFrames,
    ) -> Result<Self, Refusal> {
        let mut keys = Keys {
            opening: FixedKeys::new(NONCE),
            masks,
        };
        let limits = Limits::default();
        let ask = Ask {
            secure: false,
            host: "server.example.com",
            resource: "/chat",
            origin: Some("http://example.com"),
            subprotocols: &["chat"],
            fields: &[],
            limits,
            length_frames,
            extensions: None,
        };
        let offered = offer(draft, &ask, &mut keys)?;
        let read = parts(&offered.request).ok().flatten();
        let (request, head) = read.ok_or(RefusalKind::AskUnspeakable)?;
        let terms = Terms {
            subprotocol: Some("chat"),
            public_url: "ws://server.example.com/chat",
            limits,
            length_frames,
            extension: None,
        };
        let accepted = accept(draft, &request, &terms, &mut keys)?;
        let open = loopback::connect(offered, head, accepted)?;
        Ok(Self {
            request: open.request,
            answer: open.answer,
            client: open.client,
            server: open.server,
        })
    }

    pub(crate) fn end(&mut self, role: Role) -> &mut dyn Codec {
        match role {
            Role::Client => &mut *self.client,
            Role::Server => &mut *self.server,
        }
    }
}

/// The octets of `what`.
///
/// # Errors
/// The draft cannot say it.
pub(crate) fn said(codec: &mut dyn Codec, what: Outgoing) -> Result<Bytes, SendError> {
    let mut out = Outbox::new();
    codec.send(what, &mut out)?;
    Ok(out.take_all())
}

/// The octets of `message` in `count` frames under `masking`; `None` if the draft
/// has no fragments.
pub(crate) fn fragments(
    draft: Draft,
    masking: Masking,
    message: &Message,
    count: u16,
) -> Option<Bytes> {
    let layout = layout(draft)?;
    let mut framing = Hybi::new(layout, masking);
    let mut out = Outbox::new();
    let (payload, count) = (message.payload(), usize::from(count));
    for at in 0..count {
        let opcode = match (at, message) {
            (0, Message::Text(_)) => Opcode::Text,
            (0, Message::Binary(_)) => Opcode::Binary,
            _ => Opcode::Continuation,
        };
        // The first ones are longer by one octet where it does not come out even.
        let cut = |n: usize| n * (payload.len() / count) + n.min(payload.len() % count);
        let run = payload.slice(cut(at)..cut(at + 1));
        framing.write_fragment(opcode, at + 1 == count, &run, &mut out);
    }
    Some(out.take_all())
}

fn layout(draft: Draft) -> Option<&'static Layout> {
    match acceptor(draft).ok()?.frames() {
        Frames::Hybi(layout) => Some(layout),
        Frames::Sentinel { .. } => None,
    }
}
