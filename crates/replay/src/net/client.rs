//! The runner as the client: what our own client makes of what a server sends.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Event, Notice, Role};
use draftgate_drafts::{
    RandomKeys,
    opening::{Answer, MAX_HEAD, Pending, Refusal},
    recorded::resume,
};

use draftgate_vectors::Vector;

use super::link::Ear;
use crate::hear::{Heard, Hearing};

/// The field that names extensions.
pub(super) const EXTENSIONS: &str = "sec-websocket-extensions";

/// How many characters of what a refusal says are told.
const MOST_SAID: usize = 300;

/// Our client behind a request that was sent.
#[derive(Debug)]
pub(super) struct Client {
    draft: Draft,
    /// The request as it was sent, and key3.
    sent: BytesMut,
    /// Octets of the server that nobody has taken yet.
    input: BytesMut,
    pending: Option<Box<dyn Pending>>,
    pub(super) hearing: Option<Hearing>,
    /// Why our client would not take the answer.
    pub(super) refusal: Option<Refusal>,
    /// What came before the connection was open.
    head: BytesMut,
    /// The status of an answer that is none of a WebSocket server.
    pub(super) status: Option<u16>,
    /// How much of the stream is the head and the proof.
    pub(super) opening: usize,
    /// Whether our client answers pings of the server itself.
    answers: bool,
}

impl Client {
    pub(super) fn new(draft: Draft, answers: bool) -> Self {
        Self {
            draft,
            sent: BytesMut::new(),
            input: BytesMut::new(),
            pending: None,
            hearing: None,
            refusal: None,
            head: BytesMut::new(),
            status: None,
            opening: 0,
            answers,
        }
    }

    /// Why what follows the opening of `vector` cannot be said to this server: it
    /// hangs on an extension on which the server has not agreed, or not like that.
    pub(super) fn agrees_otherwise(&self, vector: &Vector) -> Option<String> {
        let wanted = vector.head(Role::Server)?;
        let wanted = wanted.field(EXTENSIONS).filter(|list| !list.is_empty())?;
        let answer = front(&self.head).filter(|_| self.opened())?;
        let spaceless = |list: &str| list.replace([' ', '\t'], "");
        let lists = answer.named(EXTENSIONS);
        let lists: Vec<_> = lists
            .map(|(_, list)| String::from_utf8_lossy(list))
            .filter(|list| !list.is_empty())
            .collect();
        let agreed = lists.join(", ");
        let otherwise = spaceless(&agreed) != spaceless(wanted);
        otherwise.then(|| match agreed.is_empty() {
            true => format!("the server does not agree on {wanted}"),
            false => format!("the server agrees on {agreed}, and not on {wanted}"),
        })
    }

    /// Remembers what is sent while the connection is not open.
    pub(super) fn sends(&mut self, octets: &[u8]) {
        if self.hearing.is_none() {
            self.sent.extend_from_slice(octets);
        }
    }

    pub(super) fn events(&self) -> &[Event] {
        self.hearing.as_ref().map_or(&[], |hearing| &hearing.events)
    }

    /// What came, counted.
    fn counts(&self) -> Option<&Heard> {
        self.hearing.as_ref().map(|hearing| &hearing.heard)
    }

    pub(super) fn opened(&self) -> bool {
        self.counts().is_some_and(|heard| heard.opened)
    }

    /// The messages that came, and what stands where one might: a frame that
    /// clients discard is not what an echo gives back.
    pub(super) fn messages(&self) -> Vec<Event> {
        let events = self.events().iter();
        let messages = events.filter(|event| is_message(event));
        messages.cloned().collect()
    }

    /// How many these are.
    pub(super) fn messages_count(&self) -> usize {
        let heard = self.counts();
        heard.map_or(0, |heard| heard.messages + heard.discarded)
    }

    pub(super) fn pongs(&self) -> usize {
        self.counts().map_or(0, |heard| heard.pongs)
    }

    pub(super) fn closed(&self) -> bool {
        self.counts().is_some_and(|heard| heard.closed)
    }

