//! The dissector next to the codecs: it covers every octet of whatever comes,
//! and says of a stream what the codec that receives it says.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;
mod compressed;
mod heads;

use std::path::Path;

use bytes::Bytes;
use common::{
    ROLES, derived, end,
    frames::{masked_with, octets, pieces},
};
use draftgate_core::{Draft, Event, Limits, Notice, Role, Strictness};
use draftgate_drafts::{dissect, spoken};
use draftgate_testkit::codecs::hear;
use draftgate_vectors::load_dir;
use draftgate_wire::dissect::{Field, Kind, Unit, What};
use proptest::prelude::*;

const UNLIMITED: Limits = Limits {
    frame: u64::MAX,
    message: u64::MAX,
    fragments: u32::MAX,
    strictness: Strictness::STRICT,
};

pub(crate) fn units(draft: Draft, from: Role, octets: &[u8]) -> Vec<Unit> {
    let octets = Bytes::copy_from_slice(octets);
    stream(draft, from, octets).collect()
}

/// The frames of the connection that [`end`] opens.
fn stream(draft: Draft, from: Role, octets: Bytes) -> dissect::Stream {
    let frames = dissect::frames(draft, from, octets).unwrap();
    frames.derived(Some(derived()))
}

/// That `units` are `octets` again, and that the fields of each cover it.
pub(crate) fn covers(units: &[Unit], octets: &[u8]) {
    let whole: Vec<u8> = units.iter().flat_map(|u| u.octets.to_vec()).collect();
    assert_eq!(whole, octets);
    let mut offset = 0;
    for unit in units {
        assert_eq!(unit.offset, offset);
        assert!(!unit.octets.is_empty(), "no progress at {offset}");
        offset += unit.octets.len() as u64;
        let mut bit = 0;
        for field in &unit.fields {
            assert_eq!(field.start_bit, bit, "{unit:?}");
            assert_ne!(field.len_bits, 0, "{unit:?}");
            bit += field.len_bits;
        }
        assert_eq!(bit, 8 * unit.octets.len() as u64, "{unit:?}");
        if let Some(fault) = &unit.fault {
            assert!(fault.at_bit <= bit, "{unit:?}");
        }
    }
}

/// The messages and control frames in `units` as the events that a codec
/// reports, up to the first fault or Close.
fn told(units: &[Unit]) -> (Vec<(String, Vec<u8>)>, Option<&'static str>) {
    let (mut events, mut message) = (Vec::new(), None);
    for unit in units {
        if let Some(fault) = &unit.fault {
            return (events, Some(fault.code));
        }
        if unit.what != What::Frame || unit.cut_off {
            break;
        }
        let field = |kind| unit.fields.iter().find(|f| f.kind == kind);
        let name = match (field(Kind::Opcode), field(Kind::FrameType)) {
            (Some(opcode), _) => opcode.value[3..opcode.value.len() - 1].to_owned(),
            (_, Some(octet)) if octet.value == "00" => "text".to_owned(),
            (_, Some(octet)) if octet.note.as_ref().unwrap().contains("closing") => {
                "close".to_owned()
            }
            _ => continue,
        };
        let fin = field(Kind::Flag).is_none_or(|flag| (flag.value == "1") == (flag.name == "FIN"));
        match &*name {
            "text" | "binary" => message = Some((name, unit.payload.to_vec())),
            "continuation" => message.as_mut().unwrap().1.extend(&unit.payload),
            "close" => {
                events.push((name, Vec::new()));
                break;
            }
            _ => events.push((name, unit.payload.to_vec())),
        }
        if fin && !is_control(unit) {
            events.extend(message.take());
        }
    }
    (events, None)
}

fn is_control(unit: &Unit) -> bool {
    let opcode = unit.fields.iter().find(|f| f.kind == Kind::Opcode);
    opcode.is_some_and(|o| {
        ["(ping)", "(pong)", "(close)"]
            .iter()
            .any(|c| o.value.ends_with(c))
    })
}

/// What `units` say is let pass or thrown away, up to a Close.
fn passed(units: &[Unit]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for unit in units {
        let closes = |f: &Field| {
            let note = f.note.as_deref().unwrap_or_default();
            f.value.ends_with("(close)") || note.contains("the closing handshake")
        };
        if unit.discarded {
            notices.push(Notice::Discarded {
                frame_type: unit.octets[0],
                octets: unit.payload.len() as u64,
            });
        }
        let rules = unit.tolerated.iter();
        notices.extend(rules.map(|rule| Notice::Tolerated { rule: *rule }));
        if unit.fields.iter().any(closes) {
            break;
        }
    }
    notices
}

