//! What is read of frames that were compressed: by what the opening agreed on, and
//! by what it would mean where there is none.

use std::path::Path;

use bytes::Bytes;
use draftgate_core::{Draft, Event, Message, Role};
use draftgate_drafts::{
    compression,
    dissect::{Dissected, Dissecting, Live, frames, stream},
};
use draftgate_vectors::{Vector, load, load_dir};
use draftgate_wire::dissect::{Field, Kind, Unit, What};

use crate::{ROLES, covers};

fn archive() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors")
}

/// The exchanges whose server agreed on an extension.
fn compressed() -> Vec<Vector> {
    let all = load_dir(archive()).unwrap();
    let agreed = |vector: &Vector| {
        let [client, server] = ROLES.map(|side| vector.octets(side));
        compression::recorded(&client, &server).is_some()
    };
    all.into_iter().filter(agreed).collect()
}

fn dissected(vector: &Vector) -> Dissected {
    let [client, server] = ROLES.map(|side| vector.octets(side));
    Dissected::of(client, server, Some(vector.about.draft))
}

/// The frames of a side, those that a carrier holds among them.
fn all_frames(units: &[Unit]) -> Vec<&Unit> {
    let all = units
        .iter()
        .flat_map(|unit| std::iter::once(unit).chain(&unit.within));
    all.filter(|unit| unit.what == What::Frame).collect()
}

