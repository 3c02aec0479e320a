//! How messages look to readers over HTTP: as events of an event stream, and
//! as the JSON that a poll is answered with. Pure functions.
//!
//! An event's data is the text itself, for readers that want nothing but that.
//! Such a stream cannot tell the ways to break a line apart: CR and CRLF come
//! out as LF. The JSON (the bus's envelope) is exact.

use bytes::{BufMut, BytesMut};
use draftgate_bus::{Envelope, Gap, Mark};
use draftgate_core::{Message, Rendering};
use draftgate_translate as translate;

/// Appends `envelope` as an event; with `enveloped`, as the bus's envelope.
pub(super) fn event(out: &mut BytesMut, mark: Mark, envelope: &Envelope, enveloped: bool) {
    let shared = &envelope.shared;
    let (kind, rendering) = match shared.message() {
        _ if enveloped => (None, Rendering::Envelope),
        Message::Text(_) => (None, Rendering::AsIs),
        Message::Binary(_) => (Some("binary"), Rendering::Base64),
    };
    let message = shared.rendered(rendering, |message| {
        translate::render(message, rendering, envelope.sender.as_ref())
    });
    out.reserve(message.len() + 64);
    out.put_slice(format!("id: {mark}\n").as_bytes());
    if let Some(kind) = kind {
        out.put_slice(format!("event: {kind}\n").as_bytes());
    }
    for line in lines(message.payload()) {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
}

/// The lines of `text`, which end with CR, LF or CRLF; one more than there are ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr::memchr2(b'\r', b'\n', text) else {
            rest = None;
            return Some(text);
        };
        let end = match &text[at..] {
            [b'\r', b'\n', ..] => at + 2,
            _ => at + 1,
        };
        rest = Some(&text[end..]);
        Some(&text[..at])
    })
}

/// How an event stream begins: when to come back, and where the reader stands
/// even before the first message.
pub(super) fn beginning(retry: std::time::Duration, now: Mark) -> String {
    format!("retry: {}\nid: {now}\n\n", retry.as_millis())
}

/// The event that tells of messages which are gone; nothing where none are.
pub(super) fn gap(out: &mut BytesMut, gap: Gap) {
    if gap != Gap::None {
        let event = format!("event: gap\ndata: {{\"missed\":{}}}\n\n", missed(gap));
        out.put_slice(event.as_bytes());
    }
}

/// A comment, to show that the stream is alive.
pub(super) const COMMENT: &[u8] = b":\n\n";

fn missed(gap: Gap) -> String {
    match gap {
        Gap::None => "0".to_owned(),
        Gap::Messages(count) => count.to_string(),
        Gap::Unknown => "null".to_owned(),
    }
}

