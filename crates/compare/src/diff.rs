//! What moved between two drafts: the fields of the same message, or of the
//! opening, aligned by what they mean, and each difference in words.

use std::fmt;

use draftgate_core::{Draft, Role};
use draftgate_drafts::opening::Refusal;
use draftgate_wire::dissect::{Field, Kind, Unit};
use serde_json::{Value, json};

use crate::{
    Grid, Options, What,
    handshake::{Handshake, line, meaning},
    html::place,
    json::{field, pretty},
    table::{Said, Table, from},
    text::{PLAIN, cannot, together},
    what::{hex, plural},
};

/// Two drafts, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// What both say, in words.
    pub title: String,
    /// The one draft and the other.
    pub drafts: [Draft; 2],
    /// In the order of the fields of the one, then those only the other has.
    pub rows: Vec<Moved>,
}

/// One field in two drafts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Who speaks.
    pub direction: Role,
    /// What the field is for.
    pub meaning: String,
    /// The field in each draft, if it has it.
    pub fields: [Option<Field>; 2],
    /// Where it is in each, in words: of a head, its line.
    places: [String; 2],
    /// What became of it.
    pub changes: Vec<Change>,
}

/// One difference of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// A word that stays: `absent`, `new`, `renamed`, `moved`, `resized`,
    /// `renumbered`, `value`, `covers`, `octets`, `unsaid`, `unsaid-by-both`.
    pub kind: &'static str,
    /// In words.
    pub words: String,
}

/// A field with all that is compared of it.
struct Item {
    meaning: String,
    field: Field,
    /// Its value, or the line of a head.
    shown: String,
    place: String,
    wire: Vec<u8>,
    /// Whether its unit has a mask.
    masked: bool,
}

impl Diff {
    /// `what` in two drafts.
    ///
    /// # Errors
    /// A draft is not built.
    pub fn of(what: &What, drafts: [Draft; 2], options: &Options) -> Result<Self, Refusal> {
        let both = |draft| {
            let options = Options {
                drafts: vec![draft],
                ..options.clone()
            };
            Table::of(what, &options)
        };
        let [one, other] = [both(drafts[0])?, both(drafts[1])?];
        let mut rows = Vec::new();
        for (one, other) in one.rows.iter().zip(&other.rows) {
            let direction = one.direction;
            match (&one.said, &other.said) {
                (Ok(one), Ok(other)) => {
                    rows.extend(aligned(direction, drafts, &frames(one), &frames(other)));
                }
                (one, other) => {
                    let why = |said: &Result<Said, _>, draft: Draft| {
                        said.as_ref()
                            .err()
                            .map(|e| format!("{draft} {}", cannot(e)))
                    };
                    let words: Vec<String> = [why(one, drafts[0]), why(other, drafts[1])]
                        .into_iter()
                        .flatten()
                        .collect();
                    rows.push(Moved {
                        direction,
                        meaning: "the whole".to_owned(),
                        fields: [None, None],
                        places: [one, other].map(|said| match said {
                            Ok(said) => hex(said.bytes().get(..16).unwrap_or(&said.bytes())),
                            Err(_) => "–".to_owned(),
                        }),
                        changes: vec![Change {
                            kind: if words.len() == 2 {
                                "unsaid-by-both"
                            } else {
                                "unsaid"
                            },
                            words: words.join("; "),
                        }],
                    });
                }
            }
        }
        Ok(Self {
            title: format!("From {} to {}: {}", drafts[0], drafts[1], what.title()),
            drafts,
            rows,
        })
    }

    /// The openings of two drafts.
    ///
    /// # Errors
    /// A draft is not built.
    pub fn of_handshakes(drafts: [Draft; 2], options: &Options) -> Result<Self, Refusal> {
        let options = Options {
            drafts: drafts.to_vec(),
            ..options.clone()
        };
        let opened = Handshake::of(&options)?;
        let (one, other) = opened.rows.split_at(options.directions.len());
        let pairs = one.iter().zip(other);
        let rows = pairs.flat_map(|(one, other)| {
            aligned(one.direction, drafts, &head(&one.said), &head(&other.said))
        });
        Ok(Self {
            title: format!("From {} to {}: the opening handshake", drafts[0], drafts[1]),
            drafts,
            rows: rows.collect(),
        })
    }

