//! One stream of HTTP/2 as a transport (RFC 8441 §5): DATA frames are its octets,
//! END_STREAM is what FIN is to TCP, and RST_STREAM what RST is.
//!
//! What waits is bounded at both ends: the peer sends no more than the stream's
//! window, which opens as octets are read, and no more is taken to be sent than
//! h2 has room for. So a stream whose peer does not read holds what h2 is told
//! that it may, and holds up no other.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets that are sent in one frame, and asked room for: what a frame has at
/// most unless the peer allows more.
const FRAME: usize = 16 << 10;

/// A stream of HTTP/2 whose CONNECT was answered with 200.
pub struct Stream {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    /// Received and not read yet.
    unread: Bytes,
    /// We have ended our half, or the peer has cut it.
    is_shut: bool,
}

impl Stream {
    /// The stream of these two halves. Dropped before it is shut down, it is reset
    /// (CANCEL), and what waits to be sent is lost.
    pub fn new(sending: SendStream<Bytes>, receiving: RecvStream) -> Self {
        Self {
            sending,
            receiving,
            unread: Bytes::new(),
            is_shut: false,
        }
    }

    /// Notes that the peer has cut it, and says so.
    fn cut(&mut self, error: h2::Error) -> io::Error {
        self.is_shut = true;
        match error.is_io() {
            true => error
                .into_io()
                .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()),
            false => io::Error::new(io::ErrorKind::ConnectionReset, error),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.unread.is_empty() {
            match ready!(this.receiving.poll_data(cx)) {
                Some(Ok(octets)) => this.unread = octets,
                Some(Err(error)) => return Poll::Ready(Err(this.cut(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.unread.len().min(buf.remaining());
        buf.put_slice(&this.unread[..count]);
        this.unread.advance(count);
        // The peer may send as much again. That fails only where it has gone.
        let _ = this.receiving.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = octets.len().min(FRAME);
        if this.sending.capacity() == 0 {
            this.sending.reserve_capacity(wanted);
        }
        let room = loop {
            match this.sending.capacity() {
                0 => match ready!(this.sending.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(this.cut(error))),
                    // Reset, or its connection is gone.
                    None => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                },
                room => break room,
            }
        };
        let count = wanted.min(room);
        let data = Bytes::copy_from_slice(&octets[..count]);
        match this.sending.send_data(data, false) {
            Ok(()) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(this.cut(error))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was given to us and not needed is the other streams' again.
        self.sending.reserve_capacity(0);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_shut {
            return Poll::Ready(Ok(()));
        }
        this.is_shut = true;
        match this.sending.send_data(Bytes::new(), true) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(this.cut(error))),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Where we have ended it in order, what waits goes first: h2 says behind it
        // that nothing more is read. Else it is given back now.
        if !self.is_shut {
            self.sending.send_reset(Reason::CANCEL);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.sending.stream_id().as_u32())
            .finish_non_exhaustive()
    }
}
