//! A head as the lines that it is, with what is to be said of each behind it.

use draftgate_wire::dissect::{Kind, Unit};

use crate::look::{Look, QUIET, WRONG, style, width, wrapped};

/// The lines of a head, indented by two.
pub(crate) fn lines(unit: &Unit, look: &Look) -> String {
    let mut text = String::new();
    for field in &unit.fields {
        let octets = unit.octets_of(field);
        let colour = style(field.kind);
        let line = match field.kind {
            Kind::End => look.paint(QUIET, "(empty line)"),
            Kind::StartLine => look.paint(colour, &field.value),
            _ if !octets.contains(&b':') => field.name.clone(),
            _ => format!("{}: {}", field.name, look.paint(colour, &field.value)),
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
        let begin = field.start_bit;
        let wrong = unit.fault.as_ref().map(|fault| fault.at_bit);
        if wrong.is_some_and(|bit| (begin..begin + field.len_bits).contains(&bit)) {
            let value = match field.kind {
                Kind::StartLine | Kind::End => 0,
                _ => width(&field.name) + 2,
            };
            let marks = "^".repeat(width(&field.value).max(1));
            text.push_str(&" ".repeat(2 + value));
            text.push_str(&look.paint(WRONG, marks));
            text.push('\n');
        }
    }
    text
}
