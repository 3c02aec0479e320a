//! What the drafts' octets are, written down a second time: from the drafts'
//! texts, with nothing of the project's codecs, so that the two can disagree.

use std::{collections::BTreeMap, sync::LazyLock};

use draftgate_core::{Draft, Role};
use draftgate_translate::table::{CLOSE_CODE, Case, Ending, PING, REASON};

use crate::layouts::{Frame, LAYOUTS, Layout, clients, layout, servers};

/// The limit for messages in the gateways of this test.
pub(crate) const LIMIT: usize = 4 << 20;

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
    let body = match layout {
        Layout::Hybi06 { letter: true } => letter(role),
        _ => close.map_or_else(Vec::new, |(code, reason)| {
            [&code.to_be_bytes(), reason.as_bytes()].concat()
        }),
    };
    match (layout, role) {
        (Layout::Sentinel { marker: false }, _) => Vec::new(),
        (Layout::Sentinel { marker: true }, _) => vec![0xff, 0x00],
        (_, Role::Client) => clients(true, Frame::Close, &body, layout),
        (_, Role::Server) => servers(true, Frame::Close, &body, layout),
    }
}

/// What `role` says in a close of hybi-05.
fn letter(role: Role) -> Vec<u8> {
    match role {
        Role::Client => b"C".into(),
        Role::Server => b"S".into(),
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
        headed => servers(true, Frame::Text, text, headed),
    }
}

/// Binary to a client: in hixie a frame of type 80, whose length stands in
/// groups of seven bits, the first ones marked.
pub(crate) fn binary_to(octets: &[u8], draft: Draft) -> Vec<u8> {
    match layout(draft) {
        Layout::Sentinel { .. } => length_frame(octets),
        headed => servers(true, Frame::Binary, octets, headed),
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
    servers(true, Frame::Pong, body, layout(draft))
}

/// The last octets to `role`, without their mask.
pub(crate) fn ending_to(role: Role, ending: &Ending, draft: Draft) -> Vec<u8> {
    let layout = layout(draft);
    let close = |body: &[u8]| servers(true, Frame::Close, body, layout);
    match (ending, layout) {
        (Ending::Tcp, Layout::Sentinel { marker: false }) => Vec::new(),
        (Ending::Marker, Layout::Sentinel { marker: true }) => vec![0xff, 0x00],
        (Ending::Letter, Layout::Hybi06 { letter: true }) => close(&letter(match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        })),
        (Ending::Frame(None), Layout::Hybi01 | Layout::Hello00 | Layout::Hybi04) => close(b""),
        (Ending::Frame(told), Layout::Hybi06 { letter: false } | Layout::Hybi07) => {
            let body = told.as_ref().map_or_else(Vec::new, |told| {
                [&told.code.to_be_bytes(), &told.reason.as_bytes()[..]].concat()
            });
            close(&body)
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
        for (role, write) in [
            (Role::Client, clients as Write),
            (Role::Server, servers as Write),
        ] {
            for layout in LAYOUTS {
                let octets = match layout {
                    Layout::Sentinel { marker } => of_hixie(case, marker),
                    _ => of_hybi(case, role, layout, write),
                };
                said.insert((role == Role::Client, layout, case), octets);
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

fn of_hybi(case: Case, role: Role, layout: Layout, write: Write) -> Option<Vec<u8>> {
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
        Case::CloseWithCode
            if !matches!(layout, Layout::Hybi06 { letter: false } | Layout::Hybi07) =>
        {
            return None;
        }
        Case::CloseWithCode => {
            let body = [&CLOSE_CODE.to_be_bytes(), REASON.as_bytes()].concat();
            whole(Frame::Close, &body)
        }
        Case::CloseWithoutCode if layout == (Layout::Hybi06 { letter: true }) => {
            whole(Frame::Close, &letter(role))
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
    assert_eq!(text_to(hello, Draft::Hybi02), b"\x04\x05Hello");
    assert_eq!(text_to(hello, Draft::Hybi04), b"\x84\x05Hello");
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
    assert_eq!(
        close_of(Role::Client, None, Draft::Hybi05),
        b"\x37\xfa\x21\x3d\xb6\xfb\x62"
    );
    assert_eq!(close_of(Role::Server, None, Draft::Hybi05), b"\x81\x01S");
    assert_eq!(close_of(Role::Client, None, Draft::Hybi03), b"\x01\x00");
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
