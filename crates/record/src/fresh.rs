//! The octets of a step: what of them is fresh in each run becomes a
//! placeholder, secrets are taken out, and what is large goes into a file.

use std::{ops::Range, str};

use bytes::BytesMut;
use draftgate_core::Role;
use draftgate_drafts::opening::Keyed;
use draftgate_vectors::{Content, Form, Placeholder, Slot};
use draftgate_wire::dissect::{Field, Kind, Unit, What};

use crate::secrets::{Found, REDACTED, Secrets};

/// Payloads above this stand in a file of their own.
const INLINE: usize = 1024;

/// Text above this does, too.
const INLINE_TEXT: usize = 16 << 10;

/// Octets as they are to stand in a file, and which secrets they no longer hold.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) content: Content,
    /// The names of what was taken out.
    pub(crate) redacted: Vec<String>,
}

/// Something about a run of octets.
struct Mark {
    range: Range<usize>,
    placeholder: Option<Placeholder>,
    /// What stands in its place, where it is a secret.
    instead: Option<&'static str>,
}

/// The octets of one unit: as one, or in up to three where a payload is large.
/// `file` names a new file.
pub(crate) fn unit(
    unit: &Unit,
    secrets: &Secrets,
    file: &mut dyn FnMut() -> String,
) -> Vec<Prepared> {
    let proof = |placeholder, size| {
        let range = 0..unit.octets.len();
        let marks = (range.len() == size).then(|| Mark::fresh(range, placeholder));
        inline(&unit.octets, marks.into_iter().collect(), false)
    };
    match unit.what {
        What::Request | What::Answer => {
            let found = secrets.find(&unit.octets);
            let (mut marks, redacted) = secret(&found, 0..unit.octets.len());
            for mark in fresh(unit) {
                let apart = |it: &Mark| {
                    it.range.end <= mark.range.start || mark.range.end <= it.range.start
                };
                if marks.iter().all(apart) {
                    marks.push(mark);
                }
            }
            marks.sort_by_key(|mark| mark.range.start);
            vec![Prepared {
                redacted,
                ..inline(&unit.octets, marks, true)
            }]
        }
        What::Challenge => vec![proof(Placeholder::Key3, 8)],
        What::Digest => vec![proof(Placeholder::Digest, 16)],
        What::Hello => vec![inline(&unit.octets, hello(unit).collect(), false)],
        _ => frame(unit, file),
    }
}

/// Octets of which nothing is known: `part` of `whole`, in which these secrets
/// were found.
pub(crate) fn raw(
    part: Range<usize>,
    whole: &[u8],
    found: &[Found],
    file: &mut dyn FnMut() -> String,
) -> Prepared {
    let (marks, redacted) = secret(found, part.clone());
    let mut prepared = inline(&whole[part], marks, true);
    let most = match prepared.content.form {
        Form::Text => INLINE_TEXT,
        _ => INLINE,
    };
    if prepared.content.octets.len() > most && prepared.content.slots.is_empty() {
        prepared.content.form = Form::File(file());
    }
    Prepared {
        redacted,
        ..prepared
    }
}

/// Which of the secrets that were `found` are in `part`, and their names. Of a
/// secret that goes over several parts the first says that there was one.
fn secret(found: &[Found], part: Range<usize>) -> (Vec<Mark>, Vec<String>) {
    let first = found.partition_point(|found| found.range.end <= part.start);
    let within = found[first..].iter();
    let within = within.take_while(|found| found.range.start < part.end);
    let found = within.filter_map(|found| {
        let start = found.range.start.max(part.start);
        let end = found.range.end.min(part.end);
        let begins = start == found.range.start;
        let mark = Mark {
            range: start.checked_sub(part.start)?..end.checked_sub(part.start)?,
            placeholder: (begins && found.is_field).then_some(Placeholder::Redacted),
            instead: Some(if begins { REDACTED } else { "" }),
        };
        (start < end).then(|| (mark, found.name.clone()))
    });
    found.unzip()
}

/// What of a head is fresh in each run.
fn fresh(unit: &Unit) -> impl Iterator<Item = Mark> {
    unit.fields.iter().filter_map(|field| {
        let value = unit.value_octets(field);
        let placeholder = of_field(unit.from, field, value);
        // What has another form could not be made anew.
        let placeholder = placeholder.filter(|it| it.fault(value).is_none())?;
        Some(Mark::fresh(unit.place_of_value(field), placeholder))
    })
}

