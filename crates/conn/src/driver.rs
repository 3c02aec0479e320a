//! Moves octets between a [`Session`] and its transport, in one task, with
//! reading and writing polled side by side: neither waits for the other, and
//! no lock or second task is needed to split the transport.
//!
//! A read goes into one 64 KiB buffer per thread and is copied from there into
//! one of its own size. Readiness could be waited for instead, but only a bare
//! socket has that; the copy costs less than the read itself, a waiting
//! connection holds no buffer, and no payload keeps a large buffer alive.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Buf;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    Closed, Handler, Sender, Settings, Start,
    ending::{After, Phase},
    session::{HIGH, Session},
};

/// Octets taken by one read.
const CHUNK: usize = 64 << 10;

/// Octets read before other tasks have their turn.
const READ_A_TURN: usize = 256 << 10;

/// Events handled before other tasks have their turn: 256 KiB may hold a
/// hundred thousand empty messages.
const EVENTS_A_TURN: usize = 4096;

/// How often one poll goes round before other tasks have their turn.
const ROUNDS: usize = 8;

/// Pieces in one `writev`; the kernel takes 1024.
const PIECES: usize = 64;

/// What is thrown away at the end before we give up and leave: the largest
/// message that the default limits let pass.
const DISCARDED: usize = 16 << 20;

/// One connection: a codec and its transport. Nothing happens before
/// [`run`](Self::run).
#[derive(Debug)]
pub struct Conn<Io> {
    io: Io,
    session: Box<Session>,
}

impl<Io> Conn<Io> {
    /// A connection over `io` from `start` on, driven by `settings`.
    pub fn new(io: Io, start: Start, settings: Settings) -> Self {
        Self {
            io,
            session: Box::new(Session::new(start, settings, Instant::now())),
        }
    }

    /// Says things to the peer from elsewhere, as soon as it may be said.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.session.queue))
    }
}

impl<Io: AsyncRead + AsyncWrite> Conn<Io> {
    /// Drives the connection to its end, TCP's included. Dropping the future
    /// aborts the connection; receipts are settled in either case.
    pub async fn run(self, handler: &mut dyn Handler) -> Closed {
        let Self { io, mut session } = self;
        let mut io = pin!(io);
        let now = Instant::now();
        session.start(now);
        let mut sleep = pin!(sleep_until(now + FAR));
        let mut discarded = 0;
        poll_fn(|cx| {
            let mut turn = Turn {
                session: &mut session,
                io: io.as_mut(),
                octets: READ_A_TURN,
                events: EVENTS_A_TURN,
                discarded: &mut discarded,
            };
            let polled = turn.poll(sleep.as_mut(), handler, cx);
            session.queue.live.tell(&session.stats);
            polled
        })
        .await;
        session.conclude()
    }
}

/// For a timer that is not armed yet.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// One poll of the connection's task.
struct Turn<'a, Io> {
    session: &'a mut Session,
    io: Pin<&'a mut Io>,
    /// How much may still be read.
    octets: usize,
    /// How many events may still be handled.
    events: usize,
    /// Thrown away since the protocol was over.
    discarded: &'a mut usize,
}

