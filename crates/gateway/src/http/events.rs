//! A subscription as a stream of events (HTML's "Server-sent events"), which
//! lasts until the reader goes, is too slow, or the gateway stops.
//!
//! hyper asks for the next part when it has room for it, so what waits for a
//! slow reader waits in its lane and nowhere else.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use draftgate_bus::{Envelope, Gap};
use http::{HeaderValue, Response, header, request::Parts};
use http_body_util::Full;
use hyper::body::{Body, Frame};
use tokio::time::{Duration, Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::info;

use super::{Ears, Scene, lane::End, value, words};
use crate::{Refused, access::shown, gate::Guest, inner::Inner, peer::Peer};

/// As much is put together at once.
const PART: usize = 64 << 10;

/// The body of an answer that hyper gives.
#[derive(Debug)]
pub(crate) enum Reply {
    Whole(Full<Bytes>),
    Events(Box<Events>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(whole) => Pin::new(whole)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Events(events) => events
                .poll(cx)
                .map(|part| part.map(|it| Ok(Frame::data(it)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// Whether a stream of events is wanted.
pub(super) fn is_asked(parts: &Parts) -> bool {
    let accepts = parts.headers.get_all(header::ACCEPT).iter();
    let mut kinds = accepts
        .filter_map(|accept| accept.to_str().ok())
        .flat_map(|it| it.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/event-stream")
    })
}

/// The answer that is such a stream.
///
/// # Errors
/// The client has as many connections as it may.
pub(super) fn stream(scene: &Scene<'_>) -> Result<Response<Reply>, Refused> {
    let guest = scene.stay()?;
    let (visit, who) = (scene.visit, scene.who);
    let http = &visit.rules.config.http;
    let ears = scene.listen(scene.route.overflow);
    let mut beginning = BytesMut::from(words::beginning(http.retry, ears.start()).as_bytes());
    words::gap(&mut beginning, ears.gap);
    let inner = &visit.inner;
    inner.counts.streams.fetch_add(1, Relaxed);
    inner.counts.streaming.fetch_add(1, Relaxed);
    let events = Events {
        said: ears.start().sequence,
        beginning: Some(beginning.freeze()),
        enveloped: value(scene.parts, "envelope").is_some(),
        quiet: http.keep_alive.map(|every| (every, Box::pin(sleep(every)))),
        stop: Box::pin(inner.stop.clone().cancelled_owned()),
        leaving: None,
        expires: scene.let_in.expires.map(|at| Box::pin(sleep_until(at))),
        line: Line {
            id: visit.id.clone(),
            peer: who.peer,
            origin: who
                .origin
                .as_ref()
                .and_then(|it| it.to_str().ok())
                .map(shown),
            path: shown(scene.parts.uri.path()),
            since: Instant::now(),
            messages: 0,
            octets: 0,
            gaps: u64::from(ears.gap != Gap::None),
            drained: false,
            expired: false,
            user: scene.let_in.user.clone(),
            written: visit.rules.config.log.access,
        },
        inner: Arc::clone(inner),
        _guest: guest,
        ears,
    };
    let mut answer = Response::new(Reply::Events(Box::new(events)));
    let fields = answer.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    fields.insert(header::CONTENT_TYPE, kind);
    // nginx would hold the events back.
    fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(answer)
}

/// A stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    ears: Ears,
    /// The last message that was said, or skipped with a word.
    said: u64,
    beginning: Option<Bytes>,
    enveloped: bool,
    /// When to show that the stream is alive.
    quiet: Option<(Duration, Pin<Box<Sleep>>)>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The gateway stops, and this is when the stream does.
    leaving: Option<Pin<Box<Sleep>>>,
    /// What let the reader in is over then.
    expires: Option<Pin<Box<Sleep>>>,
    line: Line,
    inner: Arc<Inner>,
    _guest: Option<Guest>,
}

impl Events {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(self.part(beginning)));
        }
        let mut out = BytesMut::new();
        while out.len() < PART {
            let Poll::Ready(next) = self.next(cx) else {
                break;
            };
            let Some(envelope) = next else {
                // Too slow: the connection is being cut, so that this does not
                // look like an end that was meant.
                break;
            };
            // What the queue lost by its policy is told where it is missing.
            let lost = envelope.sequence.saturating_sub(self.said + 1);
            if lost > 0 {
                words::gap(&mut out, Gap::Messages(lost));
                self.line.gaps += 1;
            }
            self.said = envelope.sequence;
            let mark = self.ears.mark(envelope.sequence);
            words::event(&mut out, mark, &envelope, self.enveloped);
            self.line.messages += 1;
        }
        if !out.is_empty() {
            return Poll::Ready(Some(self.part(out.freeze())));
        }
        if let Some(expires) = &mut self.expires
            && expires.as_mut().poll(cx).is_ready()
        {
            self.line.expired = true;
            self.ears.close();
            return Poll::Ready(None);
        }
        if self.is_over(cx) {
            self.line.drained = true;
            self.ears.close();
            return Poll::Ready(None);
        }
        if let Some((_, quiet)) = &mut self.quiet
            && quiet.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(self.part(Bytes::from_static(words::COMMENT))));
        }
        Poll::Pending
    }

    /// The next message: of those missed, then of those that come.
    fn next(&mut self, cx: &Context<'_>) -> Poll<Option<Arc<Envelope>>> {
        match self.ears.missed.pop_front() {
            Some(envelope) => Poll::Ready(Some(envelope)),
            None => self.ears.lane.poll_take(cx),
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.leaving.is_none() && self.stop.as_mut().poll(cx).is_ready() {
            self.leaving = Some(Box::pin(sleep(self.inner.leave())));
        }
        let leaving = self.leaving.as_mut();
        leaving.is_some_and(|at| at.as_mut().poll(cx).is_ready())
    }

    fn part(&mut self, part: Bytes) -> Bytes {
        self.line.octets += part.len() as u64;
        if let Some((every, quiet)) = &mut self.quiet {
            quiet.as_mut().reset(Instant::now() + *every);
        }
        part
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.ears.close();
        self.inner.counts.streaming.fetch_sub(1, Relaxed);
        self.line.write(&self.inner, &self.ears);
    }
}

