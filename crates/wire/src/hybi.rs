//! The framing of hybi-07 to RFC 6455: opcode, length, masking key, payload
//! (RFC 6455 §5.2).

use byteorder::{BigEndian, ByteOrder};
use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Limits, Outbox, Rule, Violation, WireClass};

use crate::{Frame, Framing, Header, KeySource, Opcode, Part, mask};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// The longest body of a control frame, RFC 6455 §5.5.
const CONTROL_MAX: usize = 125;

/// Which side masks: always the client (RFC 6455 §5.1).
#[derive(Debug)]
pub enum Masking {
    /// We are the server: what comes must be masked, what goes is not.
    Incoming,
    /// We are the client: a fresh masking key for every frame that goes.
    Outgoing(Box<dyn KeySource>),
}

/// Frames with a header, a length in front and a payload mask.
#[derive(Debug)]
pub struct Hybi {
    masking: Masking,
    open: Option<Open>,
}

/// A data frame whose payload is still coming.
#[derive(Debug, Clone, Copy)]
struct Open {
    left: u64,
    key: Option<[u8; 4]>,
    /// Octets of the payload so far, modulo 4.
    phase: usize,
}

/// A header that lies in the input as a whole.
#[derive(Debug, Clone, Copy)]
struct Parsed {
    header: Header,
    length: u64,
    key: Option<[u8; 4]>,
    /// Octets of the header itself.
    size: usize,
}

impl Hybi {
    /// A reader and writer for one side.
    pub fn new(masking: Masking) -> Self {
        Self {
            masking,
            open: None,
        }
    }

    /// Checks every octet of the header that is there, so that a peer is
    /// refused at the first wrong one; `None` if the header is not whole.
    fn header(&self, input: &[u8], limits: &Limits) -> Result<Option<Parsed>, Violation> {
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(Rule::ReservedBits.into());
        }
        let fin = first & FIN != 0;
        let opcode = opcode(first & 0x0f)?;
        if opcode.is_control() && !fin {
            return Err(Rule::ControlFragmented.into());
        }
        let Some(&second) = input.get(1) else {
            return Ok(None);
        };
        let masked = second & MASKED != 0;
        match self.masking {
            Masking::Incoming if !masked => return Err(Rule::MaskMissing.into()),
            Masking::Outgoing(_) if masked => return Err(Rule::MaskUnexpected.into()),
            Masking::Incoming | Masking::Outgoing(_) => {}
        }
        let short = usize::from(second & !MASKED);
        if opcode.is_control() && short > CONTROL_MAX {
            return Err(Rule::ControlTooLong.into());
        }
        let key_at = match short {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let size = key_at + if masked { 4 } else { 0 };
        if input.len() < key_at {
            return Ok(None);
        }
        let length = match short {
            126 => u64::from(BigEndian::read_u16(&input[2..])),
            127 => BigEndian::read_u64(&input[2..]),
            _ => short as u64,
        };
        let shortest = match short {
            126 => 126,
            127 => 0x1_0000,
            _ => 0,
        };
        if length > i64::MAX as u64 {
            return Err(Rule::LengthOutOfRange.into());
        }
        if length < shortest {
            return Err(Rule::LengthNotMinimal.into());
        }
        if length > limits.frame {
            return Err(Rule::FrameTooBig.into());
        }
        let Some(rest) = input.get(key_at..size) else {
            return Ok(None);
        };
        Ok(Some(Parsed {
            header: Header {
                opcode,
                fin,
                length: Some(length),
            },
            length,
            key: rest.try_into().ok(),
            size,
        }))
    }

    fn payload(&mut self, mut open: Open, input: &mut BytesMut) -> Option<Part> {
        if open.left == 0 {
            self.open = None;
            return Some(Part::End);
        }
        if input.is_empty() {
            return None;
        }
        let mut run = input.split_to(open.left.min(input.len() as u64) as usize);
        if let Some(key) = open.key {
            mask(&mut run, key, open.phase);
        }
        open.left -= run.len() as u64;
        open.phase = (open.phase + run.len()) % 4;
        self.open = Some(open);
        Some(Part::Data(run))
    }
}

fn opcode(number: u8) -> Result<Opcode, Violation> {
    Ok(match number {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(Rule::UnknownOpcode.into()),
    })
}

fn number(opcode: Opcode) -> u8 {
    match opcode {
        Opcode::Continuation => 0x0,
        Opcode::Text => 0x1,
        Opcode::Binary => 0x2,
        Opcode::Close => 0x8,
        Opcode::Ping => 0x9,
        Opcode::Pong => 0xa,
    }
}

