//! A message in the form that was decided on, and the JSON in which peers
//! that want it learn who speaks.
//!
//! The JSON is `{"from":{"id":"c4","draft":"hybi-13"},"text":"Hello"}`, with
//! `base64` in place of `text` for binary. `from` is `null` where no peer
//! spoke but the gateway. The first text such a peer gets is the [`greeting`].
//!
//! JSON takes six octets for a control character: a text of which it would make
//! more than twice as much goes as `text-base64`, so that nobody can have the
//! gateway hold many times what it was sent.

use std::borrow::Cow;

use base64::{Engine, display::Base64Display, engine::general_purpose::STANDARD};
use draftgate_core::{Message, Rendering, Speaker, Text};
use serde::{Serialize, Serializer};

/// Makes `rendering` of `message`. `sender` is used by
/// [`Rendering::Envelope`] alone.
///
/// [`Rendering::Base64`] encodes text too; [`Rendering::Hex`] and
/// [`Rendering::Utf8`] leave it as it is. Binary that is not UTF-8, for which
/// [`message`](crate::message()) does not decide on [`Rendering::Utf8`], has
/// U+FFFD in place of what is not.
pub fn render(message: &Message, rendering: Rendering, sender: Option<&Speaker>) -> Message {
    match (rendering, message) {
        (Rendering::Base64, _) => STANDARD.encode(message.payload()).into(),
        (Rendering::Hex, Message::Binary(octets)) => hex(octets).into(),
        (Rendering::Utf8, Message::Binary(octets)) => {
            String::from_utf8_lossy(octets).into_owned().into()
        }
        (Rendering::Envelope, _) => envelope(message, sender),
        _ => message.clone(),
    }
}

/// The first text for a peer that wants envelopes: who it is itself,
/// `{"you":{"id":"c3","draft":"hixie-76"}}`.
pub fn greeting(you: &Speaker) -> Message {
    json(&Greeting { you: you.into() }, 0)
}

fn envelope(message: &Message, sender: Option<&Speaker>) -> Message {
    let from = sender.map(Named::from);
    let payload = message.payload();
    // A third more than there is, as base64 takes.
    let encoded = payload.len() / 3 * 4 + 4;
    let Message::Text(text) = message else {
        let base64 = AsBase64(payload);
        return json(&Envelope::Binary { from, base64 }, encoded);
    };
    let escaped = escaped(payload);
    if escaped > 2 * payload.len() {
        let text_base64 = AsBase64(payload);
        return json(&Envelope::Controls { from, text_base64 }, encoded);
    }
    // A Text is UTF-8 by its promise; were it broken, nothing here may panic.
    let text = String::from_utf8_lossy(text.as_bytes());
    json(&Envelope::Text { from, text }, escaped)
}

/// How many octets `text` takes in a JSON string.
fn escaped(text: &[u8]) -> usize {
    let takes = |octet: &u8| match octet {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.iter().map(takes).sum()
}

fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        text.push(DIGITS[usize::from(octet >> 4)].into());
        text.push(DIGITS[usize::from(octet & 15)].into());
    }
    text
}

/// The fields around a payload of `payload` octets: an id, a draft, names.
const AROUND: usize = 128;

fn json(value: &impl Serialize, payload: usize) -> Message {
    let mut octets = Vec::with_capacity(payload + AROUND);
    serde_json::to_writer(&mut octets, value).expect("strings under fixed keys are always JSON");
    Message::Text(Text::from_validated(octets.into()))
}

#[derive(Serialize)]
struct Greeting<'a> {
    you: Named<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Envelope<'a> {
    Text {
        from: Option<Named<'a>>,
        text: Cow<'a, str>,
    },
    Binary {
        from: Option<Named<'a>>,
        base64: AsBase64<'a>,
    },
    #[serde(rename_all = "kebab-case")]
    Controls {
        from: Option<Named<'a>>,
        text_base64: AsBase64<'a>,
    },
}

/// Written as base64 without being held as that first.
struct AsBase64<'a>(&'a [u8]);

impl Serialize for AsBase64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

#[derive(Serialize)]
struct Named<'a> {
    id: &'a str,
    draft: &'static str,
}

impl<'a> From<&'a Speaker> for Named<'a> {
    fn from(speaker: &'a Speaker) -> Self {
        Self {
            id: &speaker.id,
            draft: speaker.draft.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use draftgate_core::Draft;

    use super::*;

    fn text(message: &Message) -> &str {
        match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => panic!("{message:?} is binary"),
        }
    }

    #[test]
    fn the_envelope_names_the_sender_and_its_draft() {
        let speaker = Speaker::new("c4", Draft::Hybi13);
        let made = render(&"Hello".into(), Rendering::Envelope, Some(&speaker));
        assert_eq!(
            text(&made),
            r#"{"from":{"id":"c4","draft":"hybi-13"},"text":"Hello"}"#
        );
        let binary = Message::Binary(vec![0, 255].into());
        let made = render(&binary, Rendering::Envelope, Some(&speaker));
        assert_eq!(
            text(&made),
            r#"{"from":{"id":"c4","draft":"hybi-13"},"base64":"AP8="}"#
        );
        let made = render(&"\"\n\u{1}é\u{10348}".into(), Rendering::Envelope, None);
        assert_eq!(
            text(&made),
            "{\"from\":null,\"text\":\"\\\"\\n\\u0001é\u{10348}\"}"
        );
    }

    #[test]
    fn a_text_of_control_characters_is_no_more_than_twice_as_long() {
        let made = render(&"\u{1}\u{2}".into(), Rendering::Envelope, None);
        assert_eq!(text(&made), r#"{"from":null,"text-base64":"AQI="}"#);
        for unit in ["\u{1}", "\"", "a\u{1}", "abcd\u{1}", "\n"] {
            let long = unit.repeat(10_000);
            let made = render(&long.as_str().into(), Rendering::Envelope, None);
            assert!(made.len() <= 2 * long.len() + AROUND, "{unit:?}");
        }
    }

    #[test]
    fn what_a_text_takes_in_json_is_known_before() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        let made = serde_json::to_string(&all).unwrap();
        assert_eq!(escaped(all.as_bytes()), made.len() - 2);
    }

    #[test]
    fn the_greeting_tells_a_peer_who_it_is() {
        let made = greeting(&Speaker::new("c3", Draft::Hixie76));
        assert_eq!(text(&made), r#"{"you":{"id":"c3","draft":"hixie-76"}}"#);
    }

    #[test]
    fn binary_becomes_the_text_that_was_decided_on() {
        let binary = Message::Binary("Grün".into());
        assert_eq!(text(&render(&binary, Rendering::Utf8, None)), "Grün");
        assert_eq!(text(&render(&binary, Rendering::Hex, None)), "4772c3bc6e");
        assert_eq!(text(&render(&binary, Rendering::Base64, None)), "R3LDvG4=");
        assert_eq!(render(&binary, Rendering::AsIs, None), binary);
        let bad = Message::Binary(vec![b'a', 0xff].into());
        assert_eq!(text(&render(&bad, Rendering::Utf8, None)), "a\u{fffd}");
    }

    #[test]
    fn text_stays_text_and_base64_encodes_it() {
        let hello = Message::from("Hello");
        for rendering in [Rendering::AsIs, Rendering::Hex, Rendering::Utf8] {
            assert_eq!(render(&hello, rendering, None), hello);
        }
        assert_eq!(text(&render(&hello, Rendering::Base64, None)), "SGVsbG8=");
    }
}
