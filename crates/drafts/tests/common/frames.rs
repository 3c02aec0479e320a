//! Frames of hybi-01 to RFC 6455 as a peer sends them, laid out by hand from
//! the texts: tests write each frame once, unmasked and under RFC 6455's
//! opcodes, and here it becomes that of every draft. Shares nothing with the
//! codecs, which it judges.

use draftgate_core::{Draft, Role};
use proptest::prelude::*;
use sha1::{Digest, Sha1};

/// The masking key of the drafts' examples.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The connection's key in hybi-04, of the opening in [`pair`](super::pair): the
/// SHA-1 of the texts of "the sample nonce", of four times [`KEY`], and of the GUID.
const CONNECTION_KEY: [u8; 20] = [
    0x42, 0x5a, 0xaa, 0xc7, 0x61, 0x40, 0x53, 0x3e, 0xf3, 0x44, 0xa2, 0x2c, 0xad, 0x2a, 0x72, 0xf8,
    0x53, 0x62, 0x91, 0xe1,
];

/// Opcodes of RFC 6455 and what they were until hybi-06. What RFC 6455
/// reserves is told to what hybi-06 reserves.
const OLD: [u8; 16] = [0, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 11, 12, 13, 14, 15];

/// `unmasked` frames of RFC 6455 as the peer of `reader` sends them in
/// `draft`. The last one may be cut off anywhere.
pub(crate) fn from_peer(draft: Draft, reader: Role, unmasked: &[u8]) -> Vec<u8> {
    masked_with(draft, reader, KEY, unmasked)
}

/// The same under another masking key.
pub(crate) fn masked_with(draft: Draft, reader: Role, key: [u8; 4], unmasked: &[u8]) -> Vec<u8> {
    let (mut rest, mut octets) = (unmasked, Vec::new());
    while !rest.is_empty() {
        let (head, length) = extent(rest);
        let (front, behind) = rest.split_at(head.min(rest.len()));
        let (payload, behind) = behind.split_at(length.min(behind.len()));
        octets.extend(frame(draft, reader, key, front, payload));
        rest = behind;
    }
    octets
}

/// Octets of the first frame's header and of its payload.
fn extent(frame: &[u8]) -> (usize, usize) {
    match frame.get(1).map_or(0, |second| second & 0x7f) {
        126 => match frame.get(2..4) {
            Some(length) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
            None => (4, 0),
        },
        127 => match frame.get(2..10) {
            Some(length) => (10, u64::from_be_bytes(length.try_into().unwrap()) as usize),
            None => (10, 0),
        },
        short => (2, usize::from(short)),
    }
}

fn frame(draft: Draft, reader: Role, key: [u8; 4], front: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut front = front.to_vec();
    if draft < Draft::Hybi07 {
        front[0] = front[0] & 0xf0 | OLD[usize::from(front[0] & 0x0f)];
    }
    if (Draft::Hybi01..=Draft::Hybi03).contains(&draft) {
        // MORE in the place of FIN, and nobody masks.
        front[0] ^= 0x80;
        return [&front[..], payload].concat();
    }
    if reader == Role::Client || draft == Draft::Hello00 {
        return [&front[..], payload].concat();
    }
    let whole = [&front[..], payload].concat();
    if draft == Draft::Hybi04 {
        let of_frame = Sha1::new().chain_update(key).chain_update(CONNECTION_KEY);
        return [&key[..], &xor(&whole, &of_frame.finalize())].concat();
    }
    if draft < Draft::Hybi07 {
        return [&key[..], &xor(&whole, &key)].concat();
    }
    let Some(second) = front.get_mut(1) else {
        return front;
    };
    *second |= 0x80;
    [&front[..], &key, &xor(payload, &key)].concat()
}

/// A piece of what a peer sends.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// As it is.
    Octets(Vec<u8>),
    /// A frame of RFC 6455, to be laid out as the draft does, under this key.
    Frame([u8; 4], Vec<u8>),
}

/// Octets that often look like frames of some draft.
pub(crate) fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let short = || prop::collection::vec(any::<u8>(), 0..20);
    let payload = prop::collection::vec(any::<u8>(), 0..126);
    let frame = (any::<[u8; 4]>(), any::<u8>(), any::<u8>(), payload).prop_map(
        |(key, first, odd, payload)| {
            // Mostly opcodes that are defined, and no reserved bits.
            let first = match first % 8 {
                0 => first,
                pick => first & 0x80 | [0, 1, 2, 8, 9, 10, 1][usize::from(pick) - 1],
            };
            let length = payload.len();
            let head = match odd % 8 {
                0 => vec![first, 126, 0, length as u8],
                1 => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
                2 => vec![first, odd >> 1],
                _ => vec![first, length as u8],
            };
            Piece::Frame(key, [head, payload].concat())
        },
    );
    let piece = prop_oneof![
        1 => short().prop_map(Piece::Octets),
        1 => short().prop_map(|p| Piece::Octets([&[0][..], &p, &[0xff]].concat())),
        1 => Just(Piece::Octets(vec![0xff, 0x00])),
        1 => Just(Piece::Octets(vec![0x80, 0x03, 1, 2, 3])),
        4 => frame,
    ];
    prop::collection::vec(piece, 0..8)
}

/// `pieces` as the peer of `role` sends them in `draft`.
pub(crate) fn octets(draft: Draft, role: Role, pieces: &[Piece]) -> Vec<u8> {
    let octets = pieces.iter().map(|piece| match piece {
        Piece::Octets(octets) => octets.clone(),
        Piece::Frame(key, frame) => masked_with(draft, role, *key, frame),
    });
    octets.collect::<Vec<_>>().concat()
}

fn xor(octets: &[u8], key: &[u8]) -> Vec<u8> {
    let keys = key.iter().cycle();
    octets.iter().zip(keys).map(|(o, key)| o ^ key).collect()
}
