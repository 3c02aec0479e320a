//! What a file may hold, as data: tables with their keys and the shape of each
//! value. One such table (`keys`) is read three times: here, to say everything
//! that is wrong with a file and not only what a parser meets first; by
//! `schema`, which makes the JSON Schema of it; and by `document`, which makes
//! the tables of the page on the format. None of the three can drift.

use draftgate_core::Draft;
use toml::{Spanned, de::DeTable, de::DeValue};

use crate::{contents::Fault, forms::Form};

/// A table of a file.
#[derive(Debug)]
pub(crate) struct Table {
    /// How people find it.
    pub(crate) title: &'static str,
    /// What may stand in it.
    pub(crate) keys: &'static [Key],
    /// Of these keys it has exactly one.
    pub(crate) one_of: &'static [&'static str],
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) needed: bool,
    pub(crate) shape: Shape,
    /// What it means, unit and default included.
    pub(crate) says: &'static str,
}

/// What a value looks like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A text, as it is.
    Any,
    /// A text of a certain form.
    Form(&'static Form),
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
    /// A whole number, from and to.
    Whole(u64, u64),
    /// `true`.
    True,
    /// A list.
    List(&'static Self),
    /// A table.
    Table(&'static Table),
    /// A table of keys that the writer chooses.
    Map(&'static Self),
    /// A word that stands for itself, or a table.
    Either(&'static [&'static str], &'static Table),
}

/// The largest whole number of TOML.
pub(crate) const MOST: u64 = i64::MAX as u64;

/// Everything in `file` that does not have the shape of `table`.
pub(crate) fn faults(table: &Table, file: &Spanned<DeTable<'_>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_table(table, file.get_ref(), 0, &mut faults);
    faults.sort_by_key(|fault| fault.at.start);
    faults
}

fn check_table(table: &Table, found: &DeTable<'_>, at: usize, faults: &mut Vec<Fault>) {
    let title = table.title;
    for (name, value) in found {
        match table.keys.iter().find(|key| key.name == name.get_ref()) {
            Some(key) => check(&key.shape, key.name, value, faults),
            None => {
                let known: Vec<_> = table.keys.iter().map(|key| key.name).collect();
                let what = format!(
                    "`{}` is no key of {title}; {}",
                    name.get_ref(),
                    instead(name.get_ref(), &known)
                );
                let at = name.span();
                faults.push(Fault { at, what });
            }
        }
    }
    for key in table.keys.iter().filter(|key| key.needed) {
        if !found.contains_key(key.name) {
            let what = format!("{title} lacks `{}`: {}", key.name, key.says);
            faults.push(Fault { at: at..at, what });
        }
    }
    let ones = table.one_of.iter().filter(|one| found.contains_key(**one));
    if !table.one_of.is_empty() && ones.count() != 1 {
        let ones = listed(table.one_of, "and");
        let what = format!("{title} says exactly one thing: give it one of {ones}");
        faults.push(Fault { at: at..at, what });
    }
}

fn check(shape: &Shape, name: &str, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    let at = value.span();
    let mut fault = |what: String| {
        faults.push(Fault {
            at: at.clone(),
            what,
        });
    };
    match (shape, value.get_ref()) {
        (Shape::Any, DeValue::String(_)) | (Shape::True, DeValue::Boolean(true)) => {}
        (Shape::Form(form), DeValue::String(text)) => {
            if let Some(what) = (form.fault)(text) {
                fault(format!("`{name}`: {what}"));
            }
        }
        (Shape::Words(words), DeValue::String(text)) => {
            let words = words();
            if !words.contains(&&**text) {
                let instead = match text.parse::<Draft>() {
                    // Another of its names: hybi-12 is near to hybi-13, and is hybi-08.
                    Ok(draft) if name == "draft" => format!("did you mean `{draft}`?"),
                    _ => instead(text, &words),
                };
                fault(format!("`{text}` is no `{name}`; {instead}"));
            }
        }
        (Shape::Whole(least, most), DeValue::Integer(number)) => {
            let found = u64::from_str_radix(number.as_str(), number.radix());
            if !found.is_ok_and(|found| (*least..=*most).contains(&found)) {
                fault(format!(
                    "`{name}` is a whole number from {least} to {most}, not {number}"
                ));
            }
        }
        (Shape::True, DeValue::Boolean(false)) => {
            fault(format!("`{name} = false` says nothing; leave it out"));
        }
        (Shape::List(shape), DeValue::Array(values)) => {
            for value in values {
                check(shape, name, value, faults);
            }
        }
        (Shape::Table(table), DeValue::Table(found)) => {
            check_table(table, found, at.start, faults);
        }
        (Shape::Map(shape), DeValue::Table(found)) => {
            for (name, value) in found {
                check(shape, name.get_ref(), value, faults);
            }
        }
        (Shape::Either(words, table), DeValue::String(text)) => {
            if !words.contains(&&**text) {
                let mut known = words.to_vec();
                known.extend(table.one_of);
                let instead = instead(text, &known);
                fault(format!("`{text}` is no {}; {instead}", table.title));
            }
        }
        (Shape::Either(_, table), DeValue::Table(found)) => {
            check_table(table, found, at.start, faults);
        }
        (shape, other) => fault(format!(
            "`{name}` is {}, not {}",
            shape.called(),
            called(other)
        )),
    }
}

impl Shape {
    fn called(&self) -> &'static str {
        match self {
            Self::Any | Self::Form(_) | Self::Words(_) => "a text",
            Self::Whole(..) => "a whole number",
            Self::True => "`true`",
            Self::List(_) => "a list",
            Self::Table(_) | Self::Map(_) => "a table",
            Self::Either(..) => "a text or a table",
        }
    }
}

fn called(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date of TOML's own; put it between quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What somebody who wrote `found` may have meant.
fn instead(found: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|word| (strsim::jaro_winkler(found, word), word))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    // Below that, two words have little more than a letter in common; and a few
    // words are better told whole than guessed at.
    let enough = if known.len() <= 4 { 0.9 } else { 0.8 };
    match (near, known) {
        (Some((nearness, word)), _) if nearness > enough => format!("did you mean `{word}`?"),
        (_, [one]) => format!("there is only `{one}`"),
        _ => format!("there are {}", listed(known, "and")),
    }
}

fn listed(words: &[&str], last: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((end, most)) if !most.is_empty() => format!("{} {last} {end}", most.join(", ")),
        _ => quoted.concat(),
    }
}
