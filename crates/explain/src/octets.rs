//! The octets of a frame with their fields under them: one column for each run
//! of octets that has fields of its own.
//!
//! A column is as wide as its octets or its labels, whichever is wider, so that
//! no label needs a line drawn to it; columns that do not fit go on below.

use std::borrow::Cow;

use draftgate_wire::dissect::{self, Field, Kind, Unit};

use crate::look::{Look, WRONG, style, width, wrapped};

/// Between columns.
const GAP: usize = 2;

/// The widest that a column grows for its labels.
const LABELS: usize = 32;

/// The most octets of one field that are shown; of more, the first and the last.
const SHOWN: usize = 16;

/// The octets of `unit`, indented by two, with a name and a value under each.
/// Ends in a line feed.
pub fn octets(unit: &Unit, look: &Look) -> String {
    let room = look.columns() - 2;
    let columns: Vec<Column> = runs(unit)
        .into_iter()
        .map(|fields| Column::new(unit, fields, room))
        .collect();
    let mut text = String::new();
    let (mut begin, mut used) = (0, 0);
    for (at, column) in columns.iter().enumerate() {
        if at > begin && used + column.width > room {
            row(&columns[begin..at], look, &mut text);
            text.push('\n');
            (begin, used) = (at, 0);
        }
        used += column.width + GAP;
    }
    row(&columns[begin..], look, &mut text);
    text
}

/// The fields parted where one ends with an octet.
fn runs(unit: &Unit) -> Vec<&[Field]> {
    let ends_octet = |field: &Field| (field.start_bit + field.len_bits).is_multiple_of(8);
    unit.fields.split_inclusive(ends_octet).collect()
}

/// A run of octets and what stands under it.
struct Column {
    width: usize,
    /// Each piece in the colours of its field.
    hex: String,
    style: anstyle::Style,
    /// Lines of a label, whether each is about what is wrong, and its colour.
    labels: Vec<(String, bool, anstyle::Style)>,
}

impl Column {
    fn new(unit: &Unit, fields: &[Field], room: usize) -> Self {
        let wrong = unit.fault.as_ref().map(|fault| fault.at_bit);
        let covers = |field: &Field| {
            let end = field.start_bit + field.len_bits;
            wrong.is_some_and(|bit| (field.start_bit..end).contains(&bit))
        };
        let octets = match fields {
            [first, .., last] => {
                let begin = (first.start_bit / 8) as usize;
                let end = ((last.start_bit + last.len_bits) / 8) as usize;
                &unit.octets[begin..end]
            }
            [one] => unit.octets_of(one),
            [] => &[],
        };
        let hex = hex(octets, room);
        let most = room.min(width(&hex).max(LABELS));
        let mut labels = Vec::new();
        for field in merged(fields, wrong) {
            let colour = style(field.kind);
            let octets = unit.octets_of(&field);
            for (at, label) in label(&field, octets, most).into_iter().enumerate() {
                let marked = match covers(&field) {
                    true if at == 0 => format!("! {label}"),
                    _ => label,
                };
                labels.push((marked, covers(&field), colour));
            }
        }
        let longest = labels.iter().map(|(label, ..)| width(label)).max();
        // Several fields in one octet have no colour in common.
        let style = match fields {
            [one] => style(one.kind),
            _ => anstyle::Style::new(),
        };
        Self {
            width: width(&hex).max(longest.unwrap_or(0)),
            hex,
            style,
            labels,
        }
    }
}

/// The fields; reserved bits that are not set are one, `RSV1-3 000`.
fn merged(fields: &[Field], wrong: Option<u64>) -> Vec<Cow<'_, Field>> {
    let mut labelled: Vec<Cow<'_, Field>> = Vec::new();
    let quiet = |field: &Field| {
        field.kind == Kind::Reserved && field.value == "0" && wrong != Some(field.start_bit)
    };
    for run in fields.chunk_by(|a, b| quiet(a) && quiet(b)) {
        if let [first, .., last] = run {
            let number = last.name.trim_start_matches(|c: char| !c.is_ascii_digit());
            labelled.push(Cow::Owned(Field {
                name: format!("{}-{number}", first.name),
                value: run.iter().map(|field| &*field.value).collect(),
                len_bits: run.iter().map(|field| field.len_bits).sum(),
                ..first.clone()
            }));
        } else {
            labelled.extend(run.iter().map(Cow::Borrowed));
        }
    }
    labelled
}

/// Name and value in one line if they fit into `most` columns, else below each
/// other; a value that only spells the octets above it is left out.
fn label(field: &Field, octets: &[u8], most: usize) -> Vec<String> {
    let name = || wrapped(&field.name, most);
    if field.value == dissect::hex(octets) {
        let mut lines = name();
        if octets.len() > SHOWN {
            lines.push(format!("{} octets", octets.len()));
        }
        return lines;
    }
    let one_line = format!("{} {}", field.name, field.value);
    let long = matches!(field.kind, Kind::Payload | Kind::Reason);
    if !long && width(&one_line) <= most {
        return vec![one_line];
    }
    let mut lines = name();
    lines.extend(wrapped(&field.value, most));
    lines
}

/// The octets, as many as fit into `room` columns.
fn hex(octets: &[u8], room: usize) -> String {
    let spelt = |octets: &[u8]| {
        let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        pairs.join(" ")
    };
    let most = SHOWN.min((room + 1) / 3);
    if octets.len() <= most {
        return spelt(octets);
    }
    // The last two, and an ellipsis in the place of another.
    let front = most.saturating_sub(3).max(1);
    let back = &octets[octets.len() - 2..];
    format!("{} … {}", spelt(&octets[..front]), spelt(back))
}

/// Columns beside each other: octets, brackets, labels.
fn row(columns: &[Column], look: &Look, text: &mut String) {
    let lines = columns.iter().map(|column| column.labels.len()).max();
    for line in 0..2 + lines.unwrap_or(0) {
        let mut spaces = 2;
        for column in columns {
            let (piece, style) = match line {
                0 => (column.hex.clone(), column.style),
                1 => (bracket(width(&column.hex)), column.style),
                _ => match column.labels.get(line - 2) {
                    Some((label, wrong, colour)) => {
                        (label.clone(), if *wrong { WRONG } else { *colour })
                    }
                    None => (String::new(), anstyle::Style::new()),
                },
            };
            let taken = width(&piece);
            if taken > 0 {
                text.extend(std::iter::repeat_n(' ', spaces));
                text.push_str(&look.paint(style, piece));
                spaces = 0;
            }
            spaces += column.width - taken + GAP;
        }
        text.push('\n');
    }
}

fn bracket(width: usize) -> String {
    match width {
        0 => String::new(),
        1 => "│".to_owned(),
        _ => format!("└{}┘", "─".repeat(width - 2)),
    }
}
