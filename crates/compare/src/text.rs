//! The table for a terminal. How octets stand over the names of their fields is
//! `draftgate-explain`'s; here is what stands around them: which drafts agree,
//! how much is overhead, and what becomes of what cannot be said.

use std::fmt::{self, Write};

use anstyle::Style;
use draftgate_core::{Draft, Role, SendError};
use draftgate_explain::{Look, octets};
use draftgate_wire::dissect::{Field, Kind, Unit};
use unicode_width::UnicodeWidthStr;

use crate::{
    cells::{Cell, cells, clipped},
    ends::Masks,
    instead::Instead,
    table::{Row, Said, Table, Unsaid, from},
    what::{hex, plural, thousands},
};

/// 100 columns without colour, for files and documents.
pub(crate) const PLAIN: Look = Look {
    width: 100,
    colour: false,
};

/// `text` in `style`, if in colours.
pub(crate) fn paint(look: Look, style: Style, text: &str) -> String {
    match look.colour && !text.is_empty() {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}

pub(crate) const HEADING: Style = Style::new().bold();

/// The most characters of a value: a wide payload is cut as its octets are.
const VALUE: usize = 44;

/// The most octets below a mask that are spelled out.
const OCTETS: usize = 16;

const INDENT: usize = 2;
/// Between two cells.
const GAP: usize = 2;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(PLAIN))
    }
}

impl Table {
    /// The table for a terminal.
    pub fn to_text(&self, look: Look) -> String {
        let mut text = String::new();
        wrapped(&mut text, look, HEADING, 0, &self.heading());
        for group in self.groups() {
            text.push('\n');
            let row = group[0];
            let heading = match &row.said {
                Ok(said) => format!("{} · {}", names(&group), size(said)),
                Err(unsaid) => format!("{} · {}", names(&group), cannot(unsaid)),
            };
            wrapped(&mut text, look, HEADING, 0, &heading);
            if let Some(note) = &row.note {
                wrapped(&mut text, look, Style::new(), INDENT, note);
            }
            match &row.said {
                Ok(said) => frames(&mut text, look, said),
                Err(unsaid) => instead(&mut text, look, unsaid),
            }
        }
        text
    }

    /// What is said, and with which mask.
    pub(crate) fn heading(&self) -> String {
        let masks = match self.masks {
            _ if !self.rows.iter().any(|row| row.direction == Role::Client) => String::new(),
            Masks::Fixed(key) => format!("; clients mask with {}", hex(&key)),
            Masks::Random => "; clients mask with random keys".to_owned(),
        };
        format!("{}, draft by draft{masks}", upper(&self.what.title()))
    }
}