    /// For text, HTML and SVG.
    pub fn grid(&self) -> Grid {
        let mut last = None;
        let rows = self.rows.iter().map(|row| {
            let who = if last == Some(row.direction) {
                ""
            } else {
                from(row.direction)
            };
            last = Some(row.direction);
            let words: Vec<&str> = row
                .changes
                .iter()
                .map(|change| change.words.as_str())
                .collect();
            let words = if words.is_empty() {
                "the same".to_owned()
            } else {
                words.join("; ")
            };
            let [one, other] = row.places.clone();
            vec![who.to_owned(), row.meaning.clone(), one, other, words]
        });
        let [one, other] = self.drafts.map(|draft| draft.name().to_owned());
        Grid {
            title: self.title.clone(),
            rows: rows.collect(),
            columns: vec![
                String::new(),
                "field".into(),
                one,
                other,
                "what became of it".into(),
            ],
            numbers_from: usize::MAX,
        }
    }

    /// The differences as JSON.
    pub fn to_json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let [one, other] = row.fields.each_ref().map(|f| f.as_ref().map(field));
            json!({
                "direction": row.direction.name(),
                "meaning": row.meaning,
                "a": one,
                "b": other,
                "changes": row.changes.iter().map(|change| {
                    json!({"change": change.kind, "words": change.words})
                }).collect::<Vec<_>>(),
            })
        });
        let rows: Vec<Value> = rows.collect();
        let [one, other] = self.drafts.map(Draft::name);
        pretty(&json!({"format": 1, "title": self.title, "a": one, "b": other, "rows": rows}))
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.grid().to_text(PLAIN))
    }
}

fn frames(said: &Said) -> Vec<Item> {
    let many = said.units.len() > 1;
    let mut items = Vec::new();
    for (at, unit) in said.units.iter().enumerate() {
        for field in joined(&unit.fields) {
            let what = purpose(&field);
            let meaning = match many {
                true => format!("{what} (frame {})", at + 1),
                false => what.to_owned(),
            };
            let (shown, place) = (field.value.clone(), place(&field));
            items.push(item(unit, field, meaning, shown, place));
        }
    }
    items
}

/// Reserved bits beside each other are one field to the reader.
fn joined(fields: &[Field]) -> Vec<Field> {
    let reserved = |field: &Field| field.kind == Kind::Reserved;
    fields
        .chunk_by(|a, b| reserved(a) && reserved(b))
        .map(|run| match run {
            [first, .., last] => Field {
                name: format!("{}-{}", first.name, last.name.trim_start_matches("RSV")),
                len_bits: run.iter().map(|field| field.len_bits).sum(),
                value: together(run),
                ..first.clone()
            },
            _ => run[0].clone(),
        })
        .collect()
}

/// Fields of one purpose are one field, whatever a draft calls them.
fn purpose(field: &Field) -> &str {
    match field.kind {
        Kind::FrameType | Kind::Opcode => "type",
        Kind::Length if field.name == "length" => "payload length",
        _ => &field.name,
    }
}

fn head(said: &Said) -> Vec<Item> {
    let parts = said.parts().enumerate();
    parts
        .filter_map(|(at, (unit, field))| {
            let (meaning, shown) = (meaning(unit, field)?, line(unit, field));
            let place = format!("line {}", at + 1);
            Some(item(unit, field.clone(), meaning, shown, place))
        })
        .collect()
}

fn item(unit: &Unit, field: Field, meaning: String, shown: String, place: String) -> Item {
    Item {
        meaning,
        wire: unit.octets_of(&field).to_vec(),
        masked: unit.fields.iter().any(|f| f.kind == Kind::MaskingKey),
        field,
        shown,
        place,
    }
}

