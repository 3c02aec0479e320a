//! How the drafts lay out and mask their frames, from their texts alone.

use bytes::BytesMut;
use draftgate_core::Draft;
use sha1::{Digest, Sha1};

/// How a draft lays out its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layout {
    /// `00 … FF`; whether `FF 00` closes.
    Sentinel { marker: bool },
    /// A header with MORE where all later ones have FIN, and no mask.
    Hybi01,
    /// A header, and no mask.
    Hello00,
    /// A header; a mask of 20 octets, another for each frame, over the whole frame.
    Hybi04,
    /// A header, and a mask of four octets over the whole frame; whether a close
    /// says nothing but a letter.
    Hybi06 { letter: bool },
    /// A header, and the mask over the payload.
    Hybi07,
}

/// Each of them.
pub(crate) const LAYOUTS: [Layout; 8] = [
    Layout::Sentinel { marker: false },
    Layout::Sentinel { marker: true },
    Layout::Hybi01,
    Layout::Hello00,
    Layout::Hybi04,
    Layout::Hybi06 { letter: true },
    Layout::Hybi06 { letter: false },
    Layout::Hybi07,
];

pub(crate) fn layout(draft: Draft) -> Layout {
    match draft {
        Draft::Hixie75 => Layout::Sentinel { marker: false },
        Draft::Hixie76 => Layout::Sentinel { marker: true },
        Draft::Hybi01 | Draft::Hybi02 | Draft::Hybi03 => Layout::Hybi01,
        Draft::Hello00 => Layout::Hello00,
        Draft::Hybi04 => Layout::Hybi04,
        Draft::Hybi05 => Layout::Hybi06 { letter: true },
        Draft::Hybi06 => Layout::Hybi06 { letter: false },
        Draft::Hybi07 | Draft::Hybi08 | Draft::Hybi13 => Layout::Hybi07,
        other => panic!("write down how {other} lays out its frames"),
    }
}

/// A frame with a header.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

fn opcode(frame: Frame, layout: Layout) -> u8 {
    let [old, new] = match frame {
        Frame::Continuation => [0, 0],
        Frame::Text => [4, 1],
        Frame::Binary => [5, 2],
        Frame::Close => [1, 8],
        Frame::Ping => [2, 9],
        Frame::Pong => [3, 10],
    };
    if layout == Layout::Hybi07 { new } else { old }
}

