//! The framing of hybi-01 to RFC 6455: opcode, length, masking key, payload
//! (RFC 6455 §5.2). In which order and under which numbers is the
//! [`Layout`]'s to say.

use byteorder::{BigEndian, ByteOrder};
use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Limits, Notice, Outbox, Passed, Role, Rule, Violation, WireClass};

use crate::{
    Breach, Frame, Framing, Header, Layout, Masked, Masking, Opcode, Part,
    glance::{passed_derived, passed_frame},
    masking::PERIOD,
};

pub(crate) const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The top bit of the second octet: MASK, or RSV4 until hybi-06.
pub(crate) const MASKED: u8 = 0x80;

/// Octets of a masking key.
pub(crate) const KEY: usize = 4;

/// The longest header without a key: two octets and a 64-bit length.
pub(crate) const HEADER: usize = 10;

/// The longest body of a control frame that is sent (RFC 6455 §5.5).
pub(crate) const CONTROL_MAX: usize = 125;

/// The longest that is taken where that is [`Breach::Tolerated`]. A control
/// frame is gathered whole before it counts, so it needs a limit of its own.
pub(crate) const CONTROL_TOLERATED: u64 = 0xffff;

/// Frames with a header, a length in front and a mask.
#[derive(Debug)]
pub struct Hybi {
    pub(crate) layout: &'static Layout,
    pub(crate) masking: Masking,
    /// The reserved bits of data frames that an extension judges.
    extended: u8,
    place: Place,
}

/// Where the reader is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At the beginning of a frame, of which so many breaches were told of.
    Between {
        told: u8,
    },
    Within(Open),
}

const START: Place = Place::Between { told: 0 };

/// A data frame whose payload is still coming.
#[derive(Debug, Clone, Copy)]
struct Open {
    left: u64,
    key: Option<[u8; KEY]>,
    /// Octets that the key has covered so far, modulo its period.
    phase: u8,
}

/// A header that lies in the input as a whole.
#[derive(Debug, Clone, Copy)]
struct Parsed {
    header: Header,
    length: u64,
    key: Option<[u8; KEY]>,
    /// Octets that the key has covered before the payload.
    phase: usize,
    /// Octets of the header itself, the key included.
    size: usize,
    /// Breaches that are tolerated.
    tolerated: Tolerated,
}

type Tolerated = [Option<Rule>; 4];

/// The octets of a header as they are below a mask, as far as they are there.
struct Plain {
    octets: [u8; HEADER],
    there: usize,
}

impl Plain {
    fn get(&self, at: usize) -> Option<u8> {
        self.octets[..self.there].get(at).copied()
    }
}

impl Hybi {
    /// A reader and writer for one side.
    pub fn new(layout: &'static Layout, masking: Masking) -> Self {
        Self {
            layout,
            masking,
            extended: 0,
            place: START,
        }
    }

    /// The same, where an extension gives the reserved bits `bits` of data
    /// frames a meaning: they are handed on.
    pub(crate) fn extended(self, bits: u8) -> Self {
        Self {
            extended: bits & RESERVED,
            ..self
        }
    }

    /// The key that covers a whole frame which comes; `Err` until it is there.
    fn key_in_front(&self, input: &[u8]) -> Result<Option<[u8; KEY]>, Missing> {
        if !self.layout.key_in_front() || self.masking.is_outgoing() {
            return Ok(None);
        }
        input.first_chunk().copied().map(Some).ok_or(Missing)
    }

