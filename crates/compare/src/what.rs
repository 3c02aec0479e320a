//! What is to be said in every draft, checked once: nothing that no draft
//! could say gets as far as a table.

use std::{fmt::Write, num::NonZeroU16};

use bytes::Bytes;
use draftgate_core::{Close, Message, Outgoing, Text};
use draftgate_drafts::spoken;
use draftgate_translate::REASON_OCTETS;

/// The longest body of a ping (RFC 6455 §5.5).
pub const PING_OCTETS: usize = 125;

/// The longest message: the largest that sizes are told of. A table has it a
/// dozen times, in JSON with three characters an octet.
pub const MESSAGE_OCTETS: usize = 1 << 20;

/// The most fragments that are written. A table of more is no picture.
pub const FRAGMENTS: u16 = 1000;

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What {
    pub(crate) say: Say,
    pub(crate) fragments: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Say {
    Message(Message),
    Ping(Bytes),
    Close(Close),
}

/// Why something can be said in no draft at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsayable {
    /// A code that no draft allows in a Close.
    #[error(
        "{0} may stand in no Close frame of any draft: write 1000 to 1004, 1007 to 1014, or 3000 to 4999"
    )]
    CloseCode(u16),
    /// A control frame has no fragments.
    #[error(
        "ping and close are control frames, which no draft lets be fragmented: leave the fragments out"
    )]
    ControlInFragments,
    /// The message is longer than a table of it is worth.
    #[error("the message has {0} octets; at most {MESSAGE_OCTETS} are compared")]
    MessageTooLong(usize),
    /// No message is made of no frame.
    #[error("a message has at least one frame, and at most {FRAGMENTS} are compared")]
    Fragments,
    /// The body of a ping.
    #[error("the body of a ping holds at most {PING_OCTETS} octets, this one has {0}")]
    PingTooLong(usize),
    /// The reason of a Close.
    #[error("the reason of a close holds at most {REASON_OCTETS} octets, this one has {0}")]
    ReasonTooLong(usize),
}

impl What {
    /// A text message.
    ///
    /// # Errors
    /// It is longer than [`MESSAGE_OCTETS`].
    pub fn text(text: impl Into<Text>) -> Result<Self, Unsayable> {
        Self::message(Message::Text(text.into()))
    }

    /// A binary message.
    ///
    /// # Errors
    /// It is longer than [`MESSAGE_OCTETS`].
    pub fn binary(octets: impl Into<Bytes>) -> Result<Self, Unsayable> {
        Self::message(Message::Binary(octets.into()))
    }

    fn message(message: Message) -> Result<Self, Unsayable> {
        match message.len() {
            ..=MESSAGE_OCTETS => Ok(Self::whole(Say::Message(message))),
            more => Err(Unsayable::MessageTooLong(more)),
        }
    }

    /// A ping with this body.
    ///
    /// # Errors
    /// It is longer than [`PING_OCTETS`].
    pub fn ping(body: impl Into<Bytes>) -> Result<Self, Unsayable> {
        let body = body.into();
        match body.len() {
            ..=PING_OCTETS => Ok(Self::whole(Say::Ping(body))),
            more => Err(Unsayable::PingTooLong(more)),
        }
    }

    /// A close with this code and reason.
    ///
    /// # Errors
    /// No draft that is spoken has the code, or the reason is longer than
    /// [`REASON_OCTETS`].
    pub fn close(code: u16, reason: impl Into<Text>) -> Result<Self, Unsayable> {
        let reason = reason.into();
        if !spoken().any(|draft| Close::may_be_sent(code, draft)) {
            return Err(Unsayable::CloseCode(code));
        }
        match reason.len() {
            ..=REASON_OCTETS => Ok(Self::whole(Say::Close(Close { code, reason }))),
            more => Err(Unsayable::ReasonTooLong(more)),
        }
    }

    /// The same in `count` frames of nearly one size, where the draft has
    /// fragments.
    ///
    /// # Errors
    /// It is no message, or there are none or too many frames.
    pub fn in_fragments(mut self, count: usize) -> Result<Self, Unsayable> {
        let fits = u16::try_from(count).ok().filter(|n| *n <= FRAGMENTS);
        let count = fits.and_then(NonZeroU16::new).ok_or(Unsayable::Fragments)?;
        if !matches!(self.say, Say::Message(_)) && count.get() > 1 {
            return Err(Unsayable::ControlInFragments);
        }
        self.fragments = count.get();
        Ok(self)
    }

