//! The peer's breaches of its draft, and the status code that answers each.

use crate::{Close, Draft};

/// The peer broke a rule of its draft. Hand it to [`Codec::fail`](crate::Codec::fail),
/// flush, and close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{rule}")]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
}

impl Violation {
    /// What a peer of `draft` is told: the code, and the rule as the reason;
    /// `None` where the draft has no codes (before hybi-06).
    pub fn close(&self, draft: Draft) -> Option<Close> {
        let code = self.rule.close_code(draft)?;
        Some(Close::new(code, self.to_string()))
    }
}

impl From<Rule> for Violation {
    fn from(rule: Rule) -> Self {
        Self { rule }
    }
}

/// The rules a peer can break once the connection is open. The text is for
/// people, [`Rule::code`] for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// A status code that must not stand in a Close frame.
    #[error("the Close frame carries a status code that must not be sent")]
    CloseCode,
    /// A Close body of a single octet cannot hold a status code.
    #[error("the Close frame's body is one octet, too short for a status code")]
    CloseBodyTooShort,
    /// The reason of a Close frame is not UTF-8.
    #[error("the reason in the Close frame is not UTF-8")]
    CloseReasonNotUtf8,
    /// A continuation frame with no message begun.
    #[error("a continuation frame came without a message to continue")]
    ContinuationWithoutStart,
    /// A control frame in fragments.
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A control frame of more than 125 octets.
    #[error("a control frame is longer than 125 octets")]
    ControlTooLong,
    /// A frame above the configured limit.
    #[error("the frame is larger than the limit for frames")]
    FrameTooBig,
    /// What should be a HELLO is none, or proves nothing.
    #[error("the HELLO frame is not as the nonces make it")]
    HelloInvalid,
    /// A message inside a message.
    #[error("a new message began before the fragments of the last one ended")]
    InterleavedMessage,
    /// A length whose top bit is set, or that does not fit 64 bits.
    #[error("the frame's length does not fit the draft's range")]
    LengthOutOfRange,
    /// A length not in its shortest form.
    #[error("the frame's length is not in its shortest form")]
    LengthNotMinimal,
    /// A client's frame without a masking key.
    #[error("a frame from the client is not masked")]
    MaskMissing,
    /// A server's frame with a masking key.
    #[error("a frame from the server is masked")]
    MaskUnexpected,
    /// A message above the configured limit.
    #[error("the message is larger than the limit for messages")]
    MessageTooBig,
    /// Text that should have been base64, on a connection that agreed on it.
    #[error("the text is not base64 although the subprotocol `base64` was agreed on")]
    NotBase64,
    /// A compressed payload that does not inflate.
    #[error("a compressed message does not inflate")]
    NotDeflate,
    /// Text that is not UTF-8.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// A reserved bit without an extension that defines it.
    #[error("a reserved bit is set and no extension was agreed on")]
    ReservedBits,
    /// More fragments than the configured limit.
    #[error("the message comes in more fragments than the limit allows")]
    TooManyFragments,
    /// An opcode that the draft does not define.
    #[error("the frame's opcode is not defined")]
    UnknownOpcode,
}

impl Rule {
    /// Every rule, in alphabetical order of its code.
    pub const ALL: [Self; 20] = [
        Self::CloseBodyTooShort,
        Self::CloseCode,
        Self::CloseReasonNotUtf8,
        Self::ContinuationWithoutStart,
        Self::ControlFragmented,
        Self::ControlTooLong,
        Self::FrameTooBig,
        Self::HelloInvalid,
        Self::InterleavedMessage,
        Self::LengthNotMinimal,
        Self::LengthOutOfRange,
        Self::MaskMissing,
        Self::MaskUnexpected,
        Self::MessageTooBig,
        Self::NotBase64,
        Self::NotDeflate,
        Self::NotUtf8,
        Self::ReservedBits,
        Self::TooManyFragments,
        Self::UnknownOpcode,
    ];

