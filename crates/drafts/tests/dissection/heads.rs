//! Heads and what stands behind them: the draft that a request is in, or why
//! none, whether an answer belongs to it, and where the frames begin.

use std::path::Path;

use bytes::Bytes;
use draftgate_core::{Draft, Role};
use draftgate_drafts::{
    FixedKeys, accept, acceptor,
    dissect::{Dissected, Fit, readings, stream},
    has_hello, offer,
    opening::{self, Ask, LengthFrames, Terms},
    spoken,
};
use draftgate_testkit::codecs::hear;
use draftgate_vectors::{Vector, load_dir};
use draftgate_wire::dissect::{Kind, Unit, What};
use proptest::prelude::*;

use crate::{common::ROLES, covers};

fn archive() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    load_dir(&dir).unwrap()
}

/// A request of `draft` and our answer to it, proofs included.
fn opening_of(draft: Draft) -> (Bytes, Bytes) {
    let mut keys = FixedKeys::new(*b"a fixed run of octets for keys..");
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/demo",
        origin: Some("http://example.com"),
        subprotocols: &[],
        fields: &[("Cookie", http::HeaderValue::from_static("a=b"))],
        limits: draftgate_core::Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let request = offer(draft, &ask, &mut keys).unwrap().request;
    let (parts, head) = opening::parts(&request).unwrap().unwrap();
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/demo",
        limits: ask.limits,
        length_frames: ask.length_frames,
        extension: None,
    };
    let mut accepted = accept(draft, &parts, &terms, &mut keys).unwrap();
    let wrote = hear(&mut *accepted.codec, [&request[head..]]).wrote;
    let answer = [accepted.head.to_bytes(), wrote].concat();
    (request, answer.into())
}

fn whats(units: &[Unit]) -> Vec<What> {
    units.iter().map(|unit| unit.what).collect()
}

fn both(seen: &Dissected, client: &[u8], server: &[u8]) {
    covers(&seen.client, client);
    covers(&seen.server, server);
}

#[test]
fn an_opening_is_told_from_its_octets_alone() {
    for draft in spoken() {
        let (request, answer) = opening_of(draft);
        let seen = Dissected::of(request.clone(), answer.clone(), None);
        both(&seen, &request, &answer);
        // hybi-01 asks as hixie-76 does; its first frame tells.
        let told = match draft {
            Draft::Hybi01 => Draft::Hixie76,
            draft => draft,
        };
        assert_eq!(
            (seen.draft, seen.told.clone()),
            (Some(told), Some(Ok(told)))
        );
        assert_eq!(seen.faults().count(), 0, "{draft}: {seen:?}");
        let proof = acceptor(draft).unwrap().octets_after_head() > 0;
        let (asked, answered) = match proof {
            _ if has_hello(draft) => (vec![], vec![What::Hello]),
            true => (vec![What::Challenge], vec![What::Digest]),
            false => (vec![], vec![]),
        };
        assert_eq!(whats(&seen.client), [vec![What::Request], asked].concat());
        assert_eq!(whats(&seen.server), [vec![What::Answer], answered].concat());
        let secret = seen.client[0].head_field("cookie").unwrap();
        assert_eq!(secret.kind, Kind::Secret);
        assert_eq!(seen.client[0].value_octets(secret), b"a=b");
        assert_eq!(stream(told, Role::Client, request), seen.client);
    }
}

#[test]
fn a_proof_that_is_wrong_is_the_fault_of_its_unit() {
    for draft in spoken() {
        let (request, answer) = opening_of(draft);
        let seen = Dissected::of(request.clone(), answer.clone(), None);
        let proof = |unit: &Unit| unit.fields.iter().find(|f| f.kind == Kind::Proof).cloned();
        let Some((unit, field)) = seen.server.iter().find_map(|u| Some((u, proof(u)?))) else {
            continue; // nothing is proved in this draft
        };
        assert!(
            field.note.clone().unwrap().contains("right for "),
            "{field:?}"
        );
        let mut wrong = answer.to_vec();
        let at = unit.offset as usize + unit.place_of_value(&field).start;
        wrong[at] ^= 1;
        let seen = Dissected::of(request.clone(), wrong.clone(), None);
        both(&seen, &request, &wrong);
        let (found, fault) = seen.faults().next().unwrap();
        assert_eq!(found.offset, unit.offset);
        assert_eq!(fault.at_bit, 8 * unit.place_of_value(&field).start as u64);
        let codes = ["answer-accept", "answer-challenge", "answer-hello"];
        assert!(codes.contains(&fault.code), "{fault:?}");
        // Without the request nothing can be said of it.
        let alone = Dissected::of(Bytes::new(), answer, Some(draft));
        assert_eq!((alone.faults().count(), alone.told), (0, None));
    }
}

