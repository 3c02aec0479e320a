//! What a route wants done with what a peer's draft cannot say, and what the
//! peer itself agreed on through its subprotocol.

use std::{fmt, str::FromStr};

/// The subprotocol of peers that write and read every message as base64 text,
/// as browsers without binary messages did towards TCP proxies.
pub const BASE64: &str = "base64";

/// The subprotocol of peers that want every message as a JSON text that also
/// names its sender.
pub const ENVELOPE: &str = "draftgate.envelope";

/// How a peer is spoken to. Made once per connection, when it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Policy {
    /// What becomes of binary where the peer's draft has none.
    pub binary: BinaryPolicy,
    /// The peer agreed on [`BASE64`]: whatever its draft, text and binary both
    /// go to it as base64 text, because it decodes all that it receives.
    pub base64: bool,
    /// The peer agreed on [`ENVELOPE`]: text and binary both go to it as JSON
    /// text. Stands above `base64`.
    pub envelope: bool,
}

impl Policy {
    /// The policy where the configuration states none: as the agreed
    /// subprotocol says, and binary that cannot be said is dropped.
    pub fn default_for(subprotocol: Option<&str>) -> Self {
        let base64 = subprotocol == Some(BASE64);
        Self {
            binary: if base64 {
                BinaryPolicy::Base64
            } else {
                BinaryPolicy::Drop
            },
            base64,
            envelope: subprotocol == Some(ENVELOPE),
        }
    }
}

/// What becomes of a binary message where the peer's draft has none
/// (hixie-75 and hixie-76).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryPolicy {
    /// `base64`: as base64 text, standard alphabet with padding.
    Base64,
    /// `text-if-utf8`: as text if it is UTF-8, else dropped.
    TextIfUtf8,
    /// `hex`: as lower-case hexadecimal text.
    Hex,
    /// `length-frame`: in the drafts' length-prefixed frame `80 …`. The codec
    /// must be made with such frames on; it then reports binary as something
    /// it can say, and the message goes as it is. Where it does not, dropped.
    LengthFrame,
    /// `drop`: not sent. The default: to close a device because a modern peer
    /// sent binary would hand that peer a weapon.
    #[default]
    Drop,
    /// `close`: the peer's connection is closed with 1003.
    Close,
}

const NAMES: [(BinaryPolicy, &str); 6] = [
    (BinaryPolicy::Base64, "base64"),
    (BinaryPolicy::TextIfUtf8, "text-if-utf8"),
    (BinaryPolicy::Hex, "hex"),
    (BinaryPolicy::LengthFrame, "length-frame"),
    (BinaryPolicy::Drop, "drop"),
    (BinaryPolicy::Close, "close"),
];

impl BinaryPolicy {
    /// Every policy, in the order of the documentation.
    pub const ALL: [Self; NAMES.len()] = {
        let mut all = [Self::Drop; NAMES.len()];
        let mut i = 0;
        while i < NAMES.len() {
            all[i] = NAMES[i].0;
            i += 1;
        }
        all
    };

    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        // The table lists the variants in declaration order; a test holds it to that.
        NAMES[self as usize].1
    }
}

impl fmt::Display for BinaryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BinaryPolicy {
    type Err = UnknownBinaryPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownBinaryPolicy> {
        NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(policy, _)| *policy)
            .ok_or_else(|| UnknownBinaryPolicy(name.to_owned()))
    }
}

/// A name that names no [`BinaryPolicy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no policy for binary messages; write `base64`, `text-if-utf8`, `hex`, `length-frame`, `drop` or `close`"
)]
pub struct UnknownBinaryPolicy(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_policy_and_back() {
        for (i, policy) in BinaryPolicy::ALL.into_iter().enumerate() {
            assert_eq!(policy as usize, i);
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_every_name_there_is() {
        let error = "Base64".parse::<BinaryPolicy>().unwrap_err().to_string();
        assert!(error.starts_with("`Base64` is no policy"), "{error}");
        for policy in BinaryPolicy::ALL {
            assert!(error.contains(&format!("`{policy}`")), "{error}");
        }
    }

    #[test]
    fn the_default_follows_the_agreed_subprotocol() {
        let base64 = Policy::default_for(Some("base64"));
        assert_eq!((base64.binary, base64.base64), (BinaryPolicy::Base64, true));
        assert!(Policy::default_for(Some("draftgate.envelope")).envelope);
        for other in [None, Some("chat"), Some("Base64")] {
            assert_eq!(Policy::default_for(other), Policy::default());
        }
        assert_eq!(Policy::default().binary, BinaryPolicy::Drop);
    }
}
