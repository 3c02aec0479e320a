//! The tables of docs/translation.md on pairs of connections: how the end of
//! one side is told to the other, and what it is answered.

use std::fmt::Write;

use draftgate_core::{Close, Traits};

use super::{
    Ending, Parted, Parting,
    fold::{CASES, POLICIES, Row, SENDERS, columns, join},
    markdown::{finish, header, names},
    parted,
};
use crate::Side;

/// What the other side of a pair is told when one side ends.
pub fn parting_table(drafts: &[Traits]) -> String {
    table(drafts, |parting, parted| word(parting, Some(&parted.other)))
}

/// What the side that ends is answered, by the draft of the other.
pub fn answer_table(drafts: &[Traits]) -> String {
    table(drafts, |parting, parted| {
        word(parting, parted.back.as_ref())
    })
}

const SIDES: [Side; 2] = [Side::Client, Side::Upstream];

fn table(drafts: &[Traits], cell: impl Fn(Parting, &Parted) -> String) -> String {
    let partings: Vec<Parting> = Parting::all().collect();
    let mut rows = Vec::new();
    for (parting_at, &parting) in partings.iter().enumerate() {
        for (side_at, side) in SIDES.into_iter().enumerate() {
            for (from_at, from) in drafts.iter().enumerate() {
                let cells = drafts.iter().map(|to| {
                    let parted = parted(parting, side, from, to);
                    parted.map_or_else(|| "–".to_owned(), |parted| cell(parting, &parted))
                });
                rows.push(Row {
                    sides: [vec![parting_at], vec![side_at], vec![from_at]],
                    cells: cells.collect(),
                });
            }
        }
    }
    // What a draft cannot say needs no row of its own.
    rows.retain(|row| row.cells.iter().any(|cell| cell != "–"));
    let rows = [SENDERS, POLICIES, CASES].into_iter().fold(rows, join);
    let columns = columns(&rows);
    let mut table = header(&["one side", "which is", "in"], &columns, drafts);
    for row in &rows {
        let sides = match row.sides[POLICIES][..] {
            [only] => SIDES[only].name(),
            _ => "either",
        };
        let partings = listed(&row.sides[CASES], &partings);
        let from = names(&row.sides[SENDERS], drafts);
        let _ = write!(table, "| {partings} | {sides} | {from} |");
        finish(&mut table, row, &columns);
    }
    table
}

/// Codes are listed behind one "closes with".
fn listed(numbers: &[usize], partings: &[Parting]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut codes = 0;
    for &at in numbers {
        match (partings[at], words.last_mut()) {
            (Parting::Code(code), Some(last)) if codes > 0 => {
                let _ = write!(last, ", {code}");
            }
            (parting, _) => words.push(parting.to_string()),
        }
        codes += usize::from(matches!(partings[at], Parting::Code(_)));
    }
    words.join("; ")
}

/// A code is "the same" if it is the one that was said.
fn word(parting: Parting, ending: Option<&Ending>) -> String {
    match (parting, ending) {
        (_, None) => "nothing".to_owned(),
        (Parting::Code(said), Some(Ending::Frame(Some(Close { code, .. })))) if said == *code => {
            "the same code".to_owned()
        }
        (_, Some(Ending::Frame(Some(close)))) => close.code.to_string(),
        (_, Some(Ending::Frame(None))) => "no code".to_owned(),
        (_, Some(other)) => other.to_string(),
    }
}
