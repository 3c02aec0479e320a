//! Frames that no codec writes: lengths that are not there, messages in pieces,
//! octets under the wrong name. They are made from frames that a codec does
//! write, by turning bits of the header, so that nothing here knows how a draft
//! masks. That codec's masking keys must be zero (`FixedKeys::new([0])`), or none:
//! then a frame may be repeated.

use bytes::Bytes;
use draftgate_core::{Codec, Draft, Message, Outbox, Outgoing};

/// FIN or MORE: whichever, it says the opposite when it is turned.
const TOP_BIT: u8 = 0x80;

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
    let numbers = |draft| match draft < Draft::Hybi07 {
        true => [0, 4, 5, 2, 3],
        false => [0, 1, 2, 9, 10],
    };
    let numbers: [u8; 5] = numbers(codec.draft());
    let mut octets = binary(codec, payload);
    let turned = numbers[kind as usize] ^ numbers[Kind::Binary as usize];
    octets[header(codec)] ^= turned | if last { 0 } else { TOP_BIT };
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
    let from = header(codec) + 2;
    octets.truncate(from + 8 + 4);
    let turned = (LEAST as u64 ^ length).to_be_bytes();
    let field = octets[from..from + 8].iter_mut();
    field.zip(turned).for_each(|(octet, bits)| *octet ^= bits);
    octets
}

/// Where the header begins: behind the key, where a client's stands in front.
fn header(codec: &dyn Codec) -> usize {
    let in_front = (Draft::Hybi04..=Draft::Hybi06).contains(&codec.draft());
    if in_front && codec.wire_class().is_none() {
        4
    } else {
        0
    }
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
