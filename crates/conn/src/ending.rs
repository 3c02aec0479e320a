//! How a connection comes to its end: who closed and why, what is still
//! written, and how long TCP is kept for the last octets to arrive. One path
//! for all ends, a violation's included: say what the draft can say, flush,
//! end our half, and leave when the peer has ended its own.

use std::io;

use bytes::BytesMut;
use draftgate_core::{
    Close, Closing, Outbox, Outgoing, Role, Rule, SendError, State, Text, Violation,
};
use tokio::time::Instant;

use crate::{
    By, Closed, Why,
    queue::{Order, Orders, Words},
    session::Session,
};

/// Where the driver stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The driver has not begun.
    New,
    /// The codec rules.
    Run,
    /// The protocol is over; what is in the outbox is still written.
    Flush(After),
    /// Our half of TCP is being ended.
    Shut(After),
    /// The peer's half is waited for, and what comes is thrown away.
    Linger,
    /// The end.
    Done,
}

/// What comes when the outbox is flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// End our half of TCP and leave.
    Leave,
    /// End our half, then wait for the peer to end its own: leaving while its
    /// octets come in would answer them by an RST, which can destroy our last
    /// octets on their way.
    Linger,
    /// The server is to end TCP first (RFC 6455 §7.1.1).
    AwaitFin,
}

/// The longest header of a frame: two octets, a 64-bit length and a key.
const HEADER: usize = 14;

/// How the connection will have ended.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) by: By,
    pub(crate) close: Option<Close>,
    pub(crate) why: Why,
    /// [`Closed::unread`].
    unread: Box<[u8]>,
}

impl Verdict {
    /// On the heap: a connection that goes on has room for a pointer alone.
    pub(crate) fn new(by: By, close: Option<Close>, why: Why) -> Box<Self> {
        Box::new(Self {
            by,
            close,
            why,
            unread: Box::default(),
        })
    }
}

impl Session {
    /// Acts on what was asked for by [`Sender`](crate::Sender).
    pub(crate) fn heed(&mut self, orders: Orders, now: Instant) {
        if orders.unheard && !std::mem::replace(&mut self.unheard, true) {
            self.clock.restart_closing(now);
        }
        if orders.aborted {
            if matches!(self.phase, Phase::Run | Phase::Flush(_)) {
                self.verdict = Some(Verdict::new(By::Us, None, Why::Aborted));
            }
            self.phase = Phase::Done;
        } else if orders.overflowed && self.phase == Phase::Run && !self.we_closed {
            self.clock.edges_mut().strict = true;
            let close = Close::new(Close::POLICY, "too slow to read what it is sent");
            self.close(Some(close), Why::SlowConsumer, now);
        }
    }

    /// Acts on the end of the peer's half of TCP, once all before it is decoded.
    pub(crate) fn handle_eof(&mut self, now: Instant) {
        if !self.eof
            || !self.caught_up
            || self.clock.edges().eof_handled
            || self.phase != Phase::Run
        {
            return;
        }
        self.clock.edges_mut().eof_handled = true;
        let state = self.codec.state();
        if state == State::ClosingByPeer {
            // It said all it had to say; what we have to say may still arrive.
            return;
        }
        let close = self.codec.end();
        let gone = state == State::Opening || close.is_some();
        let why = if gone { Why::PeerGone } else { Why::PeerClosed };
        self.because(By::Peer, close, why);
        if state == State::Opening {
            self.drop_output();
        }
        self.finish(After::Leave, now);
    }

    /// Reading or writing failed: nothing more can be said or heard.
    pub(crate) fn broken(&mut self, error: &io::Error) {
        let why = Why::Io(error.kind());
        self.because(By::Transport, None, why);
        self.phase = Phase::Done;
    }

    /// Goes on to what follows the protocol, if it is over.
    pub(crate) fn finish_if_over(&mut self, now: Instant) {
        let both = self.we_closed && self.peer_closed;
        if self.phase != Phase::Run || !(both || self.codec.state() == State::Closed) {
            return;
        }
        let after = match self.settings.role {
            _ if !both => After::Linger,
            Role::Server => After::Leave,
            Role::Client if self.marked_first() => After::Leave,
            Role::Client => After::AwaitFin,
        };
        self.finish(after, now);
    }

    /// In hixie-76 whoever sent the marker first ends TCP when it is answered
    /// (its section 1.4): a server may wait for that.
    fn marked_first(&self) -> bool {
        let us = self.verdict.as_ref().is_some_and(|v| v.by == By::Us);
        us && self.codec.capabilities().closing == Closing::Marker
    }

    /// Goes on to ending our half of TCP.
    pub(crate) fn shut(&mut self, after: After, now: Instant) {
        self.queue.refuse();
        let ending = now.checked_add(self.patience());
        let edges = self.clock.edges_mut();
        edges.ending = edges.ending.or(ending);
        self.phase = match after {
            After::AwaitFin => Phase::Linger,
            _ => Phase::Shut(after),
        };
    }