    fn whole(say: Say) -> Self {
        Self { say, fragments: 1 }
    }

    pub(crate) fn outgoing(&self) -> Outgoing {
        match &self.say {
            Say::Message(message) => Outgoing::Message(message.clone()),
            Say::Ping(body) => Outgoing::Ping(body.clone()),
            Say::Close(close) => Outgoing::Close(Some(close.clone())),
        }
    }

    /// The payload of a message, the body of a ping, the reason of a close.
    pub(crate) fn octets(&self) -> &Bytes {
        match &self.say {
            Say::Message(message) => message.payload(),
            Say::Ping(body) => body,
            Say::Close(close) => close.reason.as_bytes(),
        }
    }

    /// Its name in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.say {
            Say::Message(Message::Text(_)) => "text",
            Say::Message(Message::Binary(_)) => "binary",
            Say::Ping(_) => "ping",
            Say::Close(_) => "close",
        }
    }

    /// As a heading has it: `the text "Hello" (5 octets)`.
    pub(crate) fn title(&self) -> String {
        let octets = plural(self.octets().len(), "octet");
        let mut title = match &self.say {
            Say::Message(Message::Text(text)) => {
                format!("the text {} ({octets})", quoted(text.as_bytes()))
            }
            Say::Message(Message::Binary(binary)) => {
                format!("the binary message {} ({octets})", hex_shown(binary))
            }
            Say::Ping(body) if body.is_empty() => "an empty ping".to_owned(),
            Say::Ping(body) => format!("a ping with {} ({octets})", quoted(body)),
            Say::Close(close) if close.reason.is_empty() => format!("a close with {}", close.code),
            Say::Close(close) => format!(
                "a close with {} {}",
                close.code,
                quoted(close.reason.as_bytes())
            ),
        };
        if self.fragments > 1 {
            title += &format!(" in {} fragments", self.fragments);
        }
        title
    }
}

/// The most of a payload that stands in a sentence, in characters or octets.
const SHOWN: usize = 24;

/// Octets as a person reads them, in quotes if they are text, cut if they are long.
pub(crate) fn quoted(octets: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(octets) else {
        return hex_shown(octets);
    };
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

fn hex_shown(octets: &[u8]) -> String {
    let end = if octets.len() > SHOWN { " …" } else { "" };
    hex(octets.get(..SHOWN).unwrap_or(octets)) + end
}

/// Two digits an octet, parted by spaces.
pub(crate) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(3 * octets.len());
    for (at, octet) in octets.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{octet:02x}");
    }
    text
}

/// `1 octet`, `2 octets`, `65,536 octets`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(count))
}

/// With a comma before each three digits.
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_draft_could_say_is_refused_with_the_limit() {
        for code in [0, 999, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(What::close(code, ""), Err(Unsayable::CloseCode(code)));
        }
        let error = What::close(1000, "x".repeat(124)).unwrap_err();
        assert!(error.to_string().contains("at most 123"), "{error}");
        let error = What::ping(vec![0; 126]).unwrap_err();
        assert!(error.to_string().contains("at most 125"), "{error}");
        let hello = What::text("Hello").unwrap();
        for count in [0, 1001, 1 << 20] {
            let error = hello.clone().in_fragments(count);
            assert_eq!(error, Err(Unsayable::Fragments), "{count}");
        }
        let error = What::text("x".repeat(MESSAGE_OCTETS + 1)).unwrap_err();
        assert_eq!(error, Unsayable::MessageTooLong(MESSAGE_OCTETS + 1));
        let ping = What::ping("").unwrap();
        assert_eq!(ping.in_fragments(2), Err(Unsayable::ControlInFragments));
    }

    #[test]
    fn a_long_message_is_cut_in_headings_between_characters() {
        let what = What::text("ü".repeat(100)).unwrap();
        assert_eq!(
            what.title(),
            format!("the text \"{}…\" (200 octets)", "ü".repeat(24))
        );
    }

    #[test]
    fn thousands_are_parted() {
        let parted = [0, 126, 1000, 65_536, 1 << 20].map(thousands);
        assert_eq!(parted, ["0", "126", "1,000", "65,536", "1,048,576"]);
    }
}
