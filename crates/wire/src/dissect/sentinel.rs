//! A frame of hixie-75 and -76, field by field (hixie-76 §5.3).

use bytes::Bytes;
use draftgate_core::{Closing, Rule};

use super::{
    Kind,
    stream::Found,
    values::{Fields, hex},
};
use crate::{
    Opcode,
    sentinel::{BINARY, END, MAX_LENGTH_GROUPS, TEXT},
};

const DISCARDED: &str = "of a type that the draft does not define: receivers discard the frame";

/// The frame at the front of `rest`, which is not empty.
pub(super) fn frame(closing: Closing, rest: &Bytes) -> Found {
    let frame_type = rest[0];
    let mut fields = Fields::default();
    let named = fields.put(
        "frame type",
        Kind::FrameType,
        8,
        format!("{frame_type:02x}"),
    );
    if frame_type >= BINARY {
        return with_length(closing, rest, fields);
    }
    match frame_type {
        TEXT => named.noting("text, up to the next ff"),
        _ => named.noting(DISCARDED),
    };
    let end = memchr::memchr(END, &rest[1..]);
    let behind = end.map_or(rest.len(), |length| 1 + length);
    Found {
        opcode: (frame_type == TEXT).then_some(Opcode::Text),
        discarded: frame_type != TEXT,
        fin: true,
        header_is_whole: true,
        payload: rest.slice(1..behind),
        terminated: end.is_some(),
        cut_off: end.is_none(),
        ..Found::new(fields)
    }
}

/// A frame of type `80` to `FF`: base 128, most significant group first.
fn with_length(closing: Closing, rest: &Bytes, mut fields: Fields) -> Found {
    let frame_type = rest[0];
    let most = MAX_LENGTH_GROUPS as usize;
    let groups = &rest[1..];
    let last = groups.iter().position(|octet| octet & 0x80 == 0);
    let size = last.map_or(groups.len(), |at| at + 1);
    if size > most {
        let at_bit = fields.bit();
        let shown = &groups[..most + 1];
        fields.put("length", Kind::Length, 8 * shown.len() as u64, hex(shown));
        return Found {
            breach: Some((at_bit, Rule::LengthOutOfRange)),
            ..Found::new(fields)
        };
    }
    if last.is_none() {
        if size > 0 {
            fields
                .put("length", Kind::Length, 8 * size as u64, hex(groups))
                .noting("cut off: bit 7 says that more octets follow");
        }
        return Found {
            cut_off: true,
            ..Found::new(fields)
        };
    }
    let groups = &groups[..size];
    let length = groups.iter().fold(0, |length: u64, octet| {
        length << 7 | u64::from(octet & 0x7f)
    });
    let closes = (frame_type, length) == (END, 0) && closing == Closing::Marker;
    if let Some(first) = fields.first() {
        first.noting(match (closes, frame_type) {
            (true, _) => "with a length of 0, the closing handshake",
            (_, BINARY) => {
                "with a length: receivers discard the frame, where it is not agreed to be binary"
            }
            _ => DISCARDED,
        });
    }
    let put = fields.put("length", Kind::Length, 8 * size as u64, length.to_string());
    if size > 1 {
        put.noting("base 128, most significant group first");
    }
    let there = rest.len() - 1 - size;
    let payload = rest.slice(1 + size..1 + size + (there as u64).min(length) as usize);
    Found {
        opcode: closes.then_some(Opcode::Close),
        discarded: !closes,
        fin: true,
        header_is_whole: true,
        cut_off: (payload.len() as u64) < length,
        lacking: usize::try_from(length - payload.len() as u64).unwrap_or(usize::MAX),
        payload,
        ..Found::new(fields)
    }
}
