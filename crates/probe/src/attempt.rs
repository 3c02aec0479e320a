//! One opening in one draft: a connection, the request, what came back and when.
//!
//! The answer is judged twice over the same octets, strictly and leniently, so
//! that a server with one slot is asked only once; and its octets are kept,
//! because a finding quotes them.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_client::{AnswerChecks, Client, ConnectError, Stream, Url};
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    RandomKeys,
    opening::{Answer, Asked, Connected, LengthFrames, Pending, Refusal, Resume},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout_at},
};

/// As much of an answer is kept that is no 101.
const KEPT: usize = 8 << 10;

/// How long the rest of an answer may take that is no 101, and what follows it.
const LINGER: Duration = Duration::from_millis(300);

/// How the request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As the draft has it, in one write.
    Whole,
    /// The head first, and what belongs to it behind it only when an answer has
    /// begun, or after so long.
    Parted(Duration),
    /// With a `Content-Length` for what follows the head.
    Announced,
}

/// What became of one opening.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) draft: Draft,
    /// As it was sent.
    pub(crate) request: Bytes,
    pub(crate) outcome: Outcome,
    /// Everything that came, up to the end of the answer.
    pub(crate) octets: Bytes,
    /// From the request to the first octet of the answer.
    pub(crate) first: Option<Duration>,
    /// Whether the answer began before what follows the head was sent.
    pub(crate) early: bool,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    /// It opened, at least by lenient checks.
    Opened(Box<Opened>),
    /// The answer is refused, even by lenient checks; all that is wrong with it.
    Refused(Vec<Refusal>),
    /// TCP ended first; whether as a reset.
    Ended { reset: bool },
    /// Nothing more came in time.
    Silent,
    /// There was no way to send the request.
    NoWay(ConnectError),
    /// The draft cannot ask for that.
    Unspeakable(Refusal),
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) connected: Connected,
    pub(crate) received: BytesMut,
}

impl Attempt {
    /// Opens `url` in `draft`, and waits `within` for the answer.
    pub(crate) async fn make(
        client: &Client,
        url: &Url,
        draft: Draft,
        way: Way,
        within: Duration,
    ) -> Self {
        let mut attempt = Self {
            draft,
            request: Bytes::new(),
            outcome: Outcome::Silent,
            octets: Bytes::new(),
            first: None,
            early: false,
        };
        let offer = match client.offer(draft, url) {
            Ok(offer) => offer,
            Err(refusal) => {
                attempt.outcome = Outcome::Unspeakable(refusal);
                return attempt;
            }
        };
        attempt.request = match way {
            Way::Announced => announced(&offer.request),
            _ => offer.request,
        };
        let stream = match client.dial(url).await {
            Ok(stream) => stream,
            Err(error) => {
                attempt.outcome = Outcome::NoWay(error);
                return attempt;
            }
        };
        match Judges::new(draft, &attempt.request, url.secure, Some(offer.pending)) {
            Ok(judges) => attempt.ask(stream, judges, way, within).await,
            Err(refusal) => attempt.outcome = Outcome::Unspeakable(refusal),
        }
        attempt
    }

    /// The opening that a recorded request and answer were; `None` if no client
    /// of the draft sends such a request, or the answer is not whole.
    pub(crate) fn recorded(draft: Draft, request: Bytes, answer: Bytes) -> Option<Self> {
        // Nothing says under which scheme it went; a page under TLS opens no other.
        let asked = Asked::read(&request).ok()?;
        let secure = asked
            .field("origin")
            .is_some_and(|origin| origin.starts_with("https://"));
        let mut judges = Judges::new(draft, &request, secure, None).ok()?;
        let refused = match judges.hear(&answer)? {
            Verdict::Opened(connected, _) => connected.forgiven,
            Verdict::Refused(refused) => refused,
        };
        Some(Self {
            draft,
            request,
            outcome: Outcome::Refused(refused),
            octets: answer,
            first: None,
            early: false,
        })
    }

    /// The answer's head, if it is one.
    pub(crate) fn answer(&self) -> Option<Answer> {
        let mut octets = BytesMut::from(&self.octets[..]);
        Answer::read(&mut octets).ok().flatten()
    }

    /// What follows the answer's head.
    pub(crate) fn body(&self) -> &[u8] {
        let end = self.octets.windows(4).position(|w| w == b"\r\n\r\n");
        end.map_or(&[], |end| &self.octets[end + 4..])
    }

