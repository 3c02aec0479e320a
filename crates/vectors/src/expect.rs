//! What a role must make of its peer's stream, and the comparison with what a
//! codec made of it. Expectations are written down by hand from the octets and
//! the draft; nothing here can compute one.

use std::fmt;

use draftgate_core::{Draft, Event, Message, Notice, Rule};
use serde::Deserialize;

/// What one role must make of the stream of its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// It is known.
    Stated(Box<Stated>),
    /// Nothing can be expected; the text says why.
    Unstated(String),
}

impl Expectation {
    /// What is expected; `None` where nothing can be.
    pub fn stated(&self) -> Option<&Stated> {
        match self {
            Self::Stated(stated) => Some(stated),
            Self::Unstated(_) => None,
        }
    }
}

/// What a role must make of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The events, in order. Notices stand here only where they matter.
    pub events: Vec<Event>,
    /// Where the stream leaves the role.
    pub ends: Ends,
    /// Why the opening must be refused, if it must.
    pub refused: Option<Refused>,
    /// The rule of the open connection that is broken, if one is.
    pub violation: Option<Broken>,
    /// Where the stream departs from its draft and is taken all the same.
    pub tolerated: Vec<Tolerated>,
    /// What a server must answer; empty for a client.
    pub answer: AnswerFacts,
}

/// Where a stream leaves its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// There is not one octet.
    Nothing,
    /// In the head of the request or the answer.
    MidHead,
    /// Of hixie-76: after the head, before key3 or the 16 octets are whole.
    MidChallenge,
    /// The opening is refused; what follows does not matter.
    Refused,
    /// A frame breaks a rule; what follows does not matter.
    Violation,
    /// In the middle of a frame or of a fragmented message.
    MidFrame,
    /// Between two messages, without a closing frame.
    Open,
    /// With a closing frame.
    Closed,
}

impl Ends {
    /// The name that stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::MidHead => "mid-head",
            Self::MidChallenge => "mid-challenge",
            Self::Refused => "refused",
            Self::Violation => "violation",
            Self::MidFrame => "mid-frame",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// Whether the connection was open at some time, so that
    /// [`Event::Opened`] is among the events.
    pub fn after_opening(self) -> bool {
        matches!(
            self,
            Self::Violation | Self::MidFrame | Self::Open | Self::Closed
        )
    }

    /// Whether TCP ending here is a connection that broke off: 1006 wherever
    /// `draft` has a closing handshake.
    pub fn abnormal(self, draft: Draft) -> bool {
        draft != Draft::Hixie75 && matches!(self, Self::MidFrame | Self::Open)
    }
}

/// An opening that must be refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The codes of every rule it breaks. A reader stops at the first it
    /// meets, whichever that is.
    pub rules: Vec<String>,
    /// What is wrong, for people.
    pub reason: String,
}

/// A rule of the open connection that a stream breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// What is wrong, for people.
    pub reason: String,
}

/// A departure from the draft that must not be refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerated {
    /// A word for the kind of departure.
    pub rule: String,
    /// What it is, for people.
    pub reason: String,
}

/// What the answer to a request must say. What a draft's answer does not have
/// is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerFacts {
    /// The origin to repeat (hixie-75 and -76).
    pub origin: Option<String>,
    /// The URL to repeat (hixie-75 and -76).
    pub location: Option<String>,
    /// The subprotocol the recorded server chose; `None`: choose none.
    pub subprotocol: Option<String>,
    /// The value of `Sec-WebSocket-Accept` (hybi-04 on).
    pub accept: Option<String>,
    /// The MD5 of the challenge (hixie-76 to hybi-03).
    pub md5: Option<[u8; 16]>,
}

impl Stated {
    /// Compares the events a codec yielded with the expected ones. Notices
    /// count only where the expectation names them.
    ///
    /// # Errors
    /// [`Mismatch`], which prints both lists side by side.
    pub fn compare(&self, seen: &[Event]) -> Result<(), Mismatch> {
        let is_notice = |event: &&Event| matches!(event, Event::Notice(_));
        // Each is looked up: few are named, and of what came all may be some.
        let named: Vec<_> = self.events.iter().filter(is_notice).collect();
        let seen: Vec<_> = seen
            .iter()
            .filter(|event| !is_notice(event) || named.contains(event))
            .cloned()
            .collect();
        if seen == self.events {
            return Ok(());
        }
        Err(Mismatch {
            expected: self.events.clone(),
            seen,
        })
    }
}

