//! Where two streams differ: not at which octet alone, but in which field.

use std::fmt::Write;

use draftgate_wire::dissect::{Field, Kind, Unit, What};

use crate::{
    look::{Look, TITLE, WRONG, style, width},
    unit::title,
};

/// Octets in a row.
const ROW: usize = 16;

/// The most rows of octets that are shown.
const ROWS: usize = 4;

/// The widest that a value is shown.
const VALUE: usize = 60;

/// Two units that should be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What should have come.
    pub recorded: Unit,
    /// What came.
    pub seen: Unit,
    /// The first octet of the units that differs.
    pub at: usize,
    /// The fields that differ, in their order; never empty.
    pub fields: Vec<Differing>,
}

/// A field in which two units differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Its name, as the one has it who has it.
    pub name: String,
    /// What kind of field it is.
    pub kind: Kind,
    /// Its value in what should have come; `None` if it is not there.
    pub recorded: Option<String>,
    /// Its value in what came; `None` if it is not there.
    pub seen: Option<String>,
    /// Whether both say the same, and stand differently on the wire: under
    /// another masking key.
    pub alike: bool,
}

/// Where two streams part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Two units at the same place differ.
    Within(Box<Difference>),
    /// What should have come did not.
    Missing(Box<Unit>),
    /// More came than should have.
    Additional(Box<Unit>),
}

impl Place {
    /// The names of the fields that differ, or what is missing or more.
    pub fn name(&self) -> String {
        match self {
            Self::Within(difference) => difference.names(),
            Self::Missing(unit) => format!("missing: {}", title(unit)),
            Self::Additional(unit) => format!("additional: {}", title(unit)),
        }
    }

    /// It, for people; ends in a line feed.
    pub fn text(&self, look: &Look) -> String {
        match self {
            Self::Within(difference) => difference.text(look),
            Self::Missing(unit) => alone(unit, "is missing", look),
            Self::Additional(unit) => alone(unit, "came in addition", look),
        }
    }
}

fn alone(unit: &Unit, what: &str, look: &Look) -> String {
    let heading = look.paint(TITLE, format_args!("{} {what}", title(unit)));
    format!("{heading}\n\n{}", crate::octets(unit, look))
}

/// The first place at which `seen` is not `recorded`; `None` if nowhere.
pub fn first_difference(recorded: &[Unit], seen: &[Unit]) -> Option<Place> {
    for at in 0..recorded.len().max(seen.len()) {
        let place = match (recorded.get(at), seen.get(at)) {
            (Some(recorded), Some(seen)) => diff(recorded, seen).map(|d| Place::Within(d.into())),
            (Some(unit), None) => Some(Place::Missing(unit.clone().into())),
            (None, Some(unit)) => Some(Place::Additional(unit.clone().into())),
            (None, None) => None,
        };
        if place.is_some() {
            return place;
        }
    }
    None
}

/// Where and in which fields the octets of `seen` are not those of `recorded`;
/// `None` if they are the same.
pub fn diff(recorded: &Unit, seen: &Unit) -> Option<Difference> {
    if recorded.octets == seen.octets {
        return None;
    }
    let pairs = recorded.octets.iter().zip(&seen.octets);
    let shorter = recorded.octets.len().min(seen.octets.len());
    Some(Difference {
        at: pairs
            .into_iter()
            .position(|(a, b)| a != b)
            .unwrap_or(shorter),
        fields: differing(recorded, seen),
        recorded: recorded.clone(),
        seen: seen.clone(),
    })
}

fn is_head(unit: &Unit) -> bool {
    matches!(unit.what, What::Request | What::Answer)
}

/// Fields of the same name belong together, the first with the first; a head's
/// that only moved differ if nothing else does.
fn differing(recorded: &Unit, seen: &Unit) -> Vec<Differing> {
    let mut partners: Vec<Option<&Field>> = vec![None; recorded.fields.len()];
    let mut fields = Vec::new();
    let mut alone = Vec::new();
    for field in &seen.fields {
        let same = |other: &Field| match is_head(recorded) {
            true => other.name.eq_ignore_ascii_case(&field.name),
            false => other.name == field.name,
        };
        let free =
            (0..partners.len()).find(|at| partners[*at].is_none() && same(&recorded.fields[*at]));
        match free {
            Some(at) => partners[at] = Some(field),
            None => alone.push(Differing::of(None, Some(field))),
        }
    }
    for (field, partner) in recorded.fields.iter().zip(&partners) {
        let same = partner.is_some_and(|other| {
            field.value == other.value && wire(recorded, field) == wire(seen, other)
        });
        if !same {
            let mut differing = Differing::of(Some(field), *partner);
            if field.kind == Kind::Payload {
                differing.alike = recorded.payload == seen.payload;
            }
            fields.push(differing);
        }
    }
    fields.append(&mut alone);
    if fields.is_empty() {
        // The same lines in another order.
        let moved = recorded.fields.iter().zip(&seen.fields);
        let moved = moved.filter(|(a, b)| a.name != b.name);
        fields.extend(moved.map(|(a, b)| Differing::of(Some(a), Some(b))));
    }
    fields
}