    /// The status, if there is an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer().map(|answer| answer.status)
    }

    /// Whether a connection is open, and nothing had to be forgiven.
    pub(crate) fn opened(&self) -> Option<&Opened> {
        match &self.outcome {
            Outcome::Opened(opened) => Some(opened),
            _ => None,
        }
    }

    async fn ask(&mut self, mut stream: Stream, mut judges: Judges, way: Way, within: Duration) {
        let head = match way {
            Way::Parted(_) => head_of(&self.request),
            _ => self.request.len(),
        };
        let mut all = BytesMut::new();
        let begun = Instant::now();
        let until = begun + within;
        let told = self.exchange(&mut stream, &mut judges, head, way, &mut all, until);
        // Whoever does not read is not waited for either.
        let told = timeout_at(until, told).await.unwrap_or(Ok(None));
        self.outcome = match told {
            Err(error) => Outcome::Ended {
                reset: error.kind() == io::ErrorKind::ConnectionReset
                    || error.kind() == io::ErrorKind::BrokenPipe,
            },
            Ok(None) => Outcome::Silent,
            Ok(Some(Verdict::Opened(connected, received))) => Outcome::Opened(Box::new(Opened {
                stream,
                connected,
                received,
            })),
            Ok(Some(Verdict::Refused(refused))) => {
                linger(&mut stream, &mut all).await;
                Outcome::Refused(refused)
            }
        };
        self.octets = all.freeze();
    }

    async fn exchange(
        &mut self,
        stream: &mut Stream,
        judges: &mut Judges,
        head: usize,
        way: Way,
        all: &mut BytesMut,
        until: Instant,
    ) -> io::Result<Option<Verdict>> {
        let request = self.request.clone();
        let mut rest = &request[head..];
        let begun = Instant::now();
        stream.write_all(&request[..head]).await?;
        stream.flush().await?;
        let held = match way {
            Way::Parted(held) if !rest.is_empty() => held,
            _ => Duration::MAX,
        };
        let later = sleep(held.min(until.saturating_duration_since(begun)));
        tokio::pin!(later);
        let mut chunk = [0; 4 << 10];
        loop {
            let read = tokio::select! {
                biased;
                read = timeout_at(until, stream.read(&mut chunk)) => read,
                () = &mut later, if !rest.is_empty() => {
                    stream.write_all(std::mem::take(&mut rest)).await?;
                    stream.flush().await?;
                    continue;
                }
            };
            let count = match read {
                Err(_) => return Ok(None),
                Ok(read) => read?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.first.get_or_insert_with(|| begun.elapsed());
            all.extend_from_slice(&chunk[..count]);
            if let Some(verdict) = judges.hear(&chunk[..count]) {
                return Ok(Some(verdict));
            }
            let whole = all.windows(4).any(|w| w == b"\r\n\r\n");
            if whole && !rest.is_empty() {
                self.early = true;
                stream.write_all(std::mem::take(&mut rest)).await?;
                stream.flush().await?;
            }
        }
    }
}

enum Verdict {
    /// With what came behind the answer.
    Opened(Connected, BytesMut),
    Refused(Vec<Refusal>),
}

/// Both judges of one answer.
struct Judges {
    /// `None` once it has refused.
    strict: Option<Box<dyn Pending>>,
    lenient: Box<dyn Pending>,
    /// What each has not taken yet.
    inputs: [BytesMut; 2],
    /// Why the strict one refused.
    refused: Vec<Refusal>,
}

impl Judges {
    /// For the answer to `request`; the `strict` one if it is there already.
    fn new(
        draft: Draft,
        request: &[u8],
        secure: bool,
        strict: Option<Box<dyn Pending>>,
    ) -> Result<Self, Refusal> {
        let resume = || {
            let terms = Resume {
                secure,
                limits: Limits::default(),
                length_frames: LengthFrames::default(),
                extensions: None,
            };
            draftgate_drafts::offerer(draft)?.resume(request, terms, &mut RandomKeys)
        };
        let mut lenient = resume()?;
        lenient.judge(AnswerChecks::Lenient);
        Ok(Self {
            strict: Some(match strict {
                Some(strict) => strict,
                None => resume()?,
            }),
            lenient,
            inputs: [BytesMut::new(), BytesMut::new()],
            refused: Vec::new(),
        })
    }

    /// What both say when `octets` have come, too; `None` while more is needed.
    fn hear(&mut self, octets: &[u8]) -> Option<Verdict> {
        let [strictly, leniently] = &mut self.inputs;
        strictly.extend_from_slice(octets);
        leniently.extend_from_slice(octets);
        if let Some(strict) = &mut self.strict {
            match strict.answer(strictly) {
                Ok(Some(connected)) => {
                    let received = std::mem::take(strictly);
                    return Some(Verdict::Opened(connected, received));
                }
                Ok(None) => {}
                Err(refusal) => {
                    self.refused.push(refusal);
                    self.strict = None;
                }
            }
        }
        match self.lenient.answer(leniently) {
            Ok(Some(connected)) if self.strict.is_none() => {
                let received = std::mem::take(leniently);
                Some(Verdict::Opened(connected, received))
            }
            Ok(_) => None,
            Err(refusal) => {
                let mut refused = std::mem::take(&mut self.refused);
                if !refused.contains(&refusal) {
                    refused.push(refusal);
                }
                Some(Verdict::Refused(refused))
            }
        }
    }
}

/// The octets of the head of `request`, its empty line included.
fn head_of(request: &[u8]) -> usize {
    let end = request.windows(4).position(|w| w == b"\r\n\r\n");
    end.map_or(request.len(), |end| end + 4)
}

/// `request` with a `Content-Length` for what follows its head.
fn announced(request: &[u8]) -> Bytes {
    let (head, rest) = request.split_at(head_of(request));
    let fields = head.strip_suffix(b"\r\n").unwrap_or(head);
    let field = format!("Content-Length: {}\r\n\r\n", rest.len());
    [fields, field.as_bytes(), rest].concat().into()
}

/// Reads what else there is of an answer that is no 101: its body, and whether
/// another answer follows.
async fn linger(stream: &mut Stream, all: &mut BytesMut) {
    let until = Instant::now() + LINGER;
    let mut chunk = [0; 4 << 10];
    while all.len() < KEPT {
        match timeout_at(until, stream.read(&mut chunk)).await {
            Ok(Ok(count)) if count > 0 => all.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    all.truncate(KEPT);
}
