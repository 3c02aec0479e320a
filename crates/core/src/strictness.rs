//! How strictly a peer's frames are judged, where that is for whoever serves it
//! to say.

use std::{fmt, str::FromStr};

/// What is let pass beyond what the draft's row in the table says; by default
/// nothing. Each field is about the drafts it names and no others, so that one
/// value serves a route of many drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Strictness {
    /// Version 8 as its first texts have it, hybi-08 and -09: reserved bits are
    /// ignored and text that is not UTF-8 is repaired. Its last ones, -10 to
    /// -12, fail both.
    pub hybi_08: bool,
    /// Version 13 takes lengths in more octets than they need, as all drafts
    /// did until hybi-13.
    pub lenient: bool,
    /// A client's frames may come without a mask, in the drafts whose header
    /// says which do. For single clients: what masks protect from is in the way
    /// between (RFC 6455 §10.3).
    pub unmasked: bool,
    /// A key of hybi-04 on may have 15 octets. For single clients.
    pub short_key: bool,
    /// A client of hybi-04 masks with the connection's key itself, and not with what
    /// is derived from it for each frame. For single clients.
    pub connection_mask: bool,
}

/// The words of [`Strictness`], in the order of its first fields; the others are
/// about single clients.
pub const STRICTNESS: [&str; 2] = ["hybi-08", "lenient"];

impl Strictness {
    /// The draft's own rules, and nothing beyond: the default.
    pub const STRICT: Self = Self {
        hybi_08: false,
        lenient: false,
        unmasked: false,
        short_key: false,
        connection_mask: false,
    };

    /// What `word` says beside what was said before.
    ///
    /// # Errors
    /// It is none of [`STRICTNESS`].
    pub fn and(self, word: &str) -> Result<Self, NoStrictness> {
        match word {
            "hybi-08" => Ok(Self {
                hybi_08: true,
                ..self
            }),
            "lenient" => Ok(Self {
                lenient: true,
                ..self
            }),
            _ => Err(NoStrictness(word.to_owned())),
        }
    }

    /// The words that say it, none for the default.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let said = [self.hybi_08, self.lenient];
        let words = STRICTNESS.into_iter().zip(said);
        words.filter_map(|(word, said)| said.then_some(word))
    }
}

impl FromStr for Strictness {
    type Err = NoStrictness;

    /// One word, or several with commas between them.
    fn from_str(words: &str) -> Result<Self, NoStrictness> {
        let mut words = words.split(',').map(str::trim);
        words.try_fold(Self::default(), Self::and)
    }
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words().collect();
        f.pad(&words.join(","))
    }
}

/// No word of [`STRICTNESS`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `hybi-08` nor `lenient`")]
pub struct NoStrictness(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back() {
        for (words, count) in [("hybi-08", 1), ("lenient", 1), ("hybi-08,lenient", 2)] {
            let read: Strictness = words.parse().unwrap();
            assert_eq!(
                (read.to_string(), read.words().count()),
                (words.into(), count)
            );
        }
        assert_eq!(Strictness::default().words().count(), 0);
        let wrong = "hybi-08, strict".parse::<Strictness>().unwrap_err();
        assert!(wrong.to_string().contains("`strict` is neither `hybi-08`"));
    }
}
