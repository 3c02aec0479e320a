//! The I/O that hyper sees: the socket, with what was read before hyper came
//! in front, a copy of the head that is being read, and two facts about what
//! was written.
//!
//! hyper parses heads and answers ordinary requests; what it does not do is
//! done by having the socket back (see [`crate::front`]). It loses letter case
//! and order of fields, so the head's octets are kept here until the handshake
//! ends. And its own answers to what it cannot parse have no body, so they are
//! recognised and swallowed, and the caller writes ours.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant, Sleep, sleep},
};

use crate::http::Skip;

/// What hyper 1 writes of its own accord, always as its last words.
const OWN_ANSWERS: [&[u8]; 3] = [
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
];

/// A transport with a tap on it.
#[derive(Debug)]
pub(crate) struct Tapped<Io> {
    io: Io,
    /// Read before hyper came, not yet handed to it.
    ahead: BytesMut,
    tap: Tap,
    /// How far a client may fall behind 1000 octets a second in taking what hyper
    /// writes; hyper has no limit of its own, and one that asks for pages and
    /// reads none, or an octet now and then, would stay for ever.
    patience: Duration,
    /// Until when; set while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The tap's handle, shared with hyper's service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// What was read since the last request was taken.
    read: Vec<u8>,
    /// Everything that was written has been flushed.
    flushed: bool,
    /// What of a body is still to come, which is no part of a head.
    body: Skip,
}

impl Seen {
    fn take_in(&mut self, octets: &[u8]) {
        let passed = self.body.pass(octets);
        self.read.extend_from_slice(&octets[passed..]);
    }
}

impl<Io> Tapped<Io> {
    /// Puts a tap on `io`, of which `ahead` was already read. A write that
    /// falls behind 1000 octets a second by `patience` fails.
    pub(crate) fn new(io: Io, ahead: BytesMut, tap: Tap, patience: Duration) -> Self {
        Self {
            io,
            ahead,
            tap,
            patience,
            stalled: None,
        }
    }

    /// The transport, and what hyper has not read of `ahead`.
    pub(crate) fn into_parts(self) -> (Io, BytesMut) {
        (self.io, self.ahead)
    }
}

impl<Io: AsyncWrite + Unpin> Tapped<Io> {
    fn write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.io).poll_write(cx, octets) {
            match &written {
                Ok(count) if *count < octets.len() => self.progress(*count),
                _ => self.stalled = None,
            }
            return Poll::Ready(written);
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// A millisecond more for each of `octets`, and never more than the whole
    /// patience: as the driver of open connections has it.
    fn progress(&mut self, octets: usize) {
        if let Some(stalled) = &mut self.stalled {
            let full = Instant::now() + self.patience;
            let later = stalled.deadline() + Duration::from_millis(octets as u64);
            stalled.as_mut().reset(later.min(full));
        }
    }
}

impl Tap {
    /// The head at the front of what was read, its empty line included, and
    /// forgets it. Call once per request.
    pub(crate) fn take_head(&self) -> Vec<u8> {
        let mut seen = self.seen();
        let end = head_end(&seen.read).unwrap_or(seen.read.len());
        let rest = seen.read.split_off(end);
        std::mem::replace(&mut seen.read, rest)
    }

    /// What follows the head that was taken is a body, and is not kept.
    pub(crate) fn skip(&self, body: Skip) {
        let mut seen = self.seen();
        let read = std::mem::take(&mut seen.read);
        seen.body = body;
        seen.take_in(&read);
    }

    /// Whether octets of a head were read that was not taken.
    pub(crate) fn has_begun(&self) -> bool {
        !self.seen().read.is_empty()
    }

    /// From now on [`is_flushed`](Self::is_flushed) waits for the next flush.
    pub(crate) fn await_flush(&self) {
        self.seen().flushed = false;
    }

