//! From the file format to what readers use: the checks that serde cannot make,
//! and the octets of the files that a vector names. Faults carry their place in
//! the text; whoever has the path makes a sentence of them.

use std::ops::Range;

use bytes::Bytes;
use draftgate_core::{Close, Event, Message, Notice, Role, Text};
use toml::Spanned;

use crate::{
    About, AnswerFacts, Broken, Deviation, Ends, Expectation, Stated, Step, Stream,
    format::{
        File, Piece, RawAbout, RawAnswer, RawClose, RawDeviation, RawEvent, RawExpect,
        RawExpectation, RawStream, Side, Tested,
    },
    step,
};

/// What the rest of the crate makes of a file.
pub(crate) struct Contents {
    pub(crate) about: About,
    pub(crate) steps: Vec<Step>,
    pub(crate) server: Expectation,
    pub(crate) client: Expectation,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) places: Places,
}

/// Where things stand in the text.
pub(crate) struct Places {
    pub(crate) about: Range<usize>,
    pub(crate) attested: Option<Range<usize>>,
    /// What is said of the client's stream and of the server's.
    pub(crate) streams: [Range<usize>; 2],
    pub(crate) steps: Vec<Range<usize>>,
    pub(crate) deviations: Vec<Range<usize>>,
}

/// Something wrong at a place of the file, in words.
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    pub(crate) what: String,
}

pub(crate) type Found<T> = Result<T, String>;

/// Fetches a file that a vector names.
pub(crate) type Read<'a> = dyn FnMut(&str) -> Found<Bytes> + 'a;

impl File {
    /// Fetches the files named with `read`, and makes values of all that is
    /// written; what cannot be made a value is left out, with a fault. What the
    /// parts must be to each other is for `rules`.
    pub(crate) fn contents(self, read: &mut Read<'_>) -> (Contents, Vec<Fault>) {
        let mut faults = Vec::new();
        let at_about = self.about.span();
        let raw = self.about.into_inner();
        let streams =
            [&raw.streams.get_ref().client, &raw.streams.get_ref().server].map(|stream| {
                stream
                    .as_ref()
                    .map_or_else(|| raw.streams.span(), Spanned::span)
            });
        let attested = raw.attested.as_ref().map(Spanned::span);
        let about: About = raw.into();
        let mut steps = Vec::with_capacity(self.step.len());
        let mut places = Vec::with_capacity(self.step.len());
        for raw in self.step {
            let at = raw.span();
            match located(raw, |raw| step::step(raw, read)) {
                Ok(step) => {
                    steps.push(step);
                    places.push(at);
                }
                Err(fault) => faults.push(fault),
            }
        }
        let at_expect = self.expect.span();
        let RawExpect { server, client } = self.expect.into_inner();
        let mut of = |raw: Option<Spanned<RawExpectation>>, role| {
            let at = raw
                .as_ref()
                .map_or_else(|| at_expect.clone(), Spanned::span);
            let found = match (raw, about.roles.contains(&role)) {
                (Some(raw), true) => expectation(raw, read),
                (None, false) => Ok(Expectation::Unstated(NOT_TESTED.to_owned())),
                _ => Err(Fault {
                    at,
                    what: format!(
                        "[expect.{role}] and `role` of [about] disagree; `role` says which roles are expected anything of"
                    ),
                }),
            };
            found.unwrap_or_else(|fault| {
                faults.push(fault);
                Expectation::Unstated(String::new())
            })
        };
        let server = of(server, Role::Server);
        let client = of(client, Role::Client);
        let deviations = self.deviation.iter().map(Spanned::span);
        let places = Places {
            about: at_about,
            attested,
            streams,
            steps: places,
            deviations: deviations.collect(),
        };
        let deviations = self.deviation.into_iter();
        let contents = Contents {
            about,
            steps,
            server,
            client,
            deviations: deviations.map(|raw| raw.into_inner().into()).collect(),
            places,
        };
        (contents, faults)
    }
}