/// The line in the log at its end.
#[derive(Debug)]
struct Line {
    id: String,
    peer: Peer,
    origin: Option<String>,
    path: String,
    since: Instant,
    messages: u64,
    octets: u64,
    gaps: u64,
    drained: bool,
    expired: bool,
    user: Option<Box<str>>,
    /// Whether it is wanted.
    written: bool,
}

impl Line {
    fn write(&self, inner: &Inner, ears: &Ears) {
        let client = self.peer.client.ip();
        if !self.written || !inner.throttle.lets_access(client) {
            return;
        }
        let (why, by, sentence) = match ears.lane.end() {
            End::Slow => (
                "slow-consumer",
                "us",
                "closed: the peer reads more slowly than it is sent to",
            ),
            _ if self.expired => ("requested", "us", "closed: the token has expired"),
            _ if self.drained => ("requested", "us", "closed: the gateway stops"),
            _ if inner.is_aborted() => ("aborted", "us", "closed: the gateway cut it"),
            _ if ears.lane.is_stuck() => (
                "write-timeout",
                "us",
                "closed: the peer took too little of what it was sent, or nothing",
            ),
            _ => ("peer-gone", "peer", "closed: the peer went away"),
        };
        info!(
            target: "draftgate::access",
            id = self.id,
            peer = %self.peer,
            via = self.peer.via.map(display),
            draft = "events",
            origin = self.origin,
            path = self.path,
            user = self.user.as_deref(),
            messages_out = self.messages,
            octets_out = self.octets,
            gaps = self.gaps,
            dropped = ears.lane.dropped(),
            by,
            why,
            seconds = (self.since.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            "{sentence}"
        );
    }
}
