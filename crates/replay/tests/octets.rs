//! The whole archive, in both roles and cut in many ways, through the runner;
//! and what we write ourselves is what the recorded programs wrote, octet for
//! octet, wherever the draft leaves no choice.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{collections::BTreeMap, path::Path};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Notice, Outbox, Outgoing, Role, SendError};
use draftgate_drafts::{
    FixedKeys,
    opening::{Connected, Refusal, parts},
    recorded::{self, resume},
    spoken,
};
use draftgate_replay::{Outcome, Split, offline};
use draftgate_testkit::codecs::hear;
use draftgate_vectors::{Kind, Vector, load_dir};

fn archive() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let vectors = load_dir(&dir).unwrap();
    assert!(vectors.len() >= 100, "{} exchanges found", vectors.len());
    vectors
}

/// Replays the archive as `role`; how many passed, and how many of them were
/// refusals.
fn replayed(role: Role) -> (usize, usize) {
    let (mut passed, mut refused) = (0, 0);
    for vector in archive() {
        match offline::judge(&vector, role, Split::Each) {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(why) => assert!(!why.is_empty()),
            other => panic!("{} as {role}: {other:#?}", vector.name),
        }
        let stated = vector.expectation(role).stated();
        refused += usize::from(stated.is_some_and(|stated| stated.refused.is_some()));
    }
    (passed, refused)
}

#[test]
fn every_clients_stream_is_read_as_a_server() {
    let (passed, refused) = replayed(Role::Server);
    assert!(
        passed >= 190 && refused >= 5,
        "{passed} passed, {refused} refused"
    );
}

#[test]
fn every_servers_stream_is_read_as_a_client() {
    let (passed, refused) = replayed(Role::Client);
    assert!(
        passed >= 165 && refused >= 10,
        "{passed} passed, {refused} refused"
    );
}

fn connect_with(
    vector: &Vector,
    keys: &mut FixedKeys,
) -> Result<(Option<Connected>, Bytes), Refusal> {
    let mut pending = resume(vector.about.draft, &vector.octets(Role::Client), keys)?;
    let mut input = BytesMut::from(&vector.octets(Role::Server)[..]);
    let connected = pending.answer(&mut input)?;
    Ok((connected, input.freeze()))
}

/// What a server that gives everything back sends for `event`, where its draft can say it.
fn echo(event: &Event, codec: &mut dyn Codec, out: &mut Outbox) -> Result<(), SendError> {
    match event {
        Event::Message(message) => codec.send(Outgoing::Message(message.clone()), out),
        Event::Close(close) => codec.send(Outgoing::Close(close.clone()), out),
        _ => Ok(()),
    }
}

/// Whether the recorded peer said `theirs` in answer to `asked`.
fn is_echo(asked: &Event, theirs: Option<&Event>) -> bool {
    match (asked, theirs) {
        // What the peer heard as a pong nobody asked for answers the recorded ping.
        (Event::Ping(_), Some(Event::Notice(Notice::UnsolicitedPong))) => true,
        (Event::Message(_) | Event::Close(_), Some(theirs)) => asked == theirs,
        (Event::Opened, Some(Event::Opened)) => true,
        _ => false,
    }
}

