//! Octets of a stranger in a line of text: in quotes, escaped, and not for ever.

/// As many octets are quoted.
const QUOTED: usize = 160;

/// `octets` in quotes; what does not print as `\x00`, `\r`, `\n`.
pub(crate) fn octets(octets: &[u8]) -> String {
    let begun = &octets[..octets.len().min(QUOTED)];
    let more = octets.len() - begun.len();
    match more {
        0 => format!("\"{}\"", begun.escape_ascii()),
        more => format!("\"{}\" and {more} octets more", begun.escape_ascii()),
    }
}

/// `octets` as they are where they print, without quotes.
pub(crate) fn plain(octets: &[u8]) -> String {
    let begun = &octets[..octets.len().min(QUOTED)];
    begun.escape_ascii().to_string()
}

/// `octets` in hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    let shown: Vec<String> = octets.iter().map(|o| format!("{o:02x}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(octets(b"a\x1b[2J\r\n"), r#""a\x1b[2J\r\n""#);
        assert!(octets(&[b'a'; 200]).ends_with("and 40 octets more"));
        assert_eq!(hex(&[0, 255]), "00 ff");
    }
}
