//! The configuration in effect in the shape of a file.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{
    super::shown::{MASK, Shown},
    Effective, Key, SaidBy, Section,
};

/// Where comments begin, if the value leaves room.
const COLUMN: usize = 44;

// Writing to a String cannot fail.
pub(super) fn print(effective: &Effective, changed: bool) -> String {
    let mut text = format!("# In effect: {}", effective.name);
    text += match changed {
        true => ", as far as it is other than the defaults\n",
        false => "\n",
    };
    if let secrets @ 1.. = effective.secrets() {
        let s = if secrets == 1 { " is" } else { "s are" };
        let _ = writeln!(
            text,
            "# {secrets} secret{s} masked as \"{MASK}\"; what is printed here is no file before they are put back"
        );
    }
    text.push('\n');
    if let Some(top) = effective.sections.first() {
        section(&mut text, effective, top, changed);
    }
    text
}

fn section(text: &mut String, effective: &Effective, one: &Section, changed: bool) {
    let keys: Vec<&Key> = one.keys.iter().filter(|key| key.counts(changed)).collect();
    let is_element = one.at.ends_with(']') && one.is_there;
    if !keys.is_empty() || is_element {
        if !one.at.is_empty() {
            let header = one.header();
            let says = |key: &&Key| matches!(key.shown, Shown::Is(_) | Shown::Secret);
            let mark = match is_element || keys.iter().any(says) {
                true => "",
                false => "# ",
            };
            let _ = writeln!(text, "\n{mark}{header}");
        }
        for key in keys {
            line(text, key);
        }
    }
    for child in effective.children(one) {
        section(text, effective, child, changed);
    }
}

fn line(text: &mut String, key: &Key) {
    let name = key.name;
    let said = match &key.shown {
        Shown::Is(value) => format!("{name} = {}", literal(value)),
        Shown::Secret => format!("{name} = \"{MASK}\""),
        Shown::Follows(value) => format!("# {name} = {}", literal(value)),
        Shown::Unset | Shown::Meaningless => {
            let _ = match key.from {
                SaidBy::Inherited(_) => writeln!(text, "# {name} as at the top: {}", key.from),
                _ => writeln!(text, "# {name} is not set"),
            };
            return;
        }
    };
    let _ = writeln!(text, "{said:COLUMN$}  # {}", key.from);
}

/// A value as TOML writes it.
fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Json::Object(entries) => {
            let entry =
                |(name, value): (&String, &Json)| format!("{} = {}", bare(name), literal(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn bare(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A basic string of TOML; its escapes are those of JSON, but DEL has one too.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeValue;

    use super::*;

    proptest! {
        #[test]
        fn a_string_is_read_as_it_was(text in ".*|[\\x00-\\x20\\x7f\"'\\\\]*") {
            let written = quoted(&text);
            let read = DeValue::parse(&written).unwrap();
            prop_assert_eq!(read.get_ref().as_str(), Some(text.as_str()));
        }
    }
}
