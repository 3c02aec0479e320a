//! What follows a request's head, for whoever reads it as over HTTP/1.1.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header};
use hyper::body::{Body, Frame, SizeHint};

/// The body of a request.
#[derive(Debug)]
pub(super) struct Received {
    stream: RecvStream,
    /// What its length still is, where the head says so.
    left: Option<u64>,
}

impl Received {
    /// The body behind a head with `fields`.
    pub(super) fn new(stream: RecvStream, fields: &HeaderMap) -> Self {
        let length = fields.get(header::CONTENT_LENGTH);
        let left = length.and_then(|value| value.to_str().ok()?.parse().ok());
        Self { stream, left }
    }

    /// The stream, of which nothing was read.
    pub(super) fn into_stream(self) -> RecvStream {
        self.stream
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let octets = match ready!(self.stream.poll_data(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(octets)) => octets,
        };
        // Whoever asks for it holds it, and has a limit of its own. It fails only
        // where the peer has gone.
        let _ = self.stream.flow_control().release_capacity(octets.len());
        self.left = self
            .left
            .map(|left| left.saturating_sub(octets.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.left, self.is_end_stream()) {
            (_, true) => SizeHint::with_exact(0),
            (Some(left), false) => SizeHint::with_exact(left),
            (None, false) => SizeHint::default(),
        }
    }
}