    /// A stable word for logs, metrics and vectors.
    pub fn code(self) -> &'static str {
        match self {
            Self::CloseBodyTooShort => "close-body-too-short",
            Self::CloseCode => "close-code",
            Self::CloseReasonNotUtf8 => "close-reason-not-utf8",
            Self::ContinuationWithoutStart => "continuation-without-start",
            Self::ControlFragmented => "control-fragmented",
            Self::ControlTooLong => "control-too-long",
            Self::FrameTooBig => "frame-too-big",
            Self::HelloInvalid => "hello-invalid",
            Self::InterleavedMessage => "interleaved-message",
            Self::LengthNotMinimal => "length-not-minimal",
            Self::LengthOutOfRange => "length-out-of-range",
            Self::MaskMissing => "mask-missing",
            Self::MaskUnexpected => "mask-unexpected",
            Self::MessageTooBig => "message-too-big",
            Self::NotBase64 => "not-base64",
            Self::NotDeflate => "not-deflate",
            Self::NotUtf8 => "not-utf8",
            Self::ReservedBits => "reserved-bits",
            Self::TooManyFragments => "too-many-fragments",
            Self::UnknownOpcode => "unknown-opcode",
        }
    }

    /// The status code to close with towards a peer of `draft`; `None` where
    /// the draft has no codes (before hybi-06).
    pub fn close_code(self, draft: Draft) -> Option<u16> {
        let code = match self {
            Self::FrameTooBig | Self::MessageTooBig | Self::TooManyFragments => Close::TOO_BIG,
            Self::NotUtf8 | Self::CloseReasonNotUtf8 | Self::NotBase64 | Self::NotDeflate => {
                Close::INVALID_DATA
            }
            _ => Close::PROTOCOL_ERROR,
        };
        Close::nearest_code(code, draft)
    }

    /// Where the rule stands in the text of `draft`, or the fact that it is a
    /// limit of ours. A section is as fine as the text is known.
    pub fn section(self, draft: Draft) -> &'static str {
        let text = Sections::of(draft);
        match self {
            Self::FrameTooBig | Self::MessageTooBig | Self::TooManyFragments => {
                "a limit of this gateway's configuration"
            }
            Self::NotBase64 => "the subprotocol `base64`",
            Self::NotDeflate => "the compression that was agreed on",
            Self::HelloInvalid => text.hello,
            Self::LengthNotMinimal
            | Self::LengthOutOfRange
            | Self::ReservedBits
            | Self::UnknownOpcode => text.frames,
            Self::MaskMissing | Self::MaskUnexpected => text.masking,
            Self::ContinuationWithoutStart | Self::InterleavedMessage => text.fragments,
            Self::ControlFragmented | Self::ControlTooLong => text.control,
            Self::CloseBodyTooShort | Self::CloseReasonNotUtf8 => text.close,
            Self::CloseCode => text.codes,
            Self::NotUtf8 => text.utf8,
        }
    }
}

/// Where a draft's text speaks of what.
struct Sections {
    frames: &'static str,
    masking: &'static str,
    fragments: &'static str,
    control: &'static str,
    close: &'static str,
    codes: &'static str,
    utf8: &'static str,
    hello: &'static str,
}

impl Sections {
    const fn all_in(section: &'static str) -> Self {
        Self {
            frames: section,
            masking: section,
            fragments: section,
            control: section,
            close: section,
            codes: section,
            utf8: section,
            hello: section,
        }
    }

    const fn of(draft: Draft) -> Self {
        match draft {
            Draft::Hixie75 => Self::all_in("hixie-75 §4"),
            Draft::Hixie76 => Self::all_in("hixie-76 §5.3"),
            Draft::Hybi06 => Self {
                codes: "hybi-06 §7.4",
                ..Self::all_in("hybi-06 §4")
            },
            Draft::Hybi07 => Self {
                frames: "hybi-07 §4.2",
                fragments: "hybi-07 §4.4",
                control: "hybi-07 §4.5",
                close: "hybi-07 §4.5.1",
                codes: "hybi-07 §7.4",
                ..Self::all_in("hybi-07 §4")
            },
            Draft::Hybi08 => Self {
                frames: "hybi-08 §4.2",
                fragments: "hybi-08 §4.4",
                control: "hybi-08 §4.5",
                close: "hybi-08 §4.5.1",
                codes: "hybi-08 §7.4",
                ..Self::all_in("hybi-08 §4")
            },
            Draft::Hybi13 => Self {
                frames: "RFC 6455 §5.2",
                masking: "RFC 6455 §5.1",
                fragments: "RFC 6455 §5.4",
                control: "RFC 6455 §5.5",
                close: "RFC 6455 §5.5.1",
                codes: "RFC 6455 §7.4",
                utf8: "RFC 6455 §8.1",
                ..Self::all_in("RFC 6455 §5")
            },
            Draft::Hello00 => Self {
                hello: "the exchange of HELLO frames of hello-00",
                ..Self::all_in("the draft's section on data framing")
            },
            _ => Self::all_in("the draft's section on data framing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        let codes: Vec<_> = Rule::ALL.iter().map(|r| r.code()).collect();
        assert!(
            codes.is_sorted() && codes.windows(2).all(|w| w[0] != w[1]),
            "{codes:?}"
        );
    }

    #[test]
    fn each_rule_is_told_with_a_section_of_its_own_draft() {
        for rule in Rule::ALL {
            for draft in Draft::ALL {
                let section = rule.section(draft);
                let named = section.contains('§') && !section.contains("RFC 6455");
                assert!(
                    !named || section.starts_with(draft.name()),
                    "{draft}: {section}"
                );
            }
        }
        let newest = Draft::Hybi13;
        assert_eq!(Rule::MaskMissing.section(newest), "RFC 6455 §5.1");
        assert_eq!(Rule::CloseCode.section(Draft::Hybi06), "hybi-06 §7.4");
    }

    #[test]
    fn drafts_before_06_have_no_codes() {
        for rule in Rule::ALL {
            assert_eq!(rule.close_code(Draft::Hixie75), None);
            assert_eq!(rule.close_code(Draft::Hixie76), None);
            assert_eq!(rule.close_code(Draft::Hybi05), None);
            assert!(rule.close_code(Draft::Hybi06).is_some());
        }
    }

    #[test]
    fn too_big_is_1004_until_08_and_1009_from_13() {
        assert_eq!(Rule::MessageTooBig.close_code(Draft::Hybi08), Some(1004));
        assert_eq!(Rule::MessageTooBig.close_code(Draft::Hybi13), Some(1009));
        assert_eq!(Rule::NotUtf8.close_code(Draft::Hybi07), Some(1002));
        assert_eq!(Rule::NotUtf8.close_code(Draft::Hybi13), Some(1007));
    }
}
