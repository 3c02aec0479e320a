//! The runner as the server: what our own server makes of what a client sends,
//! and the recorded answer, made to belong to what was really asked.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Event, Limits, Role};
use draftgate_drafts::{
    opening::{Asked, Challenge, Keyed, Refusal, parts},
    recorded::answer_within,
};
use draftgate_vectors::{Head, Vector};
use http::request::Parts;

use super::{client::EXTENSIONS, link::Ear};
use crate::hear::{Heard, Hearing};

/// The longest request that is waited for: no server that is known takes more.
const MOST_OF_HEAD: usize = 64 << 10;

/// Our server, which listens to a client under test.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// What the recorded server sent: its answer, of which what hangs on the
    /// client is made anew, is what this client gets.
    recorded: Bytes,
    input: BytesMut,
    request: Option<Parts>,
    /// The request, from its first octet to its empty line.
    head: Bytes,
    /// The draft that it is in.
    pub(super) draft: Option<Draft>,
    pub(super) hearing: Option<Hearing>,
    /// Why our server would not take the request.
    pub(super) refusal: Option<Refusal>,
    /// Why it is no request at all.
    pub(super) malformed: Option<String>,
    /// How much of the client's stream is its request and key3.
    behind: usize,
}

impl Server {
    /// In the place of the server of `vector`.
    pub(super) fn of(vector: &Vector) -> Self {
        Self {
            recorded: vector.octets(Role::Server),
            ..Self::default()
        }
    }

    /// Whether there is a whole request, or what is none.
    pub(super) fn has_request(&self) -> bool {
        self.hearing.is_some() || self.refusal.is_some() || self.malformed.is_some()
    }

    /// Whether there is a whole request and what belongs to it.
    pub(super) fn opened(&self) -> bool {
        self.counts().is_some_and(|heard| heard.opened)
    }

    pub(super) fn events(&self) -> &[Event] {
        self.hearing.as_ref().map_or(&[], |hearing| &hearing.events)
    }

    pub(super) fn closed(&self) -> bool {
        self.counts().is_some_and(|heard| heard.closed)
    }

    pub(super) fn pongs(&self) -> usize {
        self.counts().map_or(0, |heard| heard.pongs)
    }

    /// What came, counted.
    fn counts(&self) -> Option<&Heard> {
        self.hearing.as_ref().map(|hearing| &hearing.heard)
    }

    /// What the client sent behind its request.
    pub(super) fn frames(&self, seen: &Bytes) -> Bytes {
        seen.slice((self.head.len() + self.behind).min(seen.len())..)
    }

    fn ask(&mut self) {
        match parts(&self.input) {
            Ok(None) if self.input.len() > MOST_OF_HEAD => {
                let said = format!("a request without end, {} octets so far", self.input.len());
                self.malformed = Some(said);
            }
            Ok(None) => {}
            Err(malformed) => self.malformed = Some(malformed.to_string()),
            Ok(Some((parts, head))) => {
                match answer_within(Limits::default(), &parts, &self.recorded) {
                    Ok((draft, accepted)) => {
                        self.draft = Some(draft);
                        let acceptor = draftgate_drafts::acceptor(draft);
                        self.behind = acceptor.map_or(0, |it| it.octets_after_head());
                        self.hearing = Some(Hearing::new(accepted.codec, &self.input[head..]));
                    }
                    Err(refusal) => self.refusal = Some(refusal),
                }
                self.request = Some(parts);
                self.head = self.input.split_to(head).freeze();
            }
        }
    }

    /// The recorded octets of a step of the server, where the head of the
    /// answer and the proof belong to this client: what was right for the
    /// recorded request is right for this one, and what was wrong stays wrong.
    pub(super) fn answers(&self, vector: &Vector, octets: &[u8], at: usize) -> Vec<u8> {
        let Some(recorded) = Recorded::of(vector) else {
            return octets.to_vec();
        };
        let Ok(asked) = Asked::read(&self.request_and_key3()) else {
            return octets.to_vec();
        };
        let head = recorded.answer.octets().len();
        if at == 0 && octets.len() >= head {
            let mut whole = recorded.head_for(&asked);
            whole.extend_from_slice(&recorded.proof_for(&asked, &octets[head..]));
            return whole;
        }
        match at == head {
            true => recorded.proof_for(&asked, octets),
            false => octets.to_vec(),
        }
    }

    /// Whether the client offers every extension that the recorded server
    /// agrees on, so that it may well take them; `None` if it agrees on none.
    pub(super) fn offers_what_is_accepted(&self, vector: &Vector) -> Option<bool> {
        let answer = vector.head(Role::Server)?;
        let accepted = answer.field(EXTENSIONS).filter(|list| !list.is_empty())?;
        let asked = Asked::read(&self.request_and_key3()).ok();
        let offered = asked.as_ref().and_then(|asked| asked.field(EXTENSIONS));
        let offered: Vec<&str> = offered.map_or_else(Vec::new, |list| extensions(list).collect());
        Some(extensions(accepted).all(|name| offered.contains(&name)))
    }

    fn request_and_key3(&self) -> Vec<u8> {
        let key3 = self.input.get(..self.behind).unwrap_or(&self.input);
        [&self.head[..], key3].concat()
    }
}

