//! What the peer says: what was read goes through the codec, and what comes out
//! goes to the handler. Short messages are handled where they lie in the
//! thread's buffer; all else goes through [`Codec::receive`], one event at a
//! time.
//!
//! [`Codec::receive`]: draftgate_core::Codec::receive

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use draftgate_core::{Event, Message, State};
use tokio::time::Instant;

use crate::{
    By, Handler, Peer, Why,
    clock::credit,
    ending::Phase,
    scratch::Scratch,
    session::{HIGH, Session},
};

/// How long events are handled before other tasks have their turn: one message
/// may go to thousands of a channel, and a count alone would let its publisher
/// hold the thread, and the channel, for seconds.
const LONGEST_TURN: Duration = Duration::from_millis(2);

/// After how many messages that cost little the clock is looked at.
const EVENTS_A_LOOK: usize = 32;

/// A buffer above this that is mostly consumed is given back.
const KEPT: usize = 4096;

impl Session {
    /// Takes in the `count` octets that were read into `scratch`; decode them
    /// next, and then [`settle`](Self::settle).
    pub(crate) fn received(&mut self, scratch: &mut Scratch, count: usize, now: Instant) {
        self.stats.octets_in += count as u64;
        self.clock.heard = now;
        let begun = &mut self.clock.begun;
        *begun = begun.map(|since| credit(since, count, now));
        if self.patient_with_closing() {
            self.clock.credit_closing(count, now);
        }
        self.lent = scratch.lend(&mut self.input);
        self.buffer = capacity(&self.input);
        self.caught_up = false;
    }

    /// Gives back what `scratch` lent: what is left of it lies in memory of its
    /// own from now on.
    pub(crate) fn settle(&mut self, scratch: &mut Scratch) {
        if !std::mem::replace(&mut self.lent, false) {
            return;
        }
        let place = scratch.take_back(&mut self.input);
        self.buffer = capacity(&self.input);
        if !self.out.is_empty() {
            self.out.detach(&place);
        }
        if self.codec.is_within_message() {
            self.codec.detach();
        }
    }

    /// Decodes until there is nothing to decode, too many answers wait, or
    /// `quota` events have been handled; none is left when time is up.
    pub(crate) fn decode(
        &mut self,
        handler: &mut dyn Handler,
        cx: &mut Context<'_>,
        quota: &mut usize,
        now: Instant,
    ) {
        let before = *quota;
        self.decode_all(handler, cx, quota, now);
        if *quota < before && self.opened {
            handler.caught_up();
            if !handler.is_light() && now.elapsed() >= LONGEST_TURN {
                *quota = 0;
            }
        }
    }

    fn decode_all(
        &mut self,
        handler: &mut dyn Handler,
        cx: &mut Context<'_>,
        quota: &mut usize,
        now: Instant,
    ) {
        while self.wants_decoding() && *quota > 0 {
            if self.phase != Phase::Run || self.codec.state() == State::Closed {
                *self.input = BytesMut::new();
                self.caught_up = true;
                return;
            }
            if self.opened && handler.poll_ready(cx) == Poll::Pending {
                self.stalled = true;
                return;
            }
            if self.opened && self.pass(handler, cx, quota, now) {
                continue;
            }
            *quota -= 1;
            let before = self.out.len();
            let there = self.input.len();
            let opened = (self.opened && there > 0 && !self.heard).then(|| self.codec.draft());
            match self.codec.receive(&mut self.input, &mut self.out) {
                Ok(Some(event)) => {
                    // A ping between two fragments ends no message.
                    self.clock.begun = match self.codec.is_within_message() {
                        true => self.clock.begun.or(Some(now)),
                        false => None,
                    };
                    self.handle(event, handler, now);
                }
                Ok(None) => {
                    if there > 0 {
                        // They belong to something whose end is still to come.
                        self.clock.begun.get_or_insert(now);
                    }
                    self.caught_up = true;
                    if !self.lent {
                        self.shrink_input();
                    }
                }
                Err(violation) => self.violated(violation.rule, now),
            }
            if let Some(draft) = opened {
                self.heard = true;
                self.decide(draft);
            }
            self.answers += self.out.len().saturating_sub(before);
            if now.elapsed() >= LONGEST_TURN {
                *quota = 0;
            }
        }
    }

