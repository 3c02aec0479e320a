//! Thousands of cells in a few rows: rows that say the same are made one.
//!
//! Each row is a box, all combinations of its cases, policies and senders;
//! boxes are only ever joined along one side, so that no cell is lost or told
//! twice.

use draftgate_core::Traits;

use super::{Case, declared};
use crate::BinaryPolicy;

/// Cells that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Cases, policies and drafts of the sender, by their numbers.
    pub(super) sides: [Vec<usize>; 3],
    /// One for each draft of the receiver.
    pub(super) cells: Vec<String>,
}

pub(super) const CASES: usize = 0;
pub(super) const POLICIES: usize = 1;
pub(super) const SENDERS: usize = 2;

/// Every cell.
pub(super) fn rows(drafts: &[Traits]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (case_at, case) in Case::ALL.into_iter().enumerate() {
        for (policy_at, policy) in BinaryPolicy::ALL.into_iter().enumerate() {
            for (from_at, from) in drafts.iter().enumerate() {
                let cell = |to| declared(case, from, to, policy).to_string();
                rows.push(Row {
                    sides: [vec![case_at], vec![policy_at], vec![from_at]],
                    cells: drafts.iter().map(cell).collect(),
                });
            }
        }
    }
    [SENDERS, POLICIES, CASES].into_iter().fold(rows, join)
}

/// Joins rows that differ in one `side` alone; the first keeps its place.
pub(super) fn join(rows: Vec<Row>, side: usize) -> Vec<Row> {
    let mut joined: Vec<Row> = Vec::new();
    for mut row in rows {
        let alike = joined.iter_mut().find(|other| {
            let same = |at: usize| at == side || other.sides[at] == row.sides[at];
            other.cells == row.cells && (0..row.sides.len()).all(same)
        });
        match alike {
            Some(other) => other.sides[side].append(&mut row.sides[side]),
            None => joined.push(row),
        }
    }
    joined
}

/// Columns that say the same in every row, as the numbers of those they stand
/// for.
pub(super) fn columns(rows: &[Row]) -> Vec<Vec<usize>> {
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for at in 0..rows.first().map_or(0, |row| row.cells.len()) {
        let alike = |other: &&mut Vec<usize>| rows.iter().all(|r| r.cells[at] == r.cells[other[0]]);
        match columns.iter_mut().find(alike) {
            Some(other) => other.push(at),
            None => columns.push(vec![at]),
        }
    }
    columns
}