impl<Io: AsyncRead + AsyncWrite> Turn<'_, Io> {
    fn poll(
        &mut self,
        mut sleep: Pin<&mut Sleep>,
        handler: &mut dyn Handler,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            let orders = self.session.queue.orders(cx.waker());
            self.session.heed(orders, now);
            let phase = self.session.phase;
            let again = self.step(handler, cx, now);
            // After reading: what came in time counts, however late we look.
            let moved = self.session.phase != phase || self.session.ring(now);
            self.session.tell_end(handler);
            if self.session.phase == Phase::Done {
                return Poll::Ready(());
            }
            if moved || again {
                continue;
            }
            let Some((at, _)) = self.session.alarm() else {
                return Poll::Pending;
            };
            // Only ever armed earlier: a timer that was put off since wakes us
            // once for nothing, instead of being moved at every read.
            if at < sleep.deadline() || sleep.is_elapsed() {
                sleep.as_mut().reset(at);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does all that can be done now. Whether there is more at once.
    fn step(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>, now: Instant) -> bool {
        match self.session.phase {
            Phase::Run => self.run(handler, cx, now),
            Phase::Flush(after) => self.flush(after, cx, now),
            Phase::Shut(after) => self.shut(after, cx),
            Phase::Linger => self.linger(cx),
            Phase::Done => false,
        }
    }

    fn run(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut idle = false;
        self.session.unstall(now);
        self.session.decode(handler, cx, &mut self.events, now);
        while !idle && self.octets > 0 && self.session.wants_octets() {
            let session = &mut *self.session;
            match read(self.io.as_mut(), cx, |octets| session.received(octets, now)) {
                Poll::Pending => idle = true,
                Poll::Ready(Ok(0)) => self.session.eof = true,
                Poll::Ready(Ok(count)) => {
                    self.octets = self.octets.saturating_sub(count);
                    self.session.decode(handler, cx, &mut self.events, now);
                }
                Poll::Ready(Err(error)) => self.session.broken(&error),
            }
        }
        self.session.handle_eof(now);
        let queued = self.session.fill(now);
        if self.session.phase != Phase::Run {
            return true;
        }
        self.write(cx, now);
        // Where something is still above its mark, the next write wakes us.
        let session = &*self.session;
        let (more_queued, more_read) = (queued && session.out.len() <= HIGH, !idle);
        more_queued || session.wants_decoding() || (more_read && session.wants_octets())
    }

    fn flush(&mut self, after: After, cx: &mut Context<'_>, now: Instant) -> bool {
        self.write(cx, now);
        if self.session.phase == Phase::Done {
            return true;
        }
        // A peer that is blocked by its own writing does not read either.
        let again = self.discard(cx);
        if self.session.out.is_empty() && !self.session.unflushed {
            self.session.shut(after, now);
        }
        again
    }

    fn shut(&mut self, after: After, cx: &mut Context<'_>) -> bool {
        match self.io.as_mut().poll_shutdown(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if after == After::Linger && !self.session.eof => {
                self.session.phase = Phase::Linger;
            }
            Poll::Ready(_) => self.session.phase = Phase::Done,
        }
        true
    }

    fn linger(&mut self, cx: &mut Context<'_>) -> bool {
        let again = self.discard(cx);
        if self.session.eof || *self.discarded >= DISCARDED {
            self.session.phase = Phase::Done;
        }
        again
    }

    /// Reads and throws away. Whether more could be read at once.
    fn discard(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.session.eof {
            if self.octets == 0 {
                return true;
            }
            match read(self.io.as_mut(), cx, |_| ()) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0) | Err(_)) => self.session.eof = true,
                Poll::Ready(Ok(count)) => {
                    self.octets = self.octets.saturating_sub(count);
                    *self.discarded += count;
                    self.session.stats.octets_in += count as u64;
                }
            }
        }
        false
    }

    /// Writes what waits, as far as the transport takes it.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.session.held() {
            return;
        }
        while !self.session.out.is_empty() {
            match self.write_once(cx) {
                Poll::Pending => {
                    self.session.clock.waiting.get_or_insert(now);
                    return;
                }
                Poll::Ready(Ok(0)) => {
                    return self.session.broken(&io::ErrorKind::WriteZero.into());
                }
                Poll::Ready(Ok(count)) => self.session.wrote(count, now),
                Poll::Ready(Err(error)) => return self.session.broken(&error),
            }
        }
        if self.session.unflushed {
            match self.io.as_mut().poll_flush(cx) {
                Poll::Pending => {
                    self.session.clock.waiting.get_or_insert(now);
                }
                Poll::Ready(Ok(())) => self.session.flushed(),
                Poll::Ready(Err(error)) => self.session.broken(&error),
            }
        }
    }

    fn write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let out = &self.session.out;
        if !self.io.is_write_vectored() {
            return self.io.as_mut().poll_write(cx, out.chunk());
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let filled = out.chunks_vectored(&mut pieces);
        self.io.as_mut().poll_write_vectored(cx, &pieces[..filled])
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads once and hands what came to `take`. `Ok(0)` is the end.
fn read<Io: AsyncRead>(
    io: Pin<&mut Io>,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    // Taken out and put back, so that a transport which itself drives a
    // connection meanwhile finds an empty one and makes its own.
    let mut scratch = SCRATCH.take();
    scratch.resize(CHUNK, 0);
    let mut buffer = ReadBuf::new(&mut scratch);
    let polled = io.poll_read(cx, &mut buffer);
    let result = polled.map_ok(|()| {
        let octets = buffer.filled();
        if !octets.is_empty() {
            take(octets);
        }
        octets.len()
    });
    SCRATCH.set(scratch);
    result
}
