//! Payloads compressed under RSV1, per message or per frame.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Rule, Violation, WireClass};
use draftgate_wire::{Extension, Opcode, Rest};

use crate::{deflater::Deflater, inflater::Inflater};

/// RSV1, as it stands in a frame's first octet.
const RSV1: u8 = 0x40;

/// One connection's compression.
#[derive(Debug)]
pub(crate) struct Compression {
    pub(crate) unit: Unit,
    pub(crate) inflater: Inflater,
    pub(crate) deflater: Deflater,
    /// Whether the message that is being received is compressed.
    pub(crate) compressed: bool,
}

/// What is compressed as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A message: only its first frame says so (RFC 7692 §6).
    Message,
    /// A frame: each says it for itself.
    Frame,
}

impl Extension for Compression {
    fn bits(&self) -> u8 {
        RSV1
    }

    fn meaning(&self) -> &'static str {
        match self.unit {
            Unit::Message => "the message is compressed",
            Unit::Frame => "the frame is compressed",
        }
    }

    fn begin(&mut self, opcode: Opcode, bits: u8) -> Result<bool, Violation> {
        let marked = bits & RSV1 != 0;
        match (self.unit, opcode) {
            (Unit::Message, Opcode::Continuation) if marked => {
                return Err(Rule::ReservedBits.into());
            }
            (Unit::Message, Opcode::Continuation) => {}
            _ => self.compressed = marked,
        }
        Ok(self.compressed)
    }

    fn decode(&mut self, input: &mut BytesMut, rest: Rest) -> Result<Option<BytesMut>, Violation> {
        let ends = match self.unit {
            Unit::Message => rest == Rest::Message,
            Unit::Frame => rest != Rest::Within,
        };
        self.inflater.decode(input, ends)
    }

    fn encode(&mut self, payload: &[u8]) -> Option<(Bytes, u8)> {
        Some((self.deflater.encode(payload)?, RSV1))
    }

    fn class(&self, plain: WireClass) -> Option<WireClass> {
        let deflater = &self.deflater;
        match deflater.works() {
            false => Some(plain),
            true if deflater.takeover => None,
            true => Some(WireClass::Deflated {
                window_bits: deflater.window,
                level: deflater.level,
                least: deflater.least,
            }),
        }
    }
}
