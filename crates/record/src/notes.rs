//! What a step is, in a few words for whoever reads the file.

use std::fmt::Write as _;

use draftgate_wire::dissect::{Kind, Unit, What};

/// `text frame, 5 octets`.
pub(crate) fn note(unit: &Unit) -> String {
    let mut note = match unit.what {
        What::Request => "request".to_owned(),
        What::Answer => "answer".to_owned(),
        What::Challenge => "key3".to_owned(),
        What::Digest => "the proof of the three keys".to_owned(),
        What::Hello => "HELLO".to_owned(),
        _ => frame(unit),
    };
    if unit.cut_off {
        note.push_str(", cut off");
    }
    if let Some(fault) = &unit.fault {
        // Writing to a String cannot fail.
        let _ = write!(note, "; breaks the rule {}", fault.code);
    }
    note
}

fn frame(unit: &Unit) -> String {
    let value = |kind| {
        let field = unit.fields.iter().find(|field| field.kind == kind);
        field.map(|field| field.value.as_str())
    };
    let mut note = match (value(Kind::Opcode), value(Kind::FrameType)) {
        (Some(opcode), _) => match opcode.split_once('(') {
            Some((_, name)) => format!("{} frame", name.trim_end_matches(')')),
            None => format!("frame of opcode {opcode}"),
        },
        (None, Some("00")) => "text frame".to_owned(),
        (None, Some("ff")) if unit.payload.is_empty() => "closing frame".to_owned(),
        (None, Some(number)) => format!("frame of type {number}"),
        (None, None) => "frame".to_owned(),
    };
    let final_one = unit.fields.iter().find(|field| field.name == "FIN");
    if final_one.is_some_and(|field| field.value == "0") {
        note.push_str(", not the last of its message");
    }
    let size = unit.payload.len();
    let _ = match (value(Kind::StatusCode), size) {
        (Some(code), _) => write!(note, ", {code}"),
        (None, 1) => write!(note, ", 1 octet"),
        (None, _) => write!(note, ", {} octets", grouped(size)),
    };
    note
}

/// `70,000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
