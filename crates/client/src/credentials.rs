//! A name and a password, as they stand in a URL and in a field of Basic
//! Authentication (RFC 7617). They are never shown: neither `Debug` nor any
//! error has them.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    name: String,
    password: String,
}

impl Credentials {
    /// `None` if the name holds a colon, which would end it (RFC 7617 §2).
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Option<Self> {
        let (name, password) = (name.into(), password.into());
        (!name.contains(':')).then_some(Self { name, password })
    }

    /// What stands before the `@` of a URL, percent-encoded; without a colon it
    /// is a name without a password.
    pub(crate) fn from_url(text: &str) -> Option<Self> {
        let (name, password) = text.split_once(':').unwrap_or((text, ""));
        Self::new(decoded(name)?, decoded(password)?)
    }

    /// The value of `Authorization` or `Proxy-Authorization`.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let joined = STANDARD.encode(format!("{}:{}", self.name, self.password));
        let mut value = HeaderValue::from_str(&format!("Basic {joined}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Percent-decoded; `None` if that is no UTF-8, or a `%` stands alone.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|o| o.is_ascii_hexdigit()) {
            return None;
        }
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_url_becomes_basic_authentication() {
        for (text, wanted) in [
            (
                "Aladdin:open%20sesame",
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            ),
            ("a", "Basic YTo="),
            ("a:b:c", "Basic YTpiOmM="),
        ] {
            let credentials = Credentials::from_url(text).unwrap();
            assert_eq!(credentials.basic().unwrap(), wanted);
            assert_eq!(format!("{credentials:?}"), "Credentials(…)");
        }
    }

    #[test]
    fn what_cannot_be_decoded_or_told_apart_is_refused() {
        for text in ["a%3Ab:c", "%", "%4", "%+1", "%zz", "%ff", "a:%c3"] {
            assert_eq!(Credentials::from_url(text), None, "{text}");
        }
    }
}
