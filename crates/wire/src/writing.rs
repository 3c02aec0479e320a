//! How headers and lengths are written. A header goes into the outbox together
//! with its masking key and payload, because room is made once for all three.

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;
use draftgate_core::{COPIED, Outbox};

use crate::{
    Hybi, Masked, Opcode,
    hybi::{HEADER, MASKED},
    mask,
};

impl Hybi {
    /// Writes one frame of a message, its last one if `fin` (RFC 6455 §5.4). The
    /// machine sends whole messages; this is for who shows what fragments look
    /// like. The caller sees to it that a message begins with its own opcode,
    /// goes on with [`Opcode::Continuation`], and that control frames are whole.
    pub fn write_fragment(&mut self, opcode: Opcode, fin: bool, payload: &Bytes, out: &mut Outbox) {
        self.write_first(self.first(opcode, fin), payload, out);
    }

    /// Writes a whole message in one frame, with an extension's `bits` set.
    pub(crate) fn write_reserved(
        &mut self,
        opcode: Opcode,
        bits: u8,
        payload: &Bytes,
        out: &mut Outbox,
    ) {
        self.write_first(self.first(opcode, true) | bits, payload, out);
    }

    fn write_first(&mut self, first: u8, payload: &Bytes, out: &mut Outbox) {
        if payload.len() <= COPIED || self.masks() {
            return self.write_copied_first(first, payload, out);
        }
        let (header, size) = bare(first, payload.len());
        out.put(&header[..size]);
        out.put_shared(payload);
    }

    pub(crate) fn write_copied_fragment(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        self.write_copied_first(self.first(opcode, fin), payload, out);
    }

    #[inline]
    fn write_copied_first(&mut self, first: u8, payload: &[u8], out: &mut Outbox) {
        let masks = self.masks();
        if let (false, short @ ..=125) = (masks, payload.len()) {
            return out.put_framed([first, short as u8], payload, []);
        }
        let (mut header, size) = bare(first, payload.len());
        let header = &mut header[..size];
        let key = if masks { self.masking.fresh() } else { None };
        let Some(key) = key else {
            return out.put_all([header, payload]);
        };
        if self.layout.masked == Masked::Payload {
            header[1] |= MASKED;
            return out.put_with([header, &key, payload], |octets| mask(octets, key, 0));
        }
        let of_frame = self.masking.of_frame(self.layout, key);
        of_frame.mask(header, 0);
        out.put_with([&key, header, payload], |octets| {
            of_frame.mask(octets, size);
        });
    }

    fn masks(&self) -> bool {
        self.layout.masked != Masked::Never && self.masking.is_outgoing()
    }

    /// The first octet of a frame without an extension.
    #[inline]
    fn first(&self, opcode: Opcode, fin: bool) -> u8 {
        self.layout.top_bit(fin) | self.layout.number(opcode)
    }
}

/// A header without a key, and how many octets of it count.
#[inline]
fn bare(first: u8, length: usize) -> ([u8; HEADER], usize) {
    let mut header = [0; HEADER];
    header[0] = first;
    let size = match length {
        ..=125 => {
            header[1] = length as u8;
            2
        }
        126..=0xffff => {
            header[1] = 126;
            BigEndian::write_u16(&mut header[2..], length as u16);
            4
        }
        _ => {
            header[1] = 127;
            BigEndian::write_u64(&mut header[2..], length as u64);
            10
        }
    };
    (header, size)
}

/// Appends `length` in the groups that [`Sentinel`](crate::Sentinel) reads.
pub(crate) fn put_length(length: u64, out: &mut Outbox) {
    let groups = (64 - length.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        out.put(&[(length >> (7 * group)) as u8 & 0x7f | more]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedKeys, Framing, Masking, layout::tests::STRICT};

    #[test]
    fn a_client_masks_every_frame_with_the_next_key() {
        let keys = FixedKeys::new([0x37, 0xfa, 0x21, 0x3d, 0, 0, 0, 0]);
        let mut framing = Hybi::new(&STRICT, Masking::outgoing(Box::new(keys)));
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
            Hybi::new(&STRICT, Masking::incoming()).write(Opcode::Binary, &payload, &mut out);
            assert_eq!(&out.take_all()[..], [head, &payload].concat());
        }
    }

    #[test]
    fn fragments_say_whether_they_are_the_last() {
        let mut out = Outbox::new();
        let mut framing = Hybi::new(&STRICT, Masking::incoming());
        framing.write_fragment(Opcode::Text, false, &Bytes::from_static(b"Hel"), &mut out);
        framing.write_fragment(
            Opcode::Continuation,
            true,
            &Bytes::from_static(b"lo"),
            &mut out,
        );
        assert_eq!(&out.take_all()[..], b"\x01\x03Hel\x80\x02lo");
    }

    #[test]
    fn lengths_are_written_as_the_text_has_them() {
        for (length, want) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x81, 0x00]),
            (255, &[0x81, 0x7f]),
            (300, &[0x82, 0x2c]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x81, 0x80, 0x00]),
            (2 << 20, &[0x81, 0x80, 0x80, 0x00]),
        ] {
            let mut out = Outbox::new();
            put_length(length, &mut out);
            assert_eq!(&out.take_all()[..], want, "{length}");
        }
    }
}