/// The same as a codec tells it.
fn told_of(draft: Draft, reader: Role, octets: &[u8]) -> Vec<Notice> {
    let (mut codec, _) = end(draft, reader, UNLIMITED);
    let events = hear(&mut *codec, [octets]).events;
    let passed = |event| match event {
        Event::Notice(it @ (Notice::Tolerated { .. } | Notice::Discarded { .. })) => Some(it),
        _ => None,
    };
    events.into_iter().filter_map(passed).collect()
}

/// What a codec told, in the same words. Pongs that answer no ping are heard
/// as notices without their body.
fn heard(
    draft: Draft,
    reader: Role,
    octets: &[u8],
) -> (Vec<(String, Vec<u8>)>, Option<&'static str>) {
    let (mut codec, _) = end(draft, reader, UNLIMITED);
    let heard = hear(&mut *codec, [octets]);
    let events = heard.events.iter().filter_map(|event| match event {
        Event::Message(message) => {
            let name = match message {
                draftgate_core::Message::Text(_) => "text",
                draftgate_core::Message::Binary(_) => "binary",
            };
            Some((name.to_owned(), message.payload().to_vec()))
        }
        Event::Ping(body) => Some(("ping".to_owned(), body.to_vec())),
        Event::Notice(Notice::UnsolicitedPong) => Some(("pong".to_owned(), Vec::new())),
        Event::Close(_) => Some(("close".to_owned(), Vec::new())),
        _ => None,
    });
    (events.collect(), heard.violation.map(|v| v.rule.code()))
}

fn agree(draft: Draft, from: Role, octets: &[u8]) -> Result<(), TestCaseError> {
    let units = units(draft, from, octets);
    covers(&units, octets);
    let (mut events, fault) = told(&units);
    for (name, payload) in &mut events {
        match &**name {
            "pong" => payload.clear(),
            "text" => *payload = String::from_utf8_lossy(payload).into_owned().into_bytes(),
            _ => {}
        }
    }
    // Of a frame that breaks or is cut off a codec may have said something or not.
    if !units
        .iter()
        .any(|unit| unit.fault.is_some() || unit.cut_off)
    {
        prop_assert_eq!(
            passed(&units),
            told_of(draft, from.peer(), octets),
            "{}",
            draft
        );
    }
    prop_assert_eq!(
        (events, fault),
        heard(draft, from.peer(), octets),
        "{} {:?}",
        draft,
        from
    );
    Ok(())
}

