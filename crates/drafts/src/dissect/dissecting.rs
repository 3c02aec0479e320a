//! Both sides of a connection, one unit at a time: heads and what belongs to
//! them at once, for answer and request are judged by each other, and frames
//! as they are asked for. A frame's fields take hundreds of times the room of
//! its octets, and a recording may have millions of frames.

use std::vec;

use bytes::Bytes;
use draftgate_core::{Draft, Role, Strictness};
use draftgate_wire::{
    Agreed, Derived,
    dissect::{Kind, Stream, Unit, What},
    opening::{self, Refusal, RefusalKind},
};

use super::{Refused, answer, begins_with_head, frames_under, hello, newest, notes, request};
use crate::{acceptor, compression};

/// What [`Dissected`](super::Dissected) is made of, read while it is asked for.
#[derive(Debug)]
pub struct Dissecting {
    /// The draft by whose rules it is read: the one that was given, else the
    /// one that the request is in.
    pub draft: Option<Draft>,
    /// What the request says of itself, whichever draft was given; `None`
    /// without a whole request.
    pub told: Option<Result<Draft, Refused>>,
    /// What the client sent.
    pub client: Side,
    /// What the server sent.
    pub server: Side,
}

/// What one side sent, as an iterator over its units.
#[derive(Debug, Default)]
pub struct Side {
    /// All that is not frames.
    read: vec::IntoIter<Unit>,
    frames: Option<Stream>,
}

impl Iterator for Side {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let mut unit = self.read.next().or_else(|| self.frames.as_mut()?.next())?;
        if !self.frames.as_ref().is_some_and(Stream::has_extension) {
            notes::reserved_bit(&mut unit);
        }
        Some(unit)
    }
}

impl Side {
    fn agreed(&mut self, agreed: &dyn Agreed) {
        if self.read.as_slice().is_empty() {
            let mut read = Vec::new();
            behind(agreed, &mut read, &mut self.frames);
            self.read = read.into_iter();
        }
    }
}

/// Has what follows what was `read` be as `agreed` reads it.
fn behind(agreed: &dyn Agreed, read: &mut Vec<Unit>, frames: &mut Option<Stream>) {
    let Some(stream) = frames.take() else {
        return;
    };
    match agreed.unpacker() {
        Some(mut unpacker) => read.extend(stream.carried(&mut *unpacker)),
        None => *frames = Some(stream.extended(agreed.extension())),
    }
}

impl Dissecting {
    /// As [`Dissected::of`](super::Dissected::of).
    pub fn of(client: impl Into<Bytes>, server: impl Into<Bytes>, draft: Option<Draft>) -> Self {
        Self::under(Strictness::STRICT, client, server, draft)
    }

