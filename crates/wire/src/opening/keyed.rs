//! The proof of hybi-04 to RFC 6455: `Sec-WebSocket-Key` and its SHA-1 with a
//! GUID (RFC 6455 §1.3, §4.2.2).

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest, Sha1};

use crate::KeySource;

/// The same as 16 octets, for [`Keyed::accept_of_octets`].
const GUID_OCTETS: [u8; 16] = [
    0x25, 0x8e, 0xaf, 0xa5, 0xe9, 0x14, 0x47, 0xda, 0x95, 0xca, 0xc5, 0xab, 0x0d, 0xc8, 0x5b, 0x11,
];

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Stray bits in the last sextet are let pass: RFC 6455's own sample
/// `AQIDBAUGBwgJCgsMDQ4PEC==` has them.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A `Sec-WebSocket-Key` as it was received: the text is hashed, never a
/// re-encoding of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    key: String,
}

impl Keyed {
    /// Takes `key` if it is the base64 of 16 octets.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::of_octets(16, key)
    }

    /// The same where it may be of 15, as ws 0.4 for Node.js sends in Version 8.
    pub fn from_short_key(key: &str) -> Option<Self> {
        Self::from_key(key).or_else(|| Self::of_octets(15, key))
    }

    fn of_octets(count: usize, key: &str) -> Option<Self> {
        let octets = LENIENT.decode(key).ok()?;
        (octets.len() == count).then(|| Self {
            key: key.to_owned(),
        })
    }

    /// A fresh key, for a client.
    pub fn fresh(keys: &mut dyn KeySource) -> Self {
        let mut octets = [0; 16];
        keys.fill(&mut octets);
        Self {
            key: LENIENT.encode(octets),
        }
    }

    /// The key's text.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The octets that the text stands for.
    pub fn octets(&self) -> Vec<u8> {
        // A key that is none is never in here.
        LENIENT.decode(&self.key).unwrap_or_default()
    }

    /// The value of `Sec-WebSocket-Accept` that belongs to the key.
    pub fn accept(&self) -> String {
        let hash = Sha1::new()
            .chain_update(&self.key)
            .chain_update(GUID)
            .finalize();
        LENIENT.encode(hash)
    }

    /// The value in the example that went round with hybi-04: over the octets of
    /// key and GUID in the place of their texts. It is never sent.
    pub fn accept_of_octets(&self) -> String {
        let hash = Sha1::new()
            .chain_update(self.octets())
            .chain_update(GUID_OCTETS);
        LENIENT.encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FixedKeys;

    #[test]
    fn the_worked_examples() {
        for (key, accept) in [
            ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
            ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        ] {
            assert_eq!(Keyed::from_key(key).unwrap().accept(), accept);
        }
    }

    #[test]
    fn the_example_of_hybi_04_hashes_octets() {
        let keyed = Keyed::from_key("dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(keyed.accept_of_octets(), "me89jWimTRKTWwrS3aRrL53YZSo=");
    }

    #[test]
    fn what_is_not_16_octets_is_no_key() {
        for key in [
            "",
            "AQ==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZTEyMw==",
            "****",
        ] {
            assert_eq!(Keyed::from_key(key), None, "{key}");
        }
    }

    #[test]
    fn a_short_key_has_15_octets_and_is_hashed_as_it_stands() {
        let short = "OC0xNzk1MjMxMDA0NTYz";
        let accept = Keyed::from_short_key(short).map(|keyed| keyed.accept());
        assert_eq!(accept.as_deref(), Some("NEc8mX4QMY5yKDeN6KLkgQqzRvM="));
        assert_eq!(Keyed::from_key(short), None);
        assert_eq!(
            Keyed::from_short_key("dGhlIHNhbXBsZSBub25j"),
            Keyed::of_octets(15, "dGhlIHNhbXBsZSBub25j")
        );
        for key in [
            "",
            "AQIDBAUG",
            "dGhlIHNhbXBsZSBub24=",
            "dGhlIHNhbXBsZSBub25jZTEyMw==",
        ] {
            assert_eq!(Keyed::from_short_key(key), None, "{key}");
        }
    }

    #[test]
    fn a_fresh_key_is_a_key() {
        let keyed = Keyed::fresh(&mut FixedKeys::new(*b"the sample nonce"));
        assert_eq!(keyed.key(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(Keyed::from_key(keyed.key()), Some(keyed));
    }
}
