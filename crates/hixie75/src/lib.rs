//! draft-hixie-thewebsocketprotocol-75 (February 2010): text between `00` and
//! `FF`, no keys, no closing handshake.
//!
//! The client compares the first 85 octets of the answer literally (§3.1), so
//! the answer is written octet by octet. What is *not* here: whether to accept
//! a request without `Origin` (detection decides), and which origins may
//! connect (the front end decides).
//!
//! ```
//! use draftgate_core::{Codec, Draft};
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hixie75::ACCEPTOR.draft(), Draft::Hixie75);
//! ```

use bytes::BytesMut;
use draftgate_core::{BadUtf8, Capabilities, Closing, Codec, Draft, Limits};
use draftgate_wire::{
    Breach, Dialect, KeySource, Machine, Sentinel,
    dissect::Frames,
    opening::{
        Accepted, Acceptor, Answer, AnswerChecks, Ask, Asked, Connected, Head, Judge, LengthFrames,
        Offer, Offerer, Pending, Refusal, RefusalKind, Resume, Terms, echoed_origin,
    },
};
use http::{HeaderValue, request::Parts};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hixie75,
    closing: Closing::Absent,
    bad_utf8: BadUtf8::Repair,
    undefined_codes: Breach::Tolerated,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &Hixie75;

/// The client's half.
pub static OFFERER: &dyn Offerer = &Hixie75;

/// §3.1, steps 5 and 6: the client reads these 44 + 41 octets literally.
const ANSWER: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\n\
                      Upgrade: WebSocket\r\n\
                      Connection: Upgrade\r\n";

const UPGRADE: HeaderValue = HeaderValue::from_static("WebSocket");
const CONNECTION: HeaderValue = HeaderValue::from_static("Upgrade");

#[derive(Debug)]
struct Hixie75;

fn codec(limits: Limits, length_frames: LengthFrames) -> Box<dyn Codec> {
    let dialect = &DIALECTS[0];
    let framing = Sentinel::new(dialect.closing, length_frames);
    Box::new(Machine::new(dialect, framing, limits))
}

impl Acceptor for Hixie75 {
    fn draft(&self) -> Draft {
        Draft::Hixie75
    }

    fn frames(&self) -> Frames {
        Frames::Sentinel {
            closing: DIALECTS[0].closing,
        }
    }

    fn capabilities(&self, length_frames: LengthFrames) -> Capabilities {
        codec(Limits::default(), length_frames).capabilities()
    }

    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        _: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal> {
        let mut head = Head::new(101, "Web Socket Protocol Handshake");
        head.push("Upgrade", UPGRADE);
        head.push("Connection", CONNECTION);
        head.push("WebSocket-Origin", echoed_origin(&request.headers));
        head.push_text("WebSocket-Location", terms.public_url)?;
        if let Some(subprotocol) = terms.subprotocol {
            head.push_text("WebSocket-Protocol", subprotocol)?;
        }
        Ok(Accepted {
            head,
            codec: codec(terms.limits, terms.length_frames),
        })
    }
}

impl Offerer for Hixie75 {
    fn draft(&self) -> Draft {
        Draft::Hixie75
    }

    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
        // §3.1: host and origin are sent in lower case.
        let host = ask.host.to_ascii_lowercase();
        let origin = ask.origin.unwrap_or("null").to_ascii_lowercase();
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("Upgrade", b"WebSocket"),
            ("Connection", b"Upgrade"),
            ("Host", host.as_bytes()),
            ("Origin", origin.as_bytes()),
        ];
        if let Some(one) = ask.only_subprotocol(Draft::Hixie75)? {
            fields.push(("WebSocket-Protocol", one.as_bytes()));
        }
        fields.extend(ask.fields.iter().map(|(n, v)| (*n, v.as_bytes())));
        Offer::new(self, Asked::write(ask.resource, fields)?, ask, keys)
    }

    fn resume(
        &self,
        request: &[u8],
        terms: Resume,
        _: &mut dyn KeySource,
    ) -> Result<Box<dyn Pending>, Refusal> {
        let asked = Asked::read(request)?;
        Ok(Box::new(Waiting {
            origin: asked.must("origin")?.to_ascii_lowercase(),
            location: asked.url(terms.secure)?,
            forwarded: asked.forwarded_urls(terms.secure)?,
            subprotocol: asked.field("websocket-protocol").map(str::to_owned),
            terms,
            judge: Judge::default(),
        }))
    }
}

/// A client that waits for the answer.
#[derive(Debug)]
struct Waiting {
    origin: String,
    location: String,
    /// What a server may take for it that reads what proxies add.
    forwarded: Vec<String>,
    subprotocol: Option<String>,
    terms: Resume,
    judge: Judge,
}

impl Waiting {
    /// §3.1. There is no proof: that both fields speak of WebSocket is all that
    /// tells the server from any other, and never forgiven.
    fn check(&mut self, answer: &Answer) -> Result<(), Refusal> {
        answer.switched()?;
        let judge = &mut self.judge;
        judge.forgive(literal(answer))?;
        answer.must_list("Upgrade", "websocket", RefusalKind::AnswerUpgrade)?;
        answer.must_list("Connection", "upgrade", RefusalKind::AnswerConnection)?;
        line_feeds(answer)?;
        let origin = RefusalKind::AnswerOrigin;
        judge.forgive(answer.must_be_written("websocket-origin", &self.origin, origin))?;
        let location = RefusalKind::AnswerLocation;
        judge.forgive(answer.must_be_one_of(
            "websocket-location",
            &self.location,
            &self.forwarded,
            location,
        ))?;
        let asked = self.subprotocol.take();
        self.subprotocol =
            judge.repeated_subprotocol(answer, "websocket-protocol", asked.as_deref())?;
        Ok(())
    }
}

impl Pending for Waiting {
    fn judge(&mut self, checks: AnswerChecks) {
        self.judge.checks = checks;
    }

    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal> {
        let Some(answer) = Answer::read(input)? else {
            return Ok(None);
        };
        self.check(&answer)?;
        Ok(Some(Connected {
            subprotocol: self.subprotocol.take(),
            head: answer.head,
            codec: codec(self.terms.limits, self.terms.length_frames),
            forgiven: std::mem::take(&mut self.judge.forgiven),
        }))
    }
}

/// §3.1: the first 85 octets as they stand.
fn literal(answer: &Answer) -> Result<(), Refusal> {
    let head = &answer.head;
    let differs = ANSWER.bytes().zip(head.iter()).position(|(a, b)| a != *b);
    if let Some(at) = differs {
        let detail = format!(
            "octet {at} differs; the answer begins `{}`",
            answer.status_line()
        );
        return Err(Refusal::with(RefusalKind::AnswerStatusLine, detail));
    }
    Ok(())
}

/// §3.1: no line feed without its carriage return.
fn line_feeds(answer: &Answer) -> Result<(), Refusal> {
    let head = &answer.head;
    let bare = head
        .iter()
        .zip(&head[1..])
        .any(|(a, b)| *a != b'\r' && *b == b'\n');
    if bare {
        let detail = "a line feed stands without a carriage return";
        return Err(Refusal::with(RefusalKind::AnswerMalformed, detail));
    }
    Ok(())
}
