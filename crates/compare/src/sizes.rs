//! What a message costs beyond itself, by its length: at the borders where the
//! drafts' length fields grow, and for a large one.

use std::fmt;

use bytes::Bytes;
use draftgate_core::{Draft, Message, Outgoing, Role, Text};
use draftgate_drafts::opening::{LengthFrames, Refusal};
use serde_json::json;

use crate::{
    Grid,
    ends::{Ends, said},
    json::pretty,
    table::{Options, from},
    text::PLAIN,
    what::thousands,
};

/// The lengths that are asked for, in octets.
pub const LENGTHS: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

/// Octets for each of [`LENGTHS`].
pub type Overhead = [usize; LENGTHS.len()];

/// What a text of each of [`LENGTHS`] costs in every draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// One for each draft and direction.
    pub rows: Vec<SizeRow>,
}

/// What one end of one draft adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeRow {
    /// The draft.
    pub draft: Draft,
    /// Who speaks.
    pub direction: Role,
    /// Octets that are not payload, for each of [`LENGTHS`].
    pub overhead: Overhead,
}

impl Sizes {
    /// Lets both ends of every draft say a text of each length.
    ///
    /// # Errors
    /// A draft is not built.
    pub fn of(options: &Options) -> Result<Self, Refusal> {
        let mut rows = Vec::new();
        for &draft in &options.drafts {
            let mut ends = Ends::open(draft, options.masks, LengthFrames::default())?;
            for &direction in &options.directions {
                let overhead = LENGTHS.map(|length| {
                    let text = Text::from_validated(Bytes::from(vec![b'x'; length]));
                    let text = Outgoing::Message(Message::Text(text));
                    // Every draft can say a text.
                    let octets = said(ends.end(direction), text);
                    octets.map_or(0, |octets| octets.len() - length)
                });
                rows.push(SizeRow {
                    draft,
                    direction,
                    overhead,
                });
            }
        }
        Ok(Self { rows })
    }

    /// As a grid, for text, HTML and SVG. Rows that agree are one.
    pub fn grid(&self) -> Grid {
        let mut rows: Vec<(Vec<(Draft, Role)>, Overhead)> = Vec::new();
        for row in &self.rows {
            let of = (row.draft, row.direction);
            match rows
                .iter_mut()
                .find(|(of_known, known)| *known == row.overhead && of_known[0].1 == row.direction)
            {
                Some((known, _)) => known.push(of),
                None => rows.push((vec![of], row.overhead)),
            }
        }
        let columns = ["draft".to_owned(), "direction".to_owned()];
        Grid {
            title: "Octets that a text message takes beyond its own, by its length".to_owned(),
            columns: columns.into_iter().chain(LENGTHS.map(thousands)).collect(),
            numbers_from: 2,
            rows: rows
                .into_iter()
                .map(|(of, overhead)| {
                    let names: Vec<&str> = of.iter().map(|(draft, _)| draft.name()).collect();
                    let first = [names.join(", "), from(of[0].1).to_owned()];
                    let cells = overhead.map(|octets| format!("+{}", thousands(octets)));
                    first.into_iter().chain(cells).collect()
                })
                .collect(),
        }
    }

    /// The same as JSON.
    pub fn to_json(&self) -> String {
        pretty(&json!({
            "format": 1,
            "lengths": LENGTHS,
            "rows": self.rows.iter().map(|row| json!({
                "draft": row.draft.name(),
                "alias": row.draft.alias(),
                "direction": row.direction.name(),
                "overhead": row.overhead,
            })).collect::<Vec<_>>(),
        }))
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.grid().to_text(PLAIN))
    }
}
