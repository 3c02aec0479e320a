//! Every recorded stream of the archive, read in its receiver's role, whole
//! and cut, against what was written down by reading the octets.
//!
//! As a server we also answer each recorded request; as a client we judge each
//! recorded answer against the recorded request. And what we write is what the
//! recorded programs wrote, wherever the draft leaves no choice.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{collections::BTreeMap, path::Path};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Notice, Outbox, Outgoing, Role, SendError};
use draftgate_drafts::{
    Detection, FixedKeys, accept, detect, offerer,
    opening::{Accepted, Connected, LengthFrames, Refusal, Resume, Terms, origin},
    spoken, subprotocols,
};
use draftgate_testkit::{codecs::hear, request::parts};
use draftgate_vectors::{Ends, Stated, Vector, load_dir};
use http::request::Parts;

fn archive() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut vectors = load_dir(&dir).unwrap();
    // The archive knows drafts that are not spoken yet, and refusals that only
    // what stands in front of the codecs can give.
    vectors.retain(|vector| spoken().any(|draft| draft == vector.about.draft));
    vectors.retain(|vector| !vector.about.tags.iter().any(|tag| tag == "front-end"));
    assert!(vectors.len() >= 100, "{} exchanges found", vectors.len());
    vectors
}

/// Runs of one stream: whole, in two at each octet (of long ones at some), one by one.
fn cuts(octets: &[u8]) -> Vec<Vec<&[u8]>> {
    let step = (octets.len() / 300).max(1);
    let mut cuts: Vec<Vec<&[u8]>> = vec![vec![octets], octets.chunks(1).collect()];
    cuts.extend((1..octets.len()).step_by(step).map(|cut| {
        let (front, back) = octets.split_at(cut);
        vec![front, back]
    }));
    cuts
}

/// Feeds `rest` to new codecs in every cut and compares with `stated`.
fn check_events(
    vector: &Vector,
    role: Role,
    stated: &Stated,
    codec: impl Fn() -> Box<dyn Codec>,
    rest: &[u8],
) {
    for runs in cuts(rest) {
        let mut codec = codec();
        let heard = hear(&mut *codec, runs.iter().copied());
        let name = &vector.name;
        if let Err(mismatch) = stated.compare(&heard.events) {
            panic!("{name} as {role:?} in {} runs: {mismatch}", runs.len());
        }
        let rule = heard.violation.map(|v| v.rule);
        let wanted = stated.violation.as_ref().map(|broken| broken.rule);
        assert_eq!(rule, wanted, "{name} as {role:?}");
        let abnormal = codec.end().is_some_and(|close| close.code == 1006);
        let wanted = stated.ends.abnormal(vector.about.draft);
        assert_eq!(
            abnormal, wanted,
            "{name} as {role:?}: TCP ends at {:?}",
            stated.ends
        );
        if stated.ends.after_opening() && role == Role::Server {
            check_digest(vector, stated, &heard.wrote);
        }
    }
}

fn check_digest(vector: &Vector, stated: &Stated, wrote: &Bytes) {
    if let Some(md5) = &stated.answer.md5 {
        assert_eq!(&wrote[..16], &md5[..], "{}: the 16 octets", vector.name);
    }
}