/// That a stream which comes bit by bit is told as the same one at once; only
/// what is no frame comes in more pieces.
fn fed(draft: Draft, from: Role, octets: &[u8]) -> Result<(), TestCaseError> {
    let frames = |units: &[Unit]| -> Vec<Unit> {
        let known = units.iter().take_while(|unit| unit.what == What::Frame);
        known.cloned().collect()
    };
    let whole = units(draft, from, octets);
    // Octet by octet, but for what is long.
    for size in [1.max(octets.len() / 1000), 7 + octets.len() / 500] {
        let mut stream = stream(draft, from, Bytes::new());
        let mut seen = Vec::new();
        for piece in octets.chunks(size) {
            stream.feed(piece);
            while let Some(unit) = stream.next_whole() {
                prop_assert!(!unit.cut_off);
                seen.push(unit);
            }
        }
        seen.extend(stream);
        covers(&seen, octets);
        prop_assert_eq!(
            frames(&seen),
            frames(&whole),
            "{}, in pieces of {}",
            draft,
            size
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_octets_are_dissected_as_the_codec_hears_them(pieces in pieces()) {
        for draft in spoken() {
            for from in ROLES {
                let octets = octets(draft, from.peer(), &pieces);
                agree(draft, from, &octets)?;
                fed(draft, from, &octets)?;
            }
        }
    }

    #[test]
    fn noise_is_dissected_as_the_codec_hears_it(octets: Vec<u8>) {
        for draft in spoken() {
            for from in ROLES {
                agree(draft, from, &octets)?;
                fed(draft, from, &octets)?;
            }
        }
    }

    #[test]
    fn fragments_of_text_are_judged_as_the_codec_judges_them(
        runs in prop::collection::vec(prop::collection::vec(prop_oneof![
            Just(b'a'), Just(0xc3), Just(0xa4), Just(0xe2), Just(0x82), Just(0xff)], 0..6), 1..5),
        unfinished: bool,
    ) {
        for draft in spoken() {
            for from in ROLES {
                let mut octets = Vec::new();
                for (at, run) in runs.iter().enumerate() {
                    let fin = if at + 1 == runs.len() && !unfinished { 0x80 } else { 0 };
                    let opcode = u8::from(at == 0);
                    let frame = [&[fin | opcode, run.len() as u8][..], run].concat();
                    octets.extend(masked_with(draft, from.peer(), [1, 2, 3, 4], &frame));
                }
                agree(draft, from, &octets)?;
            }
        }
    }
}

#[test]
fn every_recorded_stream_of_frames_is_dissected_as_the_codec_hears_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut frames = 0;
    for vector in load_dir(&dir).unwrap() {
        let draft = vector.about.draft;
        let Ok(acceptor) = draftgate_drafts::acceptor(draft) else {
            continue;
        };
        for from in ROLES {
            let proof = match from {
                Role::Client => acceptor.octets_after_head(),
                Role::Server => 2 * acceptor.octets_after_head(),
            };
            let octets = vector.after_head(from);
            let octets = octets.slice(proof.min(octets.len())..);
            let agreed = agree(draft, from, &octets).and_then(|()| fed(draft, from, &octets));
            if let Err(error) = agreed {
                panic!("{}: {error}", vector.name);
            }
            frames += units(draft, from, &octets).len();
        }
    }
    assert!(frames >= 400, "{frames} frames");
}

#[test]
fn a_length_beyond_what_follows_is_cut_off_and_costs_nothing() {
    for draft in spoken() {
        for from in ROLES {
            let endless = match draft > Draft::Hixie76 {
                true => masked_with(
                    draft,
                    from.peer(),
                    [0; 4],
                    b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffab",
                ),
                false => b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\x7fab".to_vec(),
            };
            let units = units(draft, from, &endless);
            assert_eq!(units.len(), 1, "{draft}");
            assert!(units[0].cut_off && units[0].fault.is_none(), "{units:?}");
            assert_eq!(&units[0].payload[..], b"ab");
        }
    }
}

#[test]
fn each_fault_is_found_at_its_bit() {
    let newest = spoken().last().unwrap();
    for (octets, code, at_bit) in [
        (&b"\xc1\x80\0\0\0\0"[..], "reserved-bits", 1),
        (b"\x83\x80\0\0\0\0", "unknown-opcode", 4),
        (b"\x09\x80\0\0\0\0", "control-fragmented", 0),
        (b"\x81\x00", "mask-missing", 8),
        (b"\x89\xfe\0\x7e\0\0\0\0", "control-too-long", 9),
        (b"\x81\xfe\0\x01\0\0\0\0a", "length-not-minimal", 16),
        (b"\x81\xff\xff\0\0\0\0\0\0\0", "length-out-of-range", 16),
        (b"\x80\x80\0\0\0\0", "continuation-without-start", 4),
        (b"\x81\x83\0\0\0\0ab\xff", "not-utf8", 64),
        (b"\x88\x81\0\0\0\0a", "close-body-too-short", 48),
        (b"\x88\x82\0\0\0\0\x03\xed", "close-code", 48),
        (
            b"\x88\x84\0\0\0\0\x03\xe8a\xff",
            "close-reason-not-utf8",
            72,
        ),
    ] {
        let found = units(newest, Role::Client, octets);
        let fault = found[0].fault.as_ref().unwrap();
        assert_eq!((fault.code, fault.at_bit), (code, at_bit), "{found:?}");
        assert!(
            fault.section.unwrap().starts_with("RFC 6455 §"),
            "{fault:?}"
        );
    }
    let found = units(newest, Role::Server, b"\x81\x80\0\0\0\0\x01\x00\x81\x00");
    let faults: Vec<_> = found
        .iter()
        .map(|u| u.fault.as_ref().map(|f| f.code))
        .collect();
    assert_eq!(
        faults,
        [Some("mask-unexpected"), None, Some("interleaved-message")]
    );
}

#[test]
fn what_follows_a_close_is_told_and_not_judged() {
    let newest = spoken().last().unwrap();
    let found = units(newest, Role::Server, b"\x88\x00\x83\x00");
    assert_eq!((found.len(), &found[1].fault), (2, &None));
    let note = found[1].fields[0].note.as_ref().unwrap();
    assert!(note.contains("follows a Close"), "{note}");
}
