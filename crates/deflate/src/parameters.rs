//! The parameters of an extension, read once for both sides.

use crate::field::{Element, window_bits};

/// What stands in the element of one extension.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerMessage {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: Option<u8>,
    /// `Some(None)`: the client can, but names no number.
    pub(crate) client_max_window_bits: Option<Option<u8>>,
}

impl PerMessage {
    /// RFC 7692 §7.1: `None` if a parameter is unknown, repeated, or has a value
    /// that it must not have.
    pub(crate) fn of(element: &Element<'_>) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in &element.parameters {
            match (*name, value) {
                ("server_no_context_takeover", None) => once(&mut found.server_no_context_takeover),
                ("client_no_context_takeover", None) => once(&mut found.client_no_context_takeover),
                ("server_max_window_bits", Some(value)) => {
                    let bits = window_bits(value)?;
                    found.server_max_window_bits.replace(bits).is_none()
                }
                ("client_max_window_bits", value) => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    found.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            }
            .then_some(())?;
        }
        Some(found)
    }
}

/// The two parameters of `deflate-frame`. They bind whoever receives them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerFrame {
    pub(crate) no_context_takeover: bool,
    pub(crate) max_window_bits: Option<u8>,
    /// There are others, too.
    pub(crate) unknown: bool,
}

impl PerFrame {
    /// `None` if one of the two is repeated or has a value that it must not have.
    pub(crate) fn of(element: &Element<'_>) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in &element.parameters {
            match (*name, value) {
                ("no_context_takeover", None) => once(&mut found.no_context_takeover),
                ("max_window_bits", Some(value)) => {
                    let bits = window_bits(value)?;
                    found.max_window_bits.replace(bits).is_none()
                }
                ("no_context_takeover" | "max_window_bits", _) => false,
                _ => {
                    found.unknown = true;
                    true
                }
            }
            .then_some(())?;
        }
        Some(found)
    }
}

/// Sets `flag`; whether it was not set before.
fn once(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}