/// Why nothing is expected of a role that an exchange does not test.
const NOT_TESTED: &str = "this exchange tests the other role";

fn located<T, U>(spanned: Spanned<T>, convert: impl FnOnce(T) -> Found<U>) -> Result<U, Fault> {
    let at = spanned.span();
    convert(spanned.into_inner()).map_err(|what| Fault { at, what })
}

fn expectation(raw: Spanned<RawExpectation>, read: &mut Read<'_>) -> Result<Expectation, Fault> {
    let at = raw.span();
    let fault = |what: &str| Fault {
        at: at.clone(),
        what: what.to_owned(),
    };
    let raw = raw.into_inner();
    if let Some(why) = raw.unstated {
        let bare = raw.events.is_none()
            && raw.ends.is_none()
            && raw.refused.is_none()
            && raw.violation.is_none()
            && raw.answer.is_none()
            && raw.tolerated.is_empty();
        return match bare {
            true => Ok(Expectation::Unstated(why)),
            false => Err(fault(
                "`unstated` says that nothing is expected; remove it or the other keys",
            )),
        };
    }
    let (Some(events), Some(ends)) = (raw.events, raw.ends) else {
        return Err(fault(
            "`events` and `ends` are both needed, or `unstated` with the reason",
        ));
    };
    let mut yielded = Vec::with_capacity(events.len());
    for raw in events {
        yielded.push(located(raw, |raw| event(raw, read))?);
    }
    let opened = yielded.iter().filter(|e| **e == Event::Opened).count();
    if ends.after_opening() && (opened != 1 || yielded.first() != Some(&Event::Opened)) {
        return Err(fault(
            "the connection opens before the stream ends, so `events` begins with \"opened\", once",
        ));
    }
    if !ends.after_opening() && !yielded.is_empty() {
        return Err(fault(
            "the stream ends before the connection opens, so `events` must be empty",
        ));
    }
    if (ends == Ends::Refused) != raw.refused.is_some() {
        return Err(fault(
            "`ends = \"refused\"` and `refused` belong together; add or remove one",
        ));
    }
    if (ends == Ends::Violation) != raw.violation.is_some() {
        return Err(fault(
            "`ends = \"violation\"` and `violation` belong together; add or remove one",
        ));
    }
    if raw.refused.as_ref().is_some_and(|it| it.rules.is_empty()) {
        return Err(fault(
            "`refused` names no rule; give the codes of all that are broken",
        ));
    }
    if let Some(what) = close_without_end(&yielded, ends) {
        return Err(fault(what));
    }
    let answer = match raw.answer {
        Some(raw) => located(raw, answer_facts)?,
        None => AnswerFacts::default(),
    };
    Ok(Expectation::Stated(Box::new(Stated {
        events: yielded,
        ends,
        refused: raw.refused,
        violation: raw.violation.map(|broken| Broken {
            rule: broken.rule,
            reason: broken.reason,
        }),
        tolerated: raw.tolerated,
        answer,
    })))
}

/// Where a Close among the events and the end of the stream disagree.
fn close_without_end(events: &[Event], ends: Ends) -> Option<&'static str> {
    let close = |event: &&Event| matches!(event, Event::Close(_));
    let closes = events.iter().filter(close).count();
    let mut behind = events.iter().skip_while(|event| !close(event)).skip(1);
    match ends == Ends::Closed {
        true if closes != 1 => Some("`ends = \"closed\"` goes with one `close` among the events"),
        false if closes != 0 => {
            Some("behind a `close` the stream is at its end; write `ends = \"closed\"`")
        }
        _ if behind.any(|event| !matches!(event, Event::Notice(_))) => {
            Some("behind a `close` nothing but notices can follow")
        }
        _ => None,
    }
}

