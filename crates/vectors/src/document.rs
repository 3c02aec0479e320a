//! The tables of docs/vectors.md, made of what the loader checks by.

use std::fmt::Write as _;

use draftgate_core::Rule;

use crate::{
    Placeholder,
    keys::VECTOR,
    shape::{Shape, Table},
};

/// Every table of a file with its keys, as Markdown.
pub fn keys_tables() -> String {
    let mut out = String::new();
    let mut done = Vec::new();
    table(&VECTOR, &mut out, &mut done);
    out
}

/// The placeholders, as a Markdown table.
pub fn placeholders_table() -> String {
    let mut out =
        "| name | sent by | value | a run that is fresh |\n| --- | --- | --- | --- |\n".to_owned();
    for placeholder in Placeholder::ALL {
        let by = placeholder.sender().map_or("either", |side| side.name());
        let (value, fresh) = placeholder.explained();
        let _ = writeln!(out, "| `{placeholder}` | {by} | {value} | {fresh} |");
    }
    out
}

/// The rules of the open connection, as a Markdown table.
pub fn violations_table() -> String {
    let mut out = "| code | what the stream does |\n| --- | --- |\n".to_owned();
    for rule in Rule::ALL {
        let _ = writeln!(out, "| `{}` | {rule} |", rule.code());
    }
    out
}

fn table(it: &'static Table, out: &mut String, done: &mut Vec<&'static str>) {
    if done.contains(&it.title) {
        return;
    }
    done.push(it.title);
    let title = match it.title.contains(['[', '`']) {
        true => format!("`{}`", it.title.trim_matches('`')),
        false => it.title.to_owned(),
    };
    let gap = if out.is_empty() { "" } else { "\n" };
    let one = match it.one_of {
        [] => "",
        _ => "; exactly one of those marked “one”",
    };
    let _ = write!(
        out,
        "{gap}**{title}**{one}\n\n| key | | value | meaning |\n| --- | --- | --- | --- |\n"
    );
    for key in it.keys {
        let needed = match (key.needed, it.one_of.contains(&key.name)) {
            (true, _) => "needed",
            (_, true) => "one",
            _ => "",
        };
        let says = key.says.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {needed} | {} | {says} |",
            key.name,
            value(&key.shape)
        );
    }
    for key in it.keys {
        below(&key.shape, out, done);
    }
}

fn below(shape: &'static Shape, out: &mut String, done: &mut Vec<&'static str>) {
    match shape {
        Shape::Table(it) | Shape::Either(_, it) => table(it, out, done),
        Shape::List(shape) | Shape::Map(shape) => below(shape, out, done),
        _ => {}
    }
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Any => "text".to_owned(),
        Shape::Form(form) => form.name.to_owned(),
        // Long lists have a table of their own.
        Shape::Words(words) if words().len() > 12 => "a code, see below".to_owned(),
        Shape::Words(words) => {
            let words: Vec<_> = words().iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Shape::Whole(1, 1) => "`1`".to_owned(),
        Shape::Whole(0, 65_535) => "whole number to 65535".to_owned(),
        Shape::Whole(0, 255) => "whole number to 255".to_owned(),
        Shape::Whole(1, _) => "whole number from 1".to_owned(),
        Shape::Whole(..) => "whole number".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::List(shape) => format!("list: {}", value(shape)),
        Shape::Table(it) => format!("table: {}", it.title),
        Shape::Map(shape) => format!("table of any keys: {}", value(shape)),
        Shape::Either(words, _) => {
            let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            format!("{} or a table", words.join(", "))
        }
    }
}
