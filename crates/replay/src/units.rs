//! Octets beside octets: the frame that should have come beside the one that
//! came, and the names of the fields in which they differ. What should have
//! come is written by our own codecs, for a file names events and not octets.

use bytes::Bytes;
use draftgate_core::{Codec, Draft, Event, Limits, Notice, Outbox, Outgoing, Role};
use draftgate_drafts::{
    FixedKeys, accept,
    compression::Recorded,
    dissect::{self, Live},
    loopback, offer,
    opening::{Ask, LengthFrames, Terms, parts},
};
use draftgate_explain::{Look, diff, unit};
use draftgate_vectors::shown;
use draftgate_wire::dissect::{Field, Kind, Unit};
use http::HeaderValue;

use crate::{
    hear::{Hearing, is_pong},
    outcome::{Compared, Mismatch},
};

/// The masking key of RFC 6455's examples (§5.7), where no other is known.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// As wide are the lines of annotated octets.
const WIDTH: usize = 96;

/// Most frames that are looked at for the one that differs: those of a peer that
/// is under test, which may send them without end.
const MOST_FRAMES: usize = 200_000;

/// What one side sent behind the opening.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) draft: Draft,
    pub(crate) from: Role,
    pub(crate) octets: Bytes,
    /// What compresses it.
    pub(crate) agreed: Option<Recorded>,
}

/// Lays the frame that was due beside the one that came, of a stream of frames
/// that `from` sent; of its events those that `counts` are compared.
pub(crate) fn explain(
    said: Said,
    due: &[Event],
    counts: impl Fn(&Event) -> bool,
    mismatch: &mut Mismatch,
) {
    // That codec knows of no extension.
    if said.agreed.is_none()
        && let Some(codec) = open(said.draft, said.from.peer(), MASK)
    {
        explain_to(codec, (&said, 0), due, counts, mismatch);
    }
}

/// The same, as `codec` hears the octets. What stands before the frames, a
/// proof of the opening, has `proof` of them. Of frames that are compressed what
/// was due is not shown: it would have other octets with each context.
pub(crate) fn explain_to(
    codec: Box<dyn Codec>,
    (said, proof): (&Said, usize),
    due: &[Event],
    counts: impl Fn(&Event) -> bool,
    mismatch: &mut Mismatch,
) {
    let (draft, from, octets) = (said.draft, said.from, &said.octets);
    let agreed = said.agreed.as_ref().map(|it| it.reading(from));
    if agreed.is_some_and(|it| it.unpacker().is_some()) {
        return;
    }
    let proof = proof.min(octets.len());
    let frames = dissect::frames_of(&*codec, from, octets.slice(proof..));
    let frames = frames.map(|it| it.extended(agreed.and_then(|agreed| agreed.extension())));
    let hearing = Hearing::new(codec, &octets[..proof]);
    let (same, came) = first_strange(hearing, frames.into_iter().flatten(), due, counts);
    let mask = came.as_ref().and_then(mask_of).unwrap_or(MASK);
    let due = due.get(same).filter(|_| agreed.is_none());
    let due = due.and_then(|event| written(draft, from, event, mask));
    beside(due, came.as_ref(), mismatch);
}

/// How many events are those that were due, and the frame that said the first
/// that is not, or that broke a rule before.
fn first_strange(
    mut hearing: Hearing,
    frames: impl Iterator<Item = Unit>,
    due: &[Event],
    counts: impl Fn(&Event) -> bool,
) -> (usize, Option<Unit>) {
    let (mut heard, mut same) = (0, 0);
    for frame in frames.take(MOST_FRAMES) {
        hearing.hear(&frame.octets);
        for event in hearing.events[heard..].iter().filter(|it| counts(it)) {
            if due.get(same) != Some(event) {
                return (same, Some(frame));
            }
            same += 1;
        }
        heard = hearing.events.len();
        if hearing.violation.is_some() {
            return (same, Some(frame));
        }
    }
    (same, None)
}

