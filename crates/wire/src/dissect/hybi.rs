//! A frame with opcode, length and masking key, field by field (RFC 6455
//! §5.2), in the order in which the [`Layout`] has them.
//!
//! The rules are asked in the order in which the codec meets their octets, so
//! that both name the same one first.

use byteorder::{BigEndian, ByteOrder};
use bytes::{Bytes, BytesMut};
use draftgate_core::{Role, Rule};

use super::{
    Kind,
    stream::Found,
    values::{Fields, hex, noted_hex},
};
use crate::{
    Breach, Derived, Layout, Masked, Opcode, TopBit,
    hybi::{CONTROL_MAX, CONTROL_TOLERATED, FIN, HEADER, KEY, MASKED},
    mask,
    masking::PERIOD,
};

/// The frame at the front of `rest`, which is not empty.
pub(super) fn frame(
    (layout, extended): (&'static Layout, u8),
    derived: Option<Derived>,
    from: Role,
    rest: &Bytes,
) -> Found {
    Reader {
        layout,
        extended,
        derived,
        from,
        rest,
        key: None,
        found: Found::new(Fields::default()),
    }
    .read()
}

struct Reader<'a> {
    layout: &'static Layout,
    /// The reserved bits of data frames that an extension judges.
    extended: u8,
    /// What the keys of [`Masked::Derived`] are made from, if it is known.
    derived: Option<Derived>,
    from: Role,
    rest: &'a Bytes,
    /// The masking key, if it covers the header.
    key: Option<[u8; KEY]>,
    found: Found,
}