    /// Whether nothing more is to be waited for: the opening failed, or the
    /// server broke its draft or closed.
    pub(super) fn is_over(&self) -> bool {
        self.refusal.is_some() || self.is_broken() || self.closed()
    }

    /// Whether the server itself has said what is wrong: the opening failed,
    /// or it broke its draft.
    pub(super) fn has_failed(&self) -> bool {
        self.refusal.is_some() || self.status.is_some() || self.is_broken()
    }

    fn is_broken(&self) -> bool {
        self.counts().is_some_and(|heard| heard.broken)
    }

    /// The request as it was sent, and key3.
    pub(super) fn sent(&self) -> Bytes {
        self.sent.clone().freeze()
    }

    /// Whether an answer that is none of a WebSocket server has come with all
    /// of the body that it announces.
    pub(super) fn has_whole_refusal(&self) -> bool {
        let Some((announced, body)) = self.refusal_body() else {
            return false;
        };
        announced.is_some_and(|octets| body.len() >= octets)
    }

    /// Whether such an answer announces more than has come.
    pub(super) fn owes_refusal(&self) -> bool {
        let Some((announced, body)) = self.refusal_body() else {
            return false;
        };
        announced.is_some_and(|octets| body.len() < octets)
    }

    /// What the body of such an answer says, on one line, if it is for people
    /// without a browser.
    pub(super) fn refusal_says(&self) -> Option<String> {
        let (_, body) = self.refusal_body()?;
        let text = std::str::from_utf8(body).ok()?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut said = words.join(" ").replace(char::is_control, "\u{fffd}");
        if said.is_empty() || said.starts_with('<') {
            return None;
        }
        if let Some((cut, _)) = said.char_indices().nth(MOST_SAID) {
            said.truncate(cut);
            said.push('…');
        }
        Some(said)
    }

    /// The octets behind the head of an answer that is none of a WebSocket
    /// server, and how many it announces.
    fn refusal_body(&self) -> Option<(Option<usize>, &[u8])> {
        self.status?;
        let answer = front(&self.head)?;
        let mut fields = answer.fields.iter();
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
        Some((length, &self.head[answer.head.len()..]))
    }

    fn answer(&mut self) {
        if self.status.is_none() {
            let status = front(&self.input).map(|answer| answer.status);
            self.status = status.filter(|status| *status != 101);
        }
        if self.pending.is_none() {
            match resume(self.draft, &self.sent, &mut RandomKeys) {
                Ok(pending) => self.pending = Some(pending),
                // Only a request that no client may send: the status tells.
                Err(_) => return,
            }
        }
        let Some(pending) = &mut self.pending else {
            return;
        };
        let before = self.input.len();
        match pending.answer(&mut self.input) {
            Ok(None) => {}
            Ok(Some(connected)) => {
                self.opening = before - self.input.len();
                self.hearing = Some(Hearing::new(connected.codec, &self.input));
            }
            Err(refusal) => self.refusal = Some(refusal),
        }
    }
}

/// The answer at the front of `octets`, whatever is behind it.
fn front(octets: &[u8]) -> Option<Answer> {
    let mut front = BytesMut::from(&octets[..octets.len().min(MAX_HEAD)]);
    Answer::read(&mut front).ok().flatten()
}

/// Whether `event` is a message, or a frame in the place of one.
pub(super) fn is_message(event: &Event) -> bool {
    matches!(
        event,
        Event::Message(_) | Event::Notice(Notice::Discarded { .. })
    )
}

impl Ear for Client {
    fn heard(&self) -> usize {
        self.events().len()
    }

    fn hear(&mut self, octets: &[u8]) {
        match &mut self.hearing {
            Some(hearing) => hearing.hear(octets),
            None => {
                self.input.extend_from_slice(octets);
                self.head.extend_from_slice(octets);
                if self.refusal.is_none() {
                    self.answer();
                }
            }
        }
    }

    fn says(&mut self) -> Bytes {
        let wrote = self.hearing.as_mut().map(Hearing::wrote);
        wrote
            .filter(|_| self.answers && !self.is_over())
            .unwrap_or_default()
    }
}
