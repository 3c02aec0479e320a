//! The status with which a connection is closed.

use crate::{Draft, Text};

/// The status of a close: RFC 6455 §7.1.5 and §7.1.6, hybi-06 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The status code (1000 normal closure …).
    pub code: u16,
    /// Why, for people; at most 123 octets on the wire.
    pub reason: Text,
}

impl Close {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// 1001: the endpoint is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// 1002: protocol error.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// 1003: data of a type the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: u16 = 1003;
    /// 1004: message too large, in hybi-06 to -12 only.
    pub const TOO_LARGE_BEFORE_13: u16 = 1004;
    /// 1005: no code was present. Never on the wire.
    pub const NO_STATUS: u16 = 1005;
    /// 1006: the connection ended without a close. Never on the wire.
    pub const ABNORMAL: u16 = 1006;
    /// 1007: data not consistent with the message's type (bad UTF-8).
    pub const INVALID_DATA: u16 = 1007;
    /// 1008: policy violation.
    pub const POLICY: u16 = 1008;
    /// 1009: message too big to process.
    pub const TOO_BIG: u16 = 1009;
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: u16 = 1011;
    /// 1015: TLS handshake failure. Never on the wire.
    pub const TLS: u16 = 1015;

    /// A close with `code` and `reason`.
    pub fn new(code: u16, reason: impl Into<Text>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// Whether `code` may stand in a Close frame of `draft`: what the draft
    /// defines, and 3000 to 4999, which are for libraries and applications.
    /// hybi-06 has 1000 to 1004 (§7.4), -10, which travels as Version 8, adds
    /// 1007, and RFC 6455 §7.4 has 1000 to 1003 and 1007 to 1014. Before
    /// hybi-06 a close carries no code.
    pub fn may_be_sent(code: u16, draft: Draft) -> bool {
        match code {
            _ if draft < Draft::Hybi06 => false,
            1000..=1003 | 3000..=4999 => true,
            Self::TOO_LARGE_BEFORE_13 => draft < Draft::Hybi13,
            Self::INVALID_DATA => draft >= Draft::Hybi08,
            1008..=1014 => draft >= Draft::Hybi13,
            _ => false,
        }
    }

    /// `code` if `draft` has it, else the code of `draft` that says nearly the
    /// same; `None` if there is none and the close must go without a code.
    pub fn nearest_code(code: u16, draft: Draft) -> Option<u16> {
        if Self::may_be_sent(code, draft) {
            return Some(code);
        }
        let nearest = match code {
            // "Too large" changed its number with hybi-13.
            Self::TOO_BIG => Self::TOO_LARGE_BEFORE_13,
            Self::TOO_LARGE_BEFORE_13 => Self::TOO_BIG,
            // Bad data, a policy, a missing extension: the peer is at fault.
            Self::INVALID_DATA | Self::POLICY | 1010 => Self::PROTOCOL_ERROR,
            // An error of ours, a restart, overload, a bad gateway: we are.
            Self::INTERNAL_ERROR | 1012..=1014 => Self::GOING_AWAY,
            // The far side vanished without a word: to the peer, it went away.
            Self::ABNORMAL | Self::TLS => Self::GOING_AWAY,
            _ => return None,
        };
        Self::may_be_sent(nearest, draft).then_some(nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_draft_is_told_the_codes_it_defines() {
        use Draft::{Hybi06, Hybi07, Hybi08, Hybi13};
        // code, to 06 and 07, to 08, to 13
        for (code, hybi07, hybi08, hybi13) in [
            (1000, Some(1000), Some(1000), Some(1000)),
            (1001, Some(1001), Some(1001), Some(1001)),
            (1002, Some(1002), Some(1002), Some(1002)),
            (1003, Some(1003), Some(1003), Some(1003)),
            (1004, Some(1004), Some(1004), Some(1009)),
            (1005, None, None, None),
            (1006, Some(1001), Some(1001), Some(1001)),
            (1007, Some(1002), Some(1007), Some(1007)),
            (1008, Some(1002), Some(1002), Some(1008)),
            (1009, Some(1004), Some(1004), Some(1009)),
            (1010, Some(1002), Some(1002), Some(1010)),
            (1011, Some(1001), Some(1001), Some(1011)),
            (1012, Some(1001), Some(1001), Some(1012)),
            (1014, Some(1001), Some(1001), Some(1014)),
            (1015, Some(1001), Some(1001), Some(1001)),
            (0, None, None, None),
            (741, None, None, None),
            (999, None, None, None),
            (1016, None, None, None),
            (2999, None, None, None),
            (3000, Some(3000), Some(3000), Some(3000)),
            (4999, Some(4999), Some(4999), Some(4999)),
            (5000, None, None, None),
            (65535, None, None, None),
        ] {
            assert_eq!(Close::nearest_code(code, Hybi06), hybi07, "{code} to 06");
            assert_eq!(Close::nearest_code(code, Hybi07), hybi07, "{code} to 07");
            assert_eq!(Close::nearest_code(code, Hybi08), hybi08, "{code} to 08");
            assert_eq!(Close::nearest_code(code, Hybi13), hybi13, "{code} to 13");
            assert_eq!(
                Close::nearest_code(code, Draft::Hybi05),
                None,
                "{code} to 05"
            );
        }
    }

    #[test]
    fn what_is_nearest_may_be_sent() {
        for draft in Draft::ALL {
            for code in 0..=u16::MAX {
                let nearest = Close::nearest_code(code, draft);
                assert!(nearest.is_none_or(|code| Close::may_be_sent(code, draft)));
            }
        }
    }
}
