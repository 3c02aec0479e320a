//! One side's frames, one after the other, and what only their order shows: a
//! continuation of nothing, text that is not UTF-8 across fragments, what
//! comes after the close.

use std::mem;

use bytes::Bytes;
use draftgate_core::{BadUtf8, Role, Rule};

use super::{
    Decoded, Fault, Frames, Kind, Unit, What,
    encoded::Encoding,
    hybi, sentinel,
    values::{Fields, hex, noted_hex, quoted},
};
use crate::{
    Derived, Dialect, Extension, Opcode, assembly,
    sentinel::{BINARY, END},
    utf8::repair,
};

/// The frames that one side sent, as an iterator over its octets. They cover
/// all of them: what is no frame comes last, as [`What::Unknown`].
///
/// After a fault it goes on wherever the next frame's place is known, and
/// judges on; after a Close it goes on without judging, for nobody listens.
#[derive(Debug)]
pub struct Stream {
    frames: Frames,
    derived: Option<Derived>,
    encoding: Encoding,
    pub(super) dialect: &'static Dialect,
    from: Role,
    pub(super) rest: Bytes,
    pub(super) offset: u64,
    message: Option<Begun>,
    closed: bool,
    /// Whether the place of the next frame is not known.
    lost: bool,
    /// With fewer octets than that there is no whole frame.
    wanted: usize,
}

/// A message whose end is still to come.
#[derive(Debug)]
struct Begun {
    binary: bool,
    /// The text so far; nothing of binary.
    text: Vec<u8>,
    /// How much of it is UTF-8 for certain.
    valid: usize,
    /// Whether it was said that it is not UTF-8.
    told: bool,
}

/// What a framing found, before the stream is asked what it means there.
#[derive(Debug)]
pub(super) struct Found {
    /// All fields in front of the payload.
    pub(super) fields: Fields,
    /// What it is for; `None` if the draft does not say.
    pub(super) opcode: Option<Opcode>,
    pub(super) fin: bool,
    /// The bits that are an extension's to judge.
    pub(super) extended: u8,
    /// What they made the payload of.
    pub(super) decoded: Option<Box<Decoded>>,
    /// Whether all in front of the payload is there.
    pub(super) header_is_whole: bool,
    /// As much as is there, unmasked.
    pub(super) payload: Bytes,
    pub(super) mask: Bytes,
    /// Whether an `FF` ends it.
    pub(super) terminated: bool,
    pub(super) cut_off: bool,
    /// How many octets of the payload are not there, where that is known.
    pub(super) lacking: usize,
    /// The first rule that is broken, and at which bit.
    pub(super) breach: Option<(u64, Rule)>,
    /// Rules that are broken and let pass.
    pub(super) tolerated: Vec<Rule>,
    /// Whether text in it is not UTF-8 and counts, repaired.
    pub(super) repaired: bool,
    pub(super) discarded: bool,
}

impl Found {
    pub(super) fn new(fields: Fields) -> Self {
        Self {
            fields,
            opcode: None,
            fin: false,
            extended: 0,
            decoded: None,
            header_is_whole: false,
            payload: Bytes::new(),
            mask: Bytes::new(),
            terminated: false,
            cut_off: false,
            lacking: 0,
            breach: None,
            tolerated: Vec::new(),
            repaired: false,
            discarded: false,
        }
    }
}

impl Stream {
    /// The frames in `octets`, which `from` sent in the draft of `dialect`.
    pub fn new(frames: Frames, dialect: &'static Dialect, from: Role, octets: Bytes) -> Self {
        Self {
            frames,
            derived: None,
            encoding: Encoding::default(),
            dialect,
            from,
            rest: octets,
            offset: 0,
            message: None,
            closed: false,
            lost: false,
            wanted: 0,
        }
    }

    /// The same, where both opening heads say what is masked with (hybi-04).
    #[must_use]
    pub fn derived(mut self, derived: Option<Derived>) -> Self {
        self.derived = derived;
        self
    }

    /// The same, where an extension was agreed on.
    #[must_use]
    pub fn extended(mut self, extension: Option<Box<dyn Extension>>) -> Self {
        self.encoding = Encoding::by(extension);
        self
    }

    /// Whether an extension was agreed on.
    pub fn has_extension(&self) -> bool {
        self.encoding.bits() != 0
    }

    /// The same, where `offset` octets went before.
    #[must_use]
    pub fn starting_at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The same side said `octets` as well. Whoever reads a connection while it
    /// is going on takes [`next_whole`](Self::next_whole) after it.
    pub fn feed(&mut self, octets: &[u8]) {
        let rest = mem::take(&mut self.rest);
        let mut rest = rest.try_into_mut().unwrap_or_else(|rest| rest[..].into());
        rest.extend_from_slice(octets);
        self.rest = rest.freeze();
        // What is known not to hold the end of a text is not searched again.
        if self.wanted > 0 && self.up_to_end() && memchr::memchr(END, octets).is_none() {
            self.wanted = self.rest.len() + 1;
        }
    }