/// What a poll is answered with: `messages`, each with its mark, after which
/// the reader stands at `after`.
pub(super) fn polled(
    messages: &[(Mark, std::sync::Arc<Envelope>)],
    gap: Gap,
    after: Mark,
) -> BytesMut {
    let mut out = BytesMut::new();
    let head = format!(
        "{{\"after\":\"{after}\",\"missed\":{},\"messages\":[",
        missed(gap)
    );
    out.put_slice(head.as_bytes());
    for (at, (mark, envelope)) in messages.iter().enumerate() {
        let json = translate::render(
            envelope.shared.message(),
            Rendering::Envelope,
            envelope.sender.as_ref(),
        );
        let separator = if at == 0 { "" } else { "," };
        out.put_slice(format!("{separator}{{\"id\":\"{mark}\",").as_bytes());
        // An envelope is an object that is never empty.
        out.put_slice(&json.payload()[1..]);
    }
    out.put_slice(b"]}\n");
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use draftgate_core::{Draft, Shared, Speaker};

    use super::*;

    const MARK: Mark = Mark {
        epoch: 0xab,
        sequence: 7,
    };

    fn envelope(message: impl Into<Message>) -> Envelope {
        Envelope {
            shared: Shared::new(message.into()),
            sender: Some(Speaker::new("c4", Draft::Hybi13)),
            sequence: 7,
        }
    }

    fn said(message: impl Into<Message>, enveloped: bool) -> String {
        let mut out = BytesMut::new();
        event(&mut out, MARK, &envelope(message), enveloped);
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// The data as a reader puts it together (HTML, "Server-sent events").
    fn read(event: &str) -> String {
        let data = event
            .split('\n')
            .filter_map(|line| line.strip_prefix("data:"));
        let data: Vec<&str> = data
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        data.join("\n")
    }

    #[test]
    fn a_text_is_the_data_of_an_event_with_its_id() {
        assert_eq!(said("Hello", false), "id: ab-7\ndata: Hello\n\n");
        assert_eq!(said("", false), "id: ab-7\ndata: \n\n");
        assert_eq!(said("a\nb", false), "id: ab-7\ndata: a\ndata: b\n\n");
    }

    #[test]
    fn lines_come_out_as_they_were_but_for_how_they_end() {
        for text in [
            "",
            "\n",
            "\n\n",
            "a\n",
            "\na",
            "a\nb\n\nc",
            " a",
            "data: x\n: c\nid: 9",
            "\u{0}\u{2028}é",
            "a\u{85}b\u{b}c",
        ] {
            assert_eq!(read(&said(text, false)), text, "{text:?}");
        }
        for (text, comes_out) in [
            ("\r", "\n"),
            ("\r\n", "\n"),
            ("\n\r", "\n\n"),
            ("a\rb\r\nc\r\r\nd", "a\nb\nc\n\nd"),
        ] {
            assert_eq!(read(&said(text, false)), comes_out, "{text:?}");
        }
    }

    #[test]
    fn no_text_makes_an_event_of_its_own() {
        for text in [
            "x\n\nevent: gap\ndata: y",
            "x\r\revent: gap\rdata: y\r\r",
            "\n\n\n",
        ] {
            let event = said(text, false);
            assert_eq!(event.matches("\n\n").count(), 1, "{event:?}");
            assert!(
                !event.contains('\r') && !event.contains("\nevent"),
                "{event:?}"
            );
        }
    }

    #[test]
    fn binary_is_an_event_of_its_own_kind_in_base64() {
        let binary = Message::Binary(vec![0, 255, 10].into());
        assert_eq!(
            said(binary, false),
            "id: ab-7\nevent: binary\ndata: AP8K\n\n"
        );
    }

    #[test]
    fn an_envelope_is_one_line_and_exact() {
        assert_eq!(
            said("a\r\nb", true),
            "id: ab-7\ndata: {\"from\":{\"id\":\"c4\",\"draft\":\"hybi-13\"},\"text\":\"a\\r\\nb\"}\n\n"
        );
    }

    #[test]
    fn a_poll_is_answered_with_json() {
        let binary = Message::Binary(vec![0, 255].into());
        let messages = [
            (MARK, Arc::new(envelope("a\"b"))),
            (
                Mark {
                    sequence: 9,
                    ..MARK
                },
                Arc::new(envelope(binary)),
            ),
        ];
        let after = Mark {
            sequence: 9,
            ..MARK
        };
        let json = polled(&messages, Gap::Messages(3), after);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "after": "ab-9",
                "missed": 3,
                "messages": [
                    { "id": "ab-7", "from": { "id": "c4", "draft": "hybi-13" }, "text": "a\"b" },
                    { "id": "ab-9", "from": { "id": "c4", "draft": "hybi-13" }, "base64": "AP8=" },
                ],
            })
        );
        assert_eq!(
            polled(&[], Gap::Unknown, after),
            "{\"after\":\"ab-9\",\"missed\":null,\"messages\":[]}\n"
        );
    }

    #[test]
    fn a_gap_is_told_with_the_number_of_messages_where_that_is_known() {
        for (missed, told) in [
            (Gap::None, ""),
            (Gap::Messages(2), "event: gap\ndata: {\"missed\":2}\n\n"),
            (Gap::Unknown, "event: gap\ndata: {\"missed\":null}\n\n"),
        ] {
            let mut out = BytesMut::new();
            gap(&mut out, missed);
            assert_eq!(out, told);
        }
    }
}
