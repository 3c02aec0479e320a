//! draft-hixie-thewebsocketprotocol-76 (May 2010), which is
//! draft-ietf-hybi-thewebsocketprotocol-00: the frames of hixie-75, a challenge
//! in two keys and eight octets after the head, and `FF 00` to close.
//!
//! key3 is no business of HTTP: the codec starts in `State::Opening`, takes
//! eight octets and puts out sixteen, so the head may leave before key3 comes,
//! which is what makes proxies work.
//!
//! ```
//! use draftgate_core::{Codec, Draft};
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hixie76::ACCEPTOR.draft(), Draft::Hixie76);
//! ```

use bytes::{Buf, BytesMut};
use draftgate_core::{BadUtf8, Capabilities, Closing, Codec, Draft, Limits};
use draftgate_wire::{
    Breach, Dialect, KeySource, Machine, Sentinel,
    dissect::Frames,
    opening::{
        Accepted, Acceptor, Answer, AnswerChecks, Ask, Asked, Challenge, Connected, Head, Judge,
        LengthFrames, Offer, Offerer, Pending, Refusal, RefusalKind, Resume, Terms, challenge,
        echoed_origin, only_field,
    },
};
use http::{HeaderName, HeaderValue, request::Parts};

static KEY1: HeaderName = HeaderName::from_static("sec-websocket-key1");
static KEY2: HeaderName = HeaderName::from_static("sec-websocket-key2");

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hixie76,
    closing: Closing::Marker,
    bad_utf8: BadUtf8::Repair,
    undefined_codes: Breach::Tolerated,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &Hixie76;

/// The client's half.
pub static OFFERER: &dyn Offerer = &Hixie76;

/// Early web-socket-js compares the letter case of this value.
const UPGRADE: HeaderValue = HeaderValue::from_static("WebSocket");
const CONNECTION: HeaderValue = HeaderValue::from_static("Upgrade");

#[derive(Debug)]
struct Hixie76;

fn machine(limits: Limits, length_frames: LengthFrames) -> Machine<Sentinel> {
    let dialect = &DIALECTS[0];
    let framing = Sentinel::new(dialect.closing, length_frames);
    Machine::new(dialect, framing, limits)
}

impl Acceptor for Hixie76 {
    fn draft(&self) -> Draft {
        Draft::Hixie76
    }

    fn frames(&self) -> Frames {
        Frames::Sentinel {
            closing: DIALECTS[0].closing,
        }
    }

    fn capabilities(&self, length_frames: LengthFrames) -> Capabilities {
        machine(Limits::default(), length_frames).capabilities()
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
            codec: Box::new(machine(terms.limits, terms.length_frames).after(challenge)),
        })
    }
}

impl Offerer for Hixie76 {
    fn draft(&self) -> Draft {
        Draft::Hixie76
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
        if let Some(one) = ask.only_subprotocol(Draft::Hixie76)? {
            fields.push(("Sec-WebSocket-Protocol", one.as_bytes()));
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
        _: &mut dyn KeySource,
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
            terms,
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
    terms: Resume,
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
        Ok(Some(Connected {
            subprotocol: self.subprotocol.take(),
            head: answer.head,
            codec: Box::new(machine(self.terms.limits, self.terms.length_frames)),
            forgiven: std::mem::take(&mut self.judge.forgiven),
        }))
    }
}
