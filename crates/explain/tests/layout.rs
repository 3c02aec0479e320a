//! What is printed, as files beside this one. `WRITE_SNAPSHOTS=1` writes them
//! anew; look at the difference before it is committed.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{env, fs, path::Path};

use bytes::Bytes;
use draftgate_core::Role;
use draftgate_drafts::{
    FixedKeys,
    dissect::{Dissected, frames, stream},
    offer,
    opening::{Ask, LengthFrames},
    spoken,
};
use draftgate_explain::{Look, Place, diff, first_difference, octets, unit};
use draftgate_wire::dissect::Unit;
use proptest::prelude::*;

fn snapshot(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if env::var_os("WRITE_SNAPSHOTS").is_some() {
        return fs::write(&path, seen).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap();
    assert_eq!(
        seen,
        wanted,
        "{} (WRITE_SNAPSHOTS=1 writes it anew)",
        path.display()
    );
}

fn all(units: &[Unit], look: &Look) -> String {
    let texts: Vec<String> = units.iter().map(|found| unit(found, look)).collect();
    texts.join("\n")
}

fn read(draft: &str, from: Role, octets: &[u8]) -> Vec<Unit> {
    let octets = Bytes::copy_from_slice(octets);
    frames(draft.parse().unwrap(), from, octets)
        .unwrap()
        .collect()
}

/// Text, a ping, a long binary message and a close, of each framing.
#[test]
fn frames_are_labelled_under_their_octets() {
    let long = [&b"\x82\x7e\x01\x2c"[..], &[0xab; 300]].concat();
    let server = [
        &b"\x81\x05Hello\x89\x00"[..],
        &long,
        b"\x88\x08\x03\xe9going!",
    ]
    .concat();
    snapshot(
        "rfc6455.server.txt",
        &all(&read("hybi-13", Role::Server, &server), &Look::plain(80)),
    );
    let client = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    snapshot(
        "rfc6455.client.txt",
        &all(&read("hybi-13", Role::Client, client), &Look::plain(80)),
    );
    let whole = b"\x37\xfa\x21\x3d\xb3\xff\x69\x58\x5b\x96\x4e";
    snapshot(
        "hybi-06.client.txt",
        &all(&read("hybi-06", Role::Client, whole), &Look::plain(80)),
    );
    let old = [
        &b"\x00Hello\xff\x80\x03abc\x80\x82\x2c"[..],
        &[7; 300],
        b"\xff\x00",
    ]
    .concat();
    snapshot(
        "hixie-76.server.txt",
        &all(&read("hixie-76", Role::Server, &old), &Look::plain(80)),
    );
}

#[test]
fn a_fault_is_marked_where_it_is() {
    let broken =
        b"\x81\x05Hello\xc1\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xed\x81\x8e\0\0\0\0and no more";
    snapshot(
        "faults.txt",
        &all(&read("hybi-13", Role::Client, broken), &Look::plain(80)),
    );
}

#[test]
fn a_narrow_terminal_gets_more_rows() {
    let client = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let narrow = all(&read("hybi-13", Role::Client, client), &Look::plain(40));
    assert!(
        narrow
            .lines()
            .skip(1)
            .all(|line| line.chars().count() <= 40),
        "{narrow}"
    );
    snapshot("narrow.txt", &narrow);
}

const REQUEST: &[u8] = b"GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n\r\n^n:ds[4U";

const ANSWER: &[u8] = b"HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Origin: http://example.com\r\n\
    Sec-WebSocket-Location: ws://example.com/demo\r\n\r\n8jKS'y:G*Co,Wxa-";

#[test]
fn heads_are_their_lines_with_what_matters_beside_them() {
    let seen = Dissected::of(REQUEST, ANSWER, None);
    let text = [
        all(&seen.client, &Look::plain(80)),
        all(&seen.server, &Look::plain(80)),
    ];
    snapshot("heads.txt", &text.join("\n"));
    let refused = String::from_utf8(REQUEST.to_vec()).unwrap();
    let refused = refused.replace("12998 5 Y3 1  .P00", "12998 5 Y3 1  .P 00");
    let refused = Dissected::of(refused, &b""[..], None);
    snapshot("refused.txt", &all(&refused.client, &Look::plain(80)));
}

#[test]
fn colours_repeat_what_the_text_says() {
    let units = read("hybi-13", Role::Client, b"\x81\x05\x89\x80\0\0\0\0");
    let colour = Look {
        width: 80,
        colour: true,
    };
    let coloured = all(&units, &colour);
    assert!(coloured.contains('\u{1b}'));
    let mut plain = String::new();
    for piece in coloured.split('\u{1b}') {
        plain.push_str(
            piece
                .split_once('m')
                .filter(|_| piece.starts_with('['))
                .map_or(piece, |p| p.1),
        );
    }
    assert_eq!(plain, all(&units, &Look::plain(80)));
}

#[test]
fn a_difference_names_its_fields() {
    let one = |octets: &[u8]| read("hybi-13", Role::Server, octets).remove(0);
    let recorded = one(b"\x81\x05Hello");
    assert_eq!(diff(&recorded, &recorded), None);
    let longer = diff(&recorded, &one(b"\x81\x06Hello!")).unwrap();
    assert_eq!(
        (longer.at, longer.names()),
        (1, "payload length, payload data".to_owned())
    );
    let ping = diff(&recorded, &one(b"\x89\x05Hello")).unwrap();
    assert_eq!(ping.names(), "opcode");
    let look = Look::plain(80);
    let masked = |key: &[u8]| {
        let octets = [&[0x81, 0x80 | 2][..], key, &[key[0] ^ b'H', key[1] ^ b'i']].concat();
        read("hybi-13", Role::Client, &octets).remove(0)
    };
    let keys = diff(&masked(&[1, 2, 3, 4]), &masked(&[5, 6, 7, 8])).unwrap();
    let mut text = [&longer, &ping, &keys]
        .map(|difference| difference.text(&look))
        .join("\n");
    let (a, b) = (
        vec![b'a'; 1000],
        [&[b'a'; 500][..], b"b", &[b'a'; 499]].concat(),
    );
    let long = |payload: &[u8]| one(&[&b"\x82\x7e\x03\xe8"[..], payload].concat());
    text += "\n";
    text += &diff(&long(&a), &long(&b)).unwrap().text(&look);
    let case = String::from_utf8(ANSWER.to_vec()).unwrap();
    let case = case
        .replace("Upgrade: WebSocket", "Upgrade: websocket")
        .replace("/demo", "/dem");
    let case = case.replace("Sec-WebSocket-Origin: http://example.com\r\n", "");
    let seen = Dissected::of(REQUEST, case, None);
    let recorded = Dissected::of(REQUEST, ANSWER, None);
    text += "\n";
    text += &first_difference(&recorded.server, &seen.server)
        .unwrap()
        .text(&look);
    snapshot("differences.txt", &text);
}

#[test]
fn what_is_missing_and_what_is_more_is_said() {
    let units = read("hybi-13", Role::Server, b"\x81\x05Hello\x88\x00");
    assert_eq!(first_difference(&units, &units), None);
    let missing = first_difference(&units, &units[..1]).unwrap();
    assert!(matches!(&missing, Place::Missing(unit) if unit.offset == 7));
    let more = first_difference(&units[..1], &units).unwrap();
    assert!(more.text(&Look::plain(80)).contains("came in addition"));
}

#[test]
fn lines_in_another_order_differ_too() {
    let swapped = String::from_utf8(ANSWER.to_vec()).unwrap().replace(
        "Upgrade: WebSocket\r\nConnection: Upgrade",
        "Connection: Upgrade\r\nUpgrade: WebSocket",
    );
    let recorded = Dissected::of(REQUEST, ANSWER, None).server.remove(0);
    let seen = Dissected::of(REQUEST, swapped, None).server.remove(0);
    assert_eq!(
        diff(&recorded, &seen).unwrap().names(),
        "Upgrade, Connection"
    );
}

proptest! {
    #[test]
    fn anything_is_laid_out_in_any_width(
        octets_: Vec<u8>, other: Vec<u8>, width in 0_usize..200, head: bool,
    ) {
        let look = Look { width, colour: false };
        for draft in spoken() {
            for from in [Role::Client, Role::Server] {
                let mut whole = Vec::new();
                if head && from == Role::Client {
                    let ask = Ask {
                        secure: false, host: "a", resource: "/", origin: Some("http://a"),
                        subprotocols: &[], fields: &[],
                        limits: draftgate_core::Limits::default(),
                        length_frames: LengthFrames::default(),
                        extensions: None,
                    };
                    whole = offer(draft, &ask, &mut FixedKeys::new([1, 2, 3])).unwrap().request.to_vec();
                }
                whole.extend_from_slice(&octets_);
                let units = stream(draft, from, whole);
                for found in &units {
                    prop_assert!(unit(found, &look).ends_with('\n'));
                    prop_assert!(octets(found, &look).ends_with('\n'));
                }
                let others = stream(draft, from, other.clone());
                if let Some(place) = first_difference(&units, &others) {
                    prop_assert!(!place.name().is_empty());
                    prop_assert!(place.text(&look).ends_with('\n'));
                }
            }
        }
    }
}
