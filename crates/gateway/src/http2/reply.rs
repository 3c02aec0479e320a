//! An answer that is no WebSocket, written to its stream.

use std::{future::poll_fn, io, pin::Pin, task::Poll};

use bytes::Bytes;
use h2::{Reason, SendStream, server::SendResponse};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use tokio::time::{Duration, Instant, timeout_at};

use crate::{http::Reply, slot::Slot};

/// Octets that are asked room for at a time.
const FRAME: usize = 16 << 10;

/// Fields that HTTP/2 has no place for (RFC 9113 §8.2.2).
const OF_HTTP_1: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Writes a short answer.
pub(super) async fn short(
    respond: SendResponse<Bytes>,
    answer: Response<Full<Bytes>>,
    patience: Duration,
) {
    let slot = Slot::default();
    send(respond, answer.map(Reply::Whole), false, patience, &slot).await;
}

/// Writes `answer`, without its body where `head_only`. A client that falls behind
/// 1000 octets a second by `patience` is cut off, and so is one for whom `slot`
/// says so.
pub(super) async fn send(
    mut respond: SendResponse<Bytes>,
    answer: Response<Reply>,
    head_only: bool,
    patience: Duration,
    slot: &Slot,
) {
    let (mut parts, body) = answer.into_parts();
    for name in OF_HTTP_1 {
        parts.headers.remove(name);
    }
    let has_length = !matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if let Some(length) = body.size_hint().exact().filter(|_| has_length) {
        let fields = parts.headers.entry(header::CONTENT_LENGTH);
        fields.or_insert_with(|| HeaderValue::from(length));
    }
    let ends = head_only || body.is_end_stream();
    // Nothing of it is a client's doing but that it has gone.
    let Ok(stream) = respond.send_response(Response::from_parts(parts, ()), ends) else {
        return;
    };
    if ends {
        return;
    }
    let mut sending = Sending {
        stream,
        slot,
        patience,
    };
    if let Err(error) = sending.all(body).await {
        if error.kind() == io::ErrorKind::TimedOut {
            slot.stuck();
        }
        sending.stream.send_reset(Reason::CANCEL);
    }
}

struct Sending<'s> {
    stream: SendStream<Bytes>,
    slot: &'s Slot,
    patience: Duration,
}

impl Sending<'_> {
    async fn all(&mut self, mut body: Reply) -> io::Result<()> {
        loop {
            let part = poll_fn(|cx| {
                if self.slot.is_cut() || self.stream.poll_reset(cx).is_ready() {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                }
                let part = Pin::new(&mut body).poll_frame(cx);
                match self.slot.is_cut() {
                    true => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
                    false => part,
                }
            });
            let part = match part.await {
                None => Bytes::new(),
                Some(part) => match part?.into_data() {
                    Ok(part) => part,
                    Err(_) => continue,
                },
            };
            let is_last = part.is_empty() || body.is_end_stream();
            self.part(part, is_last).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn part(&mut self, mut part: Bytes, is_last: bool) -> io::Result<()> {
        let mut until = Instant::now() + self.patience;
        loop {
            let wanted = part.len().min(FRAME);
            let room = match wanted {
                0 => 0,
                wanted => timeout_at(until, self.room(wanted))
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)??,
            };
            let now = part.split_to(wanted.min(room));
            let ends = is_last && part.is_empty();
            let more = Duration::from_millis(now.len() as u64);
            until = (until + more).min(Instant::now() + self.patience);
            let sent = self.stream.send_data(now, ends);
            sent.map_err(io::Error::other)?;
            if part.is_empty() {
                self.stream.reserve_capacity(0);
                return Ok(());
            }
        }
    }

    /// How much of `wanted` may be sent; waits until that is something.
    async fn room(&mut self, wanted: usize) -> io::Result<usize> {
        self.stream.reserve_capacity(wanted);
        poll_fn(|cx| {
            if self.slot.is_cut() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            loop {
                match self.stream.capacity() {
                    0 => match self.stream.poll_capacity(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok(_))) => {}
                        Poll::Ready(Some(Err(error))) => {
                            return Poll::Ready(Err(io::Error::other(error)));
                        }
                        Poll::Ready(None) => {
                            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                        }
                    },
                    room => return Poll::Ready(Ok(room)),
                }
            }
        })
        .await
    }
}
