//! What is expected, in the words of the format.

use std::fmt::Write as _;

use draftgate_core::{Close, Event, Message, Notice, Role};

use super::{Beside, WriteError, string::quoted};
use crate::{AnswerFacts, Broken, Tolerated, hex};

/// A payload of more octets than these stands in a file beside.
const INLINE: usize = 512;

/// An event on one line.
pub(super) fn event(event: &Event, beside: &mut Beside<'_>) -> Result<String, WriteError> {
    Ok(match event {
        Event::Opened => "\"opened\"".to_owned(),
        Event::Message(Message::Text(text)) if text.len() > INLINE => {
            let file = quoted(&beside.put(text.as_bytes())?);
            format!("{{ text-file = {{ file = {file} }} }}")
        }
        Event::Message(Message::Text(text)) => {
            format!("{{ text = {} }}", quoted(text.as_str()))
        }
        Event::Message(Message::Binary(octets)) if octets.len() > INLINE => {
            let file = quoted(&beside.put(octets)?);
            format!("{{ binary-file = {{ file = {file} }} }}")
        }
        Event::Message(Message::Binary(octets)) => octets_of("binary", octets),
        Event::Ping(octets) => octets_of("ping", octets),
        Event::Pong(octets) => octets_of("pong", octets),
        Event::Close(None) => "{ close = {} }".to_owned(),
        Event::Close(Some(Close { code, reason })) => match reason.is_empty() {
            true => format!("{{ close = {{ code = {code} }} }}"),
            false => {
                let reason = quoted(reason.as_str());
                format!("{{ close = {{ code = {code}, reason = {reason} }} }}")
            }
        },
        Event::Notice(notice) => self::notice(*notice)?,
    })
}

fn notice(notice: Notice) -> Result<String, WriteError> {
    Ok(match notice {
        Notice::Discarded { frame_type, octets } => {
            format!("{{ discarded = {{ frame-type = {frame_type}, octets = {octets} }} }}")
        }
        Notice::Repaired { replacements } => {
            format!("{{ repaired = {{ replacements = {replacements} }} }}")
        }
        Notice::Tolerated { rule } => {
            format!("{{ tolerated = {{ rule = \"{}\" }} }}", rule.code())
        }
        Notice::UnsolicitedPong => "\"unsolicited-pong\"".to_owned(),
        Notice::AfterClose { octets } => {
            format!("{{ after-close = {{ octets = {octets} }} }}")
        }
        other => return Err(WriteError::Event(format!("{other:?}"))),
    })
}

fn octets_of(key: &str, octets: &[u8]) -> String {
    format!("{{ {key} = \"{}\" }}", hex::digits(octets))
}

/// A rule that is broken.
pub(super) fn broken(it: &Broken) -> String {
    let reason = quoted(&it.reason);
    format!("{{ rule = \"{}\", reason = {reason} }}", it.rule.code())
}

/// A departure that is let pass.
pub(super) fn tolerated(it: &Tolerated) -> String {
    let (rule, reason) = (quoted(&it.rule), quoted(&it.reason));
    format!("{{ rule = {rule}, reason = {reason} }}")
}

/// The table of what an answer must say, if it must say anything.
pub(super) fn answer(facts: &AnswerFacts, role: Role, out: &mut String) {
    if *facts == AnswerFacts::default() {
        return;
    }
    let _ = write!(out, "\n[expect.{role}.answer]\n");
    let AnswerFacts {
        origin,
        location,
        subprotocol,
        accept,
        md5,
    } = facts;
    for (key, value) in [
        ("origin", origin),
        ("location", location),
        ("subprotocol", subprotocol),
        ("accept", accept),
    ] {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {}", quoted(value));
        }
    }
    if let Some(md5) = md5 {
        let _ = writeln!(out, "md5 = \"{}\"", hex::digits(md5));
    }
}
