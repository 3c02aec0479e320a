//! The name of a channel. It is parsed once, where it enters: the octets
//! allowed are those that stand for themselves in a path (RFC 3986's unreserved), so that
//! one channel has one name, in a URL as in a log.

use std::{fmt, str::FromStr, sync::Arc};

/// The longest name of a channel in octets.
pub const CHANNEL_OCTETS: usize = 255;

/// A channel's name: 1 to 255 octets of `[A-Za-z0-9._~-]`, case matters.
/// Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

impl Channel {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() {
            return Err(ChannelError::Empty);
        }
        if name.len() > CHANNEL_OCTETS {
            return Err(ChannelError::TooLong(name.len()));
        }
        let stray = name
            .char_indices()
            .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-')));
        match stray {
            Some((at, found)) => Err(ChannelError::Character { found, at }),
            None => Ok(Self(name.into())),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a name is no channel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// No octet at all.
    #[error("the channel's name is empty; write 1 to 255 of the characters A-Z a-z 0-9 . _ ~ -")]
    Empty,
    /// More than [`CHANNEL_OCTETS`].
    #[error("the channel's name has {0} octets; at most 255 are allowed")]
    TooLong(usize),
    /// A character outside the set, which also holds for `%41` and the like:
    /// escapes are not decoded.
    #[error(
        "the channel's name has {found:?} at octet {at}; only the characters A-Z a-z 0-9 . _ ~ - are allowed"
    )]
    Character {
        /// The first character that may not be there.
        found: char,
        /// Its offset in octets.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_unreserved_characters_is_kept_as_it_is() {
        for name in ["a", "Room-1.2_x~", &"x".repeat(255)] {
            let channel: Channel = name.parse().unwrap();
            assert_eq!((channel.as_str(), channel.to_string()), (name, name.into()));
        }
    }

    #[test]
    fn any_other_name_is_refused_with_the_reason() {
        for (name, error, says) in [
            ("", ChannelError::Empty, "is empty"),
            (
                &"x".repeat(256),
                ChannelError::TooLong(256),
                "has 256 octets",
            ),
            (
                "a b",
                ChannelError::Character { found: ' ', at: 1 },
                "has ' ' at octet 1",
            ),
            (
                "a/b",
                ChannelError::Character { found: '/', at: 1 },
                "has '/' at octet 1",
            ),
            (
                "%41",
                ChannelError::Character { found: '%', at: 0 },
                "has '%' at octet 0",
            ),
            (
                "é",
                ChannelError::Character { found: 'é', at: 0 },
                "has 'é' at octet 0",
            ),
            (
                "x\n",
                ChannelError::Character { found: '\n', at: 1 },
                r"has '\n' at octet 1",
            ),
        ] {
            assert_eq!(name.parse::<Channel>(), Err(error), "{name:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn every_octet_is_allowed_or_refused_as_documented() {
        let allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
        for octet in 0..=127_u8 {
            let name = char::from(octet).to_string();
            assert_eq!(
                name.parse::<Channel>().is_ok(),
                allowed.contains(&name),
                "{name:?}"
            );
        }
    }
}
