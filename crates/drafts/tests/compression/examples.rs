//! Every worked example of RFC 7692 §7.2.3 and of the per-frame extension.

use draftgate_core::{Draft, Message};
use draftgate_testkit::codecs::{hear, hear_every_cut};

use crate::{ALL, codec, common::ROLES, common::frames::from_peer, messages, pair, say};

const PER_MESSAGE: &str = "permessage-deflate";
const PER_FRAME: &str = "x-webkit-deflate-frame";

/// What both roles hear in `frames`, at every cut.
fn heard(draft: Draft, words: &'static str, frames: &[u8]) -> Vec<Message> {
    let [client, server] = ROLES.map(|role| {
        let octets = from_peer(draft, role, frames);
        let heard = hear_every_cut(|| codec(draft, role, words), &octets);
        assert_eq!(heard.violation, None, "{frames:02x?}");
        assert!(heard.left.is_empty(), "{frames:02x?}");
        messages(&heard.events)
    });
    assert_eq!(client, server, "{frames:02x?}");
    server
}

#[test]
fn every_form_of_a_compressed_hello_is_heard() {
    for frames in [
        &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        // A stored block.
        b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        // A block that ends the stream.
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        // Two blocks.
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        // Not compressed.
        b"\x81\x05Hello",
    ] {
        for (draft, words) in [
            (Draft::Hybi13, PER_MESSAGE),
            (Draft::Hybi13, PER_FRAME),
            (Draft::Hybi08, PER_FRAME),
            (Draft::Hybi08, "deflate-frame"),
        ] {
            assert_eq!(heard(draft, words, frames), [Message::from("Hello")]);
        }
    }
}

#[test]
fn fragments_of_one_compressed_message_are_joined_before_they_are_inflated() {
    let frames = b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00";
    assert_eq!(heard(Draft::Hybi13, PER_MESSAGE, frames), ["Hello".into()]);
    let with_ping = b"\x41\x03\xf2\x48\xcd\x00\x00\x80\x04\xc9\xc9\x07\x00";
    assert_eq!(
        heard(Draft::Hybi13, PER_MESSAGE, with_ping),
        ["Hello".into()]
    );
}

#[test]
fn per_frame_each_fragment_says_for_itself_whether_it_is_compressed() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let frames = [
        &b"\x41\x07"[..],
        hello,
        b"\x00\x02, ",
        b"\xc0\x05\xf2\x00\x11\x00\x00",
    ]
    .concat();
    assert_eq!(
        heard(Draft::Hybi13, PER_FRAME, &frames),
        ["Hello, Hello".into()]
    );
}

#[test]
fn a_second_message_refers_to_the_first() {
    let frames = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    for words in [PER_MESSAGE, PER_FRAME] {
        let both = [Message::from("Hello"), "Hello".into()];
        assert_eq!(heard(Draft::Hybi13, words, frames), both, "{words}");
    }
}

#[test]
fn empty_messages_are_heard_compressed_or_not() {
    let frames = b"\xc1\x01\x00\x81\x00\xc2\x00";
    let empty = [Message::from(""), "".into(), Message::Binary("".into())];
    assert_eq!(heard(Draft::Hybi13, PER_MESSAGE, frames), empty);
}

#[test]
fn we_write_the_examples_octet_by_octet() {
    for (draft, words) in [
        (Draft::Hybi13, PER_MESSAGE),
        (Draft::Hybi13, PER_FRAME),
        (Draft::Hybi08, "deflate-frame"),
    ] {
        let (_, mut server) = pair(draft, words, (ALL, ALL), Default::default());
        let first = say(&mut *server, "Hello");
        assert_eq!(first, b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", "{words}");
        let second = say(&mut *server, "Hello");
        assert_eq!(second, b"\xc1\x05\xf2\x00\x11\x00\x00", "{words}");
        assert_eq!(say(&mut *server, ""), b"\x81\x00", "{words}");
    }
}

#[test]
fn short_messages_go_as_they_are_and_control_frames_always() {
    let settings = draftgate_drafts::compression::Settings { least: 6, ..ALL };
    let (_, mut server) = pair(
        Draft::Hybi13,
        PER_MESSAGE,
        (settings, settings),
        Default::default(),
    );
    assert_eq!(say(&mut *server, "Hello"), b"\x81\x05Hello");
    assert_eq!(say(&mut *server, "Hello!")[0], 0xc1);
    let ping = from_peer(
        Draft::Hybi13,
        draftgate_core::Role::Server,
        b"\x89\x06Hello!",
    );
    assert_eq!(
        &hear(&mut *server, [&ping[..]]).wrote[..],
        b"\x8a\x06Hello!"
    );
}

#[test]
fn a_client_masks_what_it_compressed() {
    let (mut client, mut server) = pair(Draft::Hybi13, PER_MESSAGE, (ALL, ALL), Default::default());
    let octets = say(&mut *client, "Hello");
    assert_eq!(octets[..2], [0xc1, 0x87]);
    let heard = hear(&mut *server, [&octets[..]]);
    assert_eq!(messages(&heard.events), ["Hello".into()]);
}
