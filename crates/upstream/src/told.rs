//! What servers said, as it may stand in a line of the log: an answer, a reason
//! or the body of a refusal is a stranger's text.

use std::fmt::Display;

/// As many octets of it are told.
const TOLD: usize = 512;

/// `what` on one line, without anything that would steer a terminal, cut if it
/// is long.
pub(crate) fn told(what: &dyn Display) -> String {
    let text = what.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut told = String::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if !told.is_empty() {
            told.push_str(if told.ends_with(':') { " " } else { "; " });
        }
        for letter in line.chars() {
            match letter.is_control() {
                true => told.extend(letter.escape_default()),
                false => told.push(letter),
            }
        }
    }
    if told.len() > TOLD {
        told.truncate(told.floor_char_boundary(TOLD));
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_gets_one_line_and_no_terminal() {
        assert_eq!(
            told(&"no draft:\n  13: why\r\n\n 8: \x1b[2J\u{9b}Ü"),
            "no draft: 13: why; 8: \\u{1b}[2J\\u{9b}Ü"
        );
        let long = told(&"ü".repeat(10_000));
        assert_eq!(
            (long.len(), long.ends_with("ü…")),
            (TOLD + '…'.len_utf8(), true)
        );
    }
}
