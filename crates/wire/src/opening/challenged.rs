//! The opening handshake of hixie-76 to hybi-03: two keys with spaces in the head,
//! eight octets behind it, and sixteen in the answer (hixie-76 §1.3).
//!
//! One implementation for all four, since between them the texts changed the
//! frames and one field: `Sec-WebSocket-Draft`, from hybi-02 on.

use bytes::{Buf, BytesMut};
use draftgate_core::{Capabilities, Codec, Draft, Limits};
use http::{HeaderName, HeaderValue, request::Parts};

use super::{
    Accepted, Acceptor, Answer, AnswerChecks, Ask, Asked, Challenge, Connected, Head, Judge,
    LengthFrames, Offer, Offerer, Pending, Refusal, RefusalKind, Resume, Terms, challenge,
    echoed_origin, only_field,
};
use crate::{
    Dialect, Framing, Hybi, KeySource, Layout, Machine, Masking, Sentinel, Undecided,
    dissect::Frames, undecided,
};

static KEY1: HeaderName = HeaderName::from_static("sec-websocket-key1");
static KEY2: HeaderName = HeaderName::from_static("sec-websocket-key2");

/// Early web-socket-js compares the letter case of this value.
const UPGRADE: HeaderValue = HeaderValue::from_static("WebSocket");
const CONNECTION: HeaderValue = HeaderValue::from_static("Upgrade");

/// Both halves of the opening of one such draft.
#[derive(Debug, Clone, Copy)]
pub struct Challenged {
    /// The draft's rules.
    pub dialect: &'static Dialect,
    /// Its frames; `None` for those of hixie.
    pub layout: Option<&'static Layout>,
    /// The value of `Sec-WebSocket-Draft`, from hybi-02 on.
    pub number: Option<&'static str>,
    /// The draft whose clients may ask with the same head: the first octet that
    /// the client sends tells which one it speaks. `None` takes the head's word.
    pub other: Option<&'static Self>,
}

impl Challenged {
    /// The draft of a client whose first octet is `first`.
    pub fn decided(&self, first: u8) -> Draft {
        let other = self.other.filter(|_| match self.layout {
            None => undecided::begins_hybi(first),
            Some(_) => undecided::begins_sentinel(first),
        });
        other.map_or(self.dialect.draft, |other| other.dialect.draft)
    }

    fn sentinel(&self, length_frames: LengthFrames) -> Sentinel {
        Sentinel::new(self.dialect.closing, length_frames)
    }

    fn server<F: Framing + 'static>(
        &self,
        framing: F,
        limits: Limits,
        challenge: Challenge,
    ) -> Box<dyn Codec> {
        Box::new(Machine::new(self.dialect, framing, limits).after(challenge))
    }

    /// What speaks once the heads are exchanged: as a server after the
    /// `challenge`.
    fn accepted(&self, terms: &Terms<'_>, challenge: Challenge) -> Box<dyn Codec> {
        let (limits, length_frames) = (terms.limits, terms.length_frames);
        let hybi = |layout| Hybi::new(layout, Masking::incoming());
        match (self.layout, self.other) {
            (None, None) => self.server(self.sentinel(length_frames), limits, challenge),
            (Some(layout), None) => self.server(hybi(layout), limits, challenge),
            (None, Some(other)) => {
                let other = other.layout.map(|layout| (hybi(layout), other.dialect));
                let framing = Undecided::sentinel(self.sentinel(length_frames), other);
                self.server(framing, limits, challenge)
            }
            (Some(layout), Some(other)) => {
                let sentinel = (other.sentinel(length_frames), other.dialect);
                let framing = Undecided::hybi(hybi(layout), Some(sentinel));
                self.server(framing, limits, challenge)
            }
        }
    }

    fn client(&self, terms: &Resume, keys: &mut dyn KeySource) -> Box<dyn Codec> {
        match self.layout {
            None => {
                let framing = self.sentinel(terms.length_frames);
                Box::new(Machine::new(self.dialect, framing, terms.limits))
            }
            Some(layout) => {
                let framing = Hybi::new(layout, Masking::outgoing(keys.fork()));
                Box::new(Machine::new(self.dialect, framing, terms.limits))
            }
        }
    }
}