impl Ear for Server {
    fn heard(&self) -> usize {
        self.events().len()
    }

    fn hear(&mut self, octets: &[u8]) {
        // What belongs to the request is kept: the proof needs it.
        if self.input.len() < self.behind || !self.has_request() {
            self.input.extend_from_slice(octets);
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.hear(octets);
        } else if !self.has_request() {
            self.ask();
        }
    }

    fn says(&mut self) -> Bytes {
        // A proof is the recorded one, and pongs are the recorded ones.
        if let Some(hearing) = &mut self.hearing {
            hearing.wrote();
        }
        Bytes::new()
    }
}

/// The recorded opening.
struct Recorded {
    asked: Asked,
    answer: Head,
}

impl Recorded {
    fn of(vector: &Vector) -> Option<Self> {
        Some(Self {
            asked: Asked::read(&vector.octets(Role::Client)).ok()?,
            answer: vector.head(Role::Server)?,
        })
    }

    fn head_for(&self, asked: &Asked) -> Vec<u8> {
        let octets = self.answer.octets();
        let mut head = Vec::with_capacity(octets.len());
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            let text = String::from_utf8_lossy(line);
            let Some((name, value)) = text.split_once(':') else {
                head.extend_from_slice(line);
                continue;
            };
            let value = value.trim_matches([' ', '\t', '\r', '\n']);
            match self.value_for(name, value, asked) {
                Some(Some(fresh)) => {
                    // A line's end is as it was recorded, right or wrong.
                    let end = &text[text.trim_end_matches(['\r', '\n']).len()..];
                    head.extend_from_slice(format!("{name}: {fresh}{end}").as_bytes());
                }
                Some(None) => {}
                None => head.extend_from_slice(line),
            }
        }
        for name in PROTOCOL {
            // The recorded client asked for none, and got none.
            let asks = asked.field(name).and_then(first_of);
            if let (Some(wanted), None) = (asks, self.asked.field(name)) {
                head.truncate(head.len().saturating_sub(2));
                head.extend_from_slice(format!("{name}: {wanted}\r\n\r\n").as_bytes());
            }
        }
        head
    }

    /// The value that this client must get: `None` as it was recorded,
    /// `Some(None)` no such field.
    fn value_for(&self, name: &str, value: &str, asked: &Asked) -> Option<Option<String>> {
        let accept =
            |asked: &Asked| Some(Keyed::from_key(asked.field("sec-websocket-key")?)?.accept());
        let origin = |asked: &Asked| asked.field("origin").map(str::to_owned);
        let url = |asked: &Asked| asked.url(false).ok();
        let of = |fact: &dyn Fn(&Asked) -> Option<String>| {
            let right = fact(&self.asked).as_deref() == Some(value);
            right.then(|| fact(asked))
        };
        match name.to_ascii_lowercase().as_str() {
            "sec-websocket-accept" => of(&accept),
            "sec-websocket-origin" | "websocket-origin" => of(&origin),
            "sec-websocket-location" | "websocket-location" => of(&url),
            name @ ("sec-websocket-protocol" | "websocket-protocol") => {
                let first = |asked: &Asked| asked.field(name).and_then(first_of);
                let was_asked = self
                    .asked
                    .field(name)
                    .is_some_and(|list| list.contains(value));
                was_asked.then(|| first(asked))
            }
            _ => None,
        }
    }

    /// The 16 octets in front of `octets` for this client.
    fn proof_for(&self, asked: &Asked, octets: &[u8]) -> Vec<u8> {
        let (right, fresh) = (proof(&self.asked), proof(asked));
        match (right, fresh) {
            (Some(right), Some(fresh)) if octets.starts_with(&right) => {
                [&fresh[..], &octets[right.len()..]].concat()
            }
            _ => octets.to_vec(),
        }
    }
}

/// The fields that name a subprotocol.
const PROTOCOL: [&str; 2] = ["Sec-WebSocket-Protocol", "WebSocket-Protocol"];

/// The names in a list of extensions, without their parameters.
fn extensions(list: &str) -> impl Iterator<Item = &str> {
    let names = list.split(',').filter_map(|one| one.split(';').next());
    names.map(str::trim)
}

/// The first subprotocol of a list.
fn first_of(list: &str) -> Option<String> {
    Some(list.split(',').next()?.trim().to_owned())
}

/// The answer to the challenge of a request, if it has one.
fn proof(asked: &Asked) -> Option<[u8; 16]> {
    let key = |name| asked.field(name).map(str::as_bytes);
    let challenge = Challenge::from_keys(key("sec-websocket-key1")?, key("sec-websocket-key2")?);
    Some(challenge.ok()?.answer(*asked.body.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_end_is_none() {
        let mut server = Server::default();
        server.hear(b"GET / HTTP/1.1\r\nCookie: ");
        let chunk = [b'a'; 4096];
        for _ in 0..MOST_OF_HEAD / chunk.len() {
            assert!(!server.has_request());
            server.hear(&chunk);
        }
        assert!(
            server
                .malformed
                .is_some_and(|said| said.contains("without end"))
        );
    }
}
