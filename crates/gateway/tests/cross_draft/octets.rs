//! What the drafts' octets are, written down a second time: from the drafts'
//! texts, with nothing of the project's codecs, so that the two can disagree.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::BytesMut;
use draftgate_core::{Draft, Role};
use draftgate_translate::table::{CLOSE_CODE, Case, Ending, PING, REASON};

/// The limit for messages in the gateways of this test.
pub(crate) const LIMIT: usize = 4 << 20;

/// How a draft lays out its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    /// `00 … FF`; whether `FF 00` closes.
    Sentinel { marker: bool },
    /// A header, and the mask over the whole frame.
    Hybi06,
    /// A header, and the mask over the payload.
    Hybi07,
}

fn layout(draft: Draft) -> Layout {
    match draft {
        Draft::Hixie75 => Layout::Sentinel { marker: false },
        Draft::Hixie76 => Layout::Sentinel { marker: true },
        Draft::Hybi06 => Layout::Hybi06,
        Draft::Hybi07 | Draft::Hybi08 | Draft::Hybi13 => Layout::Hybi07,
        other => panic!("write down how {other} lays out its frames"),
    }
}

/// A frame with a header.
#[derive(Debug, Clone, Copy)]
enum Frame {
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
    if layout == Layout::Hybi06 { old } else { new }
}

