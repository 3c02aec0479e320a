//! Limits in the frames of hixie, discarded ones included, and frames with a
//! length where a route takes them for binary.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use draftgate_core::{Codec, Event, Limits, Message, Notice, Rule, Strictness};
use draftgate_hixie76::ACCEPTOR;
use draftgate_testkit::codecs::{hear, hear_every_cut};
use draftgate_wire::{
    FixedKeys,
    opening::{LengthFrames, Terms, parts},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\
    Host: example.com\r\n\
    Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\
    Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n";

const TINY: Limits = Limits {
    frame: 5,
    message: 3,
    fragments: 1,
    strictness: Strictness::STRICT,
};

fn server(limits: Limits, length_frames: LengthFrames) -> Box<dyn Codec> {
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/",
        limits,
        length_frames,
        extension: None,
    };
    let (request, _) = parts(REQUEST).unwrap().unwrap();
    let accepted = ACCEPTOR.accept(&request, &terms, &mut FixedKeys::new([0]));
    let mut codec = accepted.unwrap().codec;
    hear(&mut *codec, [&b"12345678"[..]]);
    codec
}

/// The rule that `octets` break, in one read and octet by octet.
fn broken(octets: &[u8]) -> [Option<Rule>; 2] {
    [octets.len(), 1].map(|size| {
        let mut codec = server(TINY, LengthFrames::default());
        let heard = hear(&mut *codec, octets.chunks(size));
        heard.violation.map(|v| v.rule)
    })
}

fn discarded(frame_type: u8, octets: u64) -> Event {
    Event::Notice(Notice::Discarded { frame_type, octets })
}

#[test]
fn a_text_is_held_to_the_limits_of_frame_and_message() {
    assert_eq!(broken(b"\x00abc\xff"), [None; 2]);
    assert_eq!(broken(b"\x00abcd\xff"), [Some(Rule::MessageTooBig); 2]);
    // Above both: of the lower one, which is exceeded first.
    assert_eq!(broken(b"\x00abcdef\xff"), [Some(Rule::MessageTooBig); 2]);
}

#[test]
fn u_fffd_counts_as_its_three_octets() {
    assert_eq!(broken(b"\x00\xfe\xff"), [None; 2]);
    assert_eq!(broken(b"\x00a\xfe\xff"), [Some(Rule::MessageTooBig); 2]);
}

#[test]
fn a_discarded_frame_is_held_to_the_limit_of_frames() {
    assert_eq!(broken(b"\x01abcde\xff"), [None; 2]);
    assert_eq!(broken(b"\x01abcdef"), [Some(Rule::FrameTooBig); 2]);
    assert_eq!(broken(b"\x80\x05abcde"), [None; 2]);
    assert_eq!(broken(b"\x80\x06"), [Some(Rule::FrameTooBig); 2]);
}

#[test]
fn a_length_has_nine_groups_at_most() {
    let nine = [&[0x80; 9][..], &[0]].concat();
    assert_eq!(broken(&nine), [None; 2]);
    let ten = [&[0x80; 10][..], &[0]].concat();
    assert_eq!(broken(&ten), [Some(Rule::LengthOutOfRange); 2]);
}

#[test]
fn an_empty_frame_closes_only_under_ff() {
    let codec = || server(Limits::default(), LengthFrames::default());
    let heard = hear_every_cut(codec, b"\x80\x00\xfe\x00\xff\x01a\xff\x00");
    let close = Event::Close(None);
    assert_eq!(
        heard.events,
        [
            discarded(0x80, 0),
            discarded(0xfe, 0),
            discarded(0xff, 1),
            close
        ]
    );
}

#[test]
fn only_80_is_taken_for_binary() {
    let accept = LengthFrames {
        send: false,
        accept: true,
    };
    let codec = || server(Limits::default(), accept);
    let heard = hear_every_cut(codec, b"\x81\x02ab\x80\x02\xff\x00\x80\x00\xff\x00");
    let binary = |octets: &'static [u8]| Event::Message(Message::Binary(octets.into()));
    assert_eq!(
        heard.events,
        [
            discarded(0x81, 2),
            binary(b"\xff\x00"),
            binary(b""),
            Event::Close(None)
        ]
    );
}