    /// Whether the frame at the front goes up to the next `FF`.
    fn up_to_end(&self) -> bool {
        matches!(self.frames, Frames::Sentinel { .. }) && self.rest.first() < Some(&BINARY)
    }

    /// As [`next`](Iterator::next), but nothing that is cut off: there may be
    /// more to come of it.
    pub fn next_whole(&mut self) -> Option<Unit> {
        if self.rest.len() < self.wanted {
            return None;
        }
        if !self.lost && !self.rest.is_empty() {
            let found = self.found();
            if found.cut_off {
                self.wanted = self.rest.len().saturating_add(found.lacking.max(1));
                return None;
            }
        }
        self.wanted = 0;
        self.next()
    }

    fn found(&self) -> Found {
        match self.frames {
            Frames::Sentinel { closing } => sentinel::frame(closing, &self.rest),
            Frames::Hybi(layout) => {
                let bits = self.encoding.bits();
                hybi::frame((layout, bits), self.derived, self.from, &self.rest)
            }
        }
    }

    fn frame(&mut self) -> Unit {
        let mut found = self.found();
        let judged = !self.closed;
        let begin = (found.fields.bit() / 8) as usize;
        let end = begin + found.payload.len();
        if !found.header_is_whole {
            self.lost = !found.cut_off;
        } else if judged {
            self.meaning(&mut found);
        } else {
            self.payload(&mut found.fields, &found.payload, &self.shown(found.opcode));
        }
        if !found.mask.is_empty() && begin < end {
            let wire = format!("masked: {} on the wire", noted_hex(&self.rest[begin..end]));
            if let Some(field) = found.fields.at(8 * begin as u64) {
                field.noting(wire);
            }
        }
        if found.terminated {
            let kind = Kind::Terminator;
            found.fields.put("terminator", kind, 8, "ff");
        }
        let size = (found.fields.bit() / 8) as usize;
        if !judged && let Some(first) = found.fields.first() {
            first.noting("follows a Close: receivers discard it");
        }
        let draft = self.dialect.draft;
        let fault = found.breach.filter(|_| judged).map(|(at_bit, rule)| Fault {
            at_bit,
            code: rule.code(),
            sentence: rule.to_string(),
            section: Some(rule.section(draft)),
        });
        Unit {
            mask: found.mask,
            payload: found.payload,
            decoded: found.decoded,
            cut_off: found.cut_off,
            fault,
            tolerated: found.tolerated,
            repaired: found.repaired,
            discarded: found.discarded || !judged,
            ..self.unit(What::Frame, size, found.fields)
        }
    }

    /// Takes `size` octets off the front.
    pub(super) fn unit(&mut self, what: What, size: usize, fields: Fields) -> Unit {
        let offset = self.offset;
        self.offset += size as u64;
        Unit {
            what,
            draft: self.dialect.draft,
            from: self.from,
            offset,
            octets: self.rest.split_to(size),
            fields: fields.done(),
            mask: Bytes::new(),
            payload: Bytes::new(),
            decoded: None,
            within: Vec::new(),
            cut_off: false,
            fault: None,
            tolerated: Vec::new(),
            repaired: false,
            discarded: false,
        }
    }

    /// What a whole header means at this place of the stream; its payload is
    /// judged as far as it is there.
    fn meaning(&mut self, found: &mut Found) {
        let at = found.fields.bit();
        let whole = !found.cut_off;
        match found.opcode {
            Some(Opcode::Close) => {
                self.close(found);
                self.closed = whole;
            }
            None | Some(Opcode::Ping | Opcode::Pong) => {
                let shown = self.shown(found.opcode);
                self.payload(&mut found.fields, &found.payload, &shown);
            }
            Some(opcode) => {
                let encoded = self.encoding.begin(opcode, found);
                let out_of_order = match (&self.message, opcode) {
                    (None, Opcode::Continuation) => Some(Rule::ContinuationWithoutStart),
                    (Some(_), Opcode::Text | Opcode::Binary) => Some(Rule::InterleavedMessage),
                    _ => None,
                };
                if let Some(rule) = out_of_order {
                    let at = found.fields.start_of(Kind::Opcode);
                    found.breach.get_or_insert((at, rule));
                }
                if opcode != Opcode::Continuation {
                    self.message = Some(Begun::new(opcode == Opcode::Binary));
                }
                let shown = self.shown(found.opcode);
                let ends = whole && found.fin;
                let wrong = match encoded {
                    false => {
                        self.payload(&mut found.fields, &found.payload, &shown);
                        self.text(&found.payload, ends)
                    }
                    true => {
                        self.payload(&mut found.fields, &found.payload, &Shown::Octets);
                        let text = matches!(shown, Shown::Text);
                        match self.encoding.decode(found, at, text) {
                            Some(payload) => self.text(&payload, ends).map(Wrong::somewhere),
                            None => {
                                self.message = Some(Begun::new(true));
                                None
                            }
                        }
                    }
                };
                if let Some(wrong) = wrong {
                    self.bad_text(found, at, wrong);
                }
                if ends {
                    self.message = None;
                }
            }
        }
    }

