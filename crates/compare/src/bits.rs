//! Frames under a ruler of bits, as RFCs draw them: 32 bits a row, each field
//! in a box with its name and its value.

use std::fmt::Write;

use draftgate_explain::{Look, style};
use draftgate_wire::dissect::{Field, Unit};

use crate::{
    cells::clipped,
    table::Table,
    text::{HEADING, cannot, names, paint, size, wrapped},
};

/// Bits a row.
const ROW: u64 = 32;

/// The most rows of one field; the rest of a long payload is left out.
const ROWS: u64 = 3;

impl Table {
    /// Every frame under a ruler of bits. Where a mask covers the header, the
    /// bits are those below it.
    pub fn to_bits(&self, look: Look) -> String {
        let mut text = String::new();
        wrapped(&mut text, look, HEADING, 0, &self.heading());
        for group in self.groups() {
            let about = match &group[0].said {
                Ok(said) => size(said),
                Err(unsaid) => cannot(unsaid),
            };
            let heading = format!("{} · {about}", names(&group));
            text.push('\n');
            wrapped(&mut text, look, HEADING, 0, &heading);
            for unit in group[0].said.iter().flat_map(|said| &said.units) {
                text.push('\n');
                boxes(&mut text, look, unit);
            }
        }
        text
    }
}

/// A part of a field that lies in one row.
struct Piece<'a> {
    field: &'a Field,
    /// In the row.
    begin: u64,
    len: u64,
    /// Whether the field began in a row above.
    continued: bool,
    left_out: bool,
}

const TENS: &str = " 0                   1                   2                   3";
const ONES: &str = " 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1";

fn boxes(text: &mut String, look: Look, unit: &Unit) {
    let rows = rows(unit);
    let _ = writeln!(text, "{TENS}\n{ONES}");
    let mut above: &[Piece<'_>] = &[];
    for row in &rows {
        let _ = writeln!(text, "{}", border(above, row));
        for line in lines(row, look) {
            let _ = writeln!(text, "{line}");
        }
        above = row;
    }
    let _ = writeln!(text, "{}", border(above, &[]));
}

/// The pieces of every row. What is left out of a long field is left out in
/// whole rows, so that the field behind it stands where it would.
fn rows(unit: &Unit) -> Vec<Vec<Piece<'_>>> {
    let mut rows: Vec<Vec<Piece<'_>>> = Vec::new();
    let mut at = 0;
    for field in &unit.fields {
        let mut left = field.len_bits;
        let mut drawn = 0;
        while left > 0 {
            if at % ROW == 0 {
                rows.push(Vec::new());
            }
            let begin = at % ROW;
            let mut len = left.min(ROW - begin);
            let mut left_out = false;
            if drawn == ROWS && begin == 0 && left > ROW {
                // All whole rows but the last become one.
                let skipped = (left - 1) / ROW * ROW;
                (len, left_out) = (ROW, true);
                left -= skipped - ROW;
            }
            if let Some(row) = rows.last_mut() {
                row.push(Piece {
                    field,
                    begin,
                    len,
                    continued: drawn > 0,
                    left_out,
                });
            }
            at += len;
            left -= len;
            drawn += 1;
        }
    }
    rows
}

/// `+-+-+` where boxes end, open where one goes on into the next row.
fn border(above: &[Piece<'_>], below: &[Piece<'_>]) -> String {
    let at = |row: &[Piece<'_>], bit: u64| {
        row.iter()
            .find(|piece| (piece.begin..piece.begin + piece.len).contains(&bit))
            .map(|piece| piece.field.start_bit)
    };
    let width = above.iter().chain(below).map(|p| p.begin + p.len).max();
    let mut line = String::from("+");
    for bit in 0..width.unwrap_or(0) {
        let open = at(above, bit).is_some() && at(above, bit) == at(below, bit);
        line.push_str(if open { " +" } else { "-+" });
    }
    line
}

/// Names from the top, split where a box is narrow, and the value below.
fn lines(row: &[Piece<'_>], look: Look) -> Vec<String> {
    let words: Vec<Vec<String>> = row.iter().map(words).collect();
    let height = words.iter().map(Vec::len).max().unwrap_or(0);
    let values = row.iter().any(|piece| !piece.continued);
    let mut lines = Vec::new();
    for at in 0..height + usize::from(values) {
        let mut line = String::from("|");
        for (piece, words) in row.iter().zip(&words) {
            let width = inner(piece);
            let word = match at == height {
                true if piece.continued => String::new(),
                true => clipped(value(piece), width),
                false => words.get(at).cloned().unwrap_or_default(),
            };
            let padded = format!("{word:^width$}");
            line += &paint(look, style(piece.field.kind), &padded);
            line.push('|');
        }
        lines.push(line);
    }
    lines
}

fn inner(piece: &Piece<'_>) -> usize {
    (2 * piece.len - 1) as usize
}

/// The number alone where its meaning in brackets has no room.
fn value<'a>(piece: &Piece<'a>) -> &'a str {
    let value = piece.field.value.as_str();
    match value.split_once(" (") {
        Some((number, _)) if value.chars().count() > inner(piece) => number,
        _ => value,
    }
}

fn words(piece: &Piece<'_>) -> Vec<String> {
    let width = inner(piece);
    if piece.left_out {
        return vec!["…".to_owned()];
    }
    if piece.continued {
        let name = format!("{} (continued)", piece.field.name);
        return vec![if name.len() <= width {
            name
        } else {
            "…".to_owned()
        }];
    }
    let name: Vec<char> = piece.field.name.chars().collect();
    if name.len() <= width {
        return vec![name.into_iter().collect()];
    }
    if width == 1 {
        return name.iter().map(char::to_string).collect();
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in piece.field.name.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(clipped(word, width));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&clipped(word, width));
        }
    }
    lines
}
