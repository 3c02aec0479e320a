//! Everything that a client may say, as far as it makes a difference.
//!
//! How octets lie in frames makes none here, but for fragments; what the
//! drafts' codecs make of frames that break a rule is their own business.

/// The code of [`Case::CloseWithCode`]: one for applications, which every draft
/// with codes has.
pub const CLOSE_CODE: u16 = 4000;

/// Its reason.
pub const REASON: &str = "enough";

/// The body of [`Case::Ping`] and [`Case::Pong`].
pub const PING: &[u8] = b"still there?";

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// A text.
    Text,
    /// A text without an octet.
    EmptyText,
    /// A text of more than 64 KiB: a length of 64 bits.
    LongText,
    /// A text of more than 2 MiB: more than any buffer on the way holds.
    HugeText,
    /// A text in three fragments, cut inside a character.
    TextInFragments,
    /// A text that is not UTF-8.
    NotUtf8,
    /// Binary that is not UTF-8.
    Binary,
    /// Binary that is UTF-8.
    BinaryUtf8,
    /// Binary without an octet.
    EmptyBinary,
    /// Binary of more than 64 KiB that is not UTF-8.
    LongBinary,
    /// Binary of more than 2 MiB that is not UTF-8: four groups of seven bits in
    /// hixie's lengths.
    HugeBinary,
    /// Binary in three fragments that is not UTF-8.
    BinaryInFragments,
    /// Binary that is not UTF-8, in the length-prefixed frame of a draft
    /// without binary.
    LengthFrame,
    /// The same on a route with `accept-length-frames = true`.
    LengthFrameAccepted,
    /// A ping.
    Ping,
    /// A pong that was not asked for.
    Pong,
    /// A close with [`CLOSE_CODE`] and [`REASON`].
    CloseWithCode,
    /// A close without a code: whatever the draft has.
    CloseWithoutCode,
    /// A text of one octet more than the limit for messages.
    TooBig,
}

const WORDS: [(Case, &str); 19] = [
    (Case::Text, "text"),
    (Case::EmptyText, "empty text"),
    (Case::LongText, "text > 64 KiB"),
    (Case::HugeText, "text > 2 MiB"),
    (Case::TextInFragments, "text in fragments"),
    (Case::NotUtf8, "text that is not UTF-8"),
    (Case::Binary, "binary"),
    (Case::BinaryUtf8, "binary that is UTF-8"),
    (Case::EmptyBinary, "empty binary"),
    (Case::LongBinary, "binary > 64 KiB"),
    (Case::HugeBinary, "binary > 2 MiB"),
    (Case::BinaryInFragments, "binary in fragments"),
    (Case::LengthFrame, "an `80` frame"),
    (
        Case::LengthFrameAccepted,
        "an `80` frame, with `accept-length-frames`",
    ),
    (Case::Ping, "ping"),
    (Case::Pong, "pong"),
    (Case::CloseWithCode, "close 4000 with a reason"),
    (Case::CloseWithoutCode, "close without a code"),
    (Case::TooBig, "a message above `limits.message`"),
];

impl Case {
    /// Every case, in the order of the documentation.
    pub const ALL: [Self; WORDS.len()] = {
        let mut all = [Self::Text; WORDS.len()];
        let mut i = 0;
        while i < WORDS.len() {
            all[i] = WORDS[i].0;
            i += 1;
        }
        all
    };

    /// The words of the document.
    pub fn words(self) -> &'static str {
        // The table lists the variants in declaration order; a test holds it to that.
        WORDS[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_in_the_order_of_the_cases() {
        for (at, case) in Case::ALL.into_iter().enumerate() {
            assert_eq!(case as usize, at);
        }
        let close = Case::CloseWithCode.words();
        assert!(close.contains(&CLOSE_CODE.to_string()), "{close}");
    }
}