/// Where a recorded server gave back what it was sent, we send the same octets.
#[test]
fn our_answers_are_the_recorded_ones_octet_for_octet() {
    let mut equal = BTreeMap::<Draft, usize>::new();
    for vector in archive() {
        let (Some(asked), Some(said)) = (
            vector.expectation(Role::Server).stated(),
            vector.expectation(Role::Client).stated(),
        ) else {
            continue;
        };
        let built = spoken().any(|draft| draft == vector.about.draft);
        if !built || !asked.ends.after_opening() || !said.ends.after_opening() {
            continue;
        }
        // Here both sides are examples, and no conversation; we write no fragments,
        // and Resin does; another compressor's octets are as right as ours.
        let tagged = |tag: &str| vector.about.tags.iter().any(|it| it == tag);
        let alone = tagged("example") || vector.about.draft == Draft::Hello00;
        let packed = vector.about.kind == Kind::Captured && tagged("deflate");
        if vector.about.kind == Kind::Published || packed || alone && tagged("fragments") {
            continue;
        }
        let (request, _) = parts(&vector.octets(Role::Client)).unwrap().unwrap();
        let answer = vector.octets(Role::Server);
        let mut codec = recorded::answer_within(Limits::default(), &request, &answer)
            .unwrap()
            .1
            .codec;
        let mut input = BytesMut::from(&vector.after_head(Role::Client)[..]);
        let (recorded, mut out) = (vector.after_head(Role::Server), Outbox::new());
        let mut ours = Vec::new();
        let tolerated = |event: &&Event| !matches!(event, Event::Notice(Notice::Tolerated { .. }));
        let mut said = said.events.iter().filter(tolerated);
        codec.start(&mut out);
        while let Ok(Some(event)) = codec.receive(&mut input, &mut out) {
            if matches!(event, Event::Notice(_)) {
                continue;
            }
            let closes = matches!(event, Event::Close(_)) && vector.about.draft < Draft::Hybi06;
            if closes
                || !is_echo(&event, said.next())
                || echo(&event, &mut *codec, &mut out).is_err()
            {
                break;
            }
            ours.extend_from_slice(&out.take_all());
            *equal.entry(vector.about.draft).or_default() += usize::from(event != Event::Opened);
        }
        assert!(
            recorded.starts_with(&ours),
            "{}: {ours:02x?} is not how {recorded:02x?} begins",
            vector.name
        );
    }
    // Of these nobody recorded a conversation: their examples are judged elsewhere.
    let examples = [Draft::Hybi01, Draft::Hybi02, Draft::Hybi04];
    for draft in spoken().filter(|draft| !examples.contains(draft)) {
        let equal = equal.get(&draft).copied().unwrap_or(0);
        // No foreign client speaks hybi-06 any more: here its servers are the judge.
        let enough = if draft == Draft::Hybi06 { 50 } else { 5 };
        assert!(equal >= enough, "{draft}: {equal} answers compared");
    }
}

/// The masking keys of the frames that carry `events`, one frame each; `None`
/// if the recorded client sent something else (a message in fragments, say).
fn recorded_keys(draft: Draft, mut frames: &[u8], events: &[Event]) -> Option<Vec<u8>> {
    let mut keys = Vec::new();
    for event in events {
        let length = match event {
            Event::Message(message) => message.len(),
            Event::Ping(body) | Event::Pong(body) => body.len(),
            Event::Close(close) => close.as_ref().map_or(0, |c| 2 + c.reason.len()),
            Event::Opened | Event::Notice(_) => return None,
        };
        let header = match length {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        let key = if draft < Draft::Hybi07 { 0 } else { header };
        keys.extend_from_slice(frames.get(key..key + 4)?);
        frames = frames.get(header + 4 + length..)?;
    }
    frames.is_empty().then_some(keys)
}

/// With the masking keys of a recorded client, ours writes its octets.
#[test]
fn our_frames_are_the_recorded_clients_octet_for_octet() {
    let mut equal = BTreeMap::<Draft, usize>::new();
    for vector in archive() {
        let draft = vector.about.draft;
        let (Some(heard), recorded) = (
            vector.expectation(Role::Server).stated(),
            vector.after_head(Role::Client),
        ) else {
            continue;
        };
        if draft.version().is_none() || heard.events.len() < 2 {
            continue;
        }
        let Some(keys) = recorded_keys(draft, &recorded, &heard.events[1..]) else {
            continue;
        };
        let Ok((Some(connected), _)) = connect_with(&vector, &mut FixedKeys::new(keys)) else {
            continue;
        };
        let (mut codec, mut out) = (connected.codec, Outbox::new());
        hear(&mut *codec, []);
        for event in &heard.events[1..] {
            let what = match event.clone() {
                Event::Message(message) => Outgoing::Message(message),
                Event::Ping(body) => Outgoing::Ping(body),
                Event::Pong(body) => Outgoing::Pong(body),
                // What stands in a Close without a code is anyone's.
                Event::Close(_) if draft < Draft::Hybi06 => break,
                Event::Close(close) => Outgoing::Close(close),
                other => panic!("{}: {other:?} has no frame", vector.name),
            };
            codec.send(what, &mut out).unwrap();
        }
        let ours = out.take_all();
        let closes = draft < Draft::Hybi06 && recorded.starts_with(&ours);
        assert!(closes || ours == recorded, "{}: {ours:02x?}", vector.name);
        *equal.entry(draft).or_default() += 1;
    }
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let equal = equal.get(&draft).copied().unwrap_or(0);
        // Hardly any program spoke -04 and -05.
        let least = if draft < Draft::Hybi06 { 2 } else { 15 };
        assert!(equal >= least, "{draft}: {equal} streams compared");
    }
}
