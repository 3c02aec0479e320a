//! JSON as tables for people. What stands in it may come from anybody, so
//! nothing of it reaches the terminal as it is.

use std::fmt::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// The widest that a cell is shown.
const WIDEST: usize = 60;

/// The elements of an array as rows, of which `columns` are shown.
pub(super) fn rows(value: &Value, columns: &[&str]) -> String {
    let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let head = columns.iter().map(|&name| name.replace('_', " "));
    let mut table: Vec<Vec<String>> = vec![head.collect()];
    table.extend(elements.iter().map(|element| {
        let cells = columns.iter().map(|&name| cut(&cell(&element[name])));
        cells.collect()
    }));
    let widest = |column: usize| {
        let widths = table.iter().map(|row| row[column].width());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let mut text = String::new();
    for row in &table {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let space = width + 2 - cell.width();
            line += cell;
            line.extend(std::iter::repeat_n(' ', space));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The fields of an object, one a line; a text of several lines below its name.
pub(super) fn fields(value: &Value) -> String {
    let Some(object) = value.as_object() else {
        return format!("{}\n", cell(value));
    };
    let widest = object.keys().map(|name| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in object {
        let lines = value.as_str().filter(|text| text.contains('\n'));
        let shown = name.replace('_', " ");
        // Writing to a String cannot fail.
        let _ = match lines {
            None => writeln!(text, "{shown:widest$}  {}", cell(value)),
            Some(lines) => {
                let _ = writeln!(text, "{shown}");
                lines
                    .lines()
                    .try_for_each(|line| writeln!(text, "    {}", escaped(line)))
            }
        };
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => escaped(text),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(cell).collect();
            elements.join(", ")
        }
        other => escaped(&other.to_string()),
    }
}

fn escaped(text: &str) -> String {
    let plain = |character: char| match character {
        '\'' | '"' | '\\' => character.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(plain).collect()
}

fn cut(text: &str) -> String {
    if text.width() <= WIDEST {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(WIDEST - 1).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_their_columns_in_line_and_no_control_characters() {
        let value = json!([
            {"id": "c1", "path": "/é\u{1b}[2J", "seconds": 1.5},
            {"id": "c10000", "path": null},
        ]);
        assert_eq!(
            rows(&value, &["id", "path", "seconds"]),
            "id      path         seconds\nc1      /é\\u{1b}[2J  1.5\nc10000  -            -\n"
        );
    }

    #[test]
    fn fields_are_lines_and_heads_stand_below_their_name() {
        let value =
            json!({"code": "x", "what_to_do": ["a", "b"], "head": "GET /\r\nHost: a\r\n\u{7}\r\n"});
        let told = fields(&value);
        assert!(told.contains("code        x\n"), "{told}");
        assert!(told.contains("what to do  a, b\n"), "{told}");
        assert!(
            told.contains("head\n    GET /\n    Host: a\n    \\u{7}\n"),
            "{told}"
        );
    }
}