    /// The same, with frames judged under `strictness`.
    pub fn under(
        strictness: Strictness,
        client: impl Into<Bytes>,
        server: impl Into<Bytes>,
        draft: Option<Draft>,
    ) -> Self {
        let (client, server) = (client.into(), server.into());
        let asked =
            begins_with_head(Role::Client, &client).then(|| request::Request::read(&client, draft));
        let told = asked.as_ref().and_then(|asked| asked.told.clone());
        let draft = draft.or_else(|| decided(told.clone()?.ok()?, &client));
        let answer = begins_with_head(Role::Server, &server)
            .then(|| answer::Answer::read(&client, &server, draft));
        let mut sides = [Role::Client, Role::Server].map(|from| Reader {
            draft,
            strictness,
            from,
            both: (client.clone(), server.clone()),
            read: Vec::new(),
            frames: None,
        });
        match asked {
            Some(asked) => {
                let closed = match &asked.unit.fault {
                    _ if draft.is_some() && !asked.unit.cut_off => None,
                    Some(_) => Some("the request is refused: this counts for nothing"),
                    None => Some(UNTOLD),
                };
                sides[0].head(asked.unit, &client, closed);
            }
            None => sides[0].begun(client),
        }
        match answer {
            Some(answer) => {
                let closed = match answer.switches {
                    false => Some("the answer opens no connection: this is its body"),
                    true if draft.is_none() => Some(UNTOLD),
                    true => None,
                };
                sides[1].head(answer.unit, &server, closed);
                let proof = sides[1].read.iter_mut().find(|u| u.what == What::Digest);
                if let (Some(digest), Some(unit)) = (answer.digest, proof) {
                    digest.put_on(unit);
                }
            }
            None => sides[1].begun(server),
        }
        if let [Some(asked), Some(answered)] = [&sides[0], &sides[1]].map(|side| side.read.first())
            && let derived @ Some(_) = derived(asked, answered)
        {
            let frames = sides[0].frames.take();
            sides[0].frames = frames.map(|frames| frames.derived(derived));
        }
        let head = |side: &Reader| side.read.first().filter(|unit| is_head(unit)).cloned();
        if let Some(answered) = head(&sides[1])
            && let Some(agreed) = compression::between(head(&sides[0]).as_ref(), &answered)
        {
            // What one side sends is as the other one reads it.
            for (side, agreed) in sides.iter_mut().zip([agreed.server, agreed.client]) {
                behind(&*agreed, &mut side.read, &mut side.frames);
            }
        }
        let [client, server] = sides.map(Reader::done);
        Self {
            draft,
            told,
            client,
            server,
        }
    }

    /// The same, where the opening that is not there agreed on `extensions`, as they
    /// stand in `Sec-WebSocket-Extensions`. Of sides whose heads are there it changes
    /// nothing.
    ///
    /// # Errors
    /// They are none that the draft has, or have parameters that they cannot have.
    pub fn with_extensions(mut self, extensions: &str) -> Result<Self, Refusal> {
        let agreed = draftgate_deflate::recorded(extensions, extensions)?;
        if let Some(draft) = self.draft.filter(|draft| !agreed.is_of(*draft)) {
            let detail = format!("{draft} has no {extensions}");
            return Err(Refusal::with(RefusalKind::AnswerExtension, detail));
        }
        self.client.agreed(&*agreed.server);
        self.server.agreed(&*agreed.client);
        Ok(self)
    }

    /// What `side` sent.
    pub fn side(self, side: Role) -> Side {
        match side {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }
}

fn is_head(unit: &Unit) -> bool {
    matches!(unit.what, What::Request | What::Answer)
}

/// The draft of the client, whose head announces `told` and whose first octet may
/// show another.
fn decided(told: Draft, client: &Bytes) -> Option<Draft> {
    let (_, head) = opening::parts(client).ok()??;
    let behind = acceptor(told).map_or(0, |acceptor| acceptor.octets_after_head());
    let first = client.get(head + behind);
    Some(first.map_or(told, |first| crate::decided(told, *first)))
}

/// What is masked with where the answer has a nonce for it (hybi-04 §5.2).
fn derived(asked: &Unit, answered: &Unit) -> Option<Derived> {
    let key = asked.head_field("sec-websocket-key")?;
    let nonce = answered.head_field("sec-websocket-nonce")?;
    Some(Derived::new(&key.value, &nonce.value))
}

const UNTOLD: &str = "of which draft it is cannot be told";

/// A [`Side`] that becomes one.
struct Reader {
    draft: Option<Draft>,
    strictness: Strictness,
    from: Role,
    /// What the client sent, and what the server did.
    both: (Bytes, Bytes),
    read: Vec<Unit>,
    frames: Option<Stream>,
}

impl Reader {
    /// A head, the octets of the proof behind it, and frames; or why there are
    /// none, which is `closed`.
    fn head(&mut self, head: Unit, octets: &Bytes, closed: Option<&str>) {
        let mut offset = head.octets.len();
        let cut_off = head.cut_off;
        self.read.push(head);
        if let Some(note) = closed {
            return self.unknown(offset, octets.slice(offset..), note);
        }
        // A HELLO comes next.
        let draft = self.draft.filter(|draft| !crate::has_hello(*draft));
        let behind = draft.and_then(|draft| acceptor(draft).ok());
        let (size, what) = match self.from {
            Role::Client => (behind.map_or(0, |a| a.octets_after_head()), What::Challenge),
            Role::Server => (behind.map_or(0, |a| a.octets_after_answer()), What::Digest),
        };
        let end = octets.len().min(offset + size);
        if offset < end {
            let proof = octets.slice(offset..end);
            let unit = notes::proof(what, self.reads_in(), self.from, proof, size);
            self.read.push(Unit {
                offset: offset as u64,
                ..unit
            });
            offset = end;
        } else if size > 0 && !cut_off {
            let end = self.read.last_mut().and_then(|head| head.fields.last_mut());
            if let Some(end) = end {
                end.noting(format!(
                    "{size} octets are still to come: {}",
                    notes::proof_name(what)
                ));
            }
        }
        self.opened(offset, octets.slice(offset..));
    }

