//! Octets beside octets: the frame that should have come beside the one that
//! came, and the names of the fields in which they differ. What should have
//! come is written by our own codecs, for a file names events and not octets.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Notice, Outbox, Outgoing, Role};
use draftgate_drafts::{
    FixedKeys, accept, dissect, offer,
    opening::{Accepted, Ask, LengthFrames, Offer, Terms, parts},
};
use draftgate_wire::dissect::{Kind, Unit};
use http::HeaderValue;

use crate::{hear::Hearing, outcome::Mismatch};

/// The masking key of RFC 6455's examples (§5.7), where no other is known.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The frames of one side, each with the events that had come when it was
/// heard.
pub(crate) struct Frames {
    units: Vec<(Unit, usize)>,
    events: Vec<Event>,
    broken: Option<usize>,
}

impl Frames {
    /// The frames that `from` wrote in `octets`, as `codec` hears them. What
    /// stands before them, a proof of the opening, has `proof` octets.
    pub(crate) fn heard(
        (draft, from): (Draft, Role),
        codec: Box<dyn Codec>,
        octets: &Bytes,
        proof: usize,
        expected: &[Event],
    ) -> Self {
        let proof = proof.min(octets.len());
        let mut hearing = Hearing::new(codec, &octets[..proof]);
        let mut frames = Self {
            units: Vec::new(),
            events: Vec::new(),
            broken: None,
        };
        let Ok(stream) = dissect::frames(draft, from, octets.slice(proof..)) else {
            return frames;
        };
        for unit in stream {
            hearing.hear(&unit.octets);
            if hearing.violation.is_some() && frames.broken.is_none() {
                frames.broken = Some(frames.units.len());
            }
            frames.events = counted(&hearing.events, expected);
            frames.units.push((unit, frames.events.len()));
        }
        frames
    }

    /// The frame that said event `index`, or else the one that broke a rule.
    fn of(&self, index: usize) -> Option<&Unit> {
        let mut units = self.units.iter();
        let (unit, _) = match units.find(|(_, events)| *events > index) {
            Some(found) => found,
            None => self.units.get(self.broken?)?,
        };
        Some(unit)
    }

    /// Says in `mismatch` in which fields the octets differ, where the first
    /// event that is not as expected can be laid beside the frame that came.
    pub(crate) fn explain(
        &self,
        (draft, from): (Draft, Role),
        expected: &[Event],
        mismatch: &mut Mismatch,
    ) {
        let pairs = expected.iter().zip(&self.events);
        let index = pairs.take_while(|(due, came)| due == came).count();
        let came = self.of(index);
        let due = expected
            .get(index)
            .and_then(|event| written(draft, from, event, came.and_then(mask_of).unwrap_or(MASK)));
        beside(due.as_ref(), came, mismatch);
    }
}

/// Those of `events` that count in a comparison.
fn counted(events: &[Event], expected: &[Event]) -> Vec<Event> {
    let counts = |event: &&Event| !matches!(event, Event::Notice(_)) || expected.contains(event);
    events.iter().filter(counts).cloned().collect()
}

/// Lays what was due beside what came.
pub(crate) fn beside(due: Option<&Unit>, came: Option<&Unit>, mismatch: &mut Mismatch) {
    mismatch.fields = match (due, came) {
        (Some(due), Some(came)) => differing(due, came),
        _ => Vec::new(),
    };
    mismatch.octets = laid(due, came);
}

fn laid(due: Option<&Unit>, came: Option<&Unit>) -> String {
    let line = |name: &str, unit: Option<&Unit>| match unit {
        Some(unit) => format!("{name} {:02x?}", &unit.octets[..unit.octets.len().min(32)]),
        None => format!("{name} nothing"),
    };
    format!("{}\n{}", line("expected", due), line("seen    ", came))
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
    beside(
        unit(wanted.into()).as_ref(),
        unit(head.clone()).as_ref(),
        mismatch,
    );
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
    beside(unit(due).as_ref(), unit(came).as_ref(), mismatch);
}

/// The names of the fields in which two units differ, in their order.
fn differing(due: &Unit, came: &Unit) -> Vec<String> {
    let mut names = Vec::new();
    let mut differs = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    let field = |unit: &Unit, name: &str, kind| {
        let same = |f: &&draftgate_wire::dissect::Field| f.name == name && f.kind == kind;
        unit.fields.iter().find(same).map(|f| f.value.clone())
    };
    for (one, other) in [(due, came), (came, due)] {
        for it in &one.fields {
            let payload = it.kind == Kind::Payload && one.payload != other.payload;
            if payload || field(other, &it.name, it.kind).as_ref() != Some(&it.value) {
                differs(&it.name);
            }
        }
    }
    names
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
    dissect::frames(draft, from, out.take_all()).ok()?.next()
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
    };
    let mut keys = FixedKeys::new(mask);
    let offered = offer(draft, &ask, &mut keys).ok()?;
    let Offer {
        request: asked,
        mut pending,
    } = offered;
    let (parts, head) = parts(&asked).ok()??;
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/",
        limits: Limits::default(),
        length_frames,
    };
    let Accepted {
        head: answer,
        codec,
    } = accept(draft, &parts, &terms, &mut keys).ok()?;
    let mut server = Hearing::new(codec, &asked[head..]);
    let mut input = BytesMut::from(&answer.to_bytes()[..]);
    input.extend_from_slice(&server.wrote());
    match role {
        Role::Server => Some(server.codec),
        Role::Client => {
            let connected = pending.answer(&mut input).ok()??;
            Some(Hearing::new(connected.codec, &input).codec)
        }
    }
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
                let other = written(draft, from, &Event::Message("Hallo".into()), [5; 4]).unwrap();
                let fields = differing(&one, &other);
                assert!(
                    fields.iter().any(|name| name.contains("payload")),
                    "{fields:?}"
                );
                assert!(differing(&one, &one).is_empty());
            }
        }
    }
}
