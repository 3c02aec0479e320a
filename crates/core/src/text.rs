//! Text proved to be UTF-8 once, where it enters, and never looked at again.
//!
//! A newtype over [`Bytes`] and not over `String`: a message is handed to many
//! peers without a copy.

use std::fmt;

use bytes::Bytes;

/// Octets that are UTF-8. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

/// The octets offered as [`Text`] are not UTF-8; they come back untouched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the octets are not UTF-8 (first bad octet at {at})")]
pub struct NotUtf8 {
    /// What was offered.
    pub octets: Bytes,
    /// Offset of the first octet that is not part of valid UTF-8.
    pub at: usize,
}

impl Text {
    /// Checks `octets` and takes them without a copy.
    ///
    /// # Errors
    /// [`NotUtf8`], which gives the octets back.
    pub fn from_utf8(octets: Bytes) -> Result<Self, NotUtf8> {
        match std::str::from_utf8(&octets) {
            Ok(_) => Ok(Self(octets)),
            Err(e) => Err(NotUtf8 {
                at: e.valid_up_to(),
                octets,
            }),
        }
    }

    /// Takes octets that the caller has already validated, as a streaming
    /// validator does. Handing in anything else breaks the promise of this
    /// type (towards a hixie peer it would inject frames), not memory safety.
    pub fn from_validated(octets: Bytes) -> Self {
        debug_assert!(
            std::str::from_utf8(&octets).is_ok(),
            "text was not validated"
        );
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same text where it lies.
    pub fn as_ref(&self) -> TextRef<'_> {
        TextRef(&self.0)
    }

    /// The octets, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The text as a `str`. Walks the octets again: for people and logs, not
    /// for the path of a message.
    ///
    /// # Panics
    /// If [`Text::from_validated`] was given octets that are not UTF-8.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a Text is UTF-8 from the start")
    }

    /// Length in octets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no octet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Octets that are UTF-8, in a buffer that is somebody else's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TextRef<'a>(&'a [u8]);

impl<'a> TextRef<'a> {
    /// Takes octets that the caller has already validated, as
    /// [`Text::from_validated`] does, with the same promise.
    #[inline]
    pub fn from_validated(octets: &'a [u8]) -> Self {
        debug_assert!(
            std::str::from_utf8(octets).is_ok(),
            "text was not validated"
        );
        Self(octets)
    }

    /// The octets.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// A copy in memory of its own.
    pub fn to_text(self) -> Text {
        Text(Bytes::copy_from_slice(self.0))
    }
}

impl fmt::Debug for TextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.0), f)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_not_utf8_come_back_with_the_place() {
        let error = Text::from_utf8(Bytes::from_static(b"ab\xff")).unwrap_err();
        assert_eq!((error.at, &error.octets[..]), (2, &b"ab\xff"[..]));
    }

    #[test]
    fn text_keeps_what_it_was_given() {
        let text = Text::from("Grüße");
        assert_eq!((text.len(), text.as_str()), (7, "Grüße"));
        assert_eq!(Text::from_utf8(text.clone().into_bytes()), Ok(text));
    }
}
