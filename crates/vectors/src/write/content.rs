//! The octets of a step, as its form says: text, hexadecimal, or the name of a
//! file.

use std::{fmt::Write as _, str};

use super::{WriteError, string};
use crate::{Content, Form, Slot};

/// Octets in a row of hexadecimal.
const ROW: usize = 16;

/// Writes the key of the step, whose `number` errors name.
pub(super) fn content(it: &Content, number: usize, out: &mut String) -> Result<(), WriteError> {
    let mut end = 0;
    for slot in &it.slots {
        if slot.range.start < end || slot.range.end < slot.range.start {
            return Err(WriteError::Slots { step: number });
        }
        end = slot.range.end;
    }
    if end > it.octets.len() {
        return Err(WriteError::Slots { step: number });
    }
    // Writing to a String cannot fail.
    let _ = match &it.form {
        Form::Text => writeln!(out, "text = {}", text(it, number)?),
        Form::Hex => writeln!(out, "hex = {}", hex(it)),
        Form::File(name) => {
            let whole = 0..it.octets.len();
            let slot = match &it.slots[..] {
                [] => None,
                [Slot { range, placeholder }] if *range == whole => Some(placeholder),
                _ => return Err(WriteError::PartOfFile { step: number }),
            };
            let named = writeln!(out, "file = {}", string::quoted(name));
            match slot {
                Some(placeholder) => writeln!(out, "as = \"{placeholder}\""),
                None => named,
            }
        }
    };
    Ok(())
}

fn text(it: &Content, step: usize) -> Result<String, WriteError> {
    let not = |why| WriteError::NotText { step, why };
    let text = str::from_utf8(&it.octets).map_err(|_| not("it is not UTF-8"))?;
    let within = "a placeholder begins or ends within a character";
    let piece = |from, to| text.get(from..to).ok_or_else(|| not(within));
    let mut marked = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for Slot { range, placeholder } in &it.slots {
        marked += &piece(at, range.start)?.replace('$', "$$");
        let recorded = piece(range.start, range.end)?.replace('$', "$$");
        let _ = write!(marked, "${{{placeholder}={}}}", recorded.replace('}', "$}"));
        at = range.end;
    }
    marked += &piece(at, text.len())?.replace('$', "$$");
    Ok(string::lines(&marked))
}

/// One row between quotes, or rows of sixteen octets below each other.
fn hex(it: &Content) -> String {
    let mut rows = vec![String::new()];
    let mut in_row = 0;
    let mut open = false;
    let mut slots = it.slots.iter().peekable();
    for (at, octet) in it.octets.iter().enumerate() {
        if in_row == ROW {
            rows.push(String::new());
            in_row = 0;
        }
        let row = rows.last_mut();
        let Some(row) = row else { break };
        while let Some(empty) =
            slots.next_if(|s| !open && s.range.is_empty() && s.range.start == at)
        {
            let gap = if row.is_empty() { "" } else { " " };
            let _ = write!(row, "{gap}${{{}=}}", empty.placeholder);
        }
        let gap = if row.is_empty() { "" } else { " " };
        match slots.peek() {
            Some(slot) if slot.range.start == at => {
                open = true;
                let _ = write!(row, "{gap}${{{}={octet:02x}", slot.placeholder);
            }
            _ => {
                let _ = write!(row, "{gap}{octet:02x}");
            }
        }
        in_row += 1;
        if open && slots.next_if(|slot| slot.range.end == at + 1).is_some() {
            open = false;
            row.push('}');
        }
    }
    for empty in slots {
        if let Some(row) = rows.last_mut() {
            let gap = if row.is_empty() { "" } else { " " };
            let _ = write!(row, "{gap}${{{}=}}", empty.placeholder);
        }
    }
    match &rows[..] {
        [row] => format!("\"{row}\""),
        rows => format!("\"\"\"\n{}\n\"\"\"", rows.join("\n")),
    }
}