    /// How the payload of a frame reads.
    fn shown(&self, opcode: Option<Opcode>) -> Shown {
        let text = match opcode {
            Some(Opcode::Text) => true,
            Some(Opcode::Continuation) => self.message.as_ref().is_some_and(|m| !m.binary),
            Some(Opcode::Ping | Opcode::Pong | Opcode::Close) | None => return Shown::Either,
            Some(Opcode::Binary) => false,
        };
        if text { Shown::Text } else { Shown::Octets }
    }

    pub(super) fn payload(&self, fields: &mut Fields, payload: &[u8], shown: &Shown) {
        if payload.is_empty() {
            return;
        }
        let prints = |text: &str| text.chars().all(|c| !c.is_control());
        let text = match shown {
            Shown::Text => true,
            Shown::Octets => false,
            Shown::Either => std::str::from_utf8(payload).is_ok_and(prints),
        };
        let value = if text { quoted(payload) } else { hex(payload) };
        let bits = 8 * payload.len() as u64;
        fields.put("payload data", Kind::Payload, bits, value);
    }

    /// Takes more of a text; where it stops being UTF-8, from the front of `run`.
    fn text(&mut self, run: &[u8], ends: bool) -> Option<Wrong> {
        let message = self.message.as_mut().filter(|m| !m.binary)?;
        let before = message.text.len();
        message.text.extend_from_slice(run);
        let open = &message.text[message.valid..];
        let (good, certain) = match std::str::from_utf8(open) {
            Ok(_) => (open.len(), false),
            Err(e) => (e.valid_up_to(), e.error_len().is_some() || ends),
        };
        let at = message.valid + good;
        // What was looked at once is not looked at with every fragment again.
        message.valid = at;
        if !certain {
            return None;
        }
        if message.told && !ends {
            return None;
        }
        let told = mem::replace(&mut message.told, true);
        // A text of which some can be repaired is judged at its end.
        let replaced = ends.then(|| {
            let most = (message.text.len() as u64).saturating_add(assembly::GROWTH);
            repair(&message.text, most).map(|(_, replaced)| replaced)
        });
        Some(Wrong {
            octet: at.saturating_sub(before),
            replaced,
            told,
        })
    }

    fn bad_text(&self, found: &mut Found, at: u64, wrong: Wrong) {
        let fault = (at + 8 * wrong.octet as u64, Rule::NotUtf8);
        match (self.dialect.bad_utf8, wrong.replaced) {
            (BadUtf8::Fail, _) if wrong.told => {}
            (BadUtf8::Fail, _) | (BadUtf8::Repair, Some(None)) => {
                found.breach.get_or_insert(fault);
            }
            (BadUtf8::Repair, replaced) => {
                found.repaired = true;
                if let Some(last) = found.fields.last().filter(|f| f.kind == Kind::Payload) {
                    last.noting(match replaced.flatten() {
                        Some(count) => repaired(count),
                        None => "not UTF-8".to_owned(),
                    });
                }
            }
        }
    }
}

pub(super) fn repaired(count: u64) -> String {
    let places = if count == 1 { "place" } else { "places" };
    format!("not UTF-8: receivers put U+FFFD in {count} {places}")
}

/// How a payload is written as a value.
pub(super) enum Shown {
    Text,
    Octets,
    /// As text if it is some that prints.
    Either,
}

/// Text that is not UTF-8.
struct Wrong {
    /// Where, in the payload of the frame.
    octet: usize,
    /// At the end of the message: how many U+FFFD it takes, `None` inside if
    /// that would be too many.
    replaced: Option<Option<u64>>,
    /// Whether an earlier fragment showed it.
    told: bool,
}

impl Wrong {
    /// The same of text that stands nowhere as it is.
    fn somewhere(self) -> Self {
        Self { octet: 0, ..self }
    }
}

impl Begun {
    fn new(binary: bool) -> Self {
        Self {
            binary,
            text: Vec::new(),
            valid: 0,
            told: false,
        }
    }
}

impl Iterator for Stream {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.rest.is_empty() {
            return None;
        }
        if !self.lost {
            return Some(self.frame());
        }
        let mut fields = Fields::default();
        let bits = 8 * self.rest.len() as u64;
        fields
            .put("octets", Kind::Unknown, bits, hex(&self.rest))
            .noting("where the next frame begins cannot be told");
        Some(self.unit(What::Unknown, self.rest.len(), fields))
    }
}
