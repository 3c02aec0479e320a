//! The status with which a connection is closed.

use crate::Text;

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

    /// Whether `code` may stand in a Close frame (RFC 6455 §7.4): 1000–1003,
    /// 1007–1014, 3000–4999.
    pub fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}
