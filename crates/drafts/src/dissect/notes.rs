//! What matters in a head, said beside its fields.

use bytes::Bytes;
use draftgate_core::{Draft, Role, Rule};
use draftgate_wire::{
    Opcode,
    dissect::{Fault, Field, Kind, Unit, What, quoted},
    opening::{Keyed, challenge::Hidden},
};

/// Notes on the fields of a request.
pub(super) fn request(unit: &mut Unit) {
    note(unit, |name, value| match name {
        "sec-websocket-key1" | "sec-websocket-key2" => Some(match Hidden::in_key(value) {
            Ok(hidden) => format!(
                "{} / {} spaces = {}",
                hidden.digits, hidden.spaces, hidden.number
            ),
            Err(why) => why.to_owned(),
        }),
        "sec-websocket-key" => Some(
            match std::str::from_utf8(value).ok().and_then(Keyed::from_key) {
                Some(keyed) => format!("its Sec-WebSocket-Accept is {}", keyed.accept()),
                None => "not the base64 of 16 octets".to_owned(),
            },
        ),
        "sec-websocket-version" => {
            let version = std::str::from_utf8(value).ok()?.parse().ok()?;
            let named = |draft: &Draft| draft.version() == Some(version);
            Some(match Draft::ALL.into_iter().find(named) {
                Some(draft) => draft.with_alias(),
                None => "of no draft".to_owned(),
            })
        }
        _ => None,
    });
}

/// Notes on the fields of an answer, which `belongs` to its request as far as
/// that can be told.
pub(super) fn answer(unit: &mut Unit, belongs: bool) {
    let wrong = unit.fault.as_ref().map(|fault| fault.at_bit / 8);
    for at in 0..unit.fields.len() {
        let field = &unit.fields[at];
        let begin = unit.place_of_value(field).start as u64;
        let text = match (field.name.to_ascii_lowercase().as_str(), field.kind) {
            _ if wrong == Some(begin) && begin > 0 => continue,
            (_, Kind::Proof) if belongs => "right for the key",
            (name, _) if !belongs && name.ends_with("websocket-location") => {
                "the URL as the client must know it"
            }
            (name, _) if belongs && name.ends_with("websocket-location") => {
                "the URL that the client asked for"
            }
            (name, _) if belongs && name.ends_with("websocket-origin") => {
                "the origin that the client named"
            }
            _ => continue,
        };
        unit.fields[at].noting(text);
    }
}

/// The octets behind a head that prove something, of which there should be `size`.
pub(super) fn proof(what: What, draft: Draft, from: Role, octets: Bytes, size: usize) -> Unit {
    let kind = match what {
        What::Challenge => Kind::Key,
        _ => Kind::Proof,
    };
    let there = octets.len();
    let printed = octets.iter().all(|o| (0x20..0x7f).contains(o));
    let shown = printed.then(|| quoted(&octets));
    let mut unit = Unit::whole((what, kind), draft, from, octets, proof_name(what));
    unit.cut_off = there < size;
    if let Some(field) = unit.fields.first_mut() {
        if let Some(shown) = shown {
            field.noting(shown);
        }
        if what == What::Digest {
            field.noting("MD5 of the numbers in both keys and of key3");
        }
        if there < size {
            field.noting(format!("cut off: {there} of {size} octets"));
        }
    }
    unit
}

/// What the octets are called.
pub(super) fn proof_name(what: What) -> &'static str {
    match what {
        What::Challenge => "key3",
        _ => "challenge response",
    }
}

/// Says of a frame that breaks its draft by its first reserved bit what that would
/// mean if the opening had agreed on it.
pub(super) fn reserved_bit(unit: &mut Unit) {
    let breaks = |fault: &Fault| fault.code == Rule::ReservedBits.code();
    if unit.what != What::Frame || !unit.fault.as_ref().is_some_and(breaks) {
        return;
    }
    let is_data = |field: &Field| {
        let data = [Opcode::Text, Opcode::Binary, Opcode::Continuation];
        let named = |opcode: &Opcode| field.value.ends_with(&format!("({})", opcode.name()));
        field.kind == Kind::Opcode && data.iter().any(named)
    };
    if !unit.fields.iter().any(is_data) {
        return;
    }
    let mut fields = unit.fields.iter_mut();
    if let Some(bit) = fields.find(|field| field.name == "RSV1" && field.value == "1")
        && let Some(meaning) = draftgate_deflate::meaning(unit.draft)
    {
        bit.noting(format!("{meaning}, but nothing like that was agreed on"));
    }
}

fn note(unit: &mut Unit, say: impl Fn(&str, &[u8]) -> Option<String>) {
    for at in 0..unit.fields.len() {
        let field = &unit.fields[at];
        let name = field.name.to_ascii_lowercase();
        if let Some(text) = say(&name, unit.value_octets(field)) {
            unit.fields[at].noting(text);
        }
    }
}
