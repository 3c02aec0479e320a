//! What fails a compressed connection, and limits on what inflates.

use draftgate_core::{Draft, Limits, Message, Role, Rule};
use draftgate_testkit::codecs::{hear, hear_every_cut};

use crate::{ALL, codec, common::ROLES, common::frames::from_peer, messages, pair, say};

/// The rule that both roles find broken.
fn rule(words: &'static str, frames: &[u8]) -> Option<Rule> {
    let [client, server] = ROLES.map(|role| {
        let octets = from_peer(Draft::Hybi13, role, frames);
        let heard = hear_every_cut(|| codec(Draft::Hybi13, role, words), &octets);
        heard.violation.map(|it| it.rule)
    });
    assert_eq!(client, server, "{frames:02x?}");
    server
}

#[test]
fn reserved_bits_stand_where_the_extension_has_them_and_nowhere_else() {
    let bits = Some(Rule::ReservedBits);
    for words in ["permessage-deflate", "x-webkit-deflate-frame"] {
        for frames in [
            &b"\xa1\x00"[..],
            b"\x91\x00",
            b"\xe1\x00",
            b"\xc9\x00",
            b"\xc8\x02\x03\xe8",
        ] {
            assert_eq!(rule(words, frames), bits, "{words}: {frames:02x?}");
        }
    }
    let fragments = b"\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00";
    assert_eq!(rule("permessage-deflate", fragments), bits);
    // Nothing was agreed on: the drafts' own rule holds.
    assert_eq!(
        rule("x-unknown", b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
        bits
    );
}

#[test]
fn what_does_not_inflate_fails_with_1007() {
    for frames in [
        // A block of the type that does not exist.
        &b"\xc1\x02\x07\x00"[..],
        // Lengths that do not fit each other.
        b"\xc1\x0b\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00",
        // A distance in front of everything.
        b"\xc1\x05\xf2\x00\x11\x00\x00",
    ] {
        assert_eq!(rule("permessage-deflate", frames), Some(Rule::NotDeflate));
    }
    assert_eq!(Rule::NotDeflate.close_code(Draft::Hybi13), Some(1007));
}

#[test]
fn text_is_checked_after_it_was_inflated() {
    let (mut client, mut server) = pair(
        Draft::Hybi13,
        "permessage-deflate",
        (ALL, ALL),
        Limits::default(),
    );
    let mut octets = say(
        &mut *client,
        Message::Binary(b"Hello\xff".repeat(50).into()),
    );
    octets[0] = 0xc1;
    let violation = hear(&mut *server, [&octets[..]]).violation;
    assert_eq!(violation.map(|it| it.rule), Some(Rule::NotUtf8));
}

/// 4 MiB of zeros in some 4 KiB, as a client's frames.
fn bomb(fragmented: bool) -> Vec<u8> {
    let (_, mut sender) = pair(
        Draft::Hybi13,
        "permessage-deflate",
        (ALL, ALL),
        Limits::default(),
    );
    let whole = say(&mut *sender, Message::Binary(vec![0; 4 << 20].into()));
    assert!(whole.len() < 8 << 10, "{}", whole.len());
    let payload = &whole[4..];
    let frames: Vec<u8> = match fragmented {
        false => whole,
        true => {
            let runs: Vec<_> = payload.chunks(100).collect();
            let last = runs.len() - 1;
            let frame = |(at, run): (usize, &&[u8])| {
                let first = if at == 0 { 0x42 } else { 0 } | if at == last { 0x80 } else { 0 };
                [&[first, run.len() as u8], *run].concat()
            };
            runs.iter().enumerate().flat_map(frame).collect()
        }
    };
    from_peer(Draft::Hybi13, Role::Server, &frames)
}

#[test]
fn the_limit_for_messages_counts_what_is_inflated() {
    let limits = |message| Limits {
        message,
        ..Limits::default()
    };
    for fragmented in [false, true] {
        let octets = bomb(fragmented);
        for (message, fits) in [(4 << 20, true), ((4 << 20) - 1, false), (1000, false)] {
            let (_, mut server) = pair(
                Draft::Hybi13,
                "permessage-deflate",
                (ALL, ALL),
                limits(message),
            );
            let heard = hear(&mut *server, octets.chunks(1400));
            match fits {
                true => assert_eq!(messages(&heard.events)[0].len(), 4 << 20),
                false => {
                    let rule = heard.violation.map(|it| it.rule);
                    assert_eq!(rule, Some(Rule::MessageTooBig), "{message}");
                }
            }
        }
    }
}
