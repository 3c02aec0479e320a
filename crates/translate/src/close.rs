//! Why a connection ends, from the words of one draft into those of another.
//!
//! Inside the gateway a close is always a code of RFC 6455 and a reason.
//! [`received`] makes one of what a peer said, [`close`] makes of one what a
//! peer can be told. What is lost on the way is for the log: a code that a
//! draft does not define is never sent to its peers in the hope that they
//! bear it.

use draftgate_core::{Capabilities, Close, Closing, Draft, Text};

/// The longest reason in octets: a control frame holds 125, two are the code
/// (RFC 6455 §5.5 and §5.5.1).
pub const REASON_OCTETS: usize = 123;

/// What to tell a peer of `draft` of a close. `None`: the closing handshake
/// without a code, or as little as the draft has.
///
/// Codes that never stand in a frame (1005, 1006, 1015) and codes that `draft`
/// does not define become the nearest one it does define; where there is none
/// the close goes without a code. The reason is shortened to
/// [`REASON_OCTETS`], between two characters.
pub fn close(close: Option<Close>, capabilities: &Capabilities, draft: Draft) -> Option<Close> {
    if capabilities.closing != Closing::Coded {
        return None;
    }
    let close = close?;
    let code = Close::nearest_code(close.code, draft)?;
    Some(Close {
        code,
        reason: shortened(close.reason),
    })
}

/// What the peer's end of the connection means in codes of RFC 6455, for logs
/// and for whoever is told of it. `close` is what [`Event::Close`] brought, or
/// what [`Codec::end`] says where TCP ended first (there 1006 stands for a
/// closing handshake that did not take place).
///
/// Without a code it is 1000 where the draft has a closing handshake that
/// cannot carry one (hixie-76's `FF 00` to hybi-05), and 1005 where it could
/// have carried one, or where the draft has no closing handshake at all
/// (hixie-75).
///
/// [`Event::Close`]: draftgate_core::Event::Close
/// [`Codec::end`]: draftgate_core::Codec::end
pub fn received(close: Option<Close>, capabilities: &Capabilities) -> Close {
    close.unwrap_or_else(|| {
        let code = match capabilities.closing {
            Closing::Marker | Closing::Echoed | Closing::Lettered => Close::NORMAL,
            Closing::Absent | Closing::Coded => Close::NO_STATUS,
        };
        Close::new(code, "")
    })
}

/// One of two peers that are relayed to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Whoever connected to us.
    Client,
    /// Whom we connected to on its behalf.
    Upstream,
}

impl Side {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }
}

/// What the loss of the peer on `side` means for the other, in codes of RFC
/// 6455: that it went away. A server that `broke` its draft is an error that
/// its client did not make; of a client that did, its server learns no more
/// than that it is gone.
pub fn lost(side: Side, broke: bool) -> Close {
    match (side, broke) {
        (Side::Upstream, true) => Close::new(Close::INTERNAL_ERROR, "the upstream broke its draft"),
        (side, _) => Close::new(Close::ABNORMAL, format!("the {} is gone", side.name())),
    }
}

/// The code under which the log has a peer's proper end, in those of RFC 6455:
/// as [`received`]; `None` where the draft has no closing handshake (hixie-75),
/// which leaves nothing to tell.
pub fn logged(close: Option<Close>, capabilities: &Capabilities) -> Option<u16> {
    match (close, capabilities.closing) {
        (None, Closing::Absent) => None,
        (close, _) => Some(received(close, capabilities).code),
    }
}

fn shortened(reason: Text) -> Text {
    if reason.len() <= REASON_OCTETS {
        return reason;
    }
    let octets = reason.into_bytes();
    // The first octet of a UTF-8 character is any but 10xxxxxx.
    let end = (0..=REASON_OCTETS)
        .rev()
        .find(|&at| octets[at] & 0xc0 != 0x80)
        .unwrap_or(0);
    Text::from_validated(octets.slice(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODED: Capabilities = Capabilities {
        binary: true,
        ping: true,
        fragments: true,
        closing: Closing::Coded,
    };

    #[test]
    fn the_code_is_the_nearest_that_the_draft_has() {
        let told = |draft| close(Some(Close::new(1009, "why")), &CODED, draft);
        assert_eq!(told(Draft::Hybi08), Some(Close::new(1004, "why")));
        assert_eq!(told(Draft::Hybi13), Some(Close::new(1009, "why")));
        assert_eq!(
            close(Some(Close::new(741, "")), &CODED, Draft::Hybi06),
            None
        );
    }

    #[test]
    fn drafts_without_codes_are_told_none() {
        for closing in [
            Closing::Absent,
            Closing::Marker,
            Closing::Echoed,
            Closing::Lettered,
        ] {
            let capabilities = Capabilities { closing, ..CODED };
            let normal = Some(Close::new(1000, "bye"));
            assert_eq!(close(normal, &capabilities, Draft::Hixie76), None);
        }
        assert_eq!(close(None, &CODED, Draft::Hybi13), None);
    }

    #[test]
    fn an_end_without_a_code_means_what_the_draft_could_have_said() {
        for (closing, code) in [
            (Closing::Absent, 1005),
            (Closing::Marker, 1000),
            (Closing::Echoed, 1000),
            (Closing::Lettered, 1000),
            (Closing::Coded, 1005),
        ] {
            let capabilities = Capabilities { closing, ..CODED };
            assert_eq!(received(None, &capabilities), Close::new(code, ""));
            let abnormal = Close::new(Close::ABNORMAL, "");
            assert_eq!(received(Some(abnormal.clone()), &capabilities), abnormal);
            let told = (closing != Closing::Absent).then_some(code);
            assert_eq!(logged(None, &capabilities), told);
            assert_eq!(logged(Some(abnormal), &capabilities), Some(1006));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        // Before "é" stand 122 octets, so it would end at 124.
        let reason = format!("{}é and more", "x".repeat(122));
        let told = close(Some(Close::new(1000, reason)), &CODED, Draft::Hybi13).unwrap();
        assert_eq!(told.reason, Text::from("x".repeat(122)));
        let fits = format!("{}é", "x".repeat(121));
        let told = close(Some(Close::new(1000, fits.clone())), &CODED, Draft::Hybi13).unwrap();
        assert_eq!(told.reason, Text::from(fits));
    }
}
