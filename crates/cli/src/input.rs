//! Octets as people have them at hand: a file of them, hexadecimal on the
//! command line or in a file, with spaces, `0x`, commas, or as `hexdump -C`,
//! `xxd` and `od` print them.

use std::{
    fmt::Display,
    fs,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use draftgate_vectors::Vector;

use crate::exit::Failure;

/// Octets in a line of a dump.
const LINE: usize = 16;

/// As far as lines that a dump leaves out are put back.
const LONGEST_REPEAT: usize = 64 << 20;

/// How captures begin: pcap in both orders of octets, in micro- and in
/// nanoseconds, and pcapng. No draft's stream begins so.
const CAPTURES: [[u8; 4]; 5] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// What is to be looked at.
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
                return Self::octets(octets, raw, "standard input");
            }
            let path = Path::new(only);
            if path.is_dir() {
                return Err(Failure::usage(format_args!(
                    "{only} is a directory; name a file in it"
                )));
            }
            // A pipe is read as a file is, `<(…)` of a shell among them.
            if path.exists() {
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
            let vector = crate::exchanges::one(path).map_err(Failure::new)?;
            return Ok(Self::Exchange(vector.into()));
        }
        let octets = fs::read(path)
            .map_err(|e| Failure::new(format_args!("cannot read {}: {e}", path.display())))?;
        Self::octets(octets, raw, path.display())
    }

    fn octets(octets: Vec<u8>, raw: bool, from: impl Display) -> Result<Self, Failure> {
        if octets.is_empty() {
            return Err(Failure::usage(format_args!(
                "{from} holds no octets: there is nothing to say about it"
            )));
        }
        if !raw && CAPTURES.iter().any(|magic| octets.starts_with(magic)) {
            return Err(Failure::usage(format_args!(
                "{from} is a packet capture: make exchanges of it with `draftgate vectors import`, and name those, or write --raw"
            )));
        }
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
    let mut repeats = false;
    for line in text.lines() {
        if line.trim_end() == "*" {
            // hexdump and od leave out lines that are the same as the last.
            repeats = true;
            continue;
        }
        let dumped = match offset(line) {
            Some((offset, rest)) if repeats => Some((repeat(&mut octets, offset)?, rest)),
            found => found,
        };
        repeats = false;
        let dumped = dumped.filter(|(offset, _)| *offset == octets.len());
        // A single word of eight zeros is four octets.
        let dumped = dumped.filter(|(offset, rest)| *offset > 0 || !rest.is_empty());
        let line = dumped.map_or(line, |(_, rest)| without_characters(rest));
        spelt(line, &mut octets)?;
    }
    (!octets.is_empty() && !repeats).then_some(octets)
}

/// Appends what `line` spells.
fn spelt(line: &str, octets: &mut Vec<u8>) -> Option<()> {
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
    Some(())
}

/// The offset that a line of `hexdump -C`, `xxd` or `od -t x1` begins with, and
/// what follows it.
fn offset(line: &str) -> Option<(usize, &str)> {
    let digits = line.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (offset, rest) = line.split_at(digits);
    let radix = match digits {
        7 => 8, // od counts in octal
        8 => 16,
        _ => return None,
    };
    let offset = usize::from_str_radix(offset, radix).ok()?;
    Some((offset, rest.strip_prefix(':').unwrap_or(rest).trim()))
}

/// The octets' part of a line behind its offset.
fn without_characters(rest: &str) -> &str {
    if let Some((octets, _)) = rest.split_once('|') {
        return octets;
    }
    // xxd parts groups by one space and the characters by two.
    rest.split_once("  ").map_or(rest, |(octets, _)| octets)
}

/// Repeats the last line of 16 octets up to `offset`.
fn repeat(octets: &mut Vec<u8>, offset: usize) -> Option<usize> {
    let last = octets.last_chunk::<LINE>().copied()?;
    if offset > LONGEST_REPEAT {
        return None;
    }
    while octets.len() + LINE <= offset {
        octets.extend(last);
    }
    Some(offset)
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
    fn lines_that_a_dump_leaves_out_are_put_back() {
        let dump = |offset: &str, end: &str| {
            let zeros = vec!["00"; 16].join(" ");
            format!("{offset} {zeros}\n*\n{end} 81 00\n")
        };
        let wanted = [&[0; 64][..], &[0x81, 0]].concat();
        assert_eq!(hex(&dump("00000000 ", "00000040 ")), Some(wanted.clone()));
        assert_eq!(hex(&dump("0000000", "0000100")), Some(wanted));
        assert_eq!(hex(&dump("00000000", "ffffffff")), None);
        assert_eq!(hex("*\n00000010 81"), None);
        assert_eq!(hex("81 00\n*"), None);
    }

    #[test]
    fn a_request_is_never_taken_for_hexadecimal() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(plain_or_hex(request.into(), false), request);
        assert_eq!(plain_or_hex(b"81 05".to_vec(), true), "81 05");
    }
}