fn of_field(from: Role, field: &Field, value: &[u8]) -> Option<Placeholder> {
    let text = str::from_utf8(value).ok().filter(|text| !text.is_empty())?;
    let is = |name| field.name.eq_ignore_ascii_case(name);
    match (field.kind, from) {
        (Kind::Key, Role::Client) if is("sec-websocket-key1") => Some(Placeholder::Key1),
        (Kind::Key, Role::Client) if is("sec-websocket-key2") => Some(Placeholder::Key2),
        (Kind::Key, Role::Client) if is("sec-websocket-key") => {
            Keyed::from_key(text).map(|_| Placeholder::Key)
        }
        (Kind::Key, _) if is("sec-websocket-nonce") => Some(Placeholder::Nonce),
        // The base64 of a SHA-1.
        (Kind::Proof, Role::Server) => {
            (text.len() == 28 && text.ends_with('=')).then_some(Placeholder::Accept)
        }
        // `Expires: 0` is none.
        (Kind::Date, _) => {
            (text.len() == 29 && text.ends_with(" GMT")).then_some(Placeholder::Date)
        }
        (Kind::HeadField, Role::Server) if is("server") || is("x-powered-by") => {
            Some(Placeholder::Server)
        }
        (Kind::HeadField, Role::Client) if is("user-agent") => Some(Placeholder::Server),
        _ => None,
    }
}

/// What of a HELLO is fresh in each run, as far as it is whole.
fn hello(unit: &Unit) -> impl Iterator<Item = Mark> {
    unit.fields.iter().filter_map(|field| {
        let placeholder = match (field.kind, field.len_bits) {
            (Kind::Key, 64) => Placeholder::Nonce,
            (Kind::Proof, 128) => Placeholder::Digest,
            _ => return None,
        };
        Some(Mark::fresh(unit.place_of_value(field), placeholder))
    })
}

/// A frame: its masking key and all that is under it are fresh.
fn frame(unit: &Unit, file: &mut dyn FnMut() -> String) -> Vec<Prepared> {
    let key = unit
        .fields
        .iter()
        .find(|field| field.kind == Kind::MaskingKey);
    let key = key.filter(|field| field.len_bits == 32).map(|field| {
        let at = (field.start_bit / 8) as usize;
        at..at + 4
    });
    let octets = &unit.octets;
    let marks = |part: Range<usize>| -> Vec<Mark> {
        let Some(key) = &key else { return Vec::new() };
        let masked = key.end.max(part.start)..part.end;
        let both = [
            (key.clone(), Placeholder::Mask),
            (masked, Placeholder::Masked),
        ];
        let within = both.into_iter().filter(|(range, _)| {
            !range.is_empty() && part.start <= range.start && range.end <= part.end
        });
        within
            .map(|(range, it)| Mark::fresh(range.start - part.start..range.end - part.start, it))
            .collect()
    };
    let short = |part: Range<usize>| inline(&octets[part.clone()], marks(part), false);
    if unit.payload.len() <= INLINE {
        return vec![short(0..octets.len())];
    }
    let begin = payload_at(unit);
    let end = begin + unit.payload.len();
    let is_masked = key.is_some().then_some(Placeholder::Masked);
    let slots = is_masked.map(|placeholder| Slot {
        range: 0..end - begin,
        placeholder,
    });
    let payload = Prepared {
        content: Content {
            octets: octets.slice(begin..end),
            slots: slots.into_iter().collect(),
            form: Form::File(file()),
        },
        redacted: Vec::new(),
    };
    let mut prepared = vec![short(0..begin), payload];
    if end < octets.len() {
        prepared.push(short(end..octets.len()));
    }
    prepared
}

/// Where the payload of a frame begins.
fn payload_at(unit: &Unit) -> usize {
    let first = unit
        .fields
        .iter()
        .find(|field| matches!(field.kind, Kind::Payload | Kind::StatusCode | Kind::Reason));
    let at = first.map_or(0, |field| (field.start_bit / 8) as usize);
    at.min(unit.octets.len() - unit.payload.len())
}

impl Mark {
    fn fresh(range: Range<usize>, placeholder: Placeholder) -> Self {
        Self {
            range,
            placeholder: Some(placeholder),
            instead: None,
        }
    }
}

/// `octets` with `marks`, which are in order: in hexadecimal, or as text if
/// that is `wanted` and possible.
fn inline(octets: &[u8], marks: Vec<Mark>, wanted: bool) -> Prepared {
    let mut out = BytesMut::with_capacity(octets.len());
    let mut slots = Vec::new();
    let mut at = 0;
    for Mark {
        range,
        placeholder,
        instead,
    } in marks
    {
        out.extend_from_slice(&octets[at..range.start]);
        let start = out.len();
        match instead {
            Some(instead) => out.extend_from_slice(instead.as_bytes()),
            None => out.extend_from_slice(&octets[range.clone()]),
        }
        if let Some(placeholder) = placeholder {
            let range = start..out.len();
            slots.push(Slot { range, placeholder });
        }
        at = range.end;
    }
    out.extend_from_slice(&octets[at..]);
    let form = if wanted && is_text(&out) {
        Form::Text
    } else {
        Form::Hex
    };
    let content = Content {
        octets: out.freeze(),
        slots,
        form,
    };
    Prepared {
        content,
        redacted: Vec::new(),
    }
}

/// Whether people can read it as text.
fn is_text(octets: &[u8]) -> bool {
    let prints = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\t');
    !octets.is_empty() && str::from_utf8(octets).is_ok_and(|text| text.chars().all(prints))
}
