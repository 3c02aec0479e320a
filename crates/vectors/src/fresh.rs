//! What may stand in each placeholder, and on which side of the connection.
//! Whoever makes placeholders of recorded octets asks here first: what is not
//! of its form, like the 15 octets that some clients take for a key, stays as
//! it was sent, because no run could make it anew.

use draftgate_core::Role;

use crate::{Placeholder, hex};

impl Placeholder {
    /// The side that sends it; `None` if either may.
    pub fn sender(self) -> Option<Role> {
        match self {
            Self::Key | Self::Key1 | Self::Key2 | Self::Key3 => Some(Role::Client),
            Self::Accept => Some(Role::Server),
            _ => None,
        }
    }

    /// Why `octets` cannot be the value of this placeholder; `None` if they can.
    pub fn fault(self, octets: &[u8]) -> Option<String> {
        let (good, form) = match self {
            Self::Key => (base64(octets, 22, 2), "base64 of 16 octets"),
            Self::Accept => (base64(octets, 27, 1), "base64 of 20 octets"),
            Self::Nonce => (
                octets.len() == 8
                    || octets.len() == 16 && octets.iter().all(u8::is_ascii_hexdigit)
                    || base64(octets, 22, 2),
                "8 octets, 16 hexadecimal digits or base64 of 16 octets",
            ),
            Self::Key3 => (octets.len() == 8, "8 octets"),
            Self::Digest => (octets.len() == 16, "16 octets"),
            Self::Mask => (octets.len() == 4, "4 octets"),
            Self::Date => (date(octets), "a date as HTTP writes it"),
            Self::Key1 | Self::Key2 | Self::Server => (
                line(octets) && !octets.is_empty(),
                "a text on one line, not empty",
            ),
            Self::Redacted => (line(octets), "a text on one line"),
            Self::Masked => (true, "octets"),
        };
        (!good).then(|| {
            let shown = &octets[..octets.len().min(40)];
            let found = match shown.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') {
                true => String::from_utf8_lossy(shown).into_owned(),
                false => hex::digits(shown),
            };
            format!("the placeholder `{self}` is {form}; `{found}` is not, so write it without a placeholder")
        })
    }
}

impl Placeholder {
    /// What its value is, and what a fresh run sends and takes in its place.
    pub(crate) fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::Key => (
                "`Sec-WebSocket-Key`: base64 of 16 octets",
                "sends base64 of 16 other octets",
            ),
            Self::Key1 => (
                "`Sec-WebSocket-Key1`",
                "sends another, made as hixie-76 says",
            ),
            Self::Key2 => (
                "`Sec-WebSocket-Key2`",
                "sends another, made as hixie-76 says",
            ),
            Self::Key3 => (
                "the 8 octets behind the request of hixie-76",
                "sends 8 others",
            ),
            Self::Nonce => (
                "8 octets, 16 hexadecimal digits or base64 of 16 octets",
                "sends another of the same form; takes any of the same length",
            ),
            Self::Accept => (
                "`Sec-WebSocket-Accept`: base64 of 20 octets",
                "sends and demands the proof of the `key` that was really sent",
            ),
            Self::Digest => (
                "16 octets: an MD5",
                "sends and demands the proof of the `key1`, `key2`, `key3` or nonces that were really sent",
            ),
            Self::Mask => ("4 octets", "sends 4 others; takes any"),
            Self::Masked => (
                "octets under the last `mask` of the same side",
                "sends the same octets under the mask that it sent; compares what they are without mask",
            ),
            Self::Date => (
                "a date as HTTP writes it",
                "sends what was recorded; takes any date",
            ),
            Self::Server => (
                "text to the end of the line, not empty: the value of `Server`, `User-Agent` and the like",
                "sends what was recorded; takes any text",
            ),
            Self::Redacted => (
                "text to the end of the line: a secret was here",
                "sends what stands here; takes any text",
            ),
        }
    }
}

/// So many digits of base64 and so many `=`.
fn base64(octets: &[u8], digits: usize, padding: usize) -> bool {
    let digit = |o: &u8| o.is_ascii_alphanumeric() || matches!(o, b'+' | b'/');
    octets.len() == digits + padding
        && octets[..digits].iter().all(digit)
        && octets[digits..].iter().all(|o| *o == b'=')
}

fn line(octets: &[u8]) -> bool {
    !octets.iter().any(|o| matches!(o, b'\r' | b'\n'))
}

/// One of the three forms of RFC 9110, section 5.6.7.
fn date(octets: &[u8]) -> bool {
    let like = |octets: &[u8], form: &str| {
        octets.len() == form.len()
            && octets.iter().zip(form.bytes()).all(|(o, form)| match form {
                b'A' => o.is_ascii_alphabetic(),
                b'0' => o.is_ascii_digit(),
                b'_' => o.is_ascii_digit() || *o == b' ',
                _ => *o == form,
            })
    };
    let comma = octets.iter().position(|o| *o == b',').unwrap_or(0);
    like(octets, "AAA, 00 AAA 0000 00:00:00 GMT")
        || like(octets, "AAA AAA _0 00:00:00 0000")
        || (6..=9).contains(&comma)
            && octets[..comma].iter().all(u8::is_ascii_alphabetic)
            && like(&octets[comma..], ", 00-AAA-00 00:00:00 GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_dates_of_http_are_dates() {
        for good in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert!(date(good.as_bytes()), "{good}");
        }
        for wrong in ["", "today", "Sun, 6 Nov 1994 08:49:37 GMT", "1994-11-06"] {
            assert!(!date(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn a_value_of_another_form_is_told_its_form() {
        for (placeholder, good, wrong) in [
            (
                Placeholder::Key,
                &b"dGhlIHNhbXBsZSBub25jZQ=="[..],
                &b"OC0xMzIz"[..],
            ),
            (
                Placeholder::Accept,
                b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                b"s3pP",
            ),
            (Placeholder::Nonce, b"A23F2BCA452DDE01", b"12"),
            (Placeholder::Key1, b"4 @1", b""),
            (Placeholder::Key3, b"12345678", b"1234567"),
            (Placeholder::Digest, b"0123456789abcdef", b"0"),
            (Placeholder::Mask, b"1234", b"12"),
            (Placeholder::Server, b"x/1", b"x\r\ny"),
            (Placeholder::Redacted, b"", b"\n"),
        ] {
            assert_eq!(placeholder.fault(good), None, "{placeholder}");
            let said = placeholder.fault(wrong).unwrap();
            assert!(said.contains(placeholder.name()), "{said}");
        }
    }
}