/// Events that are not the expected ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mismatch {
    /// What should have come.
    pub expected: Vec<Event>,
    /// What came, without the notices that nobody asked for.
    pub seen: Vec<Event>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the events are not the expected ones:")?;
        for i in 0..self.expected.len().max(self.seen.len()) {
            let (expected, seen) = (self.expected.get(i), self.seen.get(i));
            let mark = if expected == seen { ' ' } else { '!' };
            let shown = |event: Option<&Event>| event.map_or_else(|| "nothing".to_owned(), shown);
            let (expected, seen) = (shown(expected), shown(seen));
            write!(f, "\n {mark} {i}: expected {expected}, got {seen}")?;
        }
        Ok(())
    }
}

/// An event on one line, however long its payload.
pub fn shown(event: &Event) -> String {
    const LONGEST: usize = 60;
    let (kind, payload) = match event {
        Event::Message(Message::Text(text)) => ("text", text.as_bytes()),
        Event::Message(Message::Binary(octets)) => ("binary", octets),
        Event::Ping(body) => ("ping", body),
        Event::Pong(body) => ("pong", body),
        Event::Opened => return "opened".to_owned(),
        Event::Close(None) => return "close".to_owned(),
        Event::Close(Some(close)) => {
            return format!("close {} {:?}", close.code, close.reason.as_str());
        }
        Event::Notice(notice) => return noted(notice),
    };
    let begin = &payload[..payload.len().min(LONGEST)];
    let more = if begin.len() < payload.len() {
        "…"
    } else {
        ""
    };
    format!(
        "{kind} of {} octets \"{}{more}\"",
        payload.len(),
        begin.escape_ascii()
    )
}

fn noted(notice: &Notice) -> String {
    match notice {
        Notice::Discarded { frame_type, octets } => {
            format!("discarded: a frame of type {frame_type:02x} with {octets} octets")
        }
        Notice::Repaired { replacements } => {
            format!("repaired: text that is not UTF-8, with {replacements} U+FFFD")
        }
        Notice::Tolerated { rule } => format!("tolerated: {}", rule.code()),
        Notice::UnsolicitedPong => "unsolicited-pong".to_owned(),
        Notice::AfterClose { octets } => format!("after-close: {octets} octets"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn expecting(events: Vec<Event>) -> Stated {
        Stated {
            events,
            ends: Ends::Open,
            refused: None,
            violation: None,
            tolerated: Vec::new(),
            answer: AnswerFacts::default(),
        }
    }

    const DISCARDED: Event = Event::Notice(Notice::Discarded {
        frame_type: 0x80,
        octets: 3,
    });

    #[test]
    fn equal_events_pass_and_a_missing_one_fails() {
        let expected = expecting(vec![Event::Opened, Event::Message("x".into())]);
        assert_eq!(expected.compare(&expected.events), Ok(()));
        let error = expected.compare(&[Event::Opened]).unwrap_err().to_string();
        assert!(
            error.contains("! 1: expected text of 1 octets \"x\", got nothing"),
            "{error}"
        );
    }

    #[test]
    fn an_event_too_many_fails() {
        let expected = expecting(vec![Event::Opened]);
        assert!(
            expected
                .compare(&[Event::Opened, Event::Close(None)])
                .is_err()
        );
    }

    #[test]
    fn a_notice_counts_only_where_it_is_named() {
        let silent = expecting(vec![Event::Opened]);
        assert_eq!(silent.compare(&[Event::Opened, DISCARDED]), Ok(()));
        let named = expecting(vec![Event::Opened, DISCARDED]);
        assert_eq!(named.compare(&[Event::Opened, DISCARDED]), Ok(()));
        assert!(named.compare(&[Event::Opened]).is_err());
        assert!(named.compare(&[DISCARDED, Event::Opened]).is_err());
    }

    #[test]
    fn a_long_payload_is_shown_by_its_beginning() {
        let long = Event::Message("a".repeat(70_000).into());
        let line = shown(&long);
        assert!(
            line.starts_with("text of 70000 octets") && line.len() < 120,
            "{line}"
        );
    }

    #[test]
    fn only_hixie_75_ends_normally_without_a_closing_frame() {
        assert!(!Ends::Open.abnormal(Draft::Hixie75));
        assert!(Ends::Open.abnormal(Draft::Hixie76));
        assert!(!Ends::Closed.abnormal(Draft::Hybi13));
    }
}