impl Acceptor for Challenged {
    fn draft(&self) -> Draft {
        self.dialect.draft
    }

    fn frames(&self) -> Frames {
        match self.layout {
            None => Frames::Sentinel {
                closing: self.dialect.closing,
            },
            Some(layout) => Frames::Hybi(layout),
        }
    }

    fn capabilities(&self, length_frames: LengthFrames) -> Capabilities {
        let limits = Limits::default();
        match self.layout {
            None => Machine::new(self.dialect, self.sentinel(length_frames), limits).capabilities(),
            Some(layout) => {
                let framing = Hybi::new(layout, Masking::incoming());
                Machine::new(self.dialect, framing, limits).capabilities()
            }
        }
    }

    fn octets_after_head(&self) -> usize {
        challenge::KEY3
    }

    fn octets_after_answer(&self) -> usize {
        challenge::ANSWER
    }

    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        _: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal> {
        let fields = &request.headers;
        let key = |name| only_field(fields, name, RefusalKind::ChallengeKeyMissing);
        let challenge = Challenge::from_keys(key(&KEY1)?.as_bytes(), key(&KEY2)?.as_bytes())?;
        let mut head = Head::new(101, "WebSocket Protocol Handshake");
        head.push("Upgrade", UPGRADE);
        head.push("Connection", CONNECTION);
        // The text has the server lower-case the origin and the client compare
        // it with what it sent: only the echo as received suits both.
        head.push("Sec-WebSocket-Origin", echoed_origin(fields));
        head.push_text("Sec-WebSocket-Location", terms.public_url)?;
        if let Some(subprotocol) = terms.subprotocol {
            head.push_text("Sec-WebSocket-Protocol", subprotocol)?;
        }
        Ok(Accepted {
            head,
            codec: self.accepted(terms, challenge),
        })
    }
}

impl Offerer for Challenged {
    fn draft(&self) -> Draft {
        self.dialect.draft
    }

    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
        let host = ask.host.to_ascii_lowercase();
        let (key1, _) = challenge::make_key(keys);
        let (key2, _) = challenge::make_key(keys);
        // WebKit's order; the text wants any.
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("Upgrade", b"WebSocket"),
            ("Connection", b"Upgrade"),
            ("Host", host.as_bytes()),
            ("Origin", ask.origin.unwrap_or("null").as_bytes()),
        ];
        if let Some(one) = ask.only_subprotocol(self.dialect.draft)? {
            fields.push(("Sec-WebSocket-Protocol", one.as_bytes()));
        }
        if let Some(number) = self.number {
            fields.push(("Sec-WebSocket-Draft", number.as_bytes()));
        }
        fields.extend(ask.fields.iter().map(|(n, v)| (*n, v.as_bytes())));
        fields.push(("Sec-WebSocket-Key1", key1.as_bytes()));
        fields.push(("Sec-WebSocket-Key2", key2.as_bytes()));
        let mut request = Asked::write(ask.resource, fields)?;
        let mut key3 = [0; challenge::KEY3];
        keys.fill(&mut key3);
        request.extend_from_slice(&key3);
        Offer::new(self, request, ask, keys)
    }

    fn resume(
        &self,
        request: &[u8],
        terms: Resume,
        keys: &mut dyn KeySource,
    ) -> Result<Box<dyn Pending>, Refusal> {
        let asked = Asked::read(request)?;
        let key = |name| asked.must(name).map(str::as_bytes);
        let challenge =
            Challenge::from_keys(key("sec-websocket-key1")?, key("sec-websocket-key2")?)?;
        let Some(key3) = asked.body.first_chunk() else {
            let detail = "the 8 octets after the head are missing";
            return Err(Refusal::with(RefusalKind::AskUnspeakable, detail));
        };
        // web-socket-js asks under the name of hixie-75 and expects that of -76.
        let subprotocol = asked
            .field("sec-websocket-protocol")
            .or_else(|| asked.field("websocket-protocol"));
        Ok(Box::new(Waiting {
            origin: asked.must("origin")?.to_owned(),
            location: asked.url(terms.secure)?,
            forwarded: asked.forwarded_urls(terms.secure)?,
            subprotocol: subprotocol.map(str::to_owned),
            digest: challenge.answer(*key3),
            head: None,
            codec: Some(self.client(&terms, keys)),
            judge: Judge::default(),
        }))
    }
}