#[test]
fn every_recorded_exchange_is_told_by_its_request() {
    let (mut told, mut refused, mut right) = (0, 0, 0);
    for vector in archive() {
        let (client, server) = (vector.octets(Role::Client), vector.octets(Role::Server));
        let seen = Dissected::of(client.clone(), server.clone(), None);
        both(&seen, &client, &server);
        if acceptor(vector.about.draft).is_err() {
            continue; // what such a request must hold is not built
        }
        let name = &vector.name;
        if let Some(stated) = vector.expectation(Role::Server).stated() {
            let front_end = vector.about.tags.iter().any(|tag| tag == "front-end");
            let hello = seen.client.iter().find(|unit| unit.what == What::Hello);
            let hello = hello.and_then(|unit| unit.fault.as_ref());
            match (&stated.refused, &seen.told) {
                // What stands in front of the codecs refuses it, for time or for a route.
                (Some(_), _) if front_end => {}
                (Some(wanted), Some(Err(seen))) => {
                    assert!(
                        wanted.rules.iter().any(|rule| rule == seen.code),
                        "{name}: {seen:?}"
                    );
                    refused += 1;
                }
                (Some(wanted), Some(Ok(_))) if let Some(fault) = hello => {
                    assert_eq!(wanted.rules, [fault.code], "{name}");
                    refused += 1;
                }
                (None, Some(Ok(_))) => {
                    assert_eq!(hello, None, "{name}");
                    // The text of -03 has its clients say 2, as -02 does.
                    let said = match (seen.draft, vector.about.draft) {
                        (Some(Draft::Hybi02), Draft::Hybi03) => Some(Draft::Hybi03),
                        (said, _) => said,
                    };
                    assert_eq!(said, Some(vector.about.draft), "{name}");
                    told += 1;
                }
                (None, None) => {}
                (wanted, seen) => panic!("{name}: {wanted:?} but {seen:?}"),
            }
        }
        if let Some(stated) = vector.expectation(Role::Client).stated() {
            let fault = |unit: &Unit| unit.fault.clone().filter(|_| unit.what != What::Frame);
            let fault = seen.server.iter().find_map(fault);
            match (&stated.refused, fault) {
                (Some(wanted), Some(fault)) => {
                    assert!(
                        wanted.rules.iter().any(|rule| rule == fault.code),
                        "{name}: {fault:?}"
                    );
                    refused += 1;
                }
                (None, None) => {}
                (Some(_), None) if client.is_empty() || seen.draft.is_none() => {}
                // What begins with no head is taken for a stream without one.
                (Some(_), None) if !server.starts_with(b"HTTP/") => {}
                // No octet says whether TLS is below.
                (Some(wanted), None) if wanted.reason.contains("scheme wss") => {}
                (wanted, seen) => panic!("{name}: {wanted:?} but {seen:?}"),
            }
        }
        let notes = seen.server.iter().flat_map(|unit| &unit.fields);
        right += notes
            .filter(|f| {
                f.note
                    .as_ref()
                    .is_some_and(|n| n.contains("right for the key"))
            })
            .count();
    }
    assert!(
        told >= 190 && refused >= 15 && right >= 150,
        "{told} {refused} {right}"
    );
}

#[test]
fn who_asks_for_an_unknown_version_is_told_the_known_ones() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let seen = Dissected::of(&request[..], &b""[..], None);
    let refused = seen.told.unwrap().unwrap_err();
    for version in spoken().filter_map(Draft::version) {
        let named = refused.remedy.contains(&version.to_string());
        assert!(named, "{version}: {}", refused.remedy);
    }
}

#[test]
fn a_refused_request_tells_code_place_and_remedy() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n\x81\x00";
    let seen = Dissected::of(&request[..], &b""[..], None);
    let refused = seen.told.clone().unwrap().unwrap_err();
    assert_eq!(refused.code, "key-invalid");
    assert!(!refused.remedy.is_empty());
    let unit = &seen.client[0];
    let fault = unit.fault.as_ref().unwrap();
    let place = (fault.at_bit / 8) as usize;
    assert!(unit.octets[place..].starts_with(b"short"));
    assert_eq!(fault.section, Some("RFC 6455 §4.2.1"));
    assert_eq!(seen.client[1].what, What::Unknown);
}

#[test]
fn a_head_that_is_no_http_breaks_at_its_line() {
    for (request, line) in [
        (
            &b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\nA: b\r\n\r\n"[..],
            2,
        ),
        (b"GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", 1),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        (b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 0),
    ] {
        let seen = Dissected::of(request, &b""[..], None);
        let head = &seen.client[0];
        let fault = head.fault.as_ref().unwrap();
        assert_eq!(fault.code, "head-malformed");
        assert_eq!(fault.at_bit, head.fields[line].start_bit, "{head:?}");
    }
}

