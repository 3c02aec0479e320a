//! TOML strings: on one line wherever it stands in a key's place, over several
//! where octets are to be read.

use std::fmt::Write as _;

/// `text` on one line, as people would quote it: in single quotes where that
/// spares escapes.
pub(super) fn quoted(text: &str) -> String {
    let literal = text.contains(['"', '\\'])
        && !text.contains('\'')
        && !text.chars().any(|c| is_control(c) && c != '\t');
    if literal {
        return format!("'{text}'");
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        escaped(c, &mut out);
    }
    out.push('"');
    out
}

/// A list of strings on one line.
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// `text` with a line for each of its own; every line end is spelt out, so that
/// no editor can change one.
pub(super) fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    out.push_str("\"\"\"\\\n");
    for line in text.split_inclusive('\n') {
        // The backslash before it would swallow white space.
        let mut chars = line.chars();
        match line.chars().next() {
            Some(' ') => out.push_str("\\u0020"),
            Some('\t') => out.push_str("\\t"),
            _ => chars = line.chars(),
        }
        if line.starts_with([' ', '\t']) {
            chars.next();
        }
        for c in chars {
            escaped(c, &mut out);
        }
        out.push_str("\\\n");
    }
    out.push_str("\"\"\"");
    out
}

fn is_control(c: char) -> bool {
    c < ' ' || c == '\x7f'
}

fn escaped(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        // Writing to a String cannot fail.
        c if is_control(c) => {
            let _ = write!(out, "\\u{:04X}", u32::from(c));
        }
        c => out.push(c),
    }
}
