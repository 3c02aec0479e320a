//! A message in the form that was decided on, and the JSON in which peers
//! that want it learn who speaks.
//!
//! The JSON is `{"from":{"id":"c4","draft":"hybi-13"},"text":"Hello"}`, with
//! `base64` in place of `text` for binary. `from` is `null` where no peer
//! spoke but the gateway. The first text such a peer gets is the [`greeting`].

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use draftgate_core::{Message, Rendering, Speaker};
use serde::Serialize;

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
        (Rendering::Envelope, _) => envelope(message, sender).into(),
        _ => message.clone(),
    }
}

/// The first text for a peer that wants envelopes: who it is itself,
/// `{"you":{"id":"c3","draft":"hixie-76"}}`.
pub fn greeting(you: &Speaker) -> Message {
    json(&Greeting { you: you.into() }).into()
}

fn envelope(message: &Message, sender: Option<&Speaker>) -> String {
    let from = sender.map(Named::from);
    match message {
        Message::Text(text) => json(&Envelope::Text {
            from,
            // A Text is UTF-8 by its promise; were it broken, nothing here may panic.
            text: String::from_utf8_lossy(text.as_bytes()),
        }),
        Message::Binary(octets) => json(&Envelope::Binary {
            from,
            base64: STANDARD.encode(octets),
        }),
    }
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

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings under fixed keys are always JSON")
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
        base64: String,
    },
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