    /// How it ended. Settles every receipt.
    pub(crate) fn conclude(&mut self) -> Closed {
        self.stats.lost = (self.queue.end() + self.tickets.len()) as u64;
        self.stats.dropped = self.queue.dropped();
        self.tickets.clear();
        let verdict = self.verdict.take();
        let verdict = verdict.unwrap_or_else(|| Verdict::new(By::Us, None, Why::Requested));
        Closed {
            draft: self.codec.draft(),
            by: verdict.by,
            code: verdict.close.as_ref().map(|close| close.code),
            reason: verdict.close.map_or_else(Text::default, |c| c.reason),
            why: verdict.why,
            opened: self.opened,
            stats: *self.stats,
            unread: verdict.unread.into_vec().into(),
        }
    }

    /// Says `close` in the words that the draft has, without waiting for the
    /// queue; for `why`, unless something else came before.
    pub(crate) fn close(&mut self, close: Option<Close>, why: Why, now: Instant) {
        self.close_as(close, By::Us, why, now);
    }

    fn close_as(&mut self, close: Option<Close>, by: By, why: Why, now: Instant) {
        self.queue.refuse();
        self.held_close = false;
        self.because(by, close.clone(), why);
        if self.codec.state() == State::Opening {
            // Nothing but TCP to close. A head still kept back promises too much.
            self.drop_output();
            return self.finish(After::Leave, now);
        }
        self.we_closed = true;
        self.clock.begin_closing(now);
        // A code that the draft does not define goes as the nearest that it does.
        let draft = self.codec.draft();
        let close = close.and_then(|close| {
            let code = Close::nearest_code(close.code, draft)?;
            Some(Close { code, ..close })
        });
        let code_alone = close.as_ref().map(|close| Close::new(close.code, ""));
        for words in [close, code_alone, None] {
            match self.codec.send(Outgoing::Close(words), &mut self.out) {
                Ok(()) => return self.finish_if_over(now),
                Err(SendError::Closing) => break,
                // The reason is too long, or the draft has no codes after all.
                Err(_) => {}
            }
        }
        self.finish(After::Linger, now);
    }

    /// The peer broke `rule`.
    pub(crate) fn violated(&mut self, rule: Rule, now: Instant) {
        let draft = self.codec.draft();
        self.codec.fail(&Violation { rule }, &mut self.out);
        let close = rule.close_code(draft).map(|code| Close::new(code, ""));
        let unread = &self.input[..self.input.len().min(HEADER)];
        let unread = unread.into();
        let verdict = Verdict::new(By::Us, close, Why::Violation(rule));
        self.verdict = Some(Box::new(Verdict { unread, ..*verdict }));
        self.finish(After::Linger, now);
    }

    /// The protocol is over: writes what is in the outbox, then goes on to `after`.
    fn finish(&mut self, after: After, now: Instant) {
        if self.phase != Phase::Run {
            return;
        }
        self.queue.refuse();
        *self.input = BytesMut::new();
        self.caught_up = true;
        self.clock.edges_mut().closing.get_or_insert(now);
        self.phase = Phase::Flush(after);
    }

    /// Our Close comes when everything queued before it is encoded.
    pub(crate) fn close_in_turn(&mut self, now: Instant) {
        if self.phase != Phase::Run || self.we_closed {
            return;
        }
        let opening = self.codec.state() == State::Opening;
        if let Some(Order { words, by, why }) = self.queue.take_close(opening) {
            let close = match words {
                Words::These(close) => close,
                Words::Answer(_) if self.peer_closed => self.answer(),
                Words::Answer(close) => close,
            };
            self.close_as(close, by, why, now);
        } else if self.peer_closed && !self.held_close {
            self.close(self.answer(), Why::PeerClosed, now);
        }
    }

    /// What the peer's Close is answered with: its own code, or none, for no
    /// other is an answer to it.
    fn answer(&self) -> Option<Close> {
        let draft = self.codec.draft();
        let code = self.verdict.as_ref()?.close.as_ref()?.code;
        Close::may_be_sent(code, draft).then(|| Close::new(code, ""))
    }

    /// Nobody answered the peer's Close in time: it is answered when all that
    /// is queued is sent.
    pub(crate) fn answer_late(&mut self, now: Instant) {
        self.held_close = false;
        self.clock.begin_closing(now);
        self.queue.refuse();
    }

    /// Whether all that the peer says between our Close and its own is waited
    /// for: from a server, which was chosen, as long as somebody hears it. A
    /// client must hurry.
    pub(crate) fn patient_with_closing(&self) -> bool {
        self.settings.role == Role::Client && !self.clock.edges().strict && !self.unheard
    }

    /// Ends TCP, whatever was still to be said or heard.
    pub(crate) fn give_up(&mut self, why: Why, now: Instant) {
        self.cut(why);
        self.shut(After::Leave, now);
    }

    /// Something kept the connection from ending as it was about to.
    pub(crate) fn cut(&mut self, why: Why) {
        match &mut self.verdict {
            Some(verdict) if matches!(verdict.why, Why::Requested | Why::PeerClosed) => {
                verdict.why = why;
            }
            Some(_) => {}
            none => *none = Some(Verdict::new(By::Us, None, why)),
        }
    }

    /// The verdict, unless something else came before.
    pub(crate) fn because(&mut self, by: By, close: Option<Close>, why: Why) {
        if self.verdict.is_none() {
            self.verdict = Some(Verdict::new(by, close, why));
        }
    }

    /// What is in the outbox will not be written.
    pub(crate) fn drop_output(&mut self) {
        *self.out = Outbox::new();
        self.clock.waiting = None;
    }
}
