//! Frames that no codec writes: lengths that are not there, messages in pieces,
//! octets under the wrong name. They are made from frames that a codec does
//! write, so that nothing here knows how a draft lays out its header. That
//! codec's masking keys must be zero (`FixedKeys::new([0])`), or none: then the
//! octets of a header lie open.

use bytes::Bytes;
use draftgate_core::{Codec, Message, Outbox, Outgoing};

const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;

/// What a forged frame says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A further fragment.
    Continuation,
    /// Text, whatever its octets are.
    Text,
    /// Binary.
    Binary,
    /// A ping, of any length.
    Ping,
    /// A pong, of any length.
    Pong,
}

/// Whether the draft has frames with a header: the others, hixie-75 and -76,
/// have none that could be forged here, only lengths.
pub fn has_headers(codec: &dyn Codec) -> bool {
    codec.capabilities().fragments
}

/// A frame of `kind` around `payload`, the last of its message or not.
///
/// # Panics
/// If the draft has no headers, or `codec` may not send.
pub fn frame(codec: &mut dyn Codec, kind: Kind, payload: &[u8], last: bool) -> Vec<u8> {
    let mut opcode = |what| {
        let like = say(codec, what);
        like[header(&like)] & OPCODE
    };
    let opcode = match kind {
        Kind::Continuation => 0,
        Kind::Text => opcode(Outgoing::Message("".into())),
        Kind::Binary => opcode(Outgoing::Message(Message::Binary(Bytes::new()))),
        Kind::Ping => opcode(Outgoing::Ping(Bytes::new())),
        Kind::Pong => opcode(Outgoing::Pong(Bytes::new())),
    };
    let mut octets = binary(codec, payload);
    let at = header(&octets);
    octets[at] = opcode | if last { FIN } else { 0 };
    octets
}

/// The beginning of a frame whose header says that `length` octets follow. With
/// headers it is binary, and at most four octets do follow; without, it is an
/// `80` frame of hixie-76 §5.3.
///
/// # Panics
/// If `codec` may not send.
pub fn announcing(codec: &mut dyn Codec, length: u64) -> Vec<u8> {
    if !has_headers(codec) {
        return [&[0x80][..], &groups(length)].concat();
    }
    // 64 KiB is the least that takes the long form.
    const LEAST: usize = 0x1_0000;
    let mut octets = binary(codec, &[0; LEAST]);
    let from = header(&octets) + 2;
    octets.truncate(from + 8 + 4);
    let field = &mut octets[from..from + 8];
    assert_eq!(field, (LEAST as u64).to_be_bytes(), "the 64-bit length");
    field.copy_from_slice(&length.to_be_bytes());
    octets
}

/// Where the header begins: behind a key of zeros, if that comes first.
fn header(octets: &[u8]) -> usize {
    let at = octets.iter().position(|octet| *octet != 0);
    at.expect("FIN is set in a whole frame")
}

/// Seven bits an octet, the highest first.
fn groups(length: u64) -> Vec<u8> {
    let count = (u64::BITS - length.leading_zeros()).div_ceil(7).max(1);
    let group = |n| (length >> (7 * n)) as u8 & 0x7f | if n == 0 { 0 } else { 0x80 };
    (0..count).rev().map(group).collect()
}

fn binary(codec: &mut dyn Codec, payload: &[u8]) -> Vec<u8> {
    let message = Message::Binary(Bytes::copy_from_slice(payload));
    say(codec, Outgoing::Message(message))
}

fn say(codec: &mut dyn Codec, what: Outgoing) -> Vec<u8> {
    let mut out = Outbox::new();
    codec.send(what, &mut out).expect("the codec may send it");
    out.take_all().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_as_many_groups_as_they_need() {
        for (length, want) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (300, &[0x82, 0x2c]),
            (
                u64::MAX,
                &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ),
        ] {
            assert_eq!(groups(length), want, "{length}");
        }
    }
}