/// What is compared of a field: bits, or octets.
fn wire<'a>(unit: &'a Unit, field: &Field) -> &'a [u8] {
    match field.len_bits % 8 {
        0 => unit.octets_of(field),
        // The value says all of a few bits.
        _ => &[],
    }
}

impl Differing {
    fn of(recorded: Option<&Field>, seen: Option<&Field>) -> Self {
        let either = recorded.or(seen);
        let value = |field: Option<&Field>| field.map(|field| field.value.clone());
        Self {
            name: either.map_or_else(String::new, |field| field.name.clone()),
            kind: either.map_or(Kind::Unknown, |field| field.kind),
            recorded: value(recorded),
            seen: value(seen),
            alike: recorded.is_some() && value(recorded) == value(seen),
        }
    }
}

impl Difference {
    /// The names of the fields that differ.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|field| &*field.name).collect();
        names.join(", ")
    }

    /// Both, for people: what differs is marked and named. Ends in a line feed.
    pub fn text(&self, look: &Look) -> String {
        let place = self.recorded.offset + self.at as u64;
        let heading = format!(
            "{} differs at octet {place}, in {}",
            title(&self.recorded),
            self.names()
        );
        let mut text = look.paint(TITLE, heading);
        text.push_str("\n\n");
        if is_head(&self.recorded) && is_head(&self.seen) {
            self.lines(look, &mut text);
        } else {
            self.rows(look, &mut text);
            self.values(look, &mut text);
        }
        text
    }

    /// Heads, line by line: what differs and nothing else.
    fn lines(&self, look: &Look, text: &mut String) {
        for field in &self.fields {
            let line = |value: &str| match field.kind {
                Kind::StartLine | Kind::End => value.to_owned(),
                _ => format!("{}: {value}", field.name),
            };
            let sides = [("expected", &field.recorded), ("seen    ", &field.seen)];
            for (side, value) in sides {
                match value {
                    Some(value) => put(text, format_args!("  {side}  {}", line(value))),
                    None => put(text, format_args!("  {side}  (no {})", field.name)),
                }
            }
            if let (Some(recorded), Some(seen)) = (&field.recorded, &field.seen) {
                let begin = width(&line("")) + width(&common(recorded, seen));
                let longer = width(recorded).max(width(seen));
                let marks = longer.saturating_sub(width(&common(recorded, seen))).max(1);
                let marks = look.paint(WRONG, "^".repeat(marks));
                put(text, format_args!("  {}{marks}", " ".repeat(10 + begin)));
            }
        }
    }

    /// Octets above each other, from the row in which they begin to differ.
    fn rows(&self, look: &Look, text: &mut String) {
        let octets = [&self.recorded.octets, &self.seen.octets];
        let end = octets.map(|o| o.len()).into_iter().max().unwrap_or(0);
        // A narrow terminal has shorter rows.
        let row = ROW.min(look.columns().saturating_sub(24) / 3).max(4);
        let first = self.at / row;
        let last = end.div_ceil(row);
        for at in (first..last).take(ROWS) {
            let place = at * row..((at + 1) * row).min(end);
            let differs = |i: usize| octets[0].get(i) != octets[1].get(i);
            if at > first && !place.clone().any(differs) {
                continue;
            }
            for (side, octets) in ["expected", "seen    "].into_iter().zip(octets) {
                let spelt = |i| {
                    octets
                        .get(i)
                        .map_or_else(|| "  ".to_owned(), |o| format!("{o:02x}"))
                };
                let pairs: Vec<String> = place.clone().map(spelt).collect();
                let offset = self.recorded.offset + place.start as u64;
                put(
                    text,
                    format_args!("  {side}  {offset:>8}  {}", pairs.join(" ").trim_end()),
                );
            }
            let marks = place.clone().map(|i| if differs(i) { "^^" } else { "  " });
            let marks = marks.collect::<Vec<_>>().join(" ");
            let marks = look.paint(WRONG, marks.trim_end());
            put(text, format_args!("{}{marks}", " ".repeat(22)));
        }
        if last > first + ROWS {
            put(
                text,
                format_args!("  … to octet {}", self.recorded.offset + end as u64),
            );
        }
    }

    fn values(&self, look: &Look, text: &mut String) {
        let longest = self.fields.iter().map(|field| width(&field.name)).max();
        let longest = longest.unwrap_or(0);
        let place = self.recorded.offset + self.at as u64;
        text.push('\n');
        for field in &self.fields {
            let name = format!("{:longest$}", field.name);
            let name = look.paint(style(field.kind), name);
            let [recorded, seen] = [&field.recorded, &field.seen].map(|value| {
                value
                    .as_deref()
                    .map_or_else(|| "nothing".to_owned(), shortened)
            });
            let said = match (field.alike, recorded == seen) {
                (true, _) => format!("{recorded} both times, under another mask"),
                (false, true) => format!("differs from octet {place} on, see above"),
                (false, false) => format!("expected {recorded}, seen {seen}"),
            };
            put(text, format_args!("  {name}  {said}"));
        }
    }
}

/// What both begin with.
fn common(a: &str, b: &str) -> String {
    let pairs = a.chars().zip(b.chars());
    pairs.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

fn shortened(value: &str) -> String {
    if width(value) <= VALUE {
        return value.to_owned();
    }
    let front: String = value.chars().take(VALUE).collect();
    format!("{front} …")
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
