//! A plain table of words, for what is no frame: sizes, differences, openings
//! side by side.

use std::fmt::Write;

use anstyle::Style;
use draftgate_explain::Look;
use unicode_width::UnicodeWidthStr;

use crate::text::{HEADING, paint, wrapped};

/// Rows and columns of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// What it shows.
    pub title: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The first column of numbers, which stand at the right.
    pub numbers_from: usize,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: usize = 2;

/// No column is made narrower to fit a terminal.
const NARROWEST: usize = 9;

impl Grid {
    /// For a terminal: the widest columns are wrapped until it fits.
    pub fn to_text(&self, look: Look) -> String {
        let mut text = String::new();
        wrapped(&mut text, look, HEADING, 0, &self.title);
        text.push('\n');
        for (at, (_, lines)) in self.laid(look.width).into_iter().enumerate() {
            let style = if at == 0 { HEADING } else { Style::new() };
            for line in lines {
                let _ = writeln!(text, "{}", paint(look, style, &line));
            }
        }
        text
    }

    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().chain([&self.columns]);
                cells
                    .flat_map(|row| row[at].split('\n'))
                    .map(|line| line.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > room {
            let words = self.numbers_from.min(widths.len());
            let widest = widths[..words].iter_mut().max_by_key(|width| **width);
            match widest {
                Some(width) if *width > NARROWEST => *width -= 1,
                _ => break,
            }
        }
        widths
    }

    /// The lines of one row, in columns of `widths`.
    fn lines(&self, widths: &[usize], row: &[String]) -> Vec<String> {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| folded(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        let mut lines = Vec::new();
        for at in 0..height {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
                let word = cell.get(at).map(String::as_str).unwrap_or_default();
                let blank = width.saturating_sub(word.width());
                let gap = if column == 0 { 0 } else { GAP };
                let (before, after) = match column >= self.numbers_from {
                    true => (blank + gap, 0),
                    false => (gap, blank),
                };
                let _ = write!(line, "{:before$}{word}{:after$}", "", "");
            }
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// The names of the columns and all rows, laid out to `room` columns, and
    /// whether each begins something new.
    pub(crate) fn laid(&self, room: usize) -> Vec<(bool, Vec<String>)> {
        let widths = self.widths(room);
        let new = |row: &Vec<String>| row.iter().take(2).any(|cell| !cell.is_empty());
        let rows = self.rows.iter();
        std::iter::once((false, self.lines(&widths, &self.columns)))
            .chain(rows.map(|row| (new(row), self.lines(&widths, row))))
            .collect()
    }
}

/// `cell` in lines of at most `width` columns, cut between words where it can be.
fn folded(cell: &str, width: usize) -> Vec<String> {
    cell.split('\n')
        .flat_map(|line| folded_line(line, width))
        .collect()
}

fn folded_line(cell: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in cell.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].width() + 1 + word.width() > width {
            lines.push(String::new());
        } else if !lines[last].is_empty() {
            lines[last].push(' ');
        }
        for character in word.chars() {
            let last = lines.len() - 1;
            if lines[last].width() >= width.max(1) {
                lines.push(String::new());
            }
            let last = lines.len() - 1;
            lines[last].push(character);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_folded_between_words() {
        assert_eq!(folded("moved to octet 4", 8), ["moved to", "octet 4"]);
        assert_eq!(folded("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(folded("", 4), [""]);
    }
}