impl Framing for Hybi {
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        if let Some(open) = self.open {
            return Ok(self.payload(open, input));
        }
        let Some(parsed) = self.header(input, limits)? else {
            return Ok(None);
        };
        let there = (input.len() - parsed.size) as u64;
        if there >= parsed.length {
            input.advance(parsed.size);
            let mut payload = input.split_to(parsed.length as usize);
            if let Some(key) = parsed.key {
                mask(&mut payload, key, 0);
            }
            return Ok(Some(Part::Whole(Frame {
                opcode: parsed.header.opcode,
                fin: parsed.header.fin,
                payload,
            })));
        }
        if parsed.header.opcode.is_control() {
            return Ok(None);
        }
        input.advance(parsed.size);
        self.open = Some(Open {
            left: parsed.length,
            key: parsed.key,
            phase: 0,
        });
        Ok(Some(Part::Begin(parsed.header)))
    }

    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox) {
        let masked = match self.masking {
            Masking::Incoming => 0,
            Masking::Outgoing(_) => MASKED,
        };
        let mut header = [0; 10];
        header[0] = FIN | number(opcode);
        let size = match payload.len() {
            length @ ..=125 => {
                header[1] = length as u8;
                2
            }
            length @ 126..=0xffff => {
                header[1] = 126;
                BigEndian::write_u16(&mut header[2..], length as u16);
                4
            }
            length => {
                header[1] = 127;
                BigEndian::write_u64(&mut header[2..], length as u64);
                10
            }
        };
        header[1] |= masked;
        out.put(&header[..size]);
        match &mut self.masking {
            Masking::Incoming => out.put_shared(payload),
            Masking::Outgoing(keys) => {
                let mut key = [0; 4];
                keys.fill(&mut key);
                out.put(&key);
                out.put_with(payload, |octets| mask(octets, key, 0));
            }
        }
    }

    fn binary(&self) -> bool {
        true
    }

    fn fragments(&self) -> bool {
        true
    }

    fn control(&self) -> Option<usize> {
        Some(CONTROL_MAX)
    }

    fn filler(&self) -> Option<&'static [u8]> {
        None
    }

    fn class(&self) -> Option<WireClass> {
        matches!(self.masking, Masking::Incoming).then_some(WireClass::Hybi07)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FixedKeys;

    fn rule(octets: &[u8]) -> Option<Rule> {
        let mut framing = Hybi::new(Masking::Incoming);
        let mut input = BytesMut::from(octets);
        framing
            .read(&mut input, &Limits::default())
            .err()
            .map(|v| v.rule)
    }

    #[test]
    fn the_first_wrong_octet_is_enough() {
        assert_eq!(rule(b"\xc1"), Some(Rule::ReservedBits));
        assert_eq!(rule(b"\x83"), Some(Rule::UnknownOpcode));
        assert_eq!(rule(b"\x8b"), Some(Rule::UnknownOpcode));
        assert_eq!(rule(b"\x09"), Some(Rule::ControlFragmented));
        assert_eq!(rule(b"\x81\x05"), Some(Rule::MaskMissing));
        assert_eq!(rule(b"\x89\xfe"), Some(Rule::ControlTooLong));
        assert_eq!(rule(b"\x81"), None);
    }

    #[test]
    fn lengths_must_be_minimal_and_within_63_bits() {
        assert_eq!(rule(b"\x81\xfe\x00\x7d"), Some(Rule::LengthNotMinimal));
        assert_eq!(rule(b"\x81\xfe\x00\x7e"), None);
        assert_eq!(
            rule(b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff"),
            Some(Rule::LengthNotMinimal)
        );
        assert_eq!(
            rule(b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00"),
            Some(Rule::LengthOutOfRange)
        );
        assert_eq!(
            rule(b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"),
            Some(Rule::FrameTooBig)
        );
    }

    #[test]
    fn a_client_masks_every_frame_with_the_next_key() {
        let keys = FixedKeys::new([0x37, 0xfa, 0x21, 0x3d, 0, 0, 0, 0]);
        let mut framing = Hybi::new(Masking::Outgoing(Box::new(keys)));
        let mut out = Outbox::new();
        for _ in 0..2 {
            framing.write(Opcode::Text, &Bytes::from_static(b"Hello"), &mut out);
        }
        assert_eq!(
            &out.take_all()[..],
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x85\0\0\0\0Hello"
        );
    }

    #[test]
    fn the_three_forms_of_a_length_are_written_at_their_borders() {
        for (length, head) in [
            (125, &[0x82, 125][..]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Outbox::new();
            let payload = Bytes::from(vec![7; length]);
            Hybi::new(Masking::Incoming).write(Opcode::Binary, &payload, &mut out);
            assert_eq!(&out.take_all()[..], [head, &payload].concat());
        }
    }
}