#[test]
fn what_a_head_leaves_open_is_noted() {
    for (request, answer) in spoken().map(opening_of) {
        let seen = Dissected::of(request.clone(), answer.clone(), None);
        for (side, octets) in [(Role::Client, request), (Role::Server, answer)] {
            let units = seen.units(side);
            let head = units[0].octets.len();
            let alone = stream(units[0].draft, side, octets.slice(..head));
            let note = alone[0].fields.last().and_then(|end| end.note.clone());
            let rest = octets.len() - head;
            let wanted = (rest > 0).then(|| format!("{rest} octets are still to come"));
            assert_eq!(note.is_some(), wanted.is_some(), "{note:?}");
            assert!(
                note.unwrap_or_default()
                    .contains(&wanted.unwrap_or_default())
            );
        }
    }
    // A connection is open, only nobody knows in which draft.
    let answer = &b"HTTP/1.1 101 a\r\nUpgrade: WebSocket\r\n\r\n\x8f\x18"[..];
    let seen = Dissected::of(&b""[..], answer, None);
    let note = seen.server[1].fields[0].note.clone();
    assert_eq!(note.as_deref(), Some("of which draft it is cannot be told"));
}

proptest! {
    #[test]
    fn any_octets_of_both_sides_are_covered(
        begins in any::<[bool; 2]>(),
        client: Vec<u8>,
        server: Vec<u8>,
        lines in "(GET / HTTP/1.1\r\n)?([A-Za-z0-9-]{0,20}: ?[ -~]{0,20}\r\n){0,6}(\r\n)?",
        cut in 0_usize..400,
    ) {
        for draft in spoken().map(Some).chain([None]) {
            let (request, answer) = draft.map_or_else(Default::default, opening_of);
            let head = |octets: &[u8], begins: bool| match begins {
                true => octets.to_vec(),
                false => lines.clone().into_bytes(),
            };
            let client = [&head(&request, begins[0])[..], &client].concat();
            let server = [&head(&answer, begins[1])[..], &server].concat();
            let (client, server) = (&client[..cut.min(client.len())], &server[..cut.min(server.len())]);
            for given in [draft, None] {
                let seen = Dissected::of(client.to_vec(), server.to_vec(), given);
                both(&seen, client, server);
                for side in ROLES {
                    for unit in seen.units(side) {
                        for field in &unit.fields {
                            prop_assert!(unit.place_of_value(field).end <= unit.octets.len());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_refusal_quotes_does_nothing_to_a_terminal() {
    let (request, _) = opening_of(spoken().last().unwrap());
    let request = String::from_utf8(request.to_vec()).unwrap();
    let version = request
        .lines()
        .find(|l| l.starts_with("Sec-WebSocket-Version"))
        .unwrap();
    let odd = request.replace(version, "Sec-WebSocket-Version: 1\u{9b}31m");
    let seen = Dissected::of(odd, &b""[..], None);
    let refused = seen.told.clone().unwrap().unwrap_err();
    assert_eq!(refused.code, "version-malformed");
    let values = seen.client[0].fields.iter().map(|field| &field.value);
    let texts = values
        .chain([&refused.sentence])
        .chain(seen.faults().map(|(_, f)| &f.sentence));
    assert!(
        texts
            .into_iter()
            .all(|text| !text.contains(char::is_control))
    );
}

#[test]
fn octets_that_do_not_say_their_draft_are_read_in_those_that_fit() {
    let drafts: Vec<Draft> = spoken().collect();
    let best = |octets: &'static [u8]| {
        let readings = readings(&drafts, &ROLES, None, &Bytes::from_static(octets));
        let fit = readings[0].fit;
        let best = readings.into_iter().filter(|reading| reading.fit == fit);
        (fit, best.map(|r| (r.draft, r.from)).collect::<Vec<_>>())
    };
    // The answer of hybi-04 has a nonce as well.
    let keyed = |draft: &&Draft| draft.version().is_some_and(|version| version > 4);
    // Text, masked: three of them have the same frames.
    let (fit, read) = best(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(fit, Fit::Whole);
    let newest = drafts.iter().rev().take(3);
    assert_eq!(read, newest.map(|d| (*d, Role::Client)).collect::<Vec<_>>());
    // Text of hixie, from either side.
    let (fit, read) = best(b"\x00Hello\xff");
    assert_eq!((fit, read.len()), (Fit::Whole, 4));
    assert!(read.iter().all(|(draft, _)| draft.version().is_none()));
    // A close by the old numbers; by the new ones text that is not UTF-8, which
    // hybi-07 repairs.
    let closing = [Draft::Hybi06, Draft::Hybi05, Draft::Hybi04].map(|d| (d, Role::Server));
    let either = ROLES.map(|role| (Draft::Hello00, role));
    let close = (Fit::Whole, [&closing[..], &either].concat());
    assert_eq!(best(b"\x81\x02\x03\xe8"), close);
    // An answer is told by its fields.
    let (fit, read) = best(
        b"HTTP/1.1 101 a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    let keyed: Vec<Draft> = drafts.iter().rev().filter(keyed).copied().collect();
    let read: Vec<Draft> = read
        .into_iter()
        .filter(|(_, from)| *from == Role::Server)
        .map(|r| r.0)
        .collect();
    assert_eq!((fit, read), (Fit::Whole, keyed));
    // A frame that breaks its draft fits none; what is cut off fits for now.
    assert!(best(b"\xc1\x05Hello").0 > Fit::CutOff);
    assert_eq!(best(b"\x81\x05Hel").0, Fit::CutOff);
}
