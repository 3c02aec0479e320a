//! A transport whose other end the test holds in its hand: it decides which
//! octets one read gives and how many one write takes, and sees each write by
//! itself. tokio's `duplex` was not enough: it hides where one write ends and
//! the next begins, and cannot fail.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport and the test's hold on it. Writes are taken whole until
/// [`Probe::accept`] says otherwise.
pub fn scripted() -> (Scripted, Probe) {
    let shared = Arc::new(Mutex::new(State::default()));
    let io = Scripted {
        shared: Arc::clone(&shared),
    };
    (io, Probe { shared })
}

/// Lets every other task run until all of them wait, under tokio's paused
/// clock; a millisecond passes.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The transport. Dropping it is what closing a socket would be.
#[derive(Debug)]
pub struct Scripted {
    shared: Arc<Mutex<State>>,
}

/// The test's end of a [`Scripted`] transport.
#[derive(Debug, Clone)]
pub struct Probe {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    input: VecDeque<Input>,
    reads: usize,
    writes: Vec<Bytes>,
    /// How many octets writes still take; `None` for all.
    room: Option<usize>,
    write_error: Option<io::ErrorKind>,
    shut: bool,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Input {
    Octets(Bytes),
    End,
    Error(io::ErrorKind),
}

impl Probe {
    /// Gives `octets` to the next read that finds nothing before them, as one
    /// segment. No octets are nothing: a read that gives none is the end.
    pub fn feed(&self, octets: &[u8]) {
        if !octets.is_empty() {
            self.push(Input::Octets(Bytes::copy_from_slice(octets)));
        }
    }

    /// Gives `octets` one by one, each to a read of its own.
    pub fn dribble(&self, octets: &[u8]) {
        octets.chunks(1).for_each(|octet| self.feed(octet));
    }

    /// Ends the peer's half, behind what was fed.
    pub fn end(&self) {
        self.push(Input::End);
    }

    /// Fails the read behind what was fed.
    pub fn fail_read(&self, kind: io::ErrorKind) {
        self.push(Input::Error(kind));
    }

    /// Fails every write from now on.
    pub fn fail_writes(&self, kind: io::ErrorKind) {
        let mut state = self.state();
        state.write_error = Some(kind);
        wake(&mut state.writer);
    }

    /// Lets writes take `octets` more and then none; `None` lets them take all.
    pub fn accept(&self, octets: Option<usize>) {
        let mut state = self.state();
        state.room = octets;
        wake(&mut state.writer);
    }

    /// What each write took since the last call.
    pub fn writes(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.state().writes)
    }

    /// All that was written since the last call.
    pub fn written(&self) -> Vec<u8> {
        self.writes().concat()
    }

    /// How many reads gave octets.
    pub fn reads(&self) -> usize {
        self.state().reads
    }

    /// How many segments wait to be read.
    pub fn unread(&self) -> usize {
        self.state().input.len()
    }

    /// Whether the other end ended its half.
    pub fn is_shut(&self) -> bool {
        self.state().shut
    }

    /// Whether the other end dropped the transport.
    pub fn is_dropped(&self) -> bool {
        self.state().dropped
    }

    fn push(&self, input: Input) {
        let mut state = self.state();
        state.input.push_back(input);
        wake(&mut state.reader);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.shared);
        match state.input.front_mut() {
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Input::End) => Poll::Ready(Ok(())),
            Some(Input::Error(kind)) => Poll::Ready(Err((*kind).into())),
            Some(Input::Octets(octets)) => {
                let count = octets.len().min(buffer.remaining());
                buffer.put_slice(&octets[..count]);
                octets.advance(count);
                if octets.is_empty() {
                    state.input.pop_front();
                }
                state.reads += 1;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.shared);
        if let Some(kind) = state.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        if state.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut octets: Vec<u8> = pieces.iter().flat_map(|p| p.iter().copied()).collect();
        if let Some(room) = &mut state.room {
            octets.truncate(*room);
            *room -= octets.len();
            if octets.is_empty() {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let count = octets.len();
        state.writes.push(octets.into());
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.shared).shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        lock(&self.shared).dropped = true;
    }
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
