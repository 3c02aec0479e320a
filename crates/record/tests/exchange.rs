//! Tapes made into exchanges: whatever the cuts, every octet is there, steps
//! are what was sent and not how it came, and files load and say the same.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use draftgate_core::{Draft, Event, Role};
use draftgate_drafts::announced;
use draftgate_record::{Facts, Secrets, Taped, UNJUDGED, exchange};
use draftgate_vectors::{
    Action, Content, Ending, Ends, Form, GapReason, Kind, Placeholder, Service, Step, Vector, load,
    load_dir, write,
};
use proptest::{collection::vec, prelude::*};

fn archive() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    load_dir(&dir).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// As it would be taped if each step of `vector` came in pieces of `size`, a
/// millisecond apart.
fn taped(vector: &Vector, size: usize) -> Taped {
    let mut taped = Taped::new();
    let mut now = 0;
    for step in &vector.steps {
        match &step.action {
            Action::Send(content) => {
                for piece in content.octets.chunks(size) {
                    now += 1;
                    taped.octets(step.from, ms(now), Bytes::copy_from_slice(piece));
                }
            }
            Action::Eof => taped.eof(step.from, ms(now)),
            Action::Close(Ending::Fin) => taped.eof(step.from, ms(now)),
            Action::Close(Ending::Reset) => taped.reset(step.from, ms(now)),
            Action::Timeout(_) => now += 100,
            Action::Gap(gap) => taped.gap(step.from, ms(now), gap.octets, gap.reason),
        }
    }
    taped
}

fn made(taped: &Taped) -> Vector {
    exchange("made", taped, &Facts::new("a test"), &Secrets::default())
}

/// Writes it, and loads what was written.
fn stored(vector: &Vector, dir: &Path) -> Vector {
    let written = write(vector).unwrap();
    fs::create_dir_all(dir).unwrap();
    for (name, octets) in &written.files {
        fs::write(dir.join(name), octets).unwrap();
    }
    let path = dir.join(format!("{}.toml", vector.name));
    fs::write(&path, &written.toml).unwrap();
    load(&path).unwrap_or_else(|error| panic!("{error}\n{}", written.toml))
}

fn scratch(name: &str) -> std::path::PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