    /// Checks every octet of the header that is there, so that a peer is
    /// refused at the first wrong one; `None` if the header is not whole.
    fn header(&self, input: &[u8], limits: &Limits) -> Result<Option<Parsed>, Violation> {
        let Ok(in_front) = self.key_in_front(input) else {
            return Ok(None);
        };
        let from = in_front.map_or(0, |key| key.len());
        let plain = self.plain(&input[from..], in_front);
        let mut tolerated = Tolerated::default();
        let Some(first) = plain.get(0) else {
            return Ok(None);
        };
        let opcode = self.layout.opcode(first & 0x0f);
        let extended = match opcode {
            Some(opcode) if !opcode.is_control() => first & self.extended,
            _ => 0,
        };
        let mut reserved = first & RESERVED & !extended != 0;
        if reserved {
            tolerated[0] = judge(self.layout.reserved_bits, Rule::ReservedBits)?;
        }
        let fin = self.layout.is_last(first);
        let opcode = opcode.ok_or(Rule::UnknownOpcode)?;
        if opcode.is_control() && !fin {
            return Err(Rule::ControlFragmented.into());
        }
        let Some(second) = plain.get(1) else {
            return Ok(None);
        };
        let flag = second & MASKED != 0;
        let mut masked = false;
        match (self.layout.masked, self.masking.is_outgoing()) {
            (Masked::Payload, false) if !flag => {
                let unmasked = match limits.strictness.unmasked {
                    true => Breach::Tolerated,
                    false => Breach::Fails,
                };
                tolerated[3] = judge(unmasked, Rule::MaskMissing)?;
            }
            (Masked::Payload, true) if flag => return Err(Rule::MaskUnexpected.into()),
            (Masked::Payload, _) => masked = flag,
            _ => reserved |= flag,
        }
        if reserved {
            tolerated[0] = judge(self.layout.reserved_bits, Rule::ReservedBits)?;
        }
        let short = second & !MASKED;
        if opcode.is_control() && usize::from(short) > CONTROL_MAX {
            tolerated[1] = judge(self.layout.long_controls, Rule::ControlTooLong)?;
        }
        let (unmasked, shortest) = match short {
            126 => (4, 126),
            127 => (10, 0x1_0000),
            _ => (2, 0),
        };
        if plain.there < unmasked {
            return Ok(None);
        }
        let length = match short {
            126 => u64::from(BigEndian::read_u16(&plain.octets[2..])),
            127 => BigEndian::read_u64(&plain.octets[2..]),
            short => u64::from(short),
        };
        if length > i64::MAX as u64 {
            return Err(Rule::LengthOutOfRange.into());
        }
        if length < shortest {
            tolerated[2] = judge(self.layout.long_lengths, Rule::LengthNotMinimal)?;
        }
        if opcode.is_control() && length > CONTROL_TOLERATED {
            return Err(Rule::ControlTooLong.into());
        }
        if length > limits.frame {
            return Err(Rule::FrameTooBig.into());
        }
        let key_at = from + unmasked;
        let size = key_at + if masked { KEY } else { 0 };
        let Some(key) = input.get(key_at..size) else {
            return Ok(None);
        };
        Ok(Some(Parsed {
            header: Header {
                opcode,
                fin,
                reserved: extended,
                length: Some(length),
            },
            length,
            key: in_front.or_else(|| key.try_into().ok()),
            phase: if in_front.is_some() { unmasked } else { 0 },
            size,
            tolerated,
        }))
    }

    /// The front of a frame, below the key in front of it.
    fn plain(&self, input: &[u8], key: Option<[u8; KEY]>) -> Plain {
        let mut octets = [0; HEADER];
        let there = input.len().min(HEADER);
        octets[..there].copy_from_slice(&input[..there]);
        self.unmask(&mut octets[..there], key, 0);
        Plain { octets, there }
    }

    fn unmask(&self, octets: &mut [u8], key: Option<[u8; KEY]>, phase: usize) {
        if let Some(key) = key {
            self.masking.of_frame(self.layout, key).mask(octets, phase);
        }
    }

