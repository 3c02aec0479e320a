//! Moves octets between a [`Session`] and its transport, in one task, with
//! reading and writing polled side by side: neither waits for the other, and
//! no lock or second task is needed to split the transport.
//!
//! A read goes into one 64 KiB buffer per thread, and the codec reads it there.
//! What is left when the turn is over, the front of a frame or an answer that
//! the socket did not take, is copied into memory of its own size: a waiting
//! connection holds no buffer, and no payload keeps a large one alive.

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Buf;
use draftgate_core::Outbox;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    time::Instant,
};

use crate::{
    Closed, Handler, Sender, Settings, Start, Tcp,
    clock::Standing,
    ending::{After, Phase},
    scratch::Scratch,
    session::{HIGH, Session},
    tcp::Half,
    timer::Timer,
};

/// Octets read before other tasks have their turn.
const READ_A_TURN: usize = 256 << 10;

/// Events handled before other tasks have their turn: 256 KiB may hold a
/// hundred thousand empty messages.
const EVENTS_A_TURN: usize = 4096;

/// How often one poll goes round before other tasks have their turn.
const ROUNDS: usize = 8;

/// Answers of more octets than this are written before more is read: they are
/// still in the nearest cache.
const EARLY: usize = 32 << 10;

/// Pieces in one `writev`; the kernel takes 1024.
const PIECES: usize = 64;

/// What is thrown away at the end before we give up and leave: the largest
/// message that the default limits let pass.
const DISCARDED: usize = 16 << 20;

pin_project! {
    /// One connection: a codec and its transport. Nothing happens before
    /// [`run`](Self::run).
    #[derive(Debug)]
    pub struct Conn<Io> {
        #[pin]
        io: Io,
        session: Session,
        // Armed for the first of the session's timers.
        timer: Timer,
        armed: Option<Armed>,
        // The end of `io` that can be lent, where there is one.
        half: fn(Pin<&mut Io>) -> Option<&mut Half>,
    }
}

pin_project! {
    /// A [`Conn`] on its way to its end. No `async fn`: its future would have
    /// room for the connection twice, before it begins and while it runs.
    #[must_use = "nothing happens until it is polled"]
    pub struct Run<'h, Io> {
        #[pin]
        conn: Conn<Io>,
        handler: &'h mut dyn Handler,
    }
}

impl<Io> Conn<Io> {
    /// A connection over `io` from `start` on, driven by `settings`, which
    /// connections may share.
    pub fn new(io: Io, start: Start, settings: impl Into<Arc<Settings>>) -> Self {
        Self {
            io,
            session: Session::new(start, settings.into(), Instant::now()),
            timer: Timer::Off,
            armed: None,
            half: |_| None,
        }
    }

    /// The same, where `half` finds in `io` the end that may be lent to those who
    /// [post](Sender::post): each time the same, or none.
    #[must_use]
    pub fn lending(mut self, half: fn(Pin<&mut Io>) -> Option<&mut Half>) -> Self {
        self.half = half;
        self
    }

    /// Says things to the peer from elsewhere, as soon as it may be said.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.session.queue))
    }
}

impl Conn<Tcp> {
    /// The same over plain TCP, where those who [post](Sender::post) may write
    /// by themselves.
    pub fn over_tcp(stream: TcpStream, start: Start, settings: impl Into<Arc<Settings>>) -> Self {
        Self::new(stream.into(), start, settings).lending(|tcp| tcp.get_mut().half())
    }
}

impl<Io: AsyncRead + AsyncWrite> Conn<Io> {
    /// Drives the connection to its end, TCP's included. Dropping the future
    /// aborts the connection; receipts are settled in either case.
    pub fn run(self, handler: &mut dyn Handler) -> Run<'_, Io> {
        Run {
            conn: self,
            handler,
        }
    }

    /// The same for whoever keeps the connection and its handler in one place:
    /// to be polled until it is ready, always with the same handler.
    pub fn poll_run(
        self: Pin<&mut Self>,
        handler: &mut dyn Handler,
        cx: &mut Context<'_>,
    ) -> Poll<Closed> {
        let this = self.project();
        this.session.start();
        let mut turn = Turn {
            session: this.session,
            io: this.io,
            octets: READ_A_TURN,
            events: EVENTS_A_TURN,
            timer: this.timer,
            armed: this.armed,
            scratch: Scratch::take(),
        };
        turn.session.resume(&mut turn.scratch);
        if turn.session.on_loan
            && let Some(half) = (this.half)(turn.io.as_mut())
        {
            turn.session.take_back(half);
        }
        let polled = turn.poll(handler, cx);
        let closed = polled.map(|()| turn.session.conclude());
        turn.session.pause(&mut turn.scratch);
        let Turn { session, io, .. } = turn;
        if session.may_lend()
            && let Some(half) = (this.half)(io)
        {
            session.lend(half);
        }
        closed
    }
}

impl<Io: AsyncRead + AsyncWrite> Future for Run<'_, Io> {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        let this = self.project();
        this.conn.poll_run(*this.handler, cx)
    }
}