    /// What begins behind its head: with a HELLO, or anywhere after it.
    fn begun(&mut self, octets: Bytes) {
        match self.hello(&octets).is_some_and(|it| hello::is_one(&it)) {
            true => self.opened(0, octets),
            false => self.frames(0, octets),
        }
    }

    /// The HELLO at the front of `octets`, where there must be one.
    fn hello(&self, octets: &Bytes) -> Option<Unit> {
        let (client, server) = &self.both;
        let draft = self.draft?;
        let size = hello::octets(draft, self.from, client);
        let there = octets.slice(..octets.len().min(size));
        (!there.is_empty()).then(|| hello::unit((draft, self.from), there, size, (client, server)))
    }

    /// A HELLO where the draft has one, and the frames behind it.
    fn opened(&mut self, offset: usize, octets: Bytes) {
        let Some(unit) = self.hello(&octets) else {
            self.awaits_hello();
            return self.frames(offset, octets);
        };
        let end = unit.octets.len();
        let goes_on = hello::is_one(&unit);
        self.read.push(Unit {
            offset: offset as u64,
            ..unit
        });
        match goes_on {
            true => self.frames(offset + end, octets.slice(end..)),
            false => self.unknown(offset + end, octets.slice(end..), "it follows no HELLO"),
        }
    }

    /// Says of an answer without a HELLO behind it that there must be one.
    fn awaits_hello(&mut self) {
        let size = |draft| hello::octets(draft, self.from, &self.both.0);
        let size = self.draft.map_or(0, size);
        let head = self.read.last_mut().filter(|head| !head.cut_off);
        if let (Role::Server, Some(head)) = (self.from, head)
            && size > 0
            && let Some(end) = head.fields.last_mut()
        {
            end.noting(format!("{size} octets are still to come: HELLO"));
        }
    }

    fn frames(&mut self, offset: usize, octets: Bytes) {
        let stream = self
            .draft
            .map(|draft| frames_under(self.strictness, draft, self.from, octets.clone()));
        match stream {
            Some(Ok(stream)) => self.frames = Some(stream.starting_at(offset as u64)),
            Some(Err(refusal)) => self.unknown(offset, octets, &refusal.to_string()),
            None => self.unknown(offset, octets, UNTOLD),
        }
    }

    fn unknown(&mut self, offset: usize, octets: Bytes, note: &str) {
        if octets.is_empty() {
            return;
        }
        let what = (What::Unknown, Kind::Unknown);
        let mut unit = Unit::whole(what, self.reads_in(), self.from, octets, "octets");
        unit.offset = offset as u64;
        if let Some(field) = unit.fields.first_mut() {
            field.noting(note);
        }
        self.read.push(unit);
    }

    /// The draft that is written into units: where none is known the newest.
    fn reads_in(&self) -> Draft {
        self.draft.unwrap_or_else(newest)
    }

    fn done(self) -> Side {
        Side {
            read: self.read.into_iter(),
            frames: self.frames,
        }
    }
}
