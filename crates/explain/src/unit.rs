//! One unit with its title, its octets, what is noted of its fields, and what
//! is wrong with it.

use draftgate_wire::dissect::{Fault, Unit, What};

use crate::{
    head,
    look::{Look, QUIET, TITLE, WRONG, wrapped},
    octets::octets,
};

/// `unit`, all of it. Ends in a line feed.
pub fn unit(unit: &Unit, look: &Look) -> String {
    let mut text = look.paint(TITLE, title(unit));
    text.push_str("\n\n");
    match unit.what {
        What::Request | What::Answer => text.push_str(&head::lines(unit, look)),
        _ => {
            text.push_str(&octets(unit, look));
            text.push_str(&notes(unit, look));
        }
    }
    if unit.cut_off {
        let short = "cut off: the octets end before it does";
        text.push_str(&format!("\n  {}\n", look.paint(QUIET, short)));
    }
    if let Some(found) = &unit.fault {
        text.push('\n');
        for line in wrapped(&fault(unit, found), look.columns() - 2) {
            text.push_str(&format!("  {}\n", look.paint(WRONG, line)));
        }
    }
    text
}

/// What it is, from whom, where, and in which draft.
pub fn title(unit: &Unit) -> String {
    let what = match unit.what {
        What::Request => "request",
        What::Answer => "answer",
        What::Challenge => "challenge",
        What::Digest => "challenge response",
        What::Hello => "HELLO",
        What::Frame => "frame",
        _ => "octets",
    };
    let place = match unit.octets.len() as u64 {
        1 => format!("octet {}", unit.offset),
        many => format!(
            "octets {} to {}",
            unit.offset,
            unit.offset + many.max(1) - 1
        ),
    };
    let from = unit.from;
    match unit.what {
        What::Frame | What::Challenge | What::Digest | What::Hello => {
            format!(
                "{what} from the {from}, {place}, {}",
                unit.draft.with_alias()
            )
        }
        _ => format!("{what} from the {from}, {place}"),
    }
}

/// Where `unit` breaks its draft, in a sentence: code, rule, section, octet.
pub fn fault(unit: &Unit, fault: &Fault) -> String {
    let octet = unit.offset + fault.at_bit / 8;
    let section = fault
        .section
        .map_or_else(String::new, |section| format!(" ({section})"));
    format!(
        "{}: {}{section}, at octet {octet}",
        fault.code, fault.sentence
    )
}

fn notes(unit: &Unit, look: &Look) -> String {
    let mut text = String::new();
    for field in &unit.fields {
        // What is masked stands above in hexadecimal.
        let parts = field.note.iter().flat_map(|note| note.split("; "));
        let parts: Vec<&str> = parts.filter(|part| !part.starts_with("masked: ")).collect();
        if parts.is_empty() {
            continue;
        }
        if text.is_empty() {
            text.push('\n');
        }
        let note = format!("{}: {}", field.name, parts.join("; "));
        for (at, line) in wrapped(&note, look.columns() - 4).into_iter().enumerate() {
            let indent = if at == 0 { "  " } else { "    " };
            text.push_str(&format!("{indent}{}\n", look.paint(QUIET, line)));
        }
    }
    text
}