impl<Io> fmt::Debug for Run<'_, Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// What the timer is armed for, and whom it wakes.
#[derive(Debug)]
struct Armed {
    standing: Standing,
    waker: Waker,
}

/// One poll of the connection's task.
struct Turn<'a, Io> {
    session: &'a mut Session,
    io: Pin<&'a mut Io>,
    /// How much may still be read.
    octets: usize,
    /// How many events may still be handled.
    events: usize,
    timer: &'a mut Timer,
    armed: &'a mut Option<Armed>,
    scratch: Scratch,
}

impl<Io: AsyncRead + AsyncWrite> Turn<'_, Io> {
    fn poll(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            self.listen(cx, now);
            let phase = self.session.phase;
            let again = self.step(handler, cx, now);
            if !again && !self.timer.is_due(now) && self.is_armed(cx) {
                return Poll::Pending;
            }
            // After reading: what came in time counts, however late we look.
            let moved = self.session.phase != phase || self.session.ring(now);
            self.session.tell_end(handler);
            if self.session.phase == Phase::Done {
                return Poll::Ready(());
            }
            if moved || again {
                if self.octets == 0 || self.events == 0 {
                    break;
                }
                continue;
            }
            *self.armed = Some(Armed {
                standing: self.session.standing(),
                waker: cx.waker().clone(),
            });
            let Some((at, _)) = self.session.alarm() else {
                self.timer.rest(now);
                return Poll::Pending;
            };
            if self.timer.arm(at, now, cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Looks at what is ordered, if something was since the last look, and sees
    /// to it that the next order wakes this task.
    fn listen(&mut self, cx: &Context<'_>, now: Instant) {
        let stirred = self.session.queue.take_stirred();
        self.session.stirred |= stirred;
        let known = self.armed.as_ref();
        if stirred || !known.is_some_and(|armed| armed.waker.will_wake(cx.waker())) {
            let orders = self.session.queue.orders(cx.waker());
            self.session.heed(orders, now);
        }
    }

    /// Whether the timer is armed for the timers that run, and wakes this
    /// task: nearly always, where octets came and went.
    fn is_armed(&self, cx: &Context<'_>) -> bool {
        self.armed.as_ref().is_some_and(|armed| {
            armed.waker.will_wake(cx.waker()) && armed.standing == self.session.standing()
        })
    }

    /// Does all that can be done now. Whether there is more at once.
    fn step(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>, now: Instant) -> bool {
        match self.session.phase {
            Phase::Run => self.run(handler, cx, now),
            Phase::Flush(after) => self.flush(after, cx, now),
            Phase::Shut(after) => self.shut(after, cx),
            Phase::Linger => self.linger(cx),
            Phase::New | Phase::Done => false,
        }
    }

    fn run(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut idle = false;
        self.session.unstall(now);
        self.session.decode(handler, cx, &mut self.events, now);
        while !idle && self.octets > 0 && self.session.wants_octets() {
            idle = self.read(handler, cx, now);
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

    /// Reads once and has it decoded. Whether there is nothing to read.
    fn read(&mut self, handler: &mut dyn Handler, cx: &mut Context<'_>, now: Instant) -> bool {
        self.scratch.begin(&self.session.input);
        match self.read_once(cx) {
            Poll::Pending => return true,
            Poll::Ready(Ok(0)) => self.session.eof = true,
            Poll::Ready(Ok(count)) => {
                self.session.received(&mut self.scratch, count, now);
                self.session.decode(handler, cx, &mut self.events, now);
                // Where it lies, before it would have to be copied.
                while self.session.out.len() > EARLY || !is_one_piece(&self.session.out) {
                    self.write(cx, now);
                    if !self.session.wants_decoding() || self.events == 0 {
                        break;
                    }
                    self.session.decode(handler, cx, &mut self.events, now);
                }
                self.session.settle(&mut self.scratch);
            }
            Poll::Ready(Err(error)) => self.session.broken(&error),
        }
        false
    }

    fn read_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut io = self.io.as_mut();
        let mut room = self.scratch.room();
        let polled = pin!(io.read_buf(&mut room)).poll(cx);
        if let Poll::Ready(Ok(count)) = polled {
            self.octets = self.octets.saturating_sub(count);
        }
        polled
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
        if self.session.eof || self.session.clock.edges().discarded >= DISCARDED {
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
            self.scratch.begin(&[]);
            match self.read_once(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0) | Err(_)) => self.session.eof = true,
                Poll::Ready(Ok(count)) => {
                    self.session.clock.edges_mut().discarded += count;
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
        if is_one_piece(out) || !self.io.is_write_vectored() {
            return self.io.as_mut().poll_write(cx, out.chunk());
        }
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let filled = out.chunks_vectored(&mut pieces);
        self.io.as_mut().poll_write_vectored(cx, &pieces[..filled])
    }
}

/// Whether one call writes all of `out` without a list of pieces.
fn is_one_piece(out: &Outbox) -> bool {
    out.chunk().len() == out.len()
}
