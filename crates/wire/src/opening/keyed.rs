//! The proof of hybi-04 to RFC 6455: `Sec-WebSocket-Key` and its SHA-1 with a
//! GUID (RFC 6455 §1.3, §4.2.2).

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::{Digest, Sha1};

use crate::KeySource;

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
        let octets = LENIENT.decode(key).ok()?;
        (octets.len() == 16).then(|| Self {
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

    /// The value of `Sec-WebSocket-Accept` that belongs to the key.
    pub fn accept(&self) -> String {
        let hash = Sha1::new()
            .chain_update(&self.key)
            .chain_update(GUID)
            .finalize();
        LENIENT.encode(hash)
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
    fn a_fresh_key_is_a_key() {
        let keyed = Keyed::fresh(&mut FixedKeys::new(*b"the sample nonce"));
        assert_eq!(keyed.key(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(Keyed::from_key(keyed.key()), Some(keyed));
    }
}
