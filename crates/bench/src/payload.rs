//! What is masked, validated, encoded and decoded.
//!
//! Fixed octets, so that two runs measure the same; not random ones, because
//! no text is.

use std::{fmt, hint::black_box};

/// A payload's length in octets, printed as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

/// A word, the longest payload of a short header, a page of chat, what one
/// read may bring, and more than a read may bring.
pub const SIZES: [Size; 5] = [
    Size(16),
    Size(125),
    Size(1 << 10),
    Size(16 << 10),
    Size(1 << 20),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            octets if octets >= 1 << 20 => format!("{} MiB", octets >> 20),
            octets if octets >= 1 << 10 => format!("{} KiB", octets >> 10),
            octets => format!("{octets} B"),
        };
        f.pad(&text)
    }
}

/// JSON as a chat sends it: ASCII alone.
pub fn ascii(size: Size) -> String {
    repeated(r#"{"type":"said","by":"c1","text":"Hello"},"#, size)
}

/// Characters of one to four octets, as people write.
pub fn mixed(size: Size) -> String {
    repeated("Grüße aus Zürich, שלום, 你好，世界 🙂 and so on; ", size)
}

/// Exactly `size` octets: whole characters, then spaces.
fn repeated(text: &str, size: Size) -> String {
    let mut all = String::with_capacity(size.0);
    for character in text.chars().cycle() {
        if all.len() + character.len_utf8() > size.0 {
            break;
        }
        all.push(character);
    }
    all.extend(std::iter::repeat_n(' ', size.0 - all.len()));
    all
}

/// Octets of a page.
pub const PAGE: usize = 4096;

/// A copy of some octets, made again and again: memcpy, the yardstick.
#[derive(Debug)]
pub struct Copied<'a> {
    from: &'a [u8],
    room: Vec<u8>,
    start: usize,
}

impl<'a> Copied<'a> {
    /// A place for the copy of `from` where nothing slows it down: a processor
    /// takes a load for one of what was just stored if both lie at the same
    /// place of a page, and is half as fast then.
    pub fn new(from: &'a [u8]) -> Self {
        let room = vec![0; from.len() + PAGE];
        let apart = room.as_ptr().addr().wrapping_sub(from.as_ptr().addr()) % PAGE;
        let start = (PAGE + PAGE / 2 - apart) % PAGE;
        Self { from, room, start }
    }

    /// Copies once more.
    pub fn copy(&mut self) {
        let into = &mut self.room[self.start..][..self.from.len()];
        black_box(into).copy_from_slice(black_box(self.from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_are_what_they_say() {
        for size in SIZES {
            assert_eq!(ascii(size).len(), size.0);
            assert!(ascii(size).is_ascii());
            assert_eq!(mixed(size).len(), size.0);
            assert!(!mixed(size).is_ascii(), "{size}");
        }
    }

    #[test]
    fn sizes_are_printed_as_people_say_them() {
        assert_eq!(
            SIZES.map(|size| size.to_string()),
            ["16 B", "125 B", "1 KiB", "16 KiB", "1 MiB"]
        );
    }

    #[test]
    fn a_copy_lies_half_a_page_from_what_it_is_of() {
        for size in SIZES {
            let from = ascii(size).into_bytes();
            let mut copied = Copied::new(&from);
            copied.copy();
            let copy = &copied.room[copied.start..][..from.len()];
            assert_eq!(copy, from);
            let apart = copy.as_ptr().addr().wrapping_sub(from.as_ptr().addr());
            assert_eq!(apart % PAGE, PAGE / 2, "{size}");
        }
    }
}