fn event(raw: RawEvent, read: &mut Read<'_>) -> Found<Event> {
    Ok(match raw {
        RawEvent::Opened => Event::Opened,
        RawEvent::Text(text) => Event::Message(text.into()),
        RawEvent::TextFile(piece) => {
            let text = Text::from_utf8(piece.octets(read)?).map_err(|e| e.to_string())?;
            Event::Message(Message::Text(text))
        }
        RawEvent::Binary(hex) => Event::Message(Message::Binary(hex.0)),
        RawEvent::BinaryFile(piece) => Event::Message(Message::Binary(piece.octets(read)?)),
        RawEvent::Ping(hex) => Event::Ping(hex.0),
        RawEvent::Pong(hex) => Event::Pong(hex.0),
        RawEvent::Close(RawClose {
            code: Some(code),
            reason,
        }) => Event::Close(Some(Close::new(code, reason))),
        RawEvent::Close(close) if close.reason.is_empty() => Event::Close(None),
        RawEvent::Close(_) => return Err("a close with a reason needs its `code`".to_owned()),
        RawEvent::Discarded { frame_type, octets } => {
            Event::Notice(Notice::Discarded { frame_type, octets })
        }
        RawEvent::Repaired { replacements } => Event::Notice(Notice::Repaired { replacements }),
        RawEvent::Tolerated { rule } => Event::Notice(Notice::Tolerated { rule }),
        RawEvent::UnsolicitedPong => Event::Notice(Notice::UnsolicitedPong),
        RawEvent::AfterClose { octets } => Event::Notice(Notice::AfterClose { octets }),
    })
}

fn answer_facts(raw: RawAnswer) -> Found<AnswerFacts> {
    let md5 = match raw.md5 {
        None => None,
        Some(hex) => Some(
            <[u8; 16]>::try_from(&hex.0[..])
                .map_err(|_| format!("`md5` has {} octets, an MD5 has 16", hex.0.len()))?,
        ),
    };
    Ok(AnswerFacts {
        origin: raw.origin,
        location: raw.location,
        subprotocol: raw.subprotocol,
        accept: raw.accept,
        md5,
    })
}

impl Piece {
    fn octets(self, read: &mut Read<'_>) -> Found<Bytes> {
        let whole = read(&self.file)?;
        let begin = self.offset.unwrap_or(0);
        let end = match self.octets {
            Some(octets) => begin.checked_add(octets),
            None => Some(whole.len()),
        };
        match end {
            Some(end) if begin <= end && end <= whole.len() => Ok(whole.slice(begin..end)),
            _ => Err(format!(
                "`{}` has only {} octets; correct `offset` and `octets`",
                self.file,
                whole.len()
            )),
        }
    }
}

impl From<RawAbout> for About {
    fn from(raw: RawAbout) -> Self {
        let stream = |raw: Spanned<RawStream>| {
            let raw = raw.into_inner();
            Stream {
                octets: raw.octets,
                sha256: raw.sha256,
            }
        };
        let streams = raw.streams.into_inner();
        Self {
            draft: raw.draft,
            kind: raw.kind,
            roles: match raw.role {
                Tested::Server => vec![Role::Server],
                Tested::Client => vec![Role::Client],
                Tested::Both => vec![Role::Client, Role::Server],
            },
            scenario: raw.scenario,
            client: raw.client,
            server: raw.server,
            source: raw.source,
            date: raw.date,
            altered: raw.altered,
            restored: raw.restored,
            note: raw.note,
            basis: raw.basis,
            attested: raw.attested.map(Spanned::into_inner).unwrap_or_default(),
            tags: raw.tags,
            service: raw.service,
            partial: raw.partial,
            client_stream: streams.client.map(stream),
            server_stream: streams.server.map(stream),
        }
    }
}

impl From<RawDeviation> for Deviation {
    fn from(raw: RawDeviation) -> Self {
        Self {
            peer: raw.peer,
            role: raw.role.into(),
            reason: raw.reason,
            source: raw.source,
        }
    }
}

impl From<Side> for Role {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}