fn answer(request: &Parts) -> Result<(Draft, Accepted), Refusal> {
    let draft = detect(request, Detection::default())?;
    origin(&request.headers)?;
    let host = request.headers.get("host").and_then(|h| h.to_str().ok());
    let url = format!(
        "ws://{}{}",
        host.unwrap_or_default().to_ascii_lowercase(),
        request.uri
    );
    let asked = subprotocols(draft, &request.headers);
    let terms = Terms {
        subprotocol: asked.first().copied(),
        public_url: &url,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    let accepted = accept(draft, request, &terms, &mut FixedKeys::new([0]))?;
    Ok((draft, accepted))
}

/// The fields of our answer that the recorded answer has as well.
fn check_answer(vector: &Vector, stated: &Stated, accepted: &Accepted) {
    let ours = |names: &[&str]| {
        let fields = &accepted.head.fields;
        fields
            .iter()
            .find(|(name, _)| names.contains(&&**name))
            .map(|(_, value)| value.to_str().unwrap().to_owned())
    };
    let name = &vector.name;
    let facts = &stated.answer;
    for (fact, names) in [
        (&facts.accept, &["Sec-WebSocket-Accept"][..]),
        (&facts.origin, &["Sec-WebSocket-Origin", "WebSocket-Origin"]),
        (
            &facts.location,
            &["Sec-WebSocket-Location", "WebSocket-Location"],
        ),
    ] {
        if fact.is_some() {
            assert_eq!(&ours(names), fact, "{name}: {names:?}");
        }
    }
    if let Some(subprotocol) = &facts.subprotocol {
        let sent = ours(&["Sec-WebSocket-Protocol", "WebSocket-Protocol"]);
        assert_eq!(sent.as_ref(), Some(subprotocol), "{name}: subprotocol");
    }
}

#[test]
fn every_clients_stream_is_read_as_a_server() {
    let (mut read, mut refused) = (0, 0);
    for vector in archive() {
        let Some(stated) = vector.expectation(Role::Server).stated() else {
            continue;
        };
        if matches!(stated.ends, Ends::Nothing | Ends::MidHead) {
            continue;
        }
        let (request, _) = parts(&vector.octets(Role::Client));
        let answered = answer(&request);
        if let Some(expected) = &stated.refused {
            let code = answered.unwrap_err().code();
            assert!(
                expected.rules.iter().any(|r| r == code),
                "{}: {code}",
                vector.name
            );
            refused += 1;
            continue;
        }
        let (draft, accepted) = answered.unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(draft, vector.about.draft, "{}", vector.name);
        check_answer(&vector, stated, &accepted);
        let codec = || answer(&request).unwrap().1.codec;
        check_events(
            &vector,
            Role::Server,
            stated,
            codec,
            &vector.after_head(Role::Client),
        );
        read += 1;
    }
    assert!(
        read >= 190 && refused >= 5,
        "{read} read, {refused} refused"
    );
}

/// The client of the recorded request, given the recorded answer up to where it
/// has taken its head (and hixie-76's 16 octets).
fn connect(vector: &Vector) -> Result<(Option<Connected>, Bytes), Refusal> {
    connect_with(vector, &mut FixedKeys::new([0x37, 0xfa, 0x21, 0x3d]))
}

fn connect_with(
    vector: &Vector,
    keys: &mut FixedKeys,
) -> Result<(Option<Connected>, Bytes), Refusal> {
    let terms = Resume {
        secure: false,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    let mut request = vector.octets(Role::Client).to_vec();
    if vector.about.draft == Draft::Hixie76 && vector.key3().is_none() {
        // The source left key3 out: any will do to judge the answer's head.
        request.extend([0; 8]);
    }
    let mut pending = offerer(vector.about.draft)?.resume(&request, terms, keys)?;
    let mut input = BytesMut::from(&vector.octets(Role::Server)[..]);
    let connected = pending.answer(&mut input)?;
    Ok((connected, input.freeze()))
}

#[test]
fn every_servers_stream_is_read_as_a_client() {
    let (mut read, mut refused) = (0, 0);
    for vector in archive() {
        let Some(stated) = vector.expectation(Role::Client).stated() else {
            continue;
        };
        let name = &vector.name;
        if stated.ends == Ends::Nothing || vector.octets(Role::Client).is_empty() {
            continue;
        }
        let connected = connect(&vector);
        if let Some(expected) = &stated.refused {
            let code = connected.unwrap_err().code();
            assert!(expected.rules.iter().any(|r| r == code), "{name}: {code}");
            refused += 1;
            continue;
        }
        let (connected, rest) = connected.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(connected.is_some(), stated.ends.after_opening());
        if connected.is_none() {
            continue;
        }
        let codec = || connect(&vector).unwrap().0.unwrap().codec;
        check_events(&vector, Role::Client, stated, codec, &rest);
        read += 1;
    }
    assert!(
        read >= 165 && refused >= 10,
        "{read} read, {refused} refused"
    );
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
        if !asked.ends.after_opening() || !said.ends.after_opening() {
            continue;
        }
        let (request, _) = parts(&vector.octets(Role::Client));
        let mut codec = answer(&request).unwrap().1.codec;
        let mut input = BytesMut::from(&vector.after_head(Role::Client)[..]);
        let (recorded, mut out) = (vector.after_head(Role::Server), Outbox::new());
        let mut ours = Vec::new();
        let tolerated = |event: &&Event| !matches!(event, Event::Notice(Notice::Tolerated { .. }));
        let mut said = said.events.iter().filter(tolerated);
        while let Ok(Some(event)) = codec.receive(&mut input, &mut out) {
            if matches!(event, Event::Notice(_)) {
                continue;
            }
            if !is_echo(&event, said.next()) || echo(&event, &mut *codec, &mut out).is_err() {
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
    for draft in spoken() {
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
                Event::Close(close) => Outgoing::Close(close),
                other => panic!("{}: {other:?} has no frame", vector.name),
            };
            codec.send(what, &mut out).unwrap();
        }
        assert_eq!(out.take_all(), recorded, "{}", vector.name);
        *equal.entry(draft).or_default() += 1;
    }
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let equal = equal.get(&draft).copied().unwrap_or(0);
        assert!(equal >= 15, "{draft}: {equal} streams compared");
    }
}
