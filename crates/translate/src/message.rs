//! What becomes of a message on its way to one peer, and of what one peer
//! said on its way to all others.
//!
//! The decision names a [`Rendering`] and does not make it: a channel's peers
//! share what was made, so base64 is computed once for all of them
//! ([`Shared::rendered`](draftgate_core::Shared::rendered)).

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use draftgate_core::{Capabilities, Close, Message, Rendering, Rule, Shared, Violation};

use crate::{BinaryPolicy, Policy};

/// What to do with a message for one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send it in this rendering ([`render`](crate::render())). A rendering
    /// other than [`Rendering::AsIs`] is always text.
    Send(Rendering),
    /// Do not send it; count it.
    Drop(DropReason),
    /// Close the peer's connection, saying this as its draft can say it
    /// ([`close`](crate::close())); count the message as lost.
    Close(Close),
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The draft has no binary and the policy offers no substitute.
    NoBinary,
    /// The policy is `text-if-utf8` and the message is not UTF-8.
    NotUtf8,
}

impl DropReason {
    /// A stable word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoBinary => "no-binary",
            Self::NotUtf8 => "not-utf8",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Decides what becomes of a message for a peer with these `capabilities`.
///
/// Costs nothing per octet, but for `text-if-utf8`, for which a binary message
/// is read once, however many peers it is for.
pub fn message(shared: &Shared, capabilities: &Capabilities, policy: &Policy) -> Outcome {
    let binary = matches!(shared.message(), Message::Binary(_));
    if goes_as_is(binary, capabilities, policy) {
        return Outcome::Send(Rendering::AsIs);
    }
    if policy.envelope {
        return Outcome::Send(Rendering::Envelope);
    }
    if policy.base64 {
        return Outcome::Send(Rendering::Base64);
    }
    match policy.binary {
        BinaryPolicy::Base64 => Outcome::Send(Rendering::Base64),
        BinaryPolicy::Hex => Outcome::Send(Rendering::Hex),
        BinaryPolicy::TextIfUtf8 if shared.is_utf8() => Outcome::Send(Rendering::Utf8),
        BinaryPolicy::TextIfUtf8 => Outcome::Drop(DropReason::NotUtf8),
        BinaryPolicy::LengthFrame | BinaryPolicy::Drop => Outcome::Drop(DropReason::NoBinary),
        BinaryPolicy::Close => Outcome::Close(Close::new(
            Close::UNSUPPORTED_DATA,
            "a binary message came, which this draft cannot carry",
        )),
    }
}

/// Whether a text, or a `binary` message, goes to a peer as it is: what
/// [`message`] says of nearly all, for whoever has no [`Shared`] yet.
pub fn goes_as_is(binary: bool, capabilities: &Capabilities, policy: &Policy) -> bool {
    !policy.envelope && !policy.base64 && (capabilities.binary || !binary)
}

/// What a peer said, as the others are to have it. With `base64` agreed on,
/// its text is decoded and is binary; binary stays what it is.
///
/// The standard alphabet is read. As old encoders demand, missing padding,
/// stray bits in the last character and white space (lines of 76 characters)
/// are let pass; any other character is not.
///
/// # Errors
/// [`Rule::NotBase64`].
pub fn inbound(message: Message, base64: bool) -> Result<Message, Violation> {
    let text = match message {
        Message::Text(text) if base64 => text.into_bytes(),
        other => return Ok(other),
    };
    let decoded = if text.iter().any(u8::is_ascii_whitespace) {
        without_white_space(&text)
    } else {
        LENIENT.decode(&text).ok()
    };
    match decoded {
        Some(octets) => Ok(Message::Binary(octets.into())),
        None => Err(Rule::NotBase64.into()),
    }
}

/// Whole quartets, as many as stay in the processor's first cache.
const GROUP: usize = 4096;

/// Decodes group by group: a copy of the text without its white space would be
/// a third one of it in memory.
fn without_white_space(text: &[u8]) -> Option<Vec<u8>> {
    let bare = text.iter().copied().filter(|o| !o.is_ascii_whitespace());
    let mut bare = bare.peekable();
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut group = Vec::with_capacity(GROUP);
    while bare.peek().is_some() {
        group.clear();
        group.extend(bare.by_ref().take(GROUP));
        let before = octets.len();
        LENIENT.decode_vec(&group, &mut octets).ok()?;
        // Padding ends the text, and not just a group.
        let whole = octets.len() - before == GROUP / 4 * 3;
        if !whole && bare.peek().is_some() {
            return None;
        }
    }
    Some(octets)
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        match inbound(text.into(), true) {
            Ok(Message::Binary(octets)) => Some(octets.to_vec()),
            Ok(Message::Text(_)) => panic!("base64 became text"),
            Err(violation) => {
                assert_eq!(violation.rule, Rule::NotBase64);
                None
            }
        }
    }

    #[test]
    fn base64_is_read_as_old_encoders_write_it() {
        for text in [
            "SGVsbG8=",
            "SGVsbG8",
            "SGVs\r\nbG8=\r\n",
            " SGVsbG8= ",
            "SGVsbG9=",
        ] {
            assert_eq!(decoded(text).as_deref(), Some(&b"Hello"[..]), "{text:?}");
        }
        assert_eq!(decoded("+/8=").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(decoded("").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn long_base64_is_read_as_one_with_and_without_lines() {
        for length in [3071, 3072, 3073, 3074, 10_000] {
            let octets: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let text = base64::engine::general_purpose::STANDARD.encode(&octets);
            let lines: Vec<_> = text.as_bytes().chunks(76).collect();
            let lines = String::from_utf8_lossy(&lines.join(&b"\r\n"[..])).into_owned();
            let unpadded = lines.trim_end_matches('=');
            for text in [&text, &lines, unpadded] {
                assert_eq!(decoded(text).as_deref(), Some(&octets[..]), "{length}");
            }
        }
        // What looks like an end where one group of the decoder ends.
        for end in ["AA==AAAA", "AAA=AAAA", "AA==AA=="] {
            let text = format!(" {}{end}", "A".repeat(GROUP - 4));
            assert_eq!(decoded(&text), None, "{end}");
        }
    }

    #[test]
    fn what_is_not_base64_is_a_violation() {
        for text in [
            "-_8=",
            "SGVsbG8=!",
            "SGVsbG8==",
            "S",
            "SGVs=bG8",
            "SG==SG==",
            "=",
            "Grüße",
            "\0",
        ] {
            assert_eq!(decoded(text), None, "{text:?}");
        }
    }

    #[test]
    fn binary_and_text_without_the_agreement_stay_what_they_are() {
        let binary = Message::Binary(vec![0xff].into());
        assert_eq!(inbound(binary.clone(), true), Ok(binary.clone()));
        assert_eq!(inbound(binary.clone(), false), Ok(binary));
        assert_eq!(inbound("SGVsbG8=".into(), false), Ok("SGVsbG8=".into()));
    }
}
