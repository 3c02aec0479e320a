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
    let code = if draft < Draft::Hybi13 {
        code_before_13(close.code, draft)
    } else {
        code_from_13(close.code)
    }?;
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

/// The far side vanished without a word (1006, 1015): to the peer, it went away.
fn vanished(code: u16) -> bool {
    matches!(code, Close::ABNORMAL | Close::TLS)
}

/// hybi-13 reserves 1004, which meant "too large" until -12.
fn code_from_13(code: u16) -> Option<u16> {
    match code {
        Close::TOO_LARGE_BEFORE_13 => Some(Close::TOO_BIG),
        code if vanished(code) => Some(Close::GOING_AWAY),
        code => Close::may_be_sent(code).then_some(code),
    }
}

/// hybi-06 defines 1000 to 1004, -10 (Version 8) adds 1007, and all others
/// below 3000 came with -13 and later.
fn code_before_13(code: u16, draft: Draft) -> Option<u16> {
    match code {
        1000..=1004 | 3000..=4999 => Some(code),
        Close::INVALID_DATA if draft >= Draft::Hybi08 => Some(code),
        Close::TOO_BIG => Some(Close::TOO_LARGE_BEFORE_13),
        // Bad data, a policy, a missing extension: the peer is at fault.
        Close::INVALID_DATA | Close::POLICY | 1010 => Some(Close::PROTOCOL_ERROR),
        // An error of ours, a restart, overload, a bad gateway: we are.
        Close::INTERNAL_ERROR | 1012..=1014 => Some(Close::GOING_AWAY),
        code if vanished(code) => Some(Close::GOING_AWAY),
        _ => None,
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

    fn told(code: u16, draft: Draft) -> Option<u16> {
        close(Some(Close::new(code, "why")), &CODED, draft).map(|c| c.code)
    }

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
            assert_eq!(told(code, Hybi06), hybi07, "{code} to 06");
            assert_eq!(told(code, Hybi07), hybi07, "{code} to 07");
            assert_eq!(told(code, Hybi08), hybi08, "{code} to 08");
            assert_eq!(told(code, Hybi13), hybi13, "{code} to 13");
        }
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
