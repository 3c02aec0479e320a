//! The openings of all drafts side by side: request and answer as the codecs
//! write them, with keys that are always the same, their fields aligned by
//! what they mean.

use std::fmt::{self, Write};

use draftgate_core::{Draft, Role};
use draftgate_drafts::{
    dissect::Dissected,
    opening::{LengthFrames, Refusal},
};
use draftgate_explain::Look;
use draftgate_wire::dissect::{Field, Kind, Unit, What};
use serde_json::{Value, json};

use crate::{
    Grid,
    ends::Ends,
    html::{Escaped, page, scope},
    json::{field, pretty},
    table::{Options, Said, from},
    text::PLAIN,
    what::{hex, plural},
};

/// What both ends of every draft write to open a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// One for each draft and direction.
    pub rows: Vec<Opening>,
}

/// What one end of one draft writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The draft.
    pub draft: Draft,
    /// Who speaks.
    pub direction: Role,
    /// The head, and what belongs to the proof behind it.
    pub said: Said,
}

/// What each draft has on the wire, line by line.
type Spoken = Vec<(Draft, Vec<String>)>;

/// What fields of heads are for, in the order of the table, and the names
/// under which drafts have them.
const MEANINGS: [(&str, &[&str]); 13] = [
    ("first line", &[]),
    ("upgrade", &["upgrade"]),
    ("connection", &["connection"]),
    ("host", &["host"]),
    (
        "origin",
        &["origin", "websocket-origin", "sec-websocket-origin"],
    ),
    (
        "location",
        &["websocket-location", "sec-websocket-location"],
    ),
    (
        "subprotocol",
        &["websocket-protocol", "sec-websocket-protocol"],
    ),
    ("version", &["sec-websocket-version"]),
    ("key", &["sec-websocket-key", "sec-websocket-key1"]),
    ("second key", &["sec-websocket-key2"]),
    ("key behind the head", &[]),
    ("proof", &["sec-websocket-accept"]),
    ("HELLO", &[]),
];

/// What `of` is for; `None` for the empty line, which all heads have.
pub(crate) fn meaning(unit: &Unit, of: &Field) -> Option<String> {
    let known = match (unit.what, of.kind) {
        (_, Kind::End) => return None,
        (_, Kind::StartLine) => "first line",
        (What::Challenge, _) => "key behind the head",
        (What::Digest, _) => "proof",
        (What::Hello, _) => "HELLO",
        _ => {
            let name = of.name.to_ascii_lowercase();
            let named = MEANINGS
                .iter()
                .find(|(_, names)| names.contains(&name.as_str()));
            match named {
                Some((meaning, _)) => meaning,
                // A field that only some draft to come has.
                None => return Some(name),
            }
        }
    };
    Some(known.to_owned())
}

/// The field as it is on the wire: a line, or octets.
pub(crate) fn line(unit: &Unit, of: &Field) -> String {
    let octets = unit.octets_of(of);
    match unit.what {
        What::Request | What::Answer => String::from_utf8_lossy(octets)
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        // Its fields are bits: it is shown as one.
        What::Hello => hex(&unit.octets),
        _ => hex(octets),
    }
}

impl Handshake {
    /// Opens a connection in every draft.
    ///
    /// # Errors
    /// A draft is not built.
    pub fn of(options: &Options) -> Result<Self, Refusal> {
        let mut rows = Vec::new();
        for &draft in &options.drafts {
            let ends = Ends::open(draft, options.masks, LengthFrames::default())?;
            let seen = Dissected::of(ends.request, ends.answer, Some(draft));
            for &direction in &options.directions {
                let units = seen.units(direction).to_vec();
                rows.push(Opening {
                    draft,
                    direction,
                    said: Said { units },
                });
            }
        }
        Ok(Self { rows })
    }

    /// What is said for each meaning, and by which drafts.
    fn meanings(&self, direction: Role) -> Vec<(String, Spoken)> {
        let rows: Vec<&Opening> = self
            .rows
            .iter()
            .filter(|r| r.direction == direction)
            .collect();
        let mut meanings: Vec<String> = MEANINGS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        for row in &rows {
            for (unit, field) in row.said.parts() {
                if let Some(new) = meaning(unit, field).filter(|new| !meanings.contains(new)) {
                    meanings.push(new);
                }
            }
        }
        let said = |meant: &String| -> Spoken {
            let lines = |row: &&Opening| {
                let parts = row.said.parts();
                let meant =
                    parts.filter(|(unit, field)| meaning(unit, field).as_ref() == Some(meant));
                let mut lines: Vec<String> = meant.map(|(unit, field)| line(unit, field)).collect();
                lines.dedup();
                (row.draft, lines)
            };
            rows.iter().map(lines).collect()
        };
        meanings
            .into_iter()
            .map(|meant| {
                let said = said(&meant);
                (meant, said)
            })
            .filter(|(_, said)| said.iter().any(|(_, lines)| !lines.is_empty()))
            .collect()
    }