#[test]
fn the_whole_archive_recorded_again_is_the_same_however_it_came() {
    let dir = scratch("again");
    let (mut checked, mut judged_alike) = (0, 0);
    for vector in archive() {
        let whole = made(&taped(&vector, usize::MAX));
        let long = vector.octets(Role::Client).len() + vector.octets(Role::Server).len() > 100_000;
        let single = made(&taped(&vector, if long { 997 } else { 1 }));
        for made in [&whole, &single] {
            if made.about.altered.is_none() {
                for side in [Role::Client, Role::Server] {
                    assert_eq!(made.octets(side), vector.octets(side), "{}", vector.name);
                }
            }
            assert!(made.about.tags.iter().any(|tag| tag == UNJUDGED));
        }
        let loaded = stored(&single, &dir);
        assert_eq!(loaded.steps, single.steps, "{}", vector.name);
        assert_eq!(loaded.about, single.about, "{}", vector.name);
        for role in [Role::Client, Role::Server] {
            let ours = single.expectation(role);
            assert_eq!(loaded.expectation(role), ours, "{}", vector.name);
            // Where the archive says what to expect, that is what was read.
            let judged = vector.expectation(role).stated();
            if let (Some(judged), Some(read)) = (judged, ours.stated())
                && announced().any(|draft| draft == vector.about.draft)
                && judged.ends.after_opening()
                && read.ends.after_opening()
            {
                let noticed = |event: &&Event| !matches!(event, Event::Notice(_));
                let judged_events: Vec<_> = judged.events.iter().filter(noticed).collect();
                assert_eq!(read.events.iter().collect::<Vec<_>>(), judged_events);
                assert_eq!(read.ends, judged.ends, "{} {role}", vector.name);
                judged_alike += 1;
            }
        }
        checked += 1;
    }
    assert!(
        checked >= 100 && judged_alike >= 200,
        "{checked} {judged_alike}"
    );
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nUser-Agent: c 1\r\nCookie: id=s3cret\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nServer: s 2\r\nDate: Mon, 12 Dec 2011 00:00:00 GMT\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: id=s3cret; Path=/\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

fn conversation() -> Taped {
    let mut taped = Taped::new();
    taped.octets(Role::Client, ms(0), REQUEST);
    taped.octets(Role::Server, ms(20), ANSWER);
    // The frame begins before the other side speaks, and ends behind it.
    taped.octets(Role::Client, ms(30), &HELLO[..3]);
    taped.octets(Role::Server, ms(40), &b"\x89\x00"[..]);
    taped.octets(Role::Client, ms(50), &HELLO[3..]);
    taped.octets(Role::Server, ms(170), &b"\x81\x05Hello"[..]);
    taped.eof(Role::Client, ms(171));
    taped.reset(Role::Server, ms(172));
    taped
}

fn placeholders(step: &Step) -> Vec<(Placeholder, Vec<u8>)> {
    let content = step.content().unwrap();
    let of = |slot: &draftgate_vectors::Slot| {
        (
            slot.placeholder,
            content.octets[slot.range.clone()].to_vec(),
        )
    };
    content.slots.iter().map(of).collect()
}

#[test]
fn steps_are_what_was_sent_where_its_last_octet_came() {
    let vector = made(&conversation());
    let told: Vec<_> = vector
        .steps
        .iter()
        .map(|step| (step.from, step.pause, step.note.as_deref()))
        .collect();
    let (c, s) = (Role::Client, Role::Server);
    assert_eq!(
        told,
        [
            (c, None, None),
            (s, Some(ms(20)), None),
            (s, Some(ms(20)), Some("ping frame, 0 octets")),
            (c, Some(ms(10)), Some("text frame, 5 octets")),
            (s, Some(ms(120)), Some("text frame, 5 octets")),
            (c, Some(ms(1)), None),
            (s, Some(ms(1)), None),
        ]
    );
    assert_eq!(vector.steps[5].action, Action::Eof);
    assert_eq!(vector.steps[6].action, Action::Close(Ending::Reset));
    assert_eq!(
        placeholders(&vector.steps[0]),
        [
            (Placeholder::Server, b"c 1".to_vec()),
            (Placeholder::Redacted, b"redacted".to_vec()),
            (Placeholder::Key, b"dGhlIHNhbXBsZSBub25jZQ==".to_vec()),
        ]
    );
    let answer: Vec<_> = placeholders(&vector.steps[1])
        .into_iter()
        .map(|p| p.0)
        .collect();
    assert_eq!(
        answer,
        [
            Placeholder::Server,
            Placeholder::Date,
            Placeholder::Redacted,
            Placeholder::Accept
        ]
    );
    let frame: Vec<_> = placeholders(&vector.steps[3])
        .into_iter()
        .map(|p| p.0)
        .collect();
    assert_eq!(frame, [Placeholder::Mask, Placeholder::Masked]);
    assert_eq!(
        (&*vector.about.client, &*vector.about.server),
        ("c 1", "s 2")
    );
    assert_eq!(vector.about.service, Some(Service::Echo));
    let read = vector.expectation(Role::Server).stated().unwrap();
    assert_eq!(read.events, [Event::Opened, Event::Message("Hello".into())]);
    assert_eq!(read.ends, Ends::Open);
    assert_eq!(
        read.answer.accept.as_deref(),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
}

#[test]
fn secrets_are_nowhere_in_the_file_unless_they_are_kept() {
    for size in [1, 7, 10_000] {
        let mut taped = Taped::new();
        for (at, piece) in REQUEST.as_bytes().chunks(size).enumerate() {
            taped.octets(Role::Client, ms(at as u64), piece);
        }
        for (at, piece) in ANSWER.as_bytes().chunks(size).enumerate() {
            taped.octets(Role::Server, ms(1000 + at as u64), piece);
        }
        let written = write(&made(&taped)).unwrap();
        assert!(!written.toml.contains("s3cret"), "{}", written.toml);
        let altered = "altered = \"secrets were taken out when it was recorded, the values of Cookie, Set-Cookie;";
        assert!(written.toml.contains(altered), "{}", written.toml);
        let kept = Secrets {
            keep: true,
            more: Vec::new(),
        };
        let kept = exchange("made", &taped, &Facts::new("a test"), &kept);
        assert!(write(&kept).unwrap().toml.contains("id=s3cret; Path=/"));
        assert_eq!(kept.about.altered, None);
    }
}

#[test]
fn secrets_of_what_is_no_websocket_and_never_ends_are_taken_out_too() {
    let mut taped = Taped::new();
    for piece in [
        "PO",
        "ST / HTTP/1.1\r\nX: y\r\nAuthoriz",
        "ation: Basic s3",
        "cret",
    ] {
        taped.octets(Role::Client, ms(0), piece);
        taped.octets(Role::Server, ms(0), "100\r\n");
    }
    taped.gap(Role::Client, ms(9), None, GapReason::Bounded);
    taped.octets(Role::Client, ms(10), "Cookie: s3cret\r\n\r\n");
    let vector = made(&taped);
    let written = write(&vector).unwrap();
    assert!(!written.toml.contains("s3"), "{}", written.toml);
    assert!(written.toml.contains("gap = { reason = \"bounded\" }"));
    assert!(written.toml.contains("partial = "));
    stored(&vector, &scratch("cut-off"));
}

#[test]
fn a_large_payload_stands_in_a_file_beside() {
    for draft in announced() {
        let mine = archive()
            .into_iter()
            .filter(|vector| vector.about.draft == draft && vector.about.kind == Kind::Captured)
            .find(|vector| {
                vector
                    .steps
                    .iter()
                    .filter_map(Step::content)
                    .any(|c| c.octets.len() > 60_000)
            });
        let Some(vector) = mine else { continue };
        let again = stored(
            &made(&taped(&vector, 4096)),
            &scratch(&format!("large-{draft}")),
        );
        let contents = || again.steps.iter().filter_map(Step::content);
        let filed: Vec<&Content> = contents()
            .filter(|c| matches!(c.form, Form::File(_)))
            .collect();
        assert!(!filed.is_empty(), "{}", vector.name);
        assert!(
            contents()
                .filter(|c| c.form == Form::Hex)
                .all(|c| c.octets.len() <= 2048)
        );
    }
}

#[test]
fn a_draft_that_cannot_be_told_is_said_to_be_none() {
    let mut taped = Taped::new();
    taped.octets(Role::Client, ms(0), &b"\x16\x03\x01\x00\xff\x00"[..]);
    taped.octets(Role::Server, ms(1), &b"\x15\x03"[..]);
    let vector = made(&taped);
    assert!(
        vector
            .about
            .note
            .as_deref()
            .unwrap()
            .contains("cannot be told")
    );
    assert_eq!(vector.steps.len(), 2);
    let facts = Facts {
        draft: Some(Draft::Hixie76),
        ..Facts::new("a test")
    };
    let given = exchange("x", &taped, &facts, &Secrets::default());
    assert_eq!(given.about.draft, Draft::Hixie76);
    assert_eq!(made(&Taped::new()).steps, []);
}

#[test]
fn a_direction_that_is_missing_is_not_a_stream_of_nothing() {
    let mut taped = Taped::new();
    taped.octets(Role::Client, ms(0), REQUEST);
    taped.gap(Role::Server, ms(0), None, GapReason::OneDirection);
    let about = made(&taped).about;
    assert!(about.client_stream.is_some() && about.server_stream.is_none());
    assert_eq!(
        about.partial.as_deref(),
        Some("octets are missing: one-direction")
    );
}

fn anything() -> impl Strategy<Value = Taped> {
    let octets = prop_oneof![
        vec(any::<u8>(), 1..30),
        prop::sample::select(vec![
            REQUEST.as_bytes().to_vec(),
            ANSWER.as_bytes().to_vec(),
            HELLO.to_vec(),
            b"Cookie: s".to_vec(),
            b"cret\r\n".to_vec(),
        ]),
    ];
    vec((any::<bool>(), 0..50u64, 0..12, octets), 0..12).prop_map(|all| {
        let mut taped = Taped::new();
        for (client, at, what, octets) in all {
            let from = if client { Role::Client } else { Role::Server };
            match what {
                0 => taped.eof(from, ms(at)),
                1 => taped.reset(from, ms(at)),
                2 => taped.gap(from, ms(at), Some(at), GapReason::Lost),
                _ => taped.octets(from, ms(at), octets),
            }
        }
        taped
    })
}

proptest! {
    #[test]
    fn whatever_came_is_kept_and_can_be_written(taped in anything()) {
        let kept = Secrets { keep: true, more: Vec::new() };
        let vector = exchange("any", &taped, &Facts::new("a test"), &kept);
        for side in [Role::Client, Role::Server] {
            let of_side = taped.in_order().into_iter().filter(|seen| seen.from == side);
            let octets: Vec<u8> = of_side
                .filter_map(|seen| match &seen.did {
                    draftgate_record::Did::Octets(octets) => Some(octets.to_vec()),
                    _ => None,
                })
                .flatten()
                .collect();
            prop_assert_eq!(vector.octets(side), octets);
        }
        prop_assert!(write(&vector).is_ok());
        let without = exchange("any", &taped, &Facts::new("a test"), &Secrets::default());
        prop_assert!(write(&without).is_ok());
    }
}

/// Whoever sends octet by octet, in turns, must not keep the writer busy for
/// ever: by the square this would be hours.
#[test]
fn very_many_parts_in_turns_take_no_time_by_their_square() {
    let mut taped = Taped::new();
    for turn in 0..60_000_u64 {
        let from = if turn % 2 == 0 {
            Role::Client
        } else {
            Role::Server
        };
        taped.octets(from, Duration::from_micros(turn), &b"Cookie: a\r\n"[..]);
    }
    let vector = made(&taped);
    assert_eq!(vector.steps.len(), 60_000);
    let redacted = b"Cookie: redacted\r\n".repeat(30_000);
    assert_eq!(vector.octets(Role::Client), redacted);
}

/// A frame of two octets costs a thousand times as much while it is cut.
#[test]
fn very_many_frames_are_recorded_up_to_a_bound() {
    let mut taped = Taped::new();
    taped.octets(Role::Client, ms(0), REQUEST);
    taped.octets(Role::Server, ms(20), ANSWER);
    let pings = b"\x89\x00".repeat(100_000);
    taped.octets(Role::Server, ms(100), pings);
    taped.eof(Role::Server, ms(101));
    let vector = made(&taped);
    let partial = vector.about.partial.as_deref().unwrap();
    assert_eq!(
        partial,
        "recorded up to 70,000 frames and other parts, and no further"
    );
    assert_eq!(vector.steps.len(), 70_002);
    for (step, from) in vector.steps[70_000..]
        .iter()
        .zip([Role::Client, Role::Server])
    {
        assert_eq!(step.from, from);
        assert!(matches!(step.action, Action::Gap(_)), "{step:?}");
    }
    stored(&vector, &scratch("very-many-frames"));
}
