//! Octets as people have them at hand: a file of them, hexadecimal on the
//! command line or in a file, with spaces, `0x`, commas, or as `hexdump -C`,
//! `xxd` and `od` print them.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use draftgate_vectors::Vector;

use crate::exit::Failure;

/// What is to be explained.
#[derive(Debug)]
pub(crate) enum Input {
    /// Octets of one side.
    Octets(Bytes),
    /// Both sides of an archived exchange.
    Exchange(Box<Vector>),
}

impl Input {
    /// Reads what `words` name; `raw` takes a file's octets as they are.
    ///
    /// # Errors
    /// They are no file and not hexadecimal either.
    pub(crate) fn read(words: &[String], raw: bool) -> Result<Self, Failure> {
        if let [only] = words {
            if only == "-" {
                let mut octets = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut octets);
                read.map_err(|e| Failure::new(format_args!("cannot read standard input: {e}")))?;
                return Ok(Self::Octets(plain_or_hex(octets, raw)));
            }
            let path = Path::new(only);
            if path.is_file() {
                return Self::file(path, raw);
            }
        }
        let text = words.join(" ");
        match hex(&text) {
            Some(octets) => Ok(Self::Octets(octets.into())),
            None => Err(Failure::usage(format_args!(
                "`{text}` is neither a file nor hexadecimal: name a file, write octets as `81 05 48`, or - for standard input"
            ))),
        }
    }

    fn file(path: &Path, raw: bool) -> Result<Self, Failure> {
        if !raw
            && path
                .extension()
                .is_some_and(|extension| extension == "toml")
        {
            let vector = draftgate_vectors::load(path).map_err(Failure::new)?;
            return Ok(Self::Exchange(vector.into()));
        }
        let octets = fs::read(path)
            .map_err(|e| Failure::new(format_args!("cannot read {}: {e}", path.display())))?;
        Ok(Self::Octets(plain_or_hex(octets, raw)))
    }
}

fn plain_or_hex(octets: Vec<u8>, raw: bool) -> Bytes {
    let text = std::str::from_utf8(&octets).ok().filter(|_| !raw);
    match text.and_then(hex) {
        Some(read) => read.into(),
        None => octets.into(),
    }
}

/// The octets that `text` spells; `None` if it spells none.
fn hex(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for line in text.lines() {
        let line = dumped(line, octets.len()).unwrap_or(line);
        let line = line.replace("\\x", " ");
        let pieces = line.split(|c: char| c.is_whitespace() || ",;:".contains(c));
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let prefixed = piece
                .strip_prefix("0x")
                .or_else(|| piece.strip_prefix("0X"));
            let digits = prefixed.unwrap_or(piece).as_bytes();
            let (pairs, []) = digits.as_chunks::<2>() else {
                return None;
            };
            for [high, low] in pairs {
                let digit = |octet: u8| char::from(octet).to_digit(16);
                octets.push((digit(*high)? << 4 | digit(*low)?) as u8);
            }
        }
    }
    (!octets.is_empty()).then_some(octets)
}

/// The octets' part of a line of `hexdump -C`, `xxd` or `od -t x1`, between the
/// offset and the characters; `None` if the line does not begin with the offset
/// of what comes after `before` octets.
fn dumped(line: &str, before: usize) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (offset, rest) = line.split_at(digits);
    let radix = match digits {
        7 => 8, // od counts in octal
        8 => 16,
        _ => return None,
    };
    if usize::from_str_radix(offset, radix) != Ok(before) || (rest.is_empty() && before == 0) {
        return None;
    }
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
    if let Some((octets, _)) = rest.split_once('|') {
        return Some(octets);
    }
    // xxd parts groups by one space and the characters by two.
    Some(rest.split_once("  ").map_or(rest, |(octets, _)| octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: [u8; 7] = *b"\x81\x05Hello";

    #[test]
    fn octets_are_read_as_people_write_them() {
        for text in [
            "81 05 48 65 6c 6c 6f",
            "810548656C6C6F",
            "0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f",
            "81:05:48:65:6c:6c:6f",
            "81054865 6c6c6f",
            "8105\n4865\r\n6c6c6f\n",
            "\\x81\\x05\\x48\\x65\\x6c\\x6c\\x6f",
        ] {
            assert_eq!(hex(text).as_deref(), Some(&HELLO[..]), "{text}");
        }
        for text in ["", "  ", "8", "81 0", "GET / HTTP/1.1", "hello", "81 05 xy"] {
            assert_eq!(hex(text), None, "{text}");
        }
    }

    #[test]
    fn dumps_are_read_without_offsets_and_characters() {
        let hexdump =
            "00000000  81 05 48 65 6c 6c 6f                              |..Hello|\n00000007\n";
        let xxd = "00000000: 8105 4865 6c6c 6f                        ..Hello\n";
        let od = "0000000 81 05 48 65 6c 6c 6f\n0000007\n";
        for text in [hexdump, xxd, od] {
            assert_eq!(hex(text).as_deref(), Some(&HELLO[..]), "{text}");
        }
        let two = "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n\
                   00000010  10 11                                             |..|\n00000012\n";
        assert_eq!(hex(two), Some((0..=0x11).collect()));
    }

    #[test]
    fn a_request_is_never_taken_for_hexadecimal() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(plain_or_hex(request.into(), false), request);
        assert_eq!(plain_or_hex(b"81 05".to_vec(), true), "81 05");
    }
}
