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

#[cfg(test)]
mod tests {
    use draftgate_core::{BadUtf8, Capabilities, Closing, Draft};

    use super::*;

    /// A draft of each kind, and two that are alike.
    fn drafts() -> Vec<Traits> {
        [
            (Draft::Hixie75, Closing::Absent, BadUtf8::Repair),
            (Draft::Hixie76, Closing::Marker, BadUtf8::Repair),
            (Draft::Hybi04, Closing::Echoed, BadUtf8::Repair),
            (Draft::Hybi05, Closing::Lettered, BadUtf8::Repair),
            (Draft::Hybi08, Closing::Coded, BadUtf8::Fail),
            (Draft::Hybi13, Closing::Coded, BadUtf8::Fail),
        ]
        .map(|(draft, closing, bad_utf8)| {
            let headed = draft > Draft::Hixie76;
            let capabilities = Capabilities {
                binary: headed,
                ping: headed,
                fragments: headed,
                closing,
            };
            Traits {
                draft,
                capabilities,
                with_length_frames: Capabilities {
                    binary: true,
                    ..capabilities
                },
                bad_utf8,
            }
        })
        .into()
    }

    #[test]
    fn every_cell_stands_in_one_row_and_says_what_is_declared() {
        let drafts = drafts();
        let rows = rows(&drafts);
        let mut told = std::collections::BTreeSet::new();
        for row in &rows {
            for &case in &row.sides[CASES] {
                for &policy in &row.sides[POLICIES] {
                    for &from in &row.sides[SENDERS] {
                        for (to, cell) in row.cells.iter().enumerate() {
                            assert!(told.insert((case, policy, from, to)), "told twice");
                            let declared = declared(
                                Case::ALL[case],
                                &drafts[from],
                                &drafts[to],
                                BinaryPolicy::ALL[policy],
                            );
                            assert_eq!(*cell, declared.to_string());
                        }
                    }
                }
            }
        }
        let sides = Case::ALL.len() * BinaryPolicy::ALL.len() * drafts.len() * drafts.len();
        assert_eq!(told.len(), sides);
        assert!(rows.len() < 40, "{} rows fold nothing", rows.len());
    }

    #[test]
    fn columns_are_joined_only_where_all_rows_agree() {
        let row = |cells: [&str; 3]| Row {
            sides: Default::default(),
            cells: cells.map(str::to_owned).into(),
        };
        let rows = [row(["a", "a", "a"]), row(["a", "b", "a"])];
        assert_eq!(columns(&rows), [vec![0, 2], vec![1]]);
    }
}