    /// Whether hyper has flushed since; it does so only when it has nothing
    /// left to write.
    pub(crate) fn is_flushed(&self) -> bool {
        self.seen().flushed
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the head ends: behind the first empty line that follows a line with
/// something in it (hyper skips empty lines in front, and takes LF for CRLF).
pub(crate) fn head_end(octets: &[u8]) -> Option<usize> {
    let mut begun = false;
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', octets) {
        let empty = matches!(&octets[from..at], b"" | b"\r");
        from = at + 1;
        match (empty, begun) {
            (true, true) => return Some(from),
            (true, false) => {}
            (false, _) => begun = true,
        }
    }
    None
}

impl<Io: AsyncRead + Unpin> AsyncRead for Tapped<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.ahead.is_empty() {
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        } else {
            let taken = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead[..taken]);
            this.ahead.advance(taken);
        }
        // hyper reads no more than its buffer holds before it parses, so this
        // copy is bounded as its buffer is.
        this.tap.seen().take_in(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Tapped<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tap.seen().flushed = false;
        let own = OWN_ANSWERS.iter().find(|own| octets.ends_with(own));
        match octets.len() - own.map_or(0, |own| own.len()) {
            0 => Poll::Ready(Ok(octets.len())),
            others => self.write(cx, &octets[..others]),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.tap.seen().flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    // Not vectored: hyper then writes all it has from one buffer, at whose end
    // its own answer can be found whole.
    fn is_write_vectored(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENCE: Duration = Duration::from_secs(7);

    fn tapped<Io>(io: Io, ahead: &[u8], tap: &Tap) -> Tapped<Io> {
        Tapped::new(io, BytesMut::from(ahead), tap.clone(), PATIENCE)
    }

    #[test]
    fn a_head_ends_behind_its_empty_line() {
        for (octets, end) in [
            (&b"GET / HTTP/1.1\r\nA: b\r\n\r\nkey3"[..], Some(24)),
            (b"GET / HTTP/1.1\n\nkey3", Some(16)),
            (b"\r\n\nGET / HTTP/1.1\r\n\r\n", Some(21)),
            (b"GET / HTTP/1.1\r\nA: b\r\n", None),
            (b"\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(head_end(octets), end, "{octets:?}");
        }
    }

    #[tokio::test]
    async fn what_was_read_before_comes_first_and_heads_are_taken_one_by_one() {
        let (mut peer, io) = tokio::io::duplex(1024);
        let tap = Tap::default();
        let mut tapped = tapped(io, b"GET /a HT", &tap);
        peer.write_all(b"TP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nxyz")
            .await
            .unwrap();
        let mut octets = [0; 41];
        tapped.read_exact(&mut octets).await.unwrap();
        assert_eq!(tap.take_head(), b"GET /a HTTP/1.1\r\n\r\n");
        assert_eq!(tap.take_head(), b"GET /b HTTP/1.1\r\n\r\n");
        assert!(tap.has_begun());
    }

    #[tokio::test]
    async fn an_answer_of_hypers_own_is_swallowed_and_those_before_it_are_not() {
        for own in OWN_ANSWERS {
            let (mut peer, io) = tokio::io::duplex(1024);
            let mut tapped = tapped(io, b"", &Tap::default());
            tapped
                .write_all(&[b"HTTP/1.1 200 OK\r\n\r\n", own].concat())
                .await
                .unwrap();
            drop(tapped);
            let mut got = Vec::new();
            peer.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"HTTP/1.1 200 OK\r\n\r\n");
        }
    }

    #[tokio::test]
    async fn a_flush_counts_only_if_nothing_was_written_since() {
        let (_peer, io) = tokio::io::duplex(1024);
        let tap = Tap::default();
        let mut tapped = tapped(io, b"", &tap);
        tapped.flush().await.unwrap();
        assert!(tap.is_flushed());
        tapped.write_all(b"x").await.unwrap();
        assert!(!tap.is_flushed());
        tapped.flush().await.unwrap();
        tap.await_flush();
        assert!(!tap.is_flushed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_makes_no_progress_ends() {
        let (mut peer, io) = tokio::io::duplex(4);
        let mut tapped = tapped(io, b"", &Tap::default());
        tapped.write_all(b"1234").await.unwrap();
        let began = Instant::now();
        let error = tapped.write_all(b"5").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);

        // All of it taken begins the time anew.
        let mut octets = [0; 4];
        peer.read_exact(&mut octets).await.unwrap();
        tapped.write_all(b"5678").await.unwrap();
        let began = Instant::now();
        tapped.write_all(b"9").await.unwrap_err();
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_of_which_an_octet_goes_now_and_then_ends() {
        let (mut peer, io) = tokio::io::duplex(4);
        let mut tapped = tapped(io, b"", &Tap::default());
        let began = Instant::now();
        let reader = tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                if peer.read_u8().await.is_err() {
                    return;
                }
            }
        });
        let error = tapped.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
        drop(tapped);
        reader.await.unwrap();
    }
}
