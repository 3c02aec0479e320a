//! What two peers may agree on beyond their draft: payloads that are encoded
//! under a reserved bit, or a carrier under all of the frames.
//!
//! Nothing here knows an extension by name. Who negotiates hands the opening an
//! [`Agreed`]; the machinery does the rest.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Violation, WireClass};

use crate::{
    Opcode,
    opening::{Judge, Refusal},
};

/// An extension that encodes the payloads of data frames and says so in a
/// reserved bit (RFC 6455 §9). Control frames are never its business.
pub trait Extension: Debug + Send {
    /// The reserved bits that it gives a meaning, as they stand in a frame's
    /// first octet. Every other one stays what the draft says it is.
    fn bits(&self) -> u8;

    /// What they say of the frame that has them set, for people.
    fn meaning(&self) -> &'static str;

    /// A data frame begins, with these of its own bits set: whether its payload
    /// has to be decoded.
    ///
    /// # Errors
    /// The bits must not be set there.
    fn begin(&mut self, opcode: Opcode, bits: u8) -> Result<bool, Violation>;

    /// Decodes from the front of `input` and takes from there what it used. At
    /// most one chunk comes at once, never an empty one; call until `None`, which
    /// says that all of `input` is decoded. `rest` says what `input` ends with.
    ///
    /// # Errors
    /// The octets are not what the extension makes of a message.
    fn decode(&mut self, input: &mut BytesMut, rest: Rest) -> Result<Option<BytesMut>, Violation>;

    /// The payload of a whole message as it is to be sent, and the bits to set;
    /// `None` to send it as it is.
    fn encode(&mut self, payload: &[u8]) -> Option<(Bytes, u8)>;

    /// The class of peers that are sent the same octets, where those without the
    /// extension are of the class `plain`; `None` if what a peer is sent depends on
    /// what it was sent before.
    fn class(&self, plain: WireClass) -> Option<WireClass>;
}

/// What the octets that are handed to [`Extension::decode`] end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More of the same frame follows.
    Within,
    /// The frame ends with them, its message goes on.
    Frame,
    /// The message ends with them.
    Message,
}

/// Reads what one side sent in a carrier under its frames, after the fact.
pub trait Unpack: Debug + Send {
    /// The carrier's name, as it was agreed on.
    fn name(&self) -> &'static str;

    /// Takes from the front of `input` what it used. At most one chunk of what is
    /// carried comes at once, never an empty one; call until `None`.
    ///
    /// # Errors
    /// The octets are no such carrier.
    fn unpack(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Violation>;
}

/// An extension that was agreed on in an opening.
pub trait Agreed: Debug + Send + Sync {
    /// Its name, as the client offered it.
    fn name(&self) -> &'static str;

    /// What the server answers in `Sec-WebSocket-Extensions`.
    fn field(&self) -> String;

    /// What encodes payloads; `None` where only a carrier was agreed on.
    fn extension(&self) -> Option<Box<dyn Extension>>;

    /// What reads the carrier under all that the peer sends; `None` without one.
    fn unpacker(&self) -> Option<Box<dyn Unpack>> {
        None
    }

    /// Puts under `codec` what lies below all frames.
    fn carry(&self, codec: Box<dyn Codec>) -> Box<dyn Codec> {
        codec
    }
}

/// The extensions that a client offers.
pub trait Offering: Debug + Send + Sync {
    /// What it offers in a request of `draft`, as it stands in
    /// `Sec-WebSocket-Extensions`; `None` for nothing.
    fn field(&self, draft: Draft) -> Option<String>;

    /// What the server agreed to with its field `answered`, where the request's
    /// said `offered`.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerExtension`](crate::opening::RefusalKind::AnswerExtension):
    /// it was not offered, or not like that.
    fn agreed(
        &self,
        offered: &str,
        answered: &str,
        judge: &mut Judge,
    ) -> Result<Box<dyn Agreed>, Refusal>;
}
