//! Rust source with its comments and the insides of its strings blanked out, so
//! that a rule can search for words without finding prose. It is a scanner of a
//! hundred lines and not a parser: a rule about words needs no syntax tree, and a
//! parser would be the largest dependency of this crate.

/// The same text, line by line and column by column, with comments, string
/// contents and character literals replaced by blanks.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let skipped = blank_length(rest, &code);
        if skipped > 0 {
            let (blank, after) = rest.split_at(skipped);
            code.extend(blank.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        } else {
            let mut chars = rest.chars();
            code.extend(chars.next());
            rest = chars.as_str();
        }
    }
    code
}

/// The code before `#[cfg(test)] mod …`, which is where a file's tests begin.
pub(crate) fn without_tests(code: &str) -> &str {
    const GATE: &str = "#[cfg(test)]";
    code.match_indices(GATE)
        .find(|(at, _)| {
            let after = code[at + GATE.len()..].trim_start();
            after.starts_with("mod ") || after.starts_with("pub(crate) mod ")
        })
        .map_or(code, |(at, _)| &code[..at])
}

/// How many octets at the start of `rest` are comment or literal; 0 for code.
fn blank_length(rest: &str, before: &str) -> usize {
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else if rest.starts_with('"') {
        quoted_length(rest)
    } else if rest.starts_with('r') && !ends_in_word(before) {
        raw_string_length(rest)
    } else if rest.starts_with('\'') {
        character_length(rest)
    } else {
        0
    }
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#` and so on; 0 for a word that begins with r.
fn raw_string_length(rest: &str) -> usize {
    let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    let Some(inside) = rest[1 + hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map(|at| at + end.len());
    1 + hashes + 1 + length.unwrap_or(inside.len())
}

/// A character literal; 0 for a lifetime, which has no quote after its first
/// character.
fn character_length(rest: &str) -> usize {
    let inside = &rest[1..];
    if let Some(escape) = inside.strip_prefix('\\') {
        let first = escape.chars().next().map_or(0, char::len_utf8);
        return escape[first..]
            .find('\'')
            .map_or(rest.len(), |end| 2 + first + end + 1);
    }
    let mut chars = inside.chars();
    let first = chars.next().map_or(0, char::len_utf8);
    if chars.next() == Some('\'') {
        1 + first + 1
    } else {
        0
    }
}

/// Whether the code so far ends in an identifier, so that a following `r` is part
/// of it; the `b` of a byte string is not one.
fn ends_in_word(before: &str) -> bool {
    let mut back = before.chars().rev();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match back.next() {
        Some('b' | 'c') => back.next().is_some_and(is_word),
        last => last.is_some_and(is_word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the code that are left.
    fn words(text: &str) -> Vec<String> {
        let code = code_only(text);
        assert_eq!(code.lines().count(), text.lines().count(), "lines are kept");
        code.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn comments_are_blanked() {
        assert_eq!(words("a // b\nc"), ["a", "c"]);
        assert_eq!(words("a /* b /* c */ d */ e"), ["a", "e"]);
        assert_eq!(words("/// doc\n//! doc\na"), ["a"]);
        assert_eq!(words("a /* open"), ["a"]);
    }

    #[test]
    fn strings_are_blanked() {
        assert_eq!(words(r#"a "b \" c // d" e"#), ["a", "e"]);
        assert_eq!(words(r###"a r#"b " c"# d"###), ["a", "d"]);
        assert_eq!(words(r#"a br"b\" c"#), ["a", "b", "c"]);
        assert_eq!(words("a \"open\nb"), ["a"]);
    }

    #[test]
    fn character_literals_are_blanked_and_lifetimes_are_not() {
        assert_eq!(words(r#"'"' a '\'' b '\u{22}' c"#), ["a", "b", "c"]);
        assert_eq!(words("&'a str"), ["&'a", "str"]);
        assert_eq!(words("'ü' a"), ["a"]);
    }

    #[test]
    fn words_with_r_are_code() {
        assert_eq!(
            words("for r in rr { r#type }"),
            ["for", "r", "in", "rr", "{", "r#type", "}"]
        );
        assert_eq!(words(r#"var"text" a"#), ["var", "a"]);
    }

    #[test]
    fn tests_begin_at_their_gate() {
        assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {}"), "a\n");
        let gated_use = "#[cfg(test)]\nuse a::b;\nc";
        assert_eq!(without_tests(gated_use), gated_use);
    }
}
