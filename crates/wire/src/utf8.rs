//! UTF-8 checked as it arrives, and repaired where a draft says so.
//!
//! Whole runs go through SIMD; only a character that lies across two runs is
//! looked at octet by octet. The first bad octet is reported at once, not at
//! the end of the message.

use bytes::{Bytes, BytesMut};

use crate::mask::NOT_ASCII;

/// A character cut off at the end of a run, waiting for the next.
#[derive(Debug, Clone, Default)]
pub struct Utf8 {
    partial: [u8; 4],
    held: usize,
}

/// Some octet cannot stand where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

impl Utf8 {
    /// Takes the next run.
    ///
    /// # Errors
    /// [`Invalid`] as soon as no continuation could make the text valid.
    pub fn push(&mut self, mut run: &[u8]) -> Result<(), Invalid> {
        while self.held > 0 {
            let Some((first, rest)) = run.split_first() else {
                return Ok(());
            };
            self.partial[self.held] = *first;
            self.held += 1;
            run = rest;
            match std::str::from_utf8(&self.partial[..self.held]) {
                Ok(_) => self.held = 0,
                Err(e) if e.error_len().is_none() => {}
                Err(_) => return Err(Invalid),
            }
        }
        let Err(e) = simdutf8::compat::from_utf8(run) else {
            return Ok(());
        };
        if e.error_len().is_some() {
            return Err(Invalid);
        }
        // At most three octets: the front of one character.
        let rest = &run[e.valid_up_to()..];
        self.partial[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
        Ok(())
    }

    /// Whether no character is cut off here.
    pub fn is_whole(&self) -> bool {
        self.held == 0
    }
}

/// Whether `octets` are UTF-8 as a whole. `simdutf8` hands less than 64 octets
/// to the standard library, which takes eight times as long for ASCII.
pub(crate) fn is_utf8(octets: &[u8]) -> bool {
    octets.len() < 64 && ascii_run(octets) == octets.len()
        || simdutf8::basic::from_utf8(octets).is_ok()
}

/// How many octets at the front are ASCII.
#[inline]
pub(crate) fn ascii_run(octets: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let (blocks, _) = octets.as_chunks::<BLOCK>();
    let plain = blocks
        .iter()
        .take_while(|block| {
            let (words, _) = block.as_chunks();
            let seen = words
                .iter()
                .fold(0, |seen, w| seen | u64::from_ne_bytes(*w));
            seen & NOT_ASCII == 0
        })
        .count();
    let mut run = plain * BLOCK;
    let (words, rest) = octets[run..].as_chunks();
    for word in words {
        let high = u64::from_le_bytes(*word) & NOT_ASCII;
        if high != 0 {
            return run + (high.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    run + rest.iter().take_while(|octet| octet.is_ascii()).count()
}

/// `octets` with U+FFFD for every maximal run that is not UTF-8, and how many
/// there were; `None` if the result would be longer than `limit`.
pub(crate) fn repair(octets: &[u8], limit: u64) -> Option<(Bytes, u64)> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    let (mut len, mut count) = (0, 0);
    for chunk in octets.utf8_chunks() {
        let bad = u64::from(!chunk.invalid().is_empty());
        count += bad;
        len += chunk.valid().len() as u64 + bad * REPLACEMENT.len() as u64;
    }
    if len > limit {
        return None;
    }
    let mut text = BytesMut::with_capacity(len as usize);
    for chunk in octets.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            text.extend_from_slice(REPLACEMENT);
        }
    }
    Some((text.freeze(), count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_bad_octet_is_reported_at_once() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"ab\xf4"), Ok(()));
        // F4 90 is above U+10FFFF whatever follows.
        assert_eq!(utf8.push(b"\x90"), Err(Invalid));
    }

    #[test]
    fn a_character_cut_off_at_the_end_is_not_whole() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push("ü".as_bytes().split_at(1).0), Ok(()));
        assert!(!utf8.is_whole());
        assert_eq!(utf8.push("ü".as_bytes().split_at(1).1), Ok(()));
        assert!(utf8.is_whole());
    }

    #[test]
    fn repair_puts_one_replacement_for_each_maximal_run() {
        let (text, count) = repair(b"a\xffb\xe2\x82c", 100).unwrap();
        assert_eq!((&text[..], count), ("a\u{fffd}b\u{fffd}c".as_bytes(), 2));
        assert_eq!(repair(&[0xff; 10], 29), None);
    }

    proptest! {
        #[test]
        fn runs_of_any_size_agree_with_the_whole(octets: Vec<u8>, cut in 1_usize..9) {
            let mut utf8 = Utf8::default();
            let streamed = octets.chunks(cut).try_for_each(|run| utf8.push(run)).is_ok()
                && utf8.is_whole();
            prop_assert_eq!(streamed, std::str::from_utf8(&octets).is_ok());
        }

        #[test]
        fn ascii_runs_to_the_first_octet_that_is_none(ascii in 0_usize..100, other: Vec<u8>) {
            let octets = [&vec![b'x'; ascii][..], &other].concat();
            let want = octets.iter().position(|octet| !octet.is_ascii());
            prop_assert_eq!(ascii_run(&octets), want.unwrap_or(octets.len()));
            prop_assert_eq!(is_utf8(&octets), std::str::from_utf8(&octets).is_ok());
        }

        #[test]
        fn valid_text_in_runs_of_any_size_is_valid(text: String, cut in 1_usize..9) {
            let mut utf8 = Utf8::default();
            prop_assert!(text.as_bytes().chunks(cut).all(|run| utf8.push(run).is_ok()));
            prop_assert!(utf8.is_whole());
        }

        #[test]
        fn repair_agrees_with_the_standard_library(octets: Vec<u8>) {
            let (text, _) = repair(&octets, u64::MAX).unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&octets));
        }
    }
}