/// With a capital in front.
pub(crate) fn upper(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// Which drafts and directions `group` is: `hybi-06, hybi-07 · from the server`.
pub(crate) fn names(group: &[&Row]) -> String {
    let mut drafts: Vec<(Draft, Vec<Role>)> = Vec::new();
    for row in group {
        match drafts.iter_mut().find(|(draft, _)| *draft == row.draft) {
            Some((_, directions)) => directions.push(row.direction),
            None => drafts.push((row.draft, vec![row.direction])),
        }
    }
    let mut parts: Vec<(Vec<String>, Vec<Role>)> = Vec::new();
    for (draft, directions) in drafts {
        match parts.iter_mut().find(|(_, known)| *known == directions) {
            Some((names, _)) => names.push(draft.with_alias()),
            None => parts.push((vec![draft.with_alias()], directions)),
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(names, directions)| match directions[..] {
            [one] => format!("{} · {}", names.join(", "), from(one)),
            _ => format!("{} · from either side", names.join(", ")),
        })
        .collect();
    parts.join("; ")
}

/// `7 octets, 2 of them overhead`.
pub(crate) fn size(said: &Said) -> String {
    let octets: usize = said.units.iter().map(|unit| unit.octets.len()).sum();
    match (octets, said.overhead()) {
        (0, _) => "no octet: the end of TCP is all there is".to_owned(),
        (octets, overhead) => format!(
            "{}, {} of overhead",
            plural(octets, "octet"),
            thousands(overhead as usize)
        ),
    }
}

/// Why there are no octets, for any draft of which it is so.
pub(crate) fn cannot(unsaid: &Unsaid) -> String {
    let why = match unsaid.error {
        SendError::NoBinary(_) => "there are no binary messages".to_owned(),
        SendError::NoPing(_) => "there is no ping".to_owned(),
        SendError::NoCloseCode(_) => "a close carries no code".to_owned(),
        SendError::CloseCode(code) => format!("the draft has no code {code}"),
        other => other.to_string(),
    };
    format!("cannot say it: {why}")
}

/// What the gateway does, as a lead-in to [`choice`]s and what they do.
pub(crate) fn lead(unsaid: &Unsaid) -> String {
    match unsaid.instead.first().map(|first| first.key) {
        None => "so no client of this draft says it".to_owned(),
        Some(Some(key)) => format!("the gateway instead, as the route's `{key}` says:"),
        Some(None) => "the gateway instead:".to_owned(),
    }
}

/// The value of the key, with a mark at the default.
pub(crate) fn choice(instead: &Instead) -> String {
    match (instead.value, instead.default) {
        (Some(value), true) => format!("{value} (default)"),
        (Some(value), false) => value.to_owned(),
        (None, _) => String::new(),
    }
}

fn instead(text: &mut String, look: Look, unsaid: &Unsaid) {
    wrapped(text, look, Style::new(), INDENT, &lead(unsaid));
    let column = unsaid.instead.iter().map(|i| choice(i).len()).max();
    let column = column.unwrap_or(0);
    for instead in &unsaid.instead {
        let choice = choice(instead);
        let gap = if column > 0 { GAP } else { 0 };
        let line = format!("{choice:column$}{:gap$}{}", "", instead.does);
        wrapped(text, look, Style::new(), 2 * INDENT, &line);
        if let Some(said) = &instead.said {
            let indent = 2 * INDENT + column + gap;
            for unit in &said.units {
                block(text, look, unit, indent);
            }
        }
    }
}

fn frames(text: &mut String, look: Look, said: &Said) {
    for (at, unit) in said.units.iter().enumerate() {
        if said.units.len() > 1 {
            let number = format!("frame {} of {}", at + 1, said.units.len());
            wrapped(text, look, Style::new(), INDENT, &number);
        }
        block(text, look, unit, INDENT);
    }
}

/// The octets of `unit` as `explain` lays them out, and what stands below a mask.
fn block(text: &mut String, look: Look, unit: &Unit, indent: usize) {
    // It indents by itself.
    let more = indent - INDENT;
    let narrower = Look {
        width: look.width.saturating_sub(more),
        ..look
    };
    let mut short = unit.clone();
    for field in &mut short.fields {
        field.value = clipped(&field.value, VALUE);
    }
    for line in octets(&short, &narrower).lines() {
        let _ = match line.is_empty() {
            true => writeln!(text),
            false => writeln!(text, "{:more$}{line}", ""),
        };
    }
    let below: Vec<u8> = cells(unit)
        .into_iter()
        .filter(|cell| cell.plain != cell.wire)
        .flat_map(|cell| cell.plain)
        .collect();
    if !below.is_empty() {
        let shown = hex(below.get(..OCTETS).unwrap_or(&below));
        let more = if below.len() > OCTETS { " …" } else { "" };
        let line = format!("below the mask: {shown}{more}");
        wrapped(text, look, Style::new().dimmed(), indent, &line);
    }
}

/// The kind that gives a shared octet its colour: the opcode before its flags.
pub(crate) fn lead_kind(fields: &[Field]) -> Kind {
    let quiet = |field: &&Field| !matches!(field.kind, Kind::Flag | Kind::Reserved);
    let lead = fields.iter().find(quiet).or_else(|| fields.first());
    lead.map_or(Kind::Unknown, |field| field.kind)
}

/// Names and values, line by line. A field of its own octets has a line for
/// each, if the value is more than the octets again; where several share one,
/// each has one line, reserved bits together.
pub(crate) fn labels(cell: &Cell<'_>) -> Vec<(Kind, String)> {
    let fields = cell.fields;
    if let [one] = fields {
        // A value that spells its octets has three characters for each but the last.
        let spelled = one.value.len() + 1 == 3 * cell.wire.len()
            && [&cell.plain, cell.wire]
                .iter()
                .any(|octets| one.value == hex(octets));
        let value = (!spelled).then(|| (one.kind, one.value.clone()));
        return [(one.kind, one.name.clone())]
            .into_iter()
            .chain(value)
            .collect();
    }
    let mut labels: Vec<(Kind, String)> = Vec::new();
    let mut rest = fields;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|f| f.kind == Kind::Reserved).count();
        if same < 2 {
            labels.push((first.kind, format!("{} {}", first.name, first.value)));
            rest = &rest[1..];
            continue;
        }
        let values = together(&rest[..same]);
        let last = rest[same - 1].name.chars().last().unwrap_or('?');
        labels.push((first.kind, format!("{}-{last} {values}", first.name)));
        rest = &rest[same..];
    }
    labels
}

/// The values of reserved bits beside each other: `000`.
pub(crate) fn together(fields: &[Field]) -> String {
    fields.iter().map(|field| field.value.as_str()).collect()
}

/// `line` in lines of the look's width, further ones indented by two more.
pub(crate) fn wrapped(text: &mut String, look: Look, style: Style, indent: usize, line: &str) {
    let (mut row, mut used) = (String::new(), indent);
    let leading = line.len() - line.trim_start().len();
    row.push_str(&line[..leading]);
    for word in line.trim_start().split_inclusive(' ') {
        let width = word.trim_end().width();
        if used + width > look.width && !row.trim().is_empty() {
            let _ = writeln!(text, "{:indent$}{}", "", paint(look, style, row.trim_end()));
            row = "  ".to_owned();
            used = indent + 2;
        }
        row.push_str(word);
        used += word.width();
    }
    let _ = writeln!(text, "{:indent$}{}", "", paint(look, style, row.trim_end()));
}