/// Whether what was `said` holds the pong that answers a ping with `body`; `left`
/// says what came if none did.
///
/// # Errors
/// It does not.
pub(crate) fn pong(said: Said, body: &Bytes, left: impl FnOnce() -> String) -> Compared {
    let is = |field: &Field| field.kind == Kind::Opcode && field.value.contains("pong");
    let frames = dissect::frames(said.draft, said.from, Bytes::new()).map(|frames| {
        let agreed = said.agreed.as_ref().map(|it| it.reading(said.from));
        let mut frames = Live::new(frames, agreed);
        frames.feed(&said.octets);
        frames
    });
    let frames = frames.into_iter().flatten().take(MOST_FRAMES);
    let mut last = None;
    for frame in frames.filter(|frame| frame.fields.iter().any(is)) {
        if frame.payload == *body {
            return Ok(());
        }
        last = Some(frame.payload);
    }
    let due = Event::Pong(body.clone());
    let seen = last.map(|body| shown(&Event::Pong(body)));
    let mut mismatch = Mismatch::of(
        "a ping is not answered by its pong",
        shown(&due),
        seen.unwrap_or_else(left),
    );
    explain(said, &[due], is_pong, &mut mismatch);
    Err(mismatch)
}

/// Shows where the head that the server sent does not belong to the request.
pub(crate) fn answer(draft: Draft, sent: Bytes, came: Bytes, mismatch: &mut Mismatch) {
    // The head and a proof; behind them a server may send what it likes.
    let server = dissect::Dissecting::of(sent, came, Some(draft)).server;
    let opening: Vec<Unit> = server.take(2).collect();
    let faulty = opening.iter().find(|unit| unit.fault.is_some());
    let Some(it) = faulty.or_else(|| opening.first()) else {
        return;
    };
    if let Some(fault) = &it.fault {
        let at = |field: &&Field| field.start_bit <= fault.at_bit;
        let field = it.fields.iter().rev().find(at);
        mismatch.fields = field.map(|field| field.name.clone()).into_iter().collect();
    }
    mismatch.octets = unit(it, &Look::plain(WIDTH));
}

/// Lays what was due beside what came.
pub(crate) fn beside(due: Option<Unit>, came: Option<&Unit>, mismatch: &mut Mismatch) {
    let look = Look::plain(WIDTH);
    let due = due.map(|due| Unit {
        offset: came.map_or(0, |came| came.offset),
        ..due
    });
    let difference = match (&due, came) {
        (Some(due), Some(came)) => diff(due, came),
        _ => None,
    };
    if let Some(difference) = difference {
        // Under two masking keys the same stands differently on the wire.
        let fields = difference.fields.iter().filter(|field| !field.alike);
        mismatch.fields = fields.map(|field| field.name.clone()).collect();
        mismatch.octets = difference.text(&look);
        return;
    }
    let alone = |name: &str, it: Option<&Unit>| match it {
        Some(it) => format!("{name}: {}", unit(it, &look)),
        None => String::new(),
    };
    mismatch.octets = match came {
        Some(_) => alone("seen", came),
        None => alone("expected", due.as_ref()),
    };
}

/// Lays the head that the server sent beside the same head with `due` for what
/// `came` in the field `name`.
pub(crate) fn heads(
    draft: Draft,
    head: &Bytes,
    (name, due): (&str, &str),
    came: Option<&str>,
    mismatch: &mut Mismatch,
) {
    let line = |value: &str| format!("{name}: {value}\r\n").into_bytes();
    let (old, new) = (came.map(line), line(due));
    let at = match &old {
        Some(old) => memchr::memmem::find(head, old),
        // Before the empty line.
        None => head.len().checked_sub(2),
    };
    let Some(at) = at else { return };
    let behind = at + old.map_or(0, |old| old.len());
    let wanted = [&head[..at], &new, &head[behind..]].concat();
    let unit = |octets: Bytes| {
        dissect::stream(draft, Role::Server, octets)
            .into_iter()
            .next()
    };
    beside(unit(wanted.into()), unit(head.clone()).as_ref(), mismatch);
}

/// Lays the proof that the server sent beside the one that was due.
pub(crate) fn proofs(draft: Draft, due: &Bytes, came: &Bytes, mismatch: &mut Mismatch) {
    let head = Bytes::from_static(b"HTTP/1.1 101 -\r\n\r\n");
    let unit = |proof: &Bytes| {
        let octets = Bytes::from([&head[..], proof].concat());
        dissect::stream(draft, Role::Server, octets)
            .into_iter()
            .nth(1)
    };
    beside(unit(due), unit(came).as_ref(), mismatch);
}