    fn directions(&self) -> Vec<Role> {
        let mut directions = Vec::new();
        for row in &self.rows {
            if !directions.contains(&row.direction) {
                directions.push(row.direction);
            }
        }
        directions
    }

    /// By meaning; drafts that say the same stand together.
    pub fn grid(&self) -> Grid {
        let mut rows = Vec::new();
        for direction in self.directions() {
            for (at, (meant, said)) in self.meanings(direction).into_iter().enumerate() {
                let mut same: Vec<(Vec<&str>, String)> = Vec::new();
                for (draft, lines) in &said {
                    let lines = if lines.is_empty() {
                        "–".to_owned()
                    } else {
                        lines.join("\n")
                    };
                    match same.iter_mut().find(|(_, known)| *known == lines) {
                        Some((drafts, _)) => drafts.push(draft.name()),
                        None => same.push((vec![draft.name()], lines)),
                    }
                }
                let count = same.len();
                for (nth, (drafts, lines)) in same.into_iter().enumerate() {
                    let first =
                        |word: &str, on: bool| if on { word.to_owned() } else { String::new() };
                    let drafts = match count {
                        1 if said.len() > 1 => "every draft".to_owned(),
                        _ => drafts.join(", "),
                    };
                    rows.push(vec![
                        first(from(direction), at == 0 && nth == 0),
                        first(&meant, nth == 0),
                        drafts,
                        lines,
                    ]);
                }
            }
        }
        let columns = ["", "field", "draft", "on the wire"];
        Grid {
            title: TITLE.to_owned(),
            columns: columns.map(str::to_owned).to_vec(),
            numbers_from: columns.len(),
            rows,
        }
    }

    /// For a terminal.
    pub fn to_text(&self, look: Look) -> String {
        self.grid().to_text(look)
    }

    /// The model as JSON: as that of a table, each field with its meaning.
    pub fn to_json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        pretty(&json!({"format": 1, "rows": rows}))
    }

    /// One page: a column for each draft, and every head with its fields.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        for direction in self.directions() {
            let meanings = self.meanings(direction);
            let drafts = meanings
                .first()
                .map(|(_, said)| said.clone())
                .unwrap_or_default();
            let names = drafts.iter().map(|(draft, _)| draft.with_alias());
            let grid = Grid {
                title: String::new(),
                columns: std::iter::once(from(direction).to_owned())
                    .chain(names)
                    .collect(),
                numbers_from: usize::MAX,
                rows: meanings
                    .into_iter()
                    .map(|(meant, said)| {
                        let cells = said.into_iter().map(|(_, lines)| match lines.is_empty() {
                            true => "–".to_owned(),
                            false => lines.join("\n"),
                        });
                        std::iter::once(meant).chain(cells).collect()
                    })
                    .collect(),
            };
            let _ = writeln!(body, "<div class=\"side\">{}</div>", grid.fragment());
        }
        for (at, row) in self.rows.iter().enumerate() {
            let octets: usize = row.said.units.iter().map(|unit| unit.octets.len()).sum();
            let _ = writeln!(
                body,
                "<section class=\"card\" aria-labelledby=\"row-{at}\">\n<header><h2 id=\"row-{at}\">{} · {}</h2>\
                 <span class=\"soft\">{}</span></header>",
                Escaped(&row.draft.with_alias()),
                from(row.direction),
                plural(octets, "octet"),
            );
            for unit in &row.said.units {
                scope(&mut body, unit, None, true);
            }
            body.push_str("</section>\n");
        }
        let sub = "With keys that are always the same. Point at a field, and its octets light up; point at octets, and their field does.";
        page(TITLE, sub, false, &body)
    }

    /// One drawing.
    pub fn to_svg(&self) -> String {
        self.grid().to_svg()
    }
}

const TITLE: &str = "The opening handshake, draft by draft";

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(PLAIN))
    }
}

fn row(row: &Opening) -> Value {
    let fields = row.said.parts().map(|(unit, part)| {
        let placed = Field {
            start_bit: 8 * unit.offset + part.start_bit,
            ..part.clone()
        };
        let mut value = field(&placed);
        value["meaning"] = meaning(unit, part).into();
        value
    });
    let bytes = row.said.bytes();
    json!({
        "draft": row.draft.name(),
        "alias": row.draft.alias(),
        "direction": row.direction.name(),
        "text": String::from_utf8_lossy(&bytes),
        "bytes": hex(&bytes),
        "overhead": row.said.overhead(),
        "fields": fields.collect::<Vec<_>>(),
    })
}