/// Header and payload, unmasked, and how many octets the header has.
fn plain(fin: bool, frame: Frame, payload: &[u8], layout: Layout) -> (Vec<u8>, usize) {
    let mut octets = vec![opcode(frame, layout) | if fin { 0x80 } else { 0 }];
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

fn masked(octets: &[u8]) -> Vec<u8> {
    under(KEY, octets)
}

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

/// A client's frame in a draft with headers.
fn clients(fin: bool, frame: Frame, payload: &[u8], layout: Layout) -> Vec<u8> {
    let (mut octets, header) = plain(fin, frame, payload, layout);
    if layout == Layout::Hybi06 {
        return [&KEY[..], &masked(&octets)].concat();
    }
    octets[1] |= 0x80;
    let payload = masked(&octets[header..]);
    [&octets[..header], &KEY, &payload].concat()
}

/// A server's frame in a draft with headers.
fn servers(frame: Frame, payload: &[u8], layout: Layout) -> Vec<u8> {
    plain(true, frame, payload, layout).0
}

/// What clients have written of whole frames, taken out of `octets` and
/// without their masks: as a server would have written it.
pub(crate) fn unmasked(octets: &mut BytesMut, draft: Draft) -> Vec<u8> {
    let layout = layout(draft);
    if matches!(layout, Layout::Sentinel { .. }) {
        return octets.split().to_vec();
    }
    let mut plain = Vec::new();
    while let Some(frame) = unmask(octets, layout) {
        plain.extend(frame);
    }
    plain
}

fn unmask(octets: &mut BytesMut, layout: Layout) -> Option<Vec<u8>> {
    // In hybi-06 the key comes first, and the mask covers the header.
    let first = layout == Layout::Hybi06;
    let front = if first { 4 } else { 0 };
    let key_at = |header: usize| if first { 0 } else { header };
    let bare = |at: usize| {
        let octet = *octets.get(front + at)?;
        Some(if first { octet ^ octets[at % 4] } else { octet })
    };
    let seven = bare(1)?;
    assert_eq!(
        seven & 0x80 == 0,
        first,
        "a client masks, as its draft says"
    );
    let (header, mut length) = match seven & 0x7f {
        126 => (4, 0),
        127 => (10, 0),
        short => (2, usize::from(short)),
    };
    for at in 2..header {
        length = length << 8 | usize::from(bare(at)?);
    }
    if octets.len() < 4 + header + length {
        return None;
    }
    let frame = octets.split_to(4 + header + length);
    let at = key_at(header);
    let key = [frame[at], frame[at + 1], frame[at + 2], frame[at + 3]];
    let mut plain = frame[..at].to_vec();
    plain.extend(under(key, &frame[at + 4..]));
    plain[1] &= 0x7f;
    Some(plain)
}

/// A text from `role`.
pub(crate) fn text_of(role: Role, text: &[u8], draft: Draft) -> Vec<u8> {
    match role {
        Role::Client => text_of_client(text, draft),
        Role::Server => text_to(text, draft),
    }
}

/// A close from `role`: hixie-75's is the end of TCP, and no octet.
pub(crate) fn close_of(role: Role, close: Option<(u16, &str)>, draft: Draft) -> Vec<u8> {
    let layout = layout(draft);
    let body = close.map_or_else(Vec::new, |(code, reason)| {
        [&code.to_be_bytes(), reason.as_bytes()].concat()
    });
    match (layout, role) {
        (Layout::Sentinel { marker: false }, _) => Vec::new(),
        (Layout::Sentinel { marker: true }, _) => vec![0xff, 0x00],
        (_, Role::Client) => clients(true, Frame::Close, &body, layout),
        (_, Role::Server) => servers(Frame::Close, &body, layout),
    }
}

/// A text from a client.
pub(crate) fn text_of_client(text: &[u8], draft: Draft) -> Vec<u8> {
    match layout(draft) {
        Layout::Sentinel { .. } => [&[0], text, &[0xff]].concat(),
        headed => clients(true, Frame::Text, text, headed),
    }
}

/// A text to a client.
pub(crate) fn text_to(text: &[u8], draft: Draft) -> Vec<u8> {
    match layout(draft) {
        Layout::Sentinel { .. } => [&[0], text, &[0xff]].concat(),
        headed => servers(Frame::Text, text, headed),
    }
}

/// Binary to a client: in hixie a frame of type 80, whose length stands in
/// groups of seven bits, the first ones marked.
pub(crate) fn binary_to(octets: &[u8], draft: Draft) -> Vec<u8> {
    match layout(draft) {
        Layout::Sentinel { .. } => length_frame(octets),
        headed => servers(Frame::Binary, octets, headed),
    }
}

fn length_frame(octets: &[u8]) -> Vec<u8> {
    let mut groups = vec![(octets.len() & 0x7f) as u8];
    let mut left = octets.len() >> 7;
    while left > 0 {
        groups.insert(0, (left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    [&[0x80], &groups[..], octets].concat()
}

/// A pong to a client.
pub(crate) fn pong_to(body: &[u8], draft: Draft) -> Vec<u8> {
    servers(Frame::Pong, body, layout(draft))
}

/// The last octets to a client.
pub(crate) fn ending_to(ending: &Ending, draft: Draft) -> Vec<u8> {
    let layout = layout(draft);
    match (ending, layout) {
        (Ending::Tcp, Layout::Sentinel { marker: false }) => Vec::new(),
        (Ending::Marker, Layout::Sentinel { marker: true }) => vec![0xff, 0x00],
        (Ending::Frame(close), Layout::Hybi06 | Layout::Hybi07) => {
            let body = close.as_ref().map_or_else(Vec::new, |close| {
                [&close.code.to_be_bytes(), &close.reason.as_bytes()[..]].concat()
            });
            servers(Frame::Close, &body, layout)
        }
        other => panic!("{draft} does not end like that: {other:?}"),
    }
}

/// What a client of `draft` writes for `case`; `None` if it cannot.
pub(crate) fn of_client(case: Case, draft: Draft) -> Option<&'static [u8]> {
    of(Role::Client, case, draft)
}

/// What `role` writes for `case`; `None` if it cannot.
pub(crate) fn of(role: Role, case: Case, draft: Draft) -> Option<&'static [u8]> {
    SAID.get(&(role == Role::Client, layout(draft), case))
        .expect("the layouts and cases below")
        .as_deref()
}

type Said = BTreeMap<(bool, Layout, Case), Option<Vec<u8>>>;

/// Writes a frame in one role.
type Write = fn(bool, Frame, &[u8], Layout) -> Vec<u8>;

/// Made once: some are long.
static SAID: LazyLock<Said> = LazyLock::new(|| {
    let mut said = Said::new();
    for case in Case::ALL {
        let unmasked: Write = |fin, frame, payload, layout| plain(fin, frame, payload, layout).0;
        for (client, write) in [(true, clients as Write), (false, unmasked)] {
            for marker in [false, true] {
                let octets = of_hixie(case, marker);
                said.insert((client, Layout::Sentinel { marker }, case), octets);
            }
            for layout in [Layout::Hybi06, Layout::Hybi07] {
                said.insert((client, layout, case), of_hybi(case, layout, write));
            }
        }
    }
    said
});

fn of_hixie(case: Case, marker: bool) -> Option<Vec<u8>> {
    match case {
        Case::Text | Case::EmptyText | Case::LongText | Case::HugeText | Case::NotUtf8 => {
            Some([&[0], payload(case), &[0xff]].concat())
        }
        Case::TooBig => Some([&[0], payload(case), &[0xff]].concat()),
        Case::LengthFrame | Case::LengthFrameAccepted => Some(length_frame(payload(case))),
        Case::CloseWithoutCode if marker => Some(vec![0xff, 0x00]),
        // The end of TCP, which is no octet.
        Case::CloseWithoutCode => Some(Vec::new()),
        Case::TextInFragments
        | Case::Binary
        | Case::BinaryUtf8
        | Case::EmptyBinary
        | Case::LongBinary
        | Case::HugeBinary
        | Case::BinaryInFragments
        | Case::Ping
        | Case::Pong
        | Case::CloseWithCode => None,
    }
}

fn of_hybi(case: Case, layout: Layout, write: Write) -> Option<Vec<u8>> {
    let whole = |frame, payload: &[u8]| write(true, frame, payload, layout);
    let fragments = |frame| {
        let (front, rest) = payload(case).split_at(3);
        let (middle, back) = rest.split_at(9);
        [
            write(false, frame, front, layout),
            write(false, Frame::Continuation, middle, layout),
            write(true, Frame::Continuation, back, layout),
        ]
        .concat()
    };
    Some(match case {
        Case::LengthFrame | Case::LengthFrameAccepted => return None,
        Case::Text
        | Case::EmptyText
        | Case::LongText
        | Case::HugeText
        | Case::NotUtf8
        | Case::TooBig => whole(Frame::Text, payload(case)),
        Case::Binary
        | Case::BinaryUtf8
        | Case::EmptyBinary
        | Case::LongBinary
        | Case::HugeBinary => whole(Frame::Binary, payload(case)),
        Case::TextInFragments => fragments(Frame::Text),
        Case::BinaryInFragments => fragments(Frame::Binary),
        Case::Ping => whole(Frame::Ping, PING),
        Case::Pong => whole(Frame::Pong, PING),
        Case::CloseWithCode => {
            let body = [&CLOSE_CODE.to_be_bytes(), REASON.as_bytes()].concat();
            whole(Frame::Close, &body)
        }
        Case::CloseWithoutCode => whole(Frame::Close, b""),
    })
}

/// The payload of a message.
pub(crate) fn payload(case: Case) -> &'static [u8] {
    static PAYLOADS: LazyLock<BTreeMap<Case, Vec<u8>>> = LazyLock::new(|| {
        Case::ALL
            .into_iter()
            .map(|case| (case, new_payload(case)))
            .collect()
    });
    &PAYLOADS[&case]
}

/// The third octet is the first of "ü", the twelfth the first of "世".
const TEXT: &str = "Grüße, \u{7f}\0\u{4e16}\u{754c} \u{10348}";

fn new_payload(case: Case) -> Vec<u8> {
    let long = |unit: &[u8], octets: usize| {
        let mut long = unit.repeat(octets / unit.len());
        // Without a character cut in two.
        long.resize(octets, b'.');
        long
    };
    // The sentinels of hixie, the greatest and the smallest octet.
    let noise = b"\x00\xff\x80\x00\xff\xc3\x28\x7f\x81\x01\xfe\xf0\x9f";
    match case {
        Case::Text | Case::TextInFragments | Case::BinaryUtf8 => TEXT.into(),
        Case::EmptyText | Case::EmptyBinary => Vec::new(),
        Case::LongText => long(TEXT.as_bytes(), (64 << 10) + 1),
        Case::HugeText => long(TEXT.as_bytes(), (2 << 20) + 1),
        Case::NotUtf8 => b"caf\xe9, \xe4\xb8x, caf\xc3\xa9".to_vec(),
        Case::Binary | Case::LengthFrame | Case::LengthFrameAccepted => noise.to_vec(),
        Case::BinaryInFragments => noise.repeat(2),
        Case::LongBinary => long(noise, (64 << 10) + 1),
        Case::HugeBinary => long(noise, (2 << 20) + 1),
        Case::TooBig => long(TEXT.as_bytes(), LIMIT + 1),
        Case::Ping | Case::Pong | Case::CloseWithCode | Case::CloseWithoutCode => Vec::new(),
    }
}

/// The payload of [`Case::NotUtf8`] with U+FFFD for each run that is not UTF-8.
pub(crate) const REPAIRED: &str = "caf\u{fffd}, \u{fffd}x, caf\u{e9}";

/// Base64 with padding (RFC 4648 §4).
pub(crate) fn base64(octets: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let mut four = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63]);
        four[three.len() + 1..].fill(b'=');
        text.extend_from_slice(&four);
    }
    text
}