fn mask_of(unit: &Unit) -> Option<[u8; 4]> {
    let mut fields = unit.fields.iter();
    let field = fields.find(|field| field.kind == Kind::MaskingKey)?;
    unit.octets_of(field).try_into().ok()
}

/// The frame by which `from` says `event` in `draft`.
fn written(draft: Draft, from: Role, event: &Event, mask: [u8; 4]) -> Option<Unit> {
    let what = match event.clone() {
        Event::Message(message) => Outgoing::Message(message),
        Event::Ping(body) => Outgoing::Ping(body),
        Event::Pong(body) => Outgoing::Pong(body),
        Event::Notice(Notice::UnsolicitedPong) => Outgoing::Pong(Bytes::new()),
        Event::Close(close) => Outgoing::Close(close),
        Event::Opened | Event::Notice(_) => return None,
    };
    let mut codec = open(draft, from, mask)?;
    let mut out = Outbox::new();
    codec.send(what, &mut out).ok()?;
    dissect::frames_of(&*codec, from, out.take_all())
        .ok()?
        .next()
}

/// One end of an open connection in `draft`, which masks with `mask` alone.
pub(crate) fn open(draft: Draft, role: Role, mask: [u8; 4]) -> Option<Box<dyn Codec>> {
    let length_frames = LengthFrames::default();
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/",
        origin: Some("http://example.com"),
        subprotocols: &[],
        fields: &[] as &[(&str, HeaderValue)],
        limits: Limits::default(),
        length_frames,
        extensions: None,
    };
    let mut keys = FixedKeys::new(mask);
    let offered = offer(draft, &ask, &mut keys).ok()?;
    let (parts, head) = parts(&offered.request).ok()??;
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/",
        limits: Limits::default(),
        length_frames,
        extension: None,
    };
    let accepted = accept(draft, &parts, &terms, &mut keys).ok()?;
    let open = loopback::connect(offered, head, accepted).ok()?;
    Some(match role {
        Role::Server => open.server,
        Role::Client => open.client,
    })
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::spoken;

    use super::*;

    #[test]
    fn every_draft_writes_what_was_expected_of_it_with_the_mask_that_came() {
        for draft in spoken() {
            for from in [Role::Client, Role::Server] {
                let text = Event::Message("Hello".into());
                let one = written(draft, from, &text, [1, 2, 3, 4]).unwrap();
                assert_eq!(&one.payload[..], b"Hello", "{draft} {from}");
                assert!(mask_of(&one).is_none_or(|mask| mask == [1, 2, 3, 4]));
                let other =
                    written(draft, from, &Event::Message("Hallo".into()), [1, 2, 3, 4]).unwrap();
                let mut mismatch = Mismatch::default();
                beside(Some(one), Some(&other), &mut mismatch);
                let named = |word: &str| mismatch.fields.iter().any(|name| name.contains(word));
                assert!(named("data") && !named("mask"), "{mismatch:?}");
                assert!(mismatch.octets.contains("Hallo"), "{mismatch:?}");
            }
        }
    }

    #[test]
    fn nothing_is_looked_at_behind_a_frame_that_breaks_a_rule() {
        for draft in spoken() {
            let text = Event::Message("Hello".into());
            let one = written(draft, Role::Client, &text, MASK).unwrap();
            // Too long in every draft.
            let wrong = [&[0xff; 40][..], &[0; 4000]].concat();
            let octets = Bytes::from([&one.octets[..], &wrong].concat());
            let mut looked = 0;
            let codec = open(draft, Role::Server, MASK).unwrap();
            let frames = dissect::frames_of(&*codec, Role::Client, octets).unwrap();
            let frames = frames.inspect(|_| looked += 1);
            let hearing = Hearing::new(codec, &[]);
            let (same, came) = first_strange(hearing, frames, &[text], |_| true);
            assert_eq!((same, looked), (1, 2), "{draft}");
            assert_eq!(came.unwrap().offset, one.octets.len() as u64, "{draft}");
        }
    }
}