/// A client that waits for the answer's head, then for its 16 octets.
#[derive(Debug)]
struct Waiting {
    origin: String,
    location: String,
    /// What a server may take for it that reads what proxies add.
    forwarded: Vec<String>,
    subprotocol: Option<String>,
    digest: [u8; challenge::ANSWER],
    head: Option<Answer>,
    /// What speaks once the answer is accepted.
    codec: Option<Box<dyn Codec>>,
    judge: Judge,
}

impl Waiting {
    /// §4.1, steps 32 to 41. The 16 octets prove what the other fields say.
    fn check(&mut self, answer: &Answer) -> Result<(), Refusal> {
        answer.switched()?;
        let judge = &mut self.judge;
        judge.forgive(answer.upgrade_is_websocket())?;
        judge.forgive(connection_is_upgrade(answer))?;
        let origin = RefusalKind::AnswerOrigin;
        judge.forgive(answer.must_be_written("sec-websocket-origin", &self.origin, origin))?;
        not_of_hixie_75(answer)?;
        let location = RefusalKind::AnswerLocation;
        judge.forgive(answer.must_be_one_of(
            "sec-websocket-location",
            &self.location,
            &self.forwarded,
            location,
        ))?;
        let asked = self.subprotocol.take();
        self.subprotocol =
            judge.repeated_subprotocol(answer, "sec-websocket-protocol", asked.as_deref())?;
        Ok(())
    }
}

/// No 16 octets will follow the answer of hixie-75, whose fields have no prefix:
/// to forgive them here would be to wait in vain.
fn not_of_hixie_75(answer: &Answer) -> Result<(), Refusal> {
    let stands = |name| answer.named(name).next().is_some();
    if stands("websocket-location") && !stands("sec-websocket-location") {
        let detail = "sec-websocket-location is missing, websocket-location of hixie-75 stands";
        return Err(Refusal::with(RefusalKind::AnswerField, detail));
    }
    Ok(())
}

/// §4.1: the one word, in any letter case.
fn connection_is_upgrade(answer: &Answer) -> Result<(), Refusal> {
    let value = answer.exactly_one("connection")?;
    if value.eq_ignore_ascii_case(b"upgrade") {
        return Ok(());
    }
    let detail = format!("Connection is `{}`", String::from_utf8_lossy(value));
    Err(Refusal::with(RefusalKind::AnswerConnection, detail))
}

impl Pending for Waiting {
    fn judge(&mut self, checks: AnswerChecks) {
        self.judge.checks = checks;
    }

    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal> {
        let answer = match self.head.take() {
            Some(answer) => answer,
            None => match Answer::read(input)? {
                Some(answer) => {
                    self.check(&answer)?;
                    answer
                }
                None => return Ok(None),
            },
        };
        let Some(digest) = input.first_chunk::<{ challenge::ANSWER }>() else {
            self.head = Some(answer);
            return Ok(None);
        };
        if *digest != self.digest {
            return Err(RefusalKind::AnswerChallenge.into());
        }
        input.advance(challenge::ANSWER);
        let Some(codec) = self.codec.take() else {
            return Ok(None);
        };
        Ok(Some(Connected {
            subprotocol: self.subprotocol.take(),
            head: answer.head,
            codec,
            forgiven: std::mem::take(&mut self.judge.forgiven),
        }))
    }
}
