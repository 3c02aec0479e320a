//! Frames that no codec of ours writes: lengths that are not there, messages
//! in pieces. They are made from frames that it does write, so that nothing
//! here knows how a draft lays out its header; only the two families are told
//! apart, those that announce lengths in fields and those of hixie.

use bytes::Bytes;
use draftgate_core::{Message, Outgoing};

use crate::peer::Peer;

const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;

/// Its header says that this many octets follow, and none does.
pub(crate) fn announcing(peer: &mut Peer, length: u64) -> Vec<u8> {
    if !peer.codec.capabilities().fragments {
        return [&[0x80][..], &groups(length)].concat();
    }
    // 64 KiB is the least that takes the long form.
    let mut octets = binary(peer, &[0; 0x1_0000]);
    let form = octets.iter().position(|o| o & 0x7f == 127).unwrap();
    octets.truncate(form + 13);
    let field = &mut octets[form + 1..form + 9];
    assert_eq!(field, 0x1_0000_u64.to_be_bytes());
    field.copy_from_slice(&length.to_be_bytes());
    octets
}

/// A fragment of a binary message: its first, its last, neither or both.
pub(crate) fn fragment(peer: &mut Peer, payload: &[u8], first: bool, last: bool) -> Vec<u8> {
    let mut octets = binary(peer, payload);
    let header = octets.iter_mut().find(|octet| **octet != 0).unwrap();
    if !first {
        *header &= !OPCODE;
    }
    if !last {
        *header &= !FIN;
    }
    octets
}

/// Seven bits an octet, the highest first, as hixie-76 §5.3 has them.
fn groups(length: u64) -> Vec<u8> {
    let count = (64 - length.leading_zeros()).div_ceil(7).max(1);
    let group = |n| (length >> (7 * n)) as u8 & 0x7f | if n == 0 { 0 } else { 0x80 };
    (0..count).rev().map(group).collect()
}

fn binary(peer: &mut Peer, payload: &[u8]) -> Vec<u8> {
    let message = Message::Binary(Bytes::copy_from_slice(payload));
    peer.octets(Outgoing::Message(message)).to_vec()
}