impl Reader<'_> {
    fn read(mut self) -> Found {
        if self.layout.key_in_front() && self.from == Role::Client {
            match self.rest.first_chunk() {
                Some(key) => {
                    self.key = Some(*key);
                    let note = match self.layout.masked {
                        Masked::Derived => {
                            "hashed with what both heads say, it covers the whole frame behind it"
                        }
                        _ => "covers the whole frame behind it",
                    };
                    self.key_field().noting(note);
                }
                None => {
                    self.cut("masking key", Kind::MaskingKey, KEY);
                    return self.found;
                }
            }
        }
        let plain = self.plain();
        let begin = self.key.map_or(0, |key| key.len());
        let Some(opcode) = self.first(plain.first().copied()) else {
            return self.found;
        };
        let Some((short, masked)) = self.second(plain.get(1).copied(), opcode) else {
            return self.found;
        };
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = match plain.get(2..2 + extended) {
            Some([]) => u64::from(short),
            Some(octets) => self.extended(octets, begin),
            None => {
                self.cut("extended payload length", Kind::Length, extended);
                return self.found;
            }
        };
        if length > i64::MAX as u64 {
            self.breach(self.found.fields.bit() - 64, Rule::LengthOutOfRange);
            return self.found;
        }
        self.judge_length(short, length, opcode);
        let header = 2 + extended;
        let mut payload_at = begin + header;
        let mut key = self.key.map(|key| (key, header));
        if masked {
            let Some(octets) = self.rest[payload_at..].first_chunk() else {
                self.cut("masking key", Kind::MaskingKey, KEY);
                return self.found;
            };
            key = Some((*octets, 0));
            let value = hex(octets);
            self.found
                .fields
                .put("masking key", Kind::MaskingKey, 32, value);
            payload_at += KEY;
        }
        let there = self.rest.len() - payload_at;
        let end = payload_at + (there as u64).min(length) as usize;
        self.found.payload = self.rest.slice(payload_at..end);
        if let Some((key, phase)) = key {
            let mut payload = BytesMut::from(&self.found.payload[..]);
            self.unmask(&mut payload, key, phase);
            self.found.payload = payload.freeze();
        }
        self.found.mask = key.map_or_else(Bytes::new, |(key, _)| self.repeated(key));
        self.found.cut_off = (there as u64) < length;
        self.found.lacking =
            usize::try_from(length - (length.min(there as u64))).unwrap_or(usize::MAX);
        self.found.header_is_whole = true;
        self.found
    }

    /// The front of the frame, below a key that covers it.
    fn plain(&self) -> Vec<u8> {
        let from = self.key.map_or(0, |key| key.len());
        let end = self.rest.len().min(from + HEADER);
        let mut plain = self.rest[from..end].to_vec();
        if let Some(key) = self.key {
            self.unmask(&mut plain, key, 0);
        }
        plain
    }

    fn unmask(&self, octets: &mut [u8], key: [u8; KEY], phase: usize) {
        match self.layout.masked {
            Masked::Derived => {
                let derived = self.derived.unwrap_or_default();
                derived.of_frame(key).mask(octets, phase);
            }
            _ => mask(octets, key, phase),
        }
    }

    /// What is repeated over the octets below `key`.
    fn repeated(&self, key: [u8; KEY]) -> Bytes {
        let period = match self.layout.masked {
            Masked::Derived => PERIOD,
            _ => KEY,
        };
        let mut octets = BytesMut::zeroed(period);
        self.unmask(&mut octets, key, 0);
        octets.freeze()
    }

    /// FIN, the reserved bits and the opcode; `None` if they are not there or
    /// the frame ends with them.
    fn first(&mut self, octet: Option<u8>) -> Option<Option<Opcode>> {
        let Some(octet) = octet else {
            self.found.cut_off = true;
            return None;
        };
        let begin = self.found.fields.bit();
        let fin = self.layout.is_last(octet);
        let name = match self.layout.top_bit {
            TopBit::Fin => "FIN",
            TopBit::More => "MORE",
        };
        let set = bit(octet & FIN != 0);
        let put = self.found.fields.put(name, Kind::Flag, 1, set);
        if !fin {
            put.noting("more fragments follow");
        }
        let number = octet & 0x0f;
        let opcode = self.layout.opcode(number);
        let extended = match opcode {
            Some(opcode) if !opcode.is_control() => self.extended,
            _ => 0,
        };
        self.found.extended = octet & extended;
        for (at, name) in ["RSV1", "RSV2", "RSV3"].into_iter().enumerate() {
            let bit = 0x40 >> at;
            match extended & bit != 0 {
                true => self.flag(name, octet & bit != 0),
                false => self.reserved(name, octet & bit != 0),
            }
        }
        let value = match opcode {
            Some(opcode) => format!("{number:x} ({})", opcode.name()),
            None => format!("{number:x}"),
        };
        let wire = self.wire(0, 1);
        let put = self.found.fields.put("opcode", Kind::Opcode, 4, value);
        if opcode.is_none() {
            put.noting("not defined in this draft");
        }
        if let Some(wire) = wire {
            put.noting(wire);
        }
        (self.found.opcode, self.found.fin) = (opcode, fin);
        match opcode {
            None => self.breach(begin + 4, Rule::UnknownOpcode),
            Some(opcode) if opcode.is_control() && !fin => {
                self.breach(begin, Rule::ControlFragmented);
            }
            Some(_) => {}
        }
        Some(opcode)
    }

    /// MASK or RSV4, and the short length; whether a key follows.
    fn second(&mut self, octet: Option<u8>, opcode: Option<Opcode>) -> Option<(u8, bool)> {
        let Some(octet) = octet else {
            self.found.cut_off = true;
            return None;
        };
        let flag = octet & MASKED != 0;
        let masked = match self.layout.masked {
            Masked::Never | Masked::Derived | Masked::WholeFrame => {
                self.reserved("RSV4", flag);
                false
            }
            Masked::Payload => {
                let at = self.found.fields.bit();
                self.found.fields.put("MASK", Kind::Flag, 1, bit(flag));
                match (self.from, flag) {
                    (Role::Client, false) => self.breach(at, Rule::MaskMissing),
                    (Role::Server, true) => self.breach(at, Rule::MaskUnexpected),
                    _ => {}
                }
                flag
            }
        };
        let short = octet & !MASKED;
        let wire = self.wire(1, 1);
        let at = self.found.fields.bit();
        let name = "payload length";
        let put = self
            .found
            .fields
            .put(name, Kind::Length, 7, short.to_string());
        match short {
            126 => drop(put.noting("the length is in the next 16 bits")),
            127 => drop(put.noting("the length is in the next 64 bits")),
            _ => {}
        }
        if let Some(wire) = wire {
            put.noting(wire);
        }
        if opcode.is_some_and(Opcode::is_control) && usize::from(short) > CONTROL_MAX {
            self.judge(self.layout.long_controls, at, Rule::ControlTooLong);
        }
        Some((short, masked))
    }

    fn extended(&mut self, octets: &[u8], begin: usize) -> u64 {
        let length = BigEndian::read_uint(octets, octets.len());
        let bits = 8 * octets.len() as u64;
        let name = "extended payload length";
        let wire = self.wire(2, octets.len());
        debug_assert_eq!(self.found.fields.bit(), 8 * (begin as u64 + 2));
        let put = self
            .found
            .fields
            .put(name, Kind::Length, bits, length.to_string());
        if let Some(wire) = wire {
            put.noting(wire);
        }
        length
    }

    fn judge_length(&mut self, short: u8, length: u64, opcode: Option<Opcode>) {
        let (bits, shortest) = match short {
            126 => (16, 126),
            127 => (64, 0x1_0000),
            _ => (7, 0),
        };
        let at = self.found.fields.bit() - bits;
        if length < shortest {
            self.judge(self.layout.long_lengths, at, Rule::LengthNotMinimal);
        }
        if opcode.is_some_and(Opcode::is_control) && length > CONTROL_TOLERATED {
            self.breach(at, Rule::ControlTooLong);
        }
    }

    fn flag(&mut self, name: &str, set: bool) {
        self.found.fields.put(name, Kind::Reserved, 1, bit(set));
    }

    fn reserved(&mut self, name: &str, set: bool) {
        let at = self.found.fields.bit();
        self.flag(name, set);
        if set {
            self.judge(self.layout.reserved_bits, at, Rule::ReservedBits);
        }
    }

    /// What was found at the field put last, which the layout may let pass.
    fn judge(&mut self, breach: Breach, at: u64, rule: Rule) {
        match breach {
            Breach::Fails => self.breach(at, rule),
            Breach::Tolerated => {
                if !self.found.tolerated.contains(&rule) {
                    self.found.tolerated.push(rule);
                }
                if let Some(last) = self.found.fields.last() {
                    last.noting(format!("{rule}, which this draft lets pass"));
                }
            }
        }
    }

    fn breach(&mut self, at: u64, rule: Rule) {
        self.found.breach.get_or_insert((at, rule));
    }

    fn key_field(&mut self) -> &mut super::Field {
        let value = hex(&self.rest[..KEY]);
        self.found
            .fields
            .put("masking key", Kind::MaskingKey, 32, value)
    }

    /// What stands on the wire in the place of `octets` of the header, if that
    /// is another thing.
    fn wire(&self, at: usize, octets: usize) -> Option<String> {
        let begin = self.key?.len() + at;
        let wire = self.rest.get(begin..begin + octets)?;
        Some(format!("masked: {} on the wire", noted_hex(wire)))
    }

    /// A field of `size` octets of which not all are there.
    fn cut(&mut self, name: &str, kind: Kind, size: usize) {
        self.found.cut_off = true;
        let begin = (self.found.fields.bit() / 8) as usize;
        let there = &self.rest[begin..];
        if !there.is_empty() {
            let note = format!("cut off: {} of {size} octets", there.len());
            let bits = 8 * there.len() as u64;
            self.found
                .fields
                .put(name, kind, bits, hex(there))
                .noting(note);
        }
    }
}

fn bit(set: bool) -> &'static str {
    if set { "1" } else { "0" }
}
