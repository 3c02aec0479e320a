//! A head as the lines that it is, with what is to be said of each behind it.

use draftgate_wire::dissect::{Kind, Unit};

use crate::look::{Look, QUIET, WRONG, style, width, wrapped};

/// The lines of a head, indented by two.
pub(crate) fn lines(unit: &Unit, look: &Look) -> String {
    let mut text = String::new();
    for field in &unit.fields {
        let octets = unit.octets_of(field);
        let colour = style(field.kind);
        let name_and = |value: &str| match octets.contains(&b':') {
            true => format!("{}: {value}", field.name),
            false => field.name.clone(),
        };
        let line = match field.kind {
            Kind::End => look.paint(QUIET, "(empty line)"),
            Kind::StartLine => look.paint(colour, &field.value),
            _ => name_and(&look.paint(colour, &field.value)),
        };
        text.push_str("  ");
        text.push_str(&line);
        if !octets.ends_with(b"\r\n") {
            let end = match octets.last() {
                Some(b'\n') => " (line feed alone)",
                _ => " (cut off)",
            };
            text.push_str(&look.paint(QUIET, end));
        }
        text.push('\n');
        if let Some(note) = &field.note {
            for line in wrapped(note, look.columns() - 6) {
                text.push_str("      ");
                text.push_str(&look.paint(QUIET, line));
                text.push('\n');
            }
        }
        let wrong = unit.fault.as_ref().map(|fault| fault.at_bit);
        let end = field.start_bit + field.len_bits;
        if let Some(bit) = wrong.filter(|bit| (field.start_bit..end).contains(bit)) {
            let (before, marked) = match field.kind {
                Kind::StartLine | Kind::End => (0, width(&field.value)),
                // The line itself, not its value.
                _ if bit == field.start_bit => (0, width(&name_and(&field.value))),
                _ => (width(&name_and("")), width(&field.value)),
            };
            text.push_str(&" ".repeat(2 + before));
            text.push_str(&look.paint(WRONG, "^".repeat(marked.max(1))));
            text.push('\n');
        }
    }
    text
}
