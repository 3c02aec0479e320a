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
    titled(unit, title(unit), look)
}

fn titled(unit: &Unit, heading: String, look: &Look) -> String {
    let mut text = look.paint(TITLE, heading);
    text.push_str("\n\n");
    match unit.what {
        What::Request | What::Answer => text.push_str(&head::lines(unit, look)),
        _ => {
            text.push_str(&octets(unit, look));
            text.push_str(&notes(unit, look));
        }
    }
    if let Some(decoded) = &unit.decoded {
        let more = if decoded.bounded { "more than " } else { "" };
        let octets = if decoded.length == 1 {
            "octet"
        } else {
            "octets"
        };
        let line = format!("holds {more}{} {octets}: {}", decoded.length, decoded.value);
        text.push('\n');
        for (at, line) in wrapped(&line, look.columns() - 4).into_iter().enumerate() {
            let indent = if at == 0 { "  " } else { "    " };
            text.push_str(&format!("{indent}{line}\n"));
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
    for inner in &unit.within {
        let heading = format!("within it: {}", title(inner));
        text.push('\n');
        text.push_str(&titled(inner, heading, look));
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