/// Lower-case hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(octets.len() * 2);
    for octet in octets {
        text.extend_from_slice(&[
            DIGITS[usize::from(*octet) / 16],
            DIGITS[usize::from(*octet) % 16],
        ]);
    }
    text
}

#[test]
fn the_octets_are_those_of_the_worked_examples() {
    let hello = b"Hello";
    assert_eq!(text_to(hello, Draft::Hixie75), b"\x00Hello\xff");
    assert_eq!(text_to(hello, Draft::Hybi06), b"\x84\x05Hello");
    assert_eq!(text_to(hello, Draft::Hybi13), b"\x81\x05Hello");
    assert_eq!(
        text_of_client(hello, Draft::Hybi13),
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    );
    assert_eq!(
        text_of_client(hello, Draft::Hybi06),
        b"\x37\xfa\x21\x3d\xb3\xff\x69\x58\x5b\x96\x4e"
    );
    assert_eq!(binary_to(&[7; 300], Draft::Hixie76)[..3], *b"\x80\x82\x2c");
    assert_eq!(
        binary_to(&vec![7; 2 << 20], Draft::Hixie76)[..5],
        *b"\x80\x81\x80\x80\x00"
    );
    assert_eq!(
        binary_to(&vec![7; 64 << 10], Draft::Hybi13)[..10],
        *b"\x82\x7f\0\0\0\0\0\x01\0\0"
    );
    assert_eq!(base64(b"\xfb\xffHell"), b"+/9IZWxs");
    assert_eq!(
        (base64(b"a"), base64(b"ab")),
        (b"YQ==".into(), b"YWI=".into())
    );
}
