//! The table for a terminal: octets, and each field's name and value below
//! them, so that it reads without colour and in a narrow window.

use std::fmt::{self, Write};

use anstyle::Style;
use draftgate_core::{Draft, Role, SendError};
use draftgate_wire::dissect::{Field, Kind, Unit};
use unicode_width::UnicodeWidthStr;

use crate::{
    cells::{Cell, Shown, cells, clipped, elided},
    ends::Masks,
    instead::Instead,
    palette,
    table::{Row, Said, Table, Unsaid, from},
    what::{hex, plural, thousands},
};

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether escape sequences colour it.
    pub colours: bool,
}

impl Default for Look {
    /// 100 columns without colour, for files and documents.
    fn default() -> Self {
        Self {
            width: 100,
            colours: false,
        }
    }
}

impl Look {
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        match self.colours && !text.is_empty() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }
}

/// The most octets of one field that are drawn.
const OCTETS: usize = 16;

/// The widest label below fewer octets.
const LABEL: usize = 24;

const INDENT: usize = 2;
/// Room for `unmasked` in front of the octets.
const GUTTER: usize = 12;
/// Between two cells.
const GAP: usize = 2;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(Look::default()))
    }
}

impl Table {
    /// The table for a terminal.
    pub fn to_text(&self, look: Look) -> String {
        let mut text = look.heading(&self.heading());
        text.push('\n');
        for group in self.groups() {
            text.push('\n');
            let row = group[0];
            let heading = match &row.said {
                Ok(said) => format!("{} · {}", names(&group), size(said)),
                Err(unsaid) => format!("{} · {}", names(&group), cannot(unsaid)),
            };
            wrapped(&mut text, look, Style::new().bold(), 0, &heading);
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

/// What the gateway does, as a lead-in to [`instead_line`]s.
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

/// A cell laid out in a column.
struct Column {
    style: Style,
    wire: String,
    plain: Option<String>,
    labels: Vec<(Style, String)>,
    width: usize,
}

fn block(text: &mut String, look: Look, unit: &Unit, indent: usize) {
    let masked = unit.fields.iter().any(|f| f.kind == Kind::MaskingKey);
    let gutter = if masked { GUTTER } else { 0 };
    let room = look.width.saturating_sub(indent + gutter).max(OCTETS * 3);
    let mut line: Vec<Column> = Vec::new();
    let mut used = 0;
    for cell in cells(unit) {
        let column = column(&cell, room);
        if !line.is_empty() && used + GAP + column.width > room {
            columns(text, look, indent, masked, &line);
            (line, used) = (Vec::new(), 0);
        }
        used += column.width + if line.is_empty() { 0 } else { GAP };
        line.push(column);
    }
    columns(text, look, indent, masked, &line);
}

fn column(cell: &Cell<'_>, room: usize) -> Column {
    let shown = elided(cell.wire.len(), OCTETS.min(room / 3));
    let spelled = |octets: &[u8]| -> String {
        let words: Vec<String> = shown
            .iter()
            .map(|shown| match *shown {
                Shown::Octet(at) => octets
                    .get(at)
                    .map(|o| format!("{o:02x}"))
                    .unwrap_or_default(),
                Shown::Gap(count) => format!("… {} more …", thousands(count)),
            })
            .collect();
        words.join(" ")
    };
    let wire = spelled(cell.wire);
    let most = wire.width().max(LABEL.min(room));
    let labels: Vec<(Style, String)> = labels(cell)
        .into_iter()
        .map(|(kind, label)| (palette::of(kind).style, clipped(&label, most)))
        .collect();
    let widths = labels.iter().map(|(_, label)| label.width());
    Column {
        style: palette::of(lead_kind(cell.fields)).style,
        width: widths.chain([wire.width()]).max().unwrap_or(0),
        plain: (cell.plain != cell.wire).then(|| spelled(&cell.plain)),
        wire,
        labels,
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
        let more = one.value != hex(&cell.plain) && one.value != hex(cell.wire);
        let value = more.then(|| (one.kind, one.value.clone()));
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
        let values: String = rest[..same].iter().map(|f| f.value.as_str()).collect();
        let last = rest[same - 1].name.chars().last().unwrap_or('?');
        labels.push((first.kind, format!("{}-{last} {values}", first.name)));
        rest = &rest[same..];
    }
    labels
}

fn columns(text: &mut String, look: Look, indent: usize, masked: bool, line: &[Column]) {
    let lines = line.iter().map(|column| column.labels.len()).max();
    let mut put = |gutter: &str, pick: &dyn Fn(&Column) -> Option<(Style, String)>| {
        let gutter_width = if masked { GUTTER } else { 0 };
        let mut row = format!("{:indent$}{gutter:gutter_width$}", "");
        let mut pending = 0;
        for column in line {
            let (style, word) = pick(column).unwrap_or_default();
            let width = word.width();
            if width > 0 {
                let _ = write!(row, "{:pending$}{}", "", look.paint(style, &word));
                pending = 0;
            }
            pending += column.width - width.min(column.width) + GAP;
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    put(if masked { "wire" } else { "" }, &|column| {
        Some((column.style, column.wire.clone()))
    });
    if line.iter().any(|column| column.plain.is_some()) {
        put("unmasked", &|column| {
            Some((column.style, column.plain.clone()?))
        });
    }
    for at in 0..lines.unwrap_or(0) {
        put("", &|column| column.labels.get(at).cloned());
    }
}

/// `line` in lines of the look's width, further ones indented by two more.
pub(crate) fn wrapped(text: &mut String, look: Look, style: Style, indent: usize, line: &str) {
    let (mut row, mut used) = (String::new(), indent);
    let leading = line.len() - line.trim_start().len();
    row.push_str(&line[..leading]);
    for word in line.trim_start().split_inclusive(' ') {
        let width = word.trim_end().width();
        if used + width > look.width && !row.trim().is_empty() {
            let _ = writeln!(text, "{:indent$}{}", "", look.paint(style, row.trim_end()));
            row = "  ".to_owned();
            used = indent + 2;
        }
        row.push_str(word);
        used += word.width();
    }
    let _ = writeln!(text, "{:indent$}{}", "", look.paint(style, row.trim_end()));
}