    fn payload(&mut self, mut open: Open, input: &mut BytesMut) -> Option<Part> {
        if open.left == 0 {
            self.place = START;
            return Some(Part::End);
        }
        if input.is_empty() {
            return None;
        }
        let mut run = input.split_to(open.left.min(input.len() as u64) as usize);
        self.unmask(&mut run, open.key, usize::from(open.phase));
        open.left -= run.len() as u64;
        open.phase = ((usize::from(open.phase) + run.len()) % PERIOD) as u8;
        self.place = Place::Within(open);
        Some(Part::Data(run))
    }
}

/// More octets are needed.
struct Missing;

fn judge(breach: Breach, rule: Rule) -> Result<Option<Rule>, Violation> {
    match breach {
        Breach::Fails => Err(rule.into()),
        Breach::Tolerated => Ok(Some(rule)),
    }
}

impl Framing for Hybi {
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        let told = match self.place {
            Place::Within(open) => return Ok(self.payload(open, input)),
            Place::Between { told } => told,
        };
        let Some(parsed) = self.header(input, limits)? else {
            return Ok(None);
        };
        let breach = parsed
            .tolerated
            .into_iter()
            .flatten()
            .nth(usize::from(told));
        if let Some(rule) = breach {
            self.place = Place::Between { told: told + 1 };
            return Ok(Some(Part::Noticed(Notice::Tolerated { rule })));
        }
        let there = (input.len() - parsed.size) as u64;
        if there >= parsed.length {
            self.place = START;
            input.advance(parsed.size);
            let mut payload = input.split_to(parsed.length as usize);
            self.unmask(&mut payload, parsed.key, parsed.phase);
            return Ok(Some(Part::Whole(Frame {
                opcode: parsed.header.opcode,
                fin: parsed.header.fin,
                reserved: parsed.header.reserved,
                payload,
            })));
        }
        if parsed.header.opcode.is_control() {
            return Ok(None);
        }
        input.advance(parsed.size);
        self.place = Place::Within(Open {
            left: parsed.length,
            key: parsed.key,
            phase: parsed.phase as u8,
        });
        Ok(Some(Part::Begin(parsed.header)))
    }

    fn pass<'i>(&self, input: &'i mut [u8], most: usize) -> Option<Passed<'i>> {
        if !matches!(self.place, Place::Between { told: 0 }) {
            return None;
        }
        match (self.layout.masked, self.masking.is_outgoing()) {
            (Masked::Derived, false) => {
                let key = self.masking.of_frame(self.layout, *input.first_chunk()?);
                passed_derived(input, self.layout, &key, most)
            }
            (masked, outgoing) => {
                let masked = if outgoing { Masked::Never } else { masked };
                passed_frame(input, self.layout, masked, most)
            }
        }
    }

    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox) {
        self.write_fragment(opcode, true, payload, out);
    }

    fn write_copied(&mut self, opcode: Opcode, payload: &[u8], out: &mut Outbox) {
        self.write_copied_fragment(opcode, true, payload, out);
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
        (!self.masking.is_outgoing()).then_some(self.layout.class)
    }

    fn role(&self) -> Option<Role> {
        Some(self.masking.role())
    }

    fn connection_mask(&self) -> Option<[u8; PERIOD]> {
        self.masking.connection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        FixedKeys,
        layout::tests::{MORE, OLD, STRICT},
    };

    fn rule(octets: &[u8]) -> Option<Rule> {
        let mut framing = Hybi::new(&STRICT, Masking::incoming());
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

    /// What an old server makes of a client's frames, read to the end of `octets`.
    fn old(octets: &[u8]) -> Result<Vec<Part>, Rule> {
        let mut framing = Hybi::new(&OLD, Masking::incoming());
        let mut input = BytesMut::from(octets);
        let mut parts = Vec::new();
        let limits = Limits::default();
        while let Some(part) = framing.read(&mut input, &limits).map_err(|v| v.rule)? {
            parts.push(part);
        }
        Ok(parts)
    }

    fn tolerated(rule: Rule) -> Part {
        Part::Noticed(Notice::Tolerated { rule })
    }

    #[test]
    fn where_a_breach_is_tolerated_it_is_told_of_once_and_the_frame_counts() {
        // No key of zeros changes anything: what stands behind it is plain.
        let ping = [&b"\0\0\0\0\xf2\xfe\0\x7e"[..], &[b'x'; 126]].concat();
        let parts = old(&[&ping[..], b"\0\0\0\0\x84\x7e\0\x01a"].concat()).unwrap();
        assert_eq!(parts[0], tolerated(Rule::ReservedBits));
        assert_eq!(parts[1], tolerated(Rule::ControlTooLong));
        assert!(matches!(&parts[2], Part::Whole(f) if f.opcode == Opcode::Ping));
        assert_eq!(parts[3], tolerated(Rule::LengthNotMinimal));
        assert!(matches!(&parts[4], Part::Whole(f) if &f.payload[..] == b"a"));
        assert_eq!(parts.len(), 5);
    }

    #[test]
    fn what_is_tolerated_has_its_limits() {
        let endless = b"\0\0\0\0\x82\x7f\0\0\0\0\0\x01\0\0";
        assert_eq!(old(endless), Err(Rule::ControlTooLong));
        assert_eq!(old(b"\0\0\0\0\x86"), Err(Rule::UnknownOpcode));
        assert_eq!(old(b"\0\0\0\0\x03"), Err(Rule::ControlFragmented));
        assert_eq!(old(b"\0\0\0\0"), Ok(Vec::new()));
    }

    #[test]
    fn where_the_top_bit_is_more_it_says_the_opposite_and_nobody_masks() {
        for role in [Role::Client, Role::Server] {
            let keys = Box::new(FixedKeys::new([1]));
            let masking = match role {
                Role::Client => Masking::outgoing(keys),
                Role::Server => Masking::incoming(),
            };
            let mut framing = Hybi::new(&MORE, masking);
            let mut out = Outbox::new();
            let part = Bytes::from_static;
            framing.write(Opcode::Text, &part(b"Hello"), &mut out);
            framing.write(Opcode::Ping, &part(b"Hello"), &mut out);
            framing.write_fragment(Opcode::Text, false, &part(b"Hel"), &mut out);
            framing.write_fragment(Opcode::Continuation, true, &part(b"lo"), &mut out);
            let octets = out.take_all();
            let want = b"\x04\x05Hello\x02\x05Hello\x84\x03Hel\0\x02lo";
            assert_eq!(&octets[..], want, "{role}");
            let mut input = BytesMut::from(&octets[..]);
            let mut ends = Vec::new();
            while let Some(part) = framing.read(&mut input, &Limits::default()).unwrap() {
                let Part::Whole(frame) = part else {
                    panic!("{part:?}");
                };
                ends.push(frame.fin);
            }
            assert_eq!(ends, [true, true, false, true], "{role}");
            let mut cut = BytesMut::from(&b"\x82\x05Hello"[..]);
            let broken = framing.read(&mut cut, &Limits::default());
            assert_eq!(broken.unwrap_err().rule, Rule::ControlFragmented);
        }
    }

    #[test]
    fn a_key_in_front_covers_header_length_and_payload() {
        let keys = || Box::new(FixedKeys::new([0x37, 0xfa, 0x21, 0x3d]));
        for length in [0, 5, 125, 126, 0xffff, 0x1_0000] {
            let payload = Bytes::from(vec![b'x'; length]);
            let mut out = Outbox::new();
            Hybi::new(&OLD, Masking::outgoing(keys())).write(Opcode::Binary, &payload, &mut out);
            let octets = out.take_all();
            assert_eq!(octets[..4], [0x37, 0xfa, 0x21, 0x3d]);
            assert_eq!(octets[4], 0x85 ^ 0x37);
            let parts = old(&octets).unwrap();
            let [Part::Whole(frame)] = &parts[..] else {
                panic!("{length}: {parts:?}");
            };
            assert_eq!(frame.payload, payload, "{length}");
        }
    }
}
