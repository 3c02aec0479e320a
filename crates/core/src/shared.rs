//! One message on its way to many peers, rendered and encoded once per kind
//! of peer.
//!
//! A channel with 10,000 peers in several drafts renders a message at most
//! once per [`Rendering`] and encodes it at most once per [`WireClass`] and
//! rendering. A refusal is kept like an encoding.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use crate::{Message, SendError};

/// Peers of one class are sent the same octets for the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireClass {
    /// hixie-75 and hixie-76: `00 … FF`.
    Sentinel,
    /// The same, where binary goes as a length-prefixed frame `80 …`.
    SentinelLengthFrames,
    /// Server to client in hybi-01 to -03.
    Hybi01,
    /// Server to client in hybi-04 to -06, and hello-00.
    Hybi06,
    /// Server to client in hybi-07 to RFC 6455.
    Hybi07,
    /// The same, compressed without reference to what was sent before; those with
    /// the same window, level and shortest compressed message.
    Deflated {
        /// The window's size, as the logarithm to base 2.
        window_bits: u8,
        /// The compression level.
        level: u8,
        /// Shorter payloads, in octets, go as they are.
        least: u32,
    },
}

/// In what form a message is put before it is encoded for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rendering {
    /// Unchanged.
    AsIs,
    /// Binary as base64 text.
    Base64,
    /// Binary as lower-case hexadecimal text.
    Hex,
    /// Binary that is valid UTF-8, as text.
    Utf8,
    /// A JSON text that also names the sender and its draft.
    Envelope,
}

type Encoding = (WireClass, Rendering, Result<Bytes, SendError>);

/// A message and what was made of it so far.
#[derive(Debug)]
pub struct Shared {
    message: Message,
    utf8: OnceLock<bool>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    rendered: Vec<(Rendering, Message)>,
    encoded: Vec<Encoding>,
}

impl Shared {
    /// Wraps `message`; nothing is rendered or encoded yet.
    pub fn new(message: Message) -> Self {
        Self {
            message,
            utf8: OnceLock::new(),
            made: Mutex::default(),
        }
    }

    /// The message as it was published.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Whether the message is UTF-8, binary or not; found out on first use, for
    /// a channel of thousands may ask.
    pub fn is_utf8(&self) -> bool {
        *self.utf8.get_or_init(|| match &self.message {
            Message::Text(_) => true,
            Message::Binary(octets) => std::str::from_utf8(octets).is_ok(),
        })
    }

    /// The message in `rendering`, made by `render` on first use.
    pub fn rendered(
        &self,
        rendering: Rendering,
        render: impl FnOnce(&Message) -> Message,
    ) -> Message {
        if rendering == Rendering::AsIs {
            return self.message.clone();
        }
        let mut made = self.made();
        if let Some((_, message)) = made.rendered.iter().find(|(r, _)| *r == rendering) {
            return message.clone();
        }
        let message = render(&self.message);
        made.rendered.push((rendering, message.clone()));
        message
    }

    /// The octets of the message in `rendering` for peers of `class`, made by
    /// `encode` on first use.
    ///
    /// # Errors
    /// What `encode` said on first use.
    pub fn encoded(
        &self,
        class: WireClass,
        rendering: Rendering,
        encode: impl FnOnce() -> Result<Bytes, SendError>,
    ) -> Result<Bytes, SendError> {
        let mut made = self.made();
        let found = made
            .encoded
            .iter()
            .find(|(c, r, _)| (*c, *r) == (class, rendering));
        if let Some((_, _, encoding)) = found {
            return encoding.clone();
        }
        let encoding = encode();
        made.encoded.push((class, rendering, encoding.clone()));
        encoding
    }

    /// How many encodings were made: at most one per class and rendering.
    pub fn encodings(&self) -> usize {
        self.made().encoded.len()
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        // The lists are whole after every push, so a panic elsewhere harms nothing.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_made_once_per_class_and_rendering() {
        let shared = Shared::new("Hello".into());
        let mut calls = 0;
        for _ in 0..3 {
            for class in [WireClass::Sentinel, WireClass::Hybi07] {
                let octets = shared.encoded(class, Rendering::AsIs, || {
                    calls += 1;
                    Ok(Bytes::from_static(b"x"))
                });
                assert_eq!(octets, Ok(Bytes::from_static(b"x")));
            }
        }
        assert_eq!((calls, shared.encodings()), (2, 2));
    }

    #[test]
    fn binary_may_be_utf8_and_text_always_is() {
        let binary = |octets: &'static [u8]| Message::Binary(Bytes::from_static(octets));
        for (message, utf8) in [
            (Message::from("Grün"), true),
            (binary("Grün".as_bytes()), true),
            (binary(b"\xff"), false),
        ] {
            let shared = Shared::new(message);
            assert_eq!((shared.is_utf8(), shared.is_utf8()), (utf8, utf8));
        }
    }

    #[test]
    fn a_refusal_is_kept_too() {
        let shared = Shared::new(Message::Binary(Bytes::new()));
        let refuse = || Err(SendError::Closing);
        let _ = shared.encoded(WireClass::Sentinel, Rendering::AsIs, refuse);
        let second = shared.encoded(WireClass::Sentinel, Rendering::AsIs, || Ok(Bytes::new()));
        assert_eq!(second, Err(SendError::Closing));
    }

    #[test]
    fn a_rendering_is_made_once() {
        let shared = Shared::new("Hello".into());
        let first = shared.rendered(Rendering::Hex, |_| "one".into());
        let second = shared.rendered(Rendering::Hex, |_| "two".into());
        assert_eq!((first, second), ("one".into(), "one".into()));
        assert_eq!(
            shared.rendered(Rendering::AsIs, |_| "no".into()),
            "Hello".into()
        );
    }
}
