//! `--show-handshake`: request and answer as they go over the wire, a line of
//! theirs a line here, with `>` before what we say and `<` before the answer, as
//! curl has them. What is no text is shown in hexadecimal, and what ends a line
//! is named where it is not CR LF.

use bytes::Bytes;
use draftgate_client::Witness;
use draftgate_core::{Draft, Role};
use draftgate_wire::dissect::{Kind, Unit, hex, printed};

use super::screen::Screen;

/// `octets` as text; what does not print, and what is no UTF-8, is escaped.
fn spelt(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        text.push_str(&printed(chunk.valid().as_bytes()));
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    text
}

/// Shows each opening on standard error.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Show the values of fields that hold secrets.
    pub(crate) secrets: bool,
}

impl Witness for Heads {
    fn said(&self, draft: Draft, from: Role, octets: &[u8]) {
        Screen::pipes().show(&lines(draft, from, octets, self.secrets));
    }
}

fn lines(draft: Draft, from: Role, octets: &[u8], secrets: bool) -> String {
    let octets = Bytes::copy_from_slice(octets);
    let sign = match from {
        Role::Client => '>',
        Role::Server => '<',
    };
    let mut text = String::new();
    let mut put = |line: String| {
        let space = if line.is_empty() { "" } else { " " };
        text.push_str(&format!("{sign}{space}{line}\n"));
    };
    let head = Unit::head(draft, from, &octets);
    let mut hidden = false;
    for field in &head.fields {
        let line = head.octets_of(field);
        // A line that begins with white space goes on with the one before.
        let goes_on = matches!(line, [b' ' | b'\t', ..]);
        hidden = match goes_on {
            true => hidden,
            false => field.kind == Kind::Secret && !secrets,
        };
        let (shown, end) = match line {
            [shown @ .., b'\r', b'\n'] => (shown, ""),
            [shown @ .., b'\n'] => (shown, "\\n"),
            shown => (shown, " (cut off)"),
        };
        let value = match goes_on {
            true => shown.trim_ascii(),
            false => head.value_octets(field),
        };
        let begin = shown.len() - shown.trim_ascii_end().len() + value.len();
        let before = &shown[..shown.len() - begin.min(shown.len())];
        put(match hidden && !value.is_empty() {
            true => format!("{}<{} octets hidden>{end}", spelt(before), value.len()),
            false => format!("{}{end}", spelt(shown)),
        });
    }
    let behind = &octets[head.octets.len()..];
    for part in behind.chunks(16) {
        put(hex(part));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(octets: &[u8], secrets: bool) -> String {
        lines(Draft::Hixie76, Role::Client, octets, secrets)
    }

    #[test]
    fn a_head_is_shown_line_by_line_and_what_belongs_to_it_in_hexadecimal() {
        let head = b"GET /a HTTP/1.1\r\nHost:  a \r\nX: \x1b\xff\nY\r\n\r\n\0\x01k3 y\xff\x0a";
        let wanted = "> GET /a HTTP/1.1\n> Host:  a \n> X: \\u{1b}\\xff\\n\n> Y\n>\n> 00 01 6b 33 20 79 ff 0a\n";
        assert_eq!(shown(head, false), wanted);
        let cut = lines(Draft::Hybi13, Role::Server, b"HTTP/1.1 1", false);
        assert_eq!(cut, "< HTTP/1.1 1 (cut off)\n");
    }

    #[test]
    fn secrets_are_hidden_with_the_lines_that_go_on_with_them() {
        let head =
            b"GET / HTTP/1.1\r\nCookie: a=b\r\nAUTHORIZATION:Basic\r\n eA==\r\nHost: a\r\n\r\n";
        let wanted = "> GET / HTTP/1.1\n> Cookie: <3 octets hidden>\n> AUTHORIZATION:<5 octets hidden>\n>  <4 octets hidden>\n";
        let hidden = shown(head, false);
        assert!(hidden.starts_with(wanted), "{hidden}");
        assert!(!hidden.contains("eA=="), "{hidden}");
        assert!(hidden.ends_with("> Host: a\n>\n"), "{hidden}");
        let told = shown(head, true);
        assert!(told.contains("> Cookie: a=b\n> AUTHORIZATION:Basic\n>  eA==\n"));
    }
}