    /// Hands on the short messages that lie whole at the front of the input:
    /// most of all that is ever said, and none needs memory of its own. Whether
    /// there was one.
    fn pass(
        &mut self,
        handler: &mut dyn Handler,
        cx: &mut Context<'_>,
        quota: &mut usize,
        now: Instant,
    ) -> bool {
        let (before, light) = (self.out.len(), handler.is_light());
        let (mut octets, mut events) = (0, 0);
        let mut peer = Peer {
            closed_for: None,
            codec: self.codec.as_mut(),
            out: &mut self.out,
            queue: &self.queue,
            stats: &mut self.stats,
            buffer: 0,
            lent: false,
            failed: None,
            held: false,
        };
        while let Some(passed) = peer.codec.pass(&mut self.input[octets..]) {
            octets += passed.octets;
            events += 1;
            peer.stats.messages_in += 1;
            peer.stats.binary_in += u64::from(passed.message.is_binary());
            peer.stats.payload_in += passed.message.len() as u64;
            handler.passed(passed.message, &mut peer);
            let look = !light || events % EVENTS_A_LOOK == 0;
            if look && now.elapsed() >= LONGEST_TURN {
                *quota = events;
            }
            let answers = self.answers + peer.out.len().saturating_sub(before);
            if events == *quota || answers > HIGH || peer.failed.is_some() {
                break;
            }
            if handler.poll_ready(cx).is_pending() {
                self.stalled = true;
                break;
            }
        }
        if events == 0 {
            return false;
        }
        self.answers += peer.out.len().saturating_sub(before);
        let failed = peer.failed;
        *quota -= events;
        self.input.advance(octets);
        // None of them was within another.
        self.clock.begun = None;
        if let Some(rule) = failed {
            self.violated(rule, now);
        }
        true
    }

    fn handle(&mut self, event: Event, handler: &mut dyn Handler, now: Instant) {
        if event == Event::Opened {
            self.opened = true;
            self.clock.opened();
            self.put_off_ping(now);
        }
        let stats = &mut self.stats;
        match &event {
            Event::Message(message) => {
                stats.messages_in += 1;
                stats.binary_in += u64::from(matches!(message, Message::Binary(_)));
                stats.payload_in += message.len() as u64;
            }
            Event::Ping(_) => stats.pings_in += 1,
            Event::Pong(_) => stats.pongs_in += 1,
            Event::Notice(_) => stats.notices += 1,
            Event::Opened => {}
            Event::Close(close) => {
                self.peer_closed = true;
                let edges = self.clock.edges_mut();
                edges.closing.get_or_insert(now);
                edges.closing_began.get_or_insert(now);
                self.because(By::Peer, close.clone(), Why::PeerClosed);
            }
        }
        let closed_for = self.verdict.as_ref().filter(|_| self.we_closed);
        let mut peer = Peer {
            closed_for: closed_for.map(|verdict| verdict.why),
            codec: self.codec.as_mut(),
            out: &mut self.out,
            queue: &self.queue,
            stats: &mut self.stats,
            buffer: self.buffer as usize,
            lent: self.lent,
            failed: None,
            held: false,
        };
        match event {
            Event::Opened => handler.opened(&mut peer),
            Event::Message(message) => handler.message(message, &mut peer),
            Event::Notice(notice) => handler.notice(notice),
            Event::Close(close) => {
                handler.closing(close.as_ref(), &mut peer);
                self.held_close = peer.held && !self.we_closed;
                if !self.held_close {
                    peer.queue.refuse();
                }
            }
            Event::Pong(body) => handler.pong(body, &mut peer),
            Event::Ping(_) => {}
        }
        if let Some(rule) = peer.failed {
            self.violated(rule, now);
        }
        self.finish_if_over(now);
    }

    /// An idle connection holds no buffer, and one that waits for the rest of
    /// a frame no more than the frame's beginning.
    fn shrink_input(&mut self) {
        if self.input.is_empty() {
            *self.input = BytesMut::new();
        } else if self.buffer as usize > KEPT && self.input.len() < self.buffer as usize / 4 {
            *self.input = BytesMut::from(&self.input[..]);
        }
        self.buffer = capacity(&self.input);
    }
}

/// Codecs leave no more than 64 KiB in a buffer, and a read adds no more.
pub(crate) fn capacity(buffer: &BytesMut) -> u32 {
    u32::try_from(buffer.capacity()).unwrap_or(u32::MAX)
}
