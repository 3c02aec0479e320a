//! Values as people read them, and the list of fields while it grows.
//!
//! A value never grows with what a peer sent: long ones are cut, and say how
//! long they are.

use std::fmt::Write;

use draftgate_core::{Close, Draft};

use super::{Field, Kind};

/// The most octets that a value spells out.
const SHOWN: usize = 128;

/// The most octets that a note spells out.
const NOTED: usize = 16;

/// Fields one behind the other, without a gap.
#[derive(Debug, Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    bit: u64,
}

impl Fields {
    /// Appends a field of `bits`.
    pub(super) fn put(
        &mut self,
        name: &str,
        kind: Kind,
        bits: u64,
        value: impl Into<String>,
    ) -> &mut Field {
        let start_bit = self.bit;
        self.bit += bits;
        self.list.push(Field {
            name: name.to_owned(),
            kind,
            start_bit,
            len_bits: bits,
            value: value.into(),
            note: None,
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Where the next field begins.
    pub(super) fn bit(&self) -> u64 {
        self.bit
    }

    /// All of them.
    pub(super) fn done(self) -> Vec<Field> {
        self.list
    }

    /// The first one, to be told more of.
    pub(super) fn first(&mut self) -> Option<&mut Field> {
        self.list.first_mut()
    }

    /// The last one, likewise.
    pub(super) fn last(&mut self) -> Option<&mut Field> {
        self.list.last_mut()
    }

    /// Where the first of `kind` begins; 0 if there is none.
    pub(super) fn start_of(&self, kind: Kind) -> u64 {
        let of_kind = self.list.iter().find(|field| field.kind == kind);
        of_kind.map_or(0, |field| field.start_bit)
    }

    /// The one that begins at `bit`, likewise.
    pub(super) fn at(&mut self, bit: u64) -> Option<&mut Field> {
        self.list.iter_mut().find(|field| field.start_bit == bit)
    }
}

impl Field {
    /// Adds `note` behind what is noted already.
    pub fn noting(&mut self, note: impl Into<String>) -> &mut Self {
        let note = note.into();
        match &mut self.note {
            Some(before) => {
                before.push_str("; ");
                before.push_str(&note);
            }
            None => self.note = Some(note),
        }
        self
    }
}

/// `octets` in hexadecimal, parted by spaces; long ones are cut and say how
/// long they are.
pub fn hex(octets: &[u8]) -> String {
    cut_hex(octets, SHOWN)
}

/// The same for a note.
pub(super) fn noted_hex(octets: &[u8]) -> String {
    cut_hex(octets, NOTED)
}

fn cut_hex(octets: &[u8], most: usize) -> String {
    let mut text = String::new();
    for (at, octet) in octets.iter().take(most).enumerate() {
        let space = if at == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{octet:02x}");
    }
    if octets.len() > most {
        let _ = write!(text, " … ({} octets)", octets.len());
    }
    text
}

/// `octets` as text in quotes, what does not print escaped; long ones are cut
/// and say how long they are. What is not UTF-8 is U+FFFD.
pub fn quoted(octets: &[u8]) -> String {
    let mut shown = &octets[..octets.len().min(SHOWN)];
    if shown.len() < octets.len() {
        // No character is cut through.
        let begun = shown.iter().rev().take(3).position(|o| *o >= 0xc0);
        shown = &shown[..shown.len() - begun.map_or(0, |back| back + 1)];
    }
    let text = String::from_utf8_lossy(shown);
    let escaped = text.escape_debug().to_string().replace("\\'", "'");
    match octets.len() - shown.len() {
        0 => format!("\"{escaped}\""),
        _ => format!("\"{escaped}\" … ({} octets)", octets.len()),
    }
}

/// `octets` as text without quotes; what does not print is escaped, and so is
/// what would turn the text around it. As long as it is, for a line has its
/// limits. What is not UTF-8 is U+FFFD.
pub fn printed(octets: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(octets).chars() {
        match c {
            '"' | '\'' | '\\' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    text
}

/// What a status code says (RFC 6455 §7.4.1, hybi-06 §7.4).
pub(super) fn meaning(code: u16, draft: Draft) -> Option<&'static str> {
    Some(match code {
        Close::NORMAL => "normal closure",
        Close::GOING_AWAY => "going away",
        Close::PROTOCOL_ERROR => "protocol error",
        Close::UNSUPPORTED_DATA => "data of a type that cannot be accepted",
        Close::TOO_LARGE_BEFORE_13 if Close::may_be_sent(code, draft) => "too large",
        Close::NO_STATUS => "no status received; never on the wire",
        Close::ABNORMAL => "closed abnormally; never on the wire",
        Close::TLS => "TLS handshake failed; never on the wire",
        3000..=3999 => "for libraries and frameworks",
        4000..=4999 => "for the application",
        _ if !Close::may_be_sent(code, draft) => return None,
        Close::INVALID_DATA => "data that is not what its type says",
        Close::POLICY => "against a policy",
        Close::TOO_BIG => "message too big",
        1010 => "an extension is missing",
        Close::INTERNAL_ERROR => "an unexpected condition",
        1012 => "the service restarts",
        1013 => "try again later",
        1014 => "bad gateway",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_escaped() {
        let octets = "a\"b\\\u{1b}[2J\u{9b}\u{202e}ü\0".as_bytes();
        let shown = r#"a"b\\u{1b}[2J\u{9b}\u{202e}ü\0"#;
        assert_eq!(printed(octets), shown);
    }

    #[test]
    fn long_values_are_cut_and_say_how_long_they_are() {
        assert_eq!(hex(&[0x37, 0xfa]), "37 fa");
        assert!(hex(&[0; 129]).ends_with("00 … (129 octets)"));
        assert_eq!(quoted("a'b\"\n".as_bytes()), "\"a'b\\\"\\n\"");
        let long = "ä".repeat(100);
        assert!(quoted(long.as_bytes()).ends_with("ä\" … (200 octets)"));
        let odd = format!("a{long}");
        assert!(
            quoted(odd.as_bytes()).ends_with("ä\" … (201 octets)"),
            "{}",
            quoted(odd.as_bytes())
        );
    }
}