fn aligned(direction: Role, drafts: [Draft; 2], one: &[Item], other: &[Item]) -> Vec<Moved> {
    let find = |items: &'_ [Item], of: &Item| items.iter().position(|i| i.meaning == of.meaning);
    let only_other = other.iter().filter(|item| find(one, item).is_none());
    let pairs = one
        .iter()
        .map(|item| (Some(item), find(other, item).map(|at| &other[at])))
        .chain(only_other.map(|item| (None, Some(item))));
    pairs
        .map(|(one, other)| Moved {
            direction,
            meaning: one
                .or(other)
                .map(|item| item.meaning.clone())
                .unwrap_or_default(),
            fields: [one, other].map(|item| item.map(|item| item.field.clone())),
            places: [one, other].map(|item| match item {
                Some(item) => format!("{}\n{}", item.shown, item.place),
                None => "–".to_owned(),
            }),
            changes: changes(drafts, one, other),
        })
        .collect()
}

fn changes(drafts: [Draft; 2], one: Option<&Item>, other: Option<&Item>) -> Vec<Change> {
    let (a, b) = match (one, other) {
        (Some(a), Some(b)) => (a, b),
        (Some(_), None) => return vec![change("absent", format!("{} has none", drafts[1]))],
        _ => return vec![change("new", format!("{} has none", drafts[0]))],
    };
    let mut changes = Vec::new();
    let (was, is) = (&a.field, &b.field);
    if was.name != is.name {
        changes.push(change(
            "renamed",
            format!("called {} in the place of {}", is.name, was.name),
        ));
    }
    // What begins in the same octet and is shorter or longer has not moved.
    let resized = was.len_bits != is.len_bits && !in_head(was.kind);
    let stays = resized && was.start_bit / 8 == is.start_bit / 8;
    if a.place != b.place && !stays {
        changes.push(change("moved", moved(a, b)));
    }
    if resized {
        let words = format!("{} bits, were {}", is.len_bits, was.len_bits);
        changes.push(change("resized", words));
    }
    if was.value != is.value {
        changes.push(match (numbered(was), numbered(is)) {
            (Some((was, word)), Some((is, same))) if word == same => {
                change("renumbered", format!("{word} is {is}, was {was}"))
            }
            _ if was.value.len().max(is.value.len()) > SPELLED => {
                change("value", "another value".to_owned())
            }
            _ => change(
                "value",
                format!("{} in the place of {}", is.value, was.value),
            ),
        });
    } else if a.wire != b.wire && !in_head(was.kind) {
        let words = match (a.masked, b.masked) {
            (false, true) => format!("masked in {}", drafts[1]),
            (true, false) => format!("not masked in {}", drafts[1]),
            _ => "masked by other octets of the key".to_owned(),
        };
        if matches!(was.kind, Kind::Payload | Kind::StatusCode | Kind::Reason) {
            changes.push(change("octets", words));
        }
    }
    if was.kind == Kind::MaskingKey && (was.start_bit == 0) != (is.start_bit == 0) {
        let words = match is.start_bit {
            0 => "covers the header, too",
            _ => "covers the payload alone, and no longer the header",
        };
        changes.push(change("covers", words.to_owned()));
    }
    changes
}

/// Values up to this length are spelled out in words; longer ones stand beside
/// them anyway.
const SPELLED: usize = 20;

/// By how much, where that is a number of octets.
fn moved(a: &Item, b: &Item) -> String {
    let (was, is) = (a.field.start_bit, b.field.start_bit);
    let octets = was.abs_diff(is) / 8;
    let octets = plural(octets as usize, "octet");
    match was.abs_diff(is) % 8 {
        _ if in_head(a.field.kind) => format!("moved from {} to {}", a.place, b.place),
        0 if is < was => format!("{octets} further to the front"),
        0 if is > was => format!("{octets} further back"),
        _ => format!("moved from {} to {}", a.place, b.place),
    }
}

fn in_head(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::StartLine | Kind::HeadField | Kind::Key | Kind::Proof | Kind::Date | Kind::Secret
    )
}

/// The number of an opcode and the word behind it: `4 (text)`.
fn numbered(field: &Field) -> Option<(&str, &str)> {
    let (number, word) = field.value.split_once(" (")?;
    Some((number, word.strip_suffix(')')?))
}

fn change(kind: &'static str, words: String) -> Change {
    Change { kind, words }
}