/// What was read in the frames of messages, as a person reads it.
fn read(units: &[Unit]) -> String {
    let value = |unit: &Unit| match &unit.decoded {
        Some(decoded) => decoded.value.clone(),
        None => {
            let is_payload = |field: &&Field| field.kind == Kind::Payload;
            let payload = unit.fields.iter().find(is_payload);
            payload.map_or_else(String::new, |field| field.value.clone())
        }
    };
    let of_messages = |unit: &&&Unit| {
        let opcode = unit.fields.iter().find(|field| field.kind == Kind::Opcode);
        opcode.is_some_and(|it| {
            ["(text)", "(cont"]
                .iter()
                .any(|word| it.value.contains(word))
        })
    };
    let frames = all_frames(units);
    let values = frames.iter().filter(of_messages).map(|unit| value(unit));
    values
        .map(|value| value.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn every_compressed_exchange_is_read_as_its_file_says() {
    let (mut texts, mut broken) = (0, 0);
    for vector in compressed() {
        let seen = dissected(&vector);
        for role in ROLES {
            let side = role.peer();
            covers(seen.units(side), &vector.octets(side));
            let stated = vector.expectation(role).stated();
            let Some(stated) = stated.filter(|it| it.refused.is_none()) else {
                continue;
            };
            let fault = seen.units(side).iter().find_map(Unit::first_fault);
            let rule = stated.violation.as_ref().map(|it| it.rule.code());
            // Limits are a receiver's own.
            let limit = rule == Some("message-too-big");
            let rule = rule.filter(|_| !limit);
            let name = &vector.name;
            assert_eq!(fault.map(|(_, fault)| fault.code), rule, "{name} {side}");
            broken += usize::from(rule.is_some());
            if rule.is_none() && !limit {
                let said = stated.events.iter().map(|event| match event {
                    Event::Message(Message::Text(text)) => text.as_str(),
                    _ => "",
                });
                let said: String = said.collect();
                if said.len() < 100 && !name.contains("no-context") {
                    assert_eq!(read(seen.units(side)), said, "{name} {side}");
                    texts += 1;
                }
            }
        }
    }
    assert!(texts > 15 && broken > 10, "{texts} {broken}");
}

#[test]
fn a_connection_that_goes_on_is_read_alike() {
    for vector in compressed() {
        let [client, server] = ROLES.map(|side| vector.octets(side));
        if vector.about.draft == Draft::Hybi04 || client.len() + server.len() > 4096 {
            // hybi-04 wants a codec to say what it masks with.
            continue;
        }
        let agreed = compression::recorded(&client, &server).unwrap();
        let seen = dissected(&vector);
        for side in ROLES {
            let head = seen.units(side)[0].octets.len();
            let none = frames(vector.about.draft, side, Bytes::new()).unwrap();
            let mut live = Live::new(none, Some(agreed.reading(side)));
            let mut found = Vec::new();
            for octet in &vector.octets(side)[head..] {
                live.feed(&[*octet]);
                found.extend(std::iter::from_fn(|| live.next_whole()));
            }
            let whole = all_frames(seen.units(side));
            assert_eq!(found.len(), whole.len(), "{} {side}", vector.name);
            for (one, other) in found.iter().zip(whole) {
                assert_eq!(one.fields, other.fields, "{} {side}", vector.name);
                assert_eq!(one.decoded, other.decoded, "{} {side}", vector.name);
            }
        }
    }
}

#[test]
fn what_grows_without_end_is_read_up_to_a_limit() {
    let name = "hybi-13/malformed.message-too-big-compressed.by-server.toml";
    let vector = load(archive().join(name)).unwrap();
    let [client, server] = ROLES.map(|side| vector.octets(side));
    let again = [&server[..], b"\xc1\x05\xf2\x00\x11\x00\x00\x81\x02hi"].concat();
    let seen = Dissected::of(client, again, Some(Draft::Hybi13));
    let [_, bomb, lost, plain] = &seen.server[..] else {
        panic!("{:?}", seen.server.len());
    };
    let decoded = bomb.decoded.as_ref().unwrap();
    assert_eq!((decoded.length, decoded.bounded), (1 << 20, true));
    assert!(decoded.value.len() < 1000, "{}", decoded.value.len());
    assert_eq!(lost.decoded, None);
    let note = |unit: &Unit| unit.fields.last().unwrap().note.clone();
    assert!(note(lost).unwrap().contains("not decoded"));
    assert_eq!(plain.fields.last().unwrap().value, "\"hi\"");
    assert!(seen.server.iter().all(|unit| unit.fault.is_none()));
}

#[test]
fn a_stream_that_is_no_stream_breaks_where_it_begins() {
    let vector = load(archive().join("hybi-08/example.deflate-stream.toml")).unwrap();
    let client = vector.octets(Role::Client);
    let head = dissected(&vector).client[0].octets.clone();
    let server = vector.octets(Role::Server);
    let broken = [&head[..], b"\xff\xff"].concat();
    let seen = Dissected::of(broken, server.clone(), None);
    let (unit, fault) = seen.faults().next().unwrap();
    assert_eq!(
        (unit.offset, fault.code),
        (head.len() as u64, "not-deflate")
    );
    // What a frame in it breaks is told of the frame.
    let close_too_short = [
        &head[..],
        b"\xca\x60\x60\x60\x60\x60\x00\x00\x00\x00\xff\xff",
    ]
    .concat();
    let seen = Dissected::of(close_too_short, server, None);
    assert_eq!(seen.client.len(), 2);
    assert!(!seen.client[1].within.is_empty() && client.len() > head.len());
}

const HELLO: &[u8] = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
fn without_an_opening_the_bit_says_what_it_would_mean() {
    let rsv1 = |draft| {
        let unit = stream(draft, Role::Server, HELLO).remove(0);
        assert_eq!(unit.fault.unwrap().code, "reserved-bits");
        unit.fields[1].note.clone()
    };
    let said = rsv1(Draft::Hybi13).unwrap();
    assert!(said.contains("under permessage-deflate the message is compressed"));
    let said = rsv1(Draft::Hybi08).unwrap();
    assert!(
        said.starts_with("under deflate-frame the frame is compressed"),
        "{said}"
    );
    assert_eq!(rsv1(Draft::Hybi07), None);
}

#[test]
fn what_was_agreed_on_may_be_said() {
    let read = |draft, extensions| {
        let seen = Dissecting::of(Bytes::new(), HELLO, Some(draft));
        let mut seen = seen.with_extensions(extensions).ok()?;
        let unit = seen.server.next().unwrap();
        assert_eq!(unit.fault, None);
        unit.decoded.map(|decoded| decoded.value)
    };
    let hello = Some("\"Hello\"".to_owned());
    assert_eq!(read(Draft::Hybi13, "permessage-deflate"), hello);
    assert_eq!(read(Draft::Hybi13, "x-webkit-deflate-frame"), hello);
    assert_eq!(read(Draft::Hybi08, "deflate-frame"), hello);
    for (draft, extensions) in [
        (Draft::Hybi08, "permessage-deflate"),
        (Draft::Hybi13, "deflate-stream"),
        (Draft::Hybi13, "permessage-deflate; whatever"),
        (Draft::Hybi13, "x-other"),
        (Draft::Hybi13, ""),
    ] {
        assert_eq!(read(draft, extensions), None, "{draft} {extensions}");
    }
    // The head that is there knows better.
    let head =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let seen = Dissecting::of(
        Bytes::new(),
        [&head[..], HELLO].concat(),
        Some(Draft::Hybi13),
    );
    let mut seen = seen.with_extensions("permessage-deflate").unwrap();
    assert_eq!(
        seen.server.nth(1).unwrap().fault.unwrap().code,
        "reserved-bits"
    );
}
