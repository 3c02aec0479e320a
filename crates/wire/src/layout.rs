//! How one generation of drafts lays out its frames, as a value: what differs
//! between hybi-01 and RFC 6455 once a frame is a header, a length and a
//! payload.
//!
//! The drafts' crates hold the values; [`Hybi`](crate::Hybi) reads and writes
//! by them. A new difference is a new field, whose doc names the drafts on
//! either side.

use draftgate_core::WireClass;

use crate::{Opcode, hybi::FIN};

/// One generation's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What the top bit of a frame says.
    pub top_bit: TopBit,
    /// The numbers of continuation, text, binary, close, ping and pong: 0, 4,
    /// 5, 1, 2, 3 until hybi-06, and 0, 1, 2, 8, 9, 10 from hybi-07 on.
    pub opcodes: [u8; 6],
    /// What a client's masking key covers.
    pub masked: Masked,
    /// A reserved bit without an extension: until hybi-06 of no account,
    /// from hybi-07 on a failure (the texts say so from -09 on).
    pub reserved_bits: Breach,
    /// A length in more octets than it needs: a failure from hybi-14 on, and
    /// with it in Version 13.
    pub long_lengths: Breach,
    /// A control frame of more than 125 octets: a failure in RFC 6455; peers
    /// of 2011 send them, and no draft before is known to forbid it.
    pub long_controls: Breach,
    /// The class of the peers to which a server writes this layout.
    pub class: WireClass,
}

/// What the top bit of a frame says of the message's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopBit {
    /// MORE: another fragment follows (hybi-01 to -03).
    More,
    /// FIN: this is the last fragment (hello-00, hybi-04 on).
    Fin,
}

/// What a masking key covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masked {
    /// Nothing: neither side masks (hybi-01 to -03, hello-00).
    Never,
    /// The whole frame, its header included, by 20 octets that are derived from
    /// the four in front of it and from both opening heads (hybi-04 §5.2).
    Derived,
    /// The whole frame, its header included; the key stands in front of it
    /// (hybi-05 and -06). No bit says that a frame is masked.
    WholeFrame,
    /// The payload; the key stands behind the length, and a bit of the header
    /// says so (hybi-07 on, RFC 6455 §5.3).
    Payload,
}

/// What becomes of a frame that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// The connection fails.
    Fails,
    /// The frame is taken, with a [`Notice`](draftgate_core::Notice::Tolerated).
    Tolerated,
}

/// In the order of [`Layout::opcodes`].
const OPCODES: [Opcode; 6] = [
    Opcode::Continuation,
    Opcode::Text,
    Opcode::Binary,
    Opcode::Close,
    Opcode::Ping,
    Opcode::Pong,
];

impl Layout {
    /// What the opcode `number` stands for; `None` if for nothing.
    pub(crate) fn opcode(&self, number: u8) -> Option<Opcode> {
        let at = self.opcodes.iter().position(|known| *known == number)?;
        OPCODES.get(at).copied()
    }

    /// The top bit of the last fragment, if `fin`, or of another.
    pub(crate) fn top_bit(&self, fin: bool) -> u8 {
        match (self.top_bit, fin) {
            (TopBit::Fin, true) | (TopBit::More, false) => FIN,
            _ => 0,
        }
    }

    /// Whether the frame that begins with `first` is the last of its message.
    pub(crate) fn is_last(&self, first: u8) -> bool {
        first & FIN == self.top_bit(true)
    }

    /// Whether a key stands in front of what a client sends.
    pub(crate) fn key_in_front(&self) -> bool {
        matches!(self.masked, Masked::Derived | Masked::WholeFrame)
    }

    /// The number of `opcode`.
    pub(crate) fn number(&self, opcode: Opcode) -> u8 {
        self.opcodes[opcode as usize]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// RFC 6455.
    pub(crate) static STRICT: Layout = Layout {
        top_bit: TopBit::Fin,
        opcodes: [0x0, 0x1, 0x2, 0x8, 0x9, 0xa],
        masked: Masked::Payload,
        reserved_bits: Breach::Fails,
        long_lengths: Breach::Fails,
        long_controls: Breach::Fails,
        class: WireClass::Hybi07,
    };

    /// hybi-06.
    pub(crate) static OLD: Layout = Layout {
        top_bit: TopBit::Fin,
        opcodes: [0x0, 0x4, 0x5, 0x1, 0x2, 0x3],
        masked: Masked::WholeFrame,
        reserved_bits: Breach::Tolerated,
        long_lengths: Breach::Tolerated,
        long_controls: Breach::Tolerated,
        class: WireClass::Hybi06,
    };

    /// hybi-04.
    pub(crate) static DERIVED: Layout = Layout {
        masked: Masked::Derived,
        ..OLD
    };

    /// hybi-01 to -03.
    pub(crate) static MORE: Layout = Layout {
        top_bit: TopBit::More,
        masked: Masked::Never,
        class: WireClass::Hybi01,
        ..OLD
    };

    #[test]
    fn numbers_lead_to_their_opcodes_and_back() {
        for layout in [&STRICT, &OLD] {
            for (at, opcode) in OPCODES.into_iter().enumerate() {
                assert_eq!(layout.number(opcode), layout.opcodes[at]);
                assert_eq!(layout.opcode(layout.opcodes[at]), Some(opcode));
            }
            assert_eq!(layout.opcode(0xf), None);
        }
    }
}
