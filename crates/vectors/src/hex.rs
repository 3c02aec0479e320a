//! Octets as people write them in a vector: pairs of hexadecimal digits, with
//! white space wherever it helps the eye.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::Error};

/// Octets that were written in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Bytes);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        octets(&text).map(Self).map_err(D::Error::custom)
    }
}

pub(crate) fn octets(text: &str) -> Result<Bytes, String> {
    let mut digits = Vec::with_capacity(text.len());
    for c in text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'))
    {
        match c.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None => {
                return Err(format!(
                    "`{c}` is no hexadecimal digit; write octets as `00 48 ff`"
                ));
            }
        }
    }
    if digits.len() % 2 == 1 {
        return Err(format!(
            "{} hexadecimal digits make no whole octets; every octet takes two",
            digits.len()
        ));
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

/// `octets` in pairs of digits, a space between them.
pub(crate) fn digits(octets: &[u8]) -> String {
    let mut digits = String::with_capacity(3 * octets.len());
    for (at, octet) in octets.iter().enumerate() {
        let gap = if at == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(digits, "{gap}{octet:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_letter_case_do_not_matter() {
        assert_eq!(octets("00 48\nfF").unwrap(), &b"\x00\x48\xff"[..]);
        assert_eq!(octets("").unwrap(), &b""[..]);
    }

    #[test]
    fn half_an_octet_is_refused() {
        assert!(octets("00 4").unwrap_err().contains("3 hexadecimal digits"));
        assert!(octets("0x00").unwrap_err().contains("`x`"));
    }
}
