//! How lines and messages become each other: text as it is, binary as it is, in
//! hexadecimal or in base64.

use std::fmt::Write as _;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use draftgate_core::{Message, Text};

/// With padding or without, as it comes.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text; binary that comes is named as such, and shown in hexadecimal.
    Text,
    /// Octets as they are.
    Binary,
    /// Octets in hexadecimal.
    Hex,
    /// Octets in base64.
    Base64,
}

/// Why something is no message. It goes on a sentence that begins with what it
/// is about.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAMessage {
    #[error(
        "is not UTF-8 (octet {octet} of the line): each line is sent as text; convert it first, for example with `iconv -t UTF-8`, or send its octets with --binary"
    )]
    NotUtf8 { octet: usize },
    #[error("is no hexadecimal: write each octet as two digits, for example `00 ff 0a`")]
    NotHex,
    #[error("is no base64: {0}")]
    NotBase64(String),
}

impl Form {
    /// The message that `line` is, which is without its end.
    pub(crate) fn message(self, line: Bytes) -> Result<Message, NotAMessage> {
        match self {
            Self::Text => match Text::from_utf8(line) {
                Ok(text) => Ok(Message::Text(text)),
                Err(error) => Err(NotAMessage::NotUtf8 {
                    octet: error.at + 1,
                }),
            },
            Self::Binary => Ok(Message::Binary(line)),
            Self::Hex => hex(&line).map(Message::Binary),
            Self::Base64 => match BASE64.decode(line.trim_ascii()) {
                Ok(octets) => Ok(Message::Binary(octets.into())),
                Err(error) => Err(NotAMessage::NotBase64(error.to_string())),
            },
        }
    }

    /// `message` as a line, without its end. Text is as it is, line feeds
    /// included.
    pub(crate) fn line(self, message: &Message) -> Bytes {
        match (message, self) {
            (Message::Text(text), _) => text.as_bytes().clone(),
            (Message::Binary(octets), Self::Binary) => octets.clone(),
            (Message::Binary(octets), Self::Hex) => digits(octets).into(),
            (Message::Binary(octets), Self::Base64) => BASE64.encode(octets).into(),
            (Message::Binary(octets), Self::Text) => {
                format!("<binary, {} octets: {}>", octets.len(), digits(octets)).into()
            }
        }
    }
}

/// The octets that `text` spells, two digits each, with or without white space
/// between octets.
pub(crate) fn hex(text: &[u8]) -> Result<Bytes, NotAMessage> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let words = text.split(u8::is_ascii_whitespace);
    let mut octets = Vec::with_capacity(text.len() / 2);
    for word in words {
        let (pairs, rest) = word.as_chunks::<2>();
        for [high, low] in pairs {
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(NotAMessage::NotHex);
            };
            octets.push((high << 4 | low) as u8);
        }
        if !rest.is_empty() {
            return Err(NotAMessage::NotHex);
        }
    }
    Ok(octets.into())
}

fn digits(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// What a stranger says may hold sequences that a terminal obeys (new colours,
/// another title, keys pressed): there control characters are shown, not sent.
pub(crate) fn harmless(line: &[u8]) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let text = String::from_utf8_lossy(line);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match obeyed(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form; 4] = [Form::Text, Form::Binary, Form::Hex, Form::Base64];

    fn binary(octets: &[u8]) -> Message {
        Message::Binary(Bytes::copy_from_slice(octets))
    }

    #[test]
    fn a_terminal_is_shown_control_characters_instead_of_sent_them() {
        let shown = harmless(b"a\x1b]0;title\x07\tb\n\r\xff");
        assert_eq!(shown, "a\\u{1b}]0;title\\u{7}\tb\n\\r\u{fffd}");
        assert_eq!(harmless("Grüße\n".as_bytes()), "Grüße\n");
    }

    #[test]
    fn text_is_a_line_as_it_is_in_every_form() {
        for form in FORMS {
            for text in ["Grüße\nzwei", ""] {
                assert_eq!(form.line(&text.into()), text);
            }
        }
    }

    #[test]
    fn binary_is_named_where_lines_are_text() {
        let line = |octets: &[u8]| Form::Text.line(&binary(octets));
        assert_eq!(line(&[0, 0xff, 0x0a]), "<binary, 3 octets: 00ff0a>");
        assert_eq!(line(&[]), "<binary, 0 octets: >");
    }

    #[test]
    fn binary_goes_to_a_line_and_back_in_every_other_form() {
        let all: Vec<u8> = (0..=255).collect();
        for form in &FORMS[1..] {
            for octets in [&all[..], &all[..255], &all[..254], &[]] {
                let line = form.line(&binary(octets));
                assert_eq!(form.message(line), Ok(binary(octets)), "{form:?}");
            }
        }
        assert_eq!(Form::Hex.line(&binary(&[0, 255])), "00ff");
        assert_eq!(Form::Base64.line(&binary(&[0, 255])), "AP8=");
    }

    #[test]
    fn octets_are_read_as_people_write_them() {
        for text in ["00ff0a", " 00 FF 0a ", "00ff 0A", "00\tff\t0a\r"] {
            let read = Form::Hex.message(Bytes::from(text));
            assert_eq!(read, Ok(binary(&[0, 255, 10])), "{text}");
        }
        for text in ["0", "00f", "0 0", "xy", "é"] {
            let read = Form::Hex.message(Bytes::from(text));
            assert_eq!(read, Err(NotAMessage::NotHex), "{text}");
        }
        for text in ["AP8=", "AP8", " AP8=\r"] {
            let read = Form::Base64.message(Bytes::from(text));
            assert_eq!(read, Ok(binary(&[0, 255])), "{text}");
        }
        for text in ["A", "AP8!", "AP8=AP8="] {
            let read = Form::Base64.message(Bytes::from(text));
            assert!(matches!(read, Err(NotAMessage::NotBase64(_))), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_no_message() {
        let read = Form::Text.message(Bytes::from_static(b"a\xff"));
        assert_eq!(read, Err(NotAMessage::NotUtf8 { octet: 2 }));
    }
}