/// Header and payload, unmasked, and how many octets the header has.
fn plain(fin: bool, frame: Frame, payload: &[u8], layout: Layout) -> (Vec<u8>, usize) {
    let top_bit = fin != (layout == Layout::Hybi01);
    let mut octets = vec![opcode(frame, layout) | if top_bit { 0x80 } else { 0 }];
    match payload.len() {
        short @ 0..126 => octets.push(short as u8),
        longer @ 126..0x1_0000 => {
            octets.push(126);
            octets.extend((longer as u16).to_be_bytes());
        }
        long => {
            octets.push(127);
            octets.extend((long as u64).to_be_bytes());
        }
    }
    let header = octets.len();
    octets.extend_from_slice(payload);
    (octets, header)
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn under(bytes: [u8; 4], octets: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(octets.len());
    let key = u32::from_ne_bytes(bytes);
    let words = octets.chunks_exact(4);
    let rest = words.remainder().iter().zip(bytes);
    for word in words {
        let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        masked.extend_from_slice(&(word ^ key).to_ne_bytes());
    }
    masked.extend(rest.map(|(octet, key)| octet ^ key));
    masked
}

/// The mask of one frame of hybi-04: of the four octets before it and the
/// connection's key.
fn derived(four: &[u8], connection: &[u8; 20]) -> [u8; 20] {
    Sha1::digest([four, connection].concat()).into()
}

fn under_derived(mask: [u8; 20], octets: &[u8]) -> Vec<u8> {
    let mut masked = octets.to_vec();
    for chunk in masked.chunks_mut(20) {
        chunk
            .iter_mut()
            .zip(mask)
            .for_each(|(octet, key)| *octet ^= key);
    }
    masked
}

/// A client's frame in a draft with headers; in hybi-04 as it is before its mask,
/// which the connection has a part in: [`sealed`] puts it on.
pub(crate) fn clients(fin: bool, frame: Frame, payload: &[u8], layout: Layout) -> Vec<u8> {
    let (mut octets, header) = plain(fin, frame, payload, layout);
    match layout {
        Layout::Sentinel { .. } => panic!("no frame of hixie has a header"),
        Layout::Hybi01 | Layout::Hello00 | Layout::Hybi04 => octets,
        Layout::Hybi06 { .. } => [&KEY[..], &under(KEY, &octets)].concat(),
        Layout::Hybi07 => {
            octets[1] |= 0x80;
            let payload = under(KEY, &octets[header..]);
            [&octets[..header], &KEY, &payload].concat()
        }
    }
}

/// A server's frame in a draft with headers.
pub(crate) fn servers(fin: bool, frame: Frame, payload: &[u8], layout: Layout) -> Vec<u8> {
    plain(fin, frame, payload, layout).0
}

/// What [`clients`] wrote of hybi-04, each frame under its mask.
pub(crate) fn sealed(mut octets: &[u8], connection: &[u8; 20]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(octets.len() + 4);
    while !octets.is_empty() {
        let bare = |at: usize| octets.get(at).copied();
        let (header, length) = lengths(bare, 0x7f).expect("whole frames");
        let (frame, behind) = octets.split_at(header + length);
        sealed.extend_from_slice(&KEY);
        sealed.extend(under_derived(derived(&KEY, connection), frame));
        octets = behind;
    }
    sealed
}

/// How long the header is and the payload behind it, of octets without a mask;
/// `None` before the header is whole.
fn lengths(bare: impl Fn(usize) -> Option<u8>, seven: u8) -> Option<(usize, usize)> {
    let (header, mut length) = match bare(1)? & seven {
        126 => (4, 0),
        127 => (10, 0),
        short => (2, usize::from(short)),
    };
    for at in 2..header {
        length = length << 8 | usize::from(bare(at)?);
    }
    Some((header, length))
}

/// What clients have written of whole frames, taken out of `octets` and without
/// their masks: as a server would have written it. `connection` is the key of a
/// connection of hybi-04.
pub(crate) fn unmasked(
    octets: &mut BytesMut,
    draft: Draft,
    connection: Option<&[u8; 20]>,
) -> Vec<u8> {
    let layout = layout(draft);
    if matches!(
        layout,
        Layout::Sentinel { .. } | Layout::Hybi01 | Layout::Hello00
    ) {
        return octets.split().to_vec();
    }
    let mut plain = Vec::new();
    while let Some(frame) = unmask(octets, layout, connection) {
        plain.extend(frame);
    }
    plain
}

fn unmask(octets: &mut BytesMut, layout: Layout, connection: Option<&[u8; 20]>) -> Option<Vec<u8>> {
    if layout == Layout::Hybi07 {
        let marked = octets.get(1)? & 0x80 != 0;
        assert!(marked, "a client masks, as its draft says");
        let (header, length) = lengths(|at| octets.get(at).copied(), 0x7f)?;
        if octets.len() < header + 4 + length {
            return None;
        }
        let frame = octets.split_to(header + 4 + length);
        let key = [
            frame[header],
            frame[header + 1],
            frame[header + 2],
            frame[header + 3],
        ];
        let mut plain = frame[..header].to_vec();
        plain.extend(under(key, &frame[header + 4..]));
        plain[1] &= 0x7f;
        return Some(plain);
    }
    // The four octets come first, and the mask covers the header.
    let four: [u8; 4] = octets.get(..4)?.try_into().expect("four octets");
    let mut mask = [0; 20];
    match layout {
        Layout::Hybi04 => mask = derived(&four, connection.expect("the key of hybi-04")),
        _ => mask
            .chunks_mut(4)
            .for_each(|chunk| chunk.copy_from_slice(&four)),
    }
    let bare = |at: usize| Some(octets.get(4 + at)? ^ mask[at]);
    assert!(
        bare(1)? & 0x80 == 0,
        "no bit of a whole mask is in the header"
    );
    let (header, length) = lengths(bare, 0x7f)?;
    if octets.len() < 4 + header + length {
        return None;
    }
    let frame = octets.split_to(4 + header + length);
    Some(match layout {
        Layout::Hybi04 => under_derived(mask, &frame[4..]),
        _ => under(four, &frame[4..]),
    })
}

#[test]
fn the_masks_are_those_of_the_worked_example_of_hybi_04() {
    let key = b"\x63\x22\xa2\xad\xc0\x2b\xc4\x33\xe3\x89\x6d\x34\x41\x0b\x74\xbb\x77\x39\xf9\x60";
    let hello = clients(true, Frame::Text, b"Hello", Layout::Hybi04);
    let sealed = sealed(&hello, key);
    assert_eq!(sealed, b"\x37\xfa\x21\x3d\xb4\x65\x52\x35\x03\xbe\x58");
    let mut read = BytesMut::from(&sealed[..]);
    assert_eq!(unmasked(&mut read, Draft::Hybi04, Some(key)), hello);
}
