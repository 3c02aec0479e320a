//! Everything about a connection but its I/O: what was read goes in, what is
//! to be written comes out, the time is an argument. The driver moves octets
//! between this and the transport; the split keeps the driver, which is
//! compiled once per kind of transport, small.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{
    Codec, Event, Message, Outbox, Outgoing, Rendering, SendError, Shared, State,
};
use tokio::time::Instant;

use crate::{
    By, End, Fate, Handler, Loss, Peer, Settings, Start, Stats, What, Why,
    clock::{Clock, credit},
    ending::{Phase, Verdict},
    handler::send,
    queue::Queue,
    queued::{Entry, Ticket},
};

/// While answers of more octets than this wait to be written, nothing is
/// decoded or read, and while more than this waits altogether, nothing is taken
/// from the queue: enough to fill a socket's buffer, little enough to hold for
/// each of 10,000 peers that do not read.
pub(crate) const HIGH: usize = 64 << 10;

/// How long events are handled before other tasks have their turn: one message
/// may go to thousands of a channel, and a count alone would let its publisher
/// hold the thread, and the channel, for seconds.
const LONGEST_TURN: Duration = Duration::from_millis(2);

/// A buffer above this that is mostly consumed is given back.
const KEPT: usize = 4096;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) codec: Box<dyn Codec>,
    pub(crate) settings: Settings,
    pub(crate) queue: Arc<Queue>,
    pub(crate) out: Outbox,
    pub(crate) stats: Stats,
    pub(crate) clock: Clock,
    pub(crate) phase: Phase,
    pub(crate) verdict: Option<Verdict>,
    /// The peer ended its half of TCP.
    pub(crate) eof: bool,
    /// Something was written and not flushed since.
    pub(crate) unflushed: bool,
    /// How much of the outbox answers what the peer said. What was queued does
    /// not count: two ends that both stop reading because they have much to
    /// say would wait for each other.
    answers: usize,
    head: Option<Bytes>,
    pub(crate) input: BytesMut,
    /// Capacity of the buffer in which `input` lies.
    buffer: usize,
    /// The codec wants more than there is in `input`.
    pub(crate) caught_up: bool,
    pub(crate) eof_handled: bool,
    pub(crate) opened: bool,
    pub(crate) we_closed: bool,
    pub(crate) peer_closed: bool,
    /// The peer's Close waits for somebody to answer it.
    pub(crate) held_close: bool,
    /// The handler takes nothing for now.
    pub(crate) stalled: bool,
    /// Nobody hears what the peer says.
    pub(crate) unheard: bool,
    /// The handler knows that it is over.
    told: bool,
    /// For what was queued and is not wholly written: where its last octet
    /// lies, counted from the first octet of the connection.
    pub(crate) tickets: VecDeque<(u64, Ticket)>,
}

impl Session {
    pub(crate) fn new(start: Start, settings: Settings, now: Instant) -> Self {
        let Start {
            codec,
            head,
            received,
        } = start;
        // A copy of its own size: what was read for HTTP lies in a large buffer.
        let input = BytesMut::from(&received[..]);
        Self {
            codec,
            queue: Arc::new(Queue::new(settings.queue, settings.overflow)),
            settings,
            out: Outbox::new(),
            stats: Stats {
                octets_in: input.len() as u64,
                ..Stats::default()
            },
            clock: Clock::new(now),
            phase: Phase::Run,
            verdict: None,
            eof: false,
            unflushed: false,
            answers: 0,
            head,
            buffer: input.capacity(),
            input,
            caught_up: false,
            eof_handled: false,
            opened: false,
            we_closed: false,
            peer_closed: false,
            held_close: false,
            stalled: false,
            unheard: false,
            told: false,
            tickets: VecDeque::new(),
        }
    }

    /// Before anything else.
    pub(crate) fn start(&mut self, now: Instant) {
        self.clock = Clock::new(now);
        if let Some(head) = self.head.take() {
            self.out.put_shared(&head);
            self.clock.head = now.checked_add(self.settings.head_delay);
        }
        self.codec.start(&mut self.out);
    }

    /// Whether the outbox is kept back, for our head and the answer to the
    /// peer's challenge to leave in one write.
    pub(crate) fn held(&self) -> bool {
        self.clock.head.is_some()
            && self.phase == Phase::Run
            && self.codec.state() == State::Opening
    }

    /// Whether the codec has had all that was read and may have more.
    pub(crate) fn wants_octets(&self) -> bool {
        self.phase == Phase::Run && self.caught_up && !self.eof
    }

    /// Whether there is something to decode, and room for the answers.
    pub(crate) fn wants_decoding(&self) -> bool {
        !self.caught_up && self.answers <= HIGH && !self.stalled
    }

    /// The handler may be ready again.
    pub(crate) fn unstall(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.stalled, false) {
            return;
        }
        // Its silence was ours, and so was the time that its answer takes.
        self.clock.heard = now;
        if self.patient_with_closing() {
            self.clock.closing = self.clock.closing.map(|_| now);
        }
    }

    /// Takes in what was read; decode it next.
    pub(crate) fn received(&mut self, octets: &[u8], now: Instant) {
        self.stats.octets_in += octets.len() as u64;
        self.clock.heard = now;
        let begun = &mut self.clock.begun;
        *begun = begun.map(|since| credit(since, octets.len(), now));
        if self.patient_with_closing() {
            let closing = &mut self.clock.closing;
            *closing = closing.map(|since| credit(since, octets.len(), now));
        }
        if self.input.is_empty() {
            self.input = BytesMut::from(octets);
        } else {
            self.input.extend_from_slice(octets);
        }
        self.buffer = self.input.capacity();
        self.caught_up = false;
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
        while self.wants_decoding() && *quota > 0 {
            if self.phase != Phase::Run || self.codec.state() == State::Closed {
                self.input = BytesMut::new();
                self.caught_up = true;
                return;
            }
            if self.opened && handler.poll_ready(cx) == Poll::Pending {
                self.stalled = true;
                return;
            }
            *quota -= 1;
            let before = self.out.len();
            let there = self.input.len();
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
                    self.shrink_input();
                }
                Err(violation) => self.violated(violation.rule, now),
            }
            self.answers += self.out.len().saturating_sub(before);
            if now.elapsed() >= LONGEST_TURN {
                *quota = 0;
            }
        }
    }

    /// Encodes what is queued, and closes when it is time to. Whether more
    /// could be encoded as soon as something is written.
    pub(crate) fn fill(&mut self, now: Instant) -> bool {
        while self.may_send() {
            if self.out.len() > HIGH {
                return true;
            }
            let Some(entry) = self.queue.pop() else {
                break;
            };
            self.encode(entry);
        }
        self.close_in_turn(now);
        false
    }

    /// `count` octets left the outbox.
    pub(crate) fn wrote(&mut self, count: usize, now: Instant) {
        self.out.advance(count);
        // Whatever left first: what was queued is at most as much again.
        self.answers = self.answers.saturating_sub(count);
        if self.clock.waiting.is_some() && self.out.is_empty() {
            // All that time it was alive: its silence counts from here.
            self.clock.heard = now;
        }
        self.unflushed = true;
        let (clock, progress) = (&mut self.clock, |since| credit(since, count, now));
        clock.wrote = now;
        clock.waiting = match self.out.is_empty() {
            true => None,
            false => clock.waiting.map(progress),
        };
        if !clock.strict {
            clock.closing = clock.closing.map(progress);
        }
        if !self.caught_up {
            // The rest of it may be here: its time counts from when we look.
            clock.begun = clock.begun.map(|_| now);
        }
        self.stats.octets_out += count as u64;
        while let Some((end, _)) = self.tickets.front()
            && *end <= self.stats.octets_out
        {
            if let Some((_, ticket)) = self.tickets.pop_front() {
                ticket.settle(Fate::Sent);
            }
        }
    }

    /// All that was written is flushed.
    pub(crate) fn flushed(&mut self) {
        self.unflushed = false;
        self.clock.waiting = None;
        self.queue.written();
        if self.tickets.capacity() > 64 {
            self.tickets = VecDeque::new();
        }
    }

    /// Says `what` at once.
    pub(crate) fn say(&mut self, what: Outgoing) -> Result<(), SendError> {
        let codec = self.codec.as_mut();
        send(codec, &mut self.out, &self.queue, &mut self.stats, what)
    }

    fn handle(&mut self, event: Event, handler: &mut dyn Handler, now: Instant) {
        if event == Event::Opened {
            self.opened = true;
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
                self.clock.closing.get_or_insert(now);
                self.clock.closing_began.get_or_insert(now);
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
            buffer: self.buffer,
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

    /// Tells `handler`, once, that the protocol is over.
    pub(crate) fn tell_end(&mut self, handler: &mut dyn Handler) {
        if self.phase == Phase::Run || std::mem::replace(&mut self.told, true) {
            return;
        }
        let verdict = self.verdict.as_ref();
        handler.ended(&End {
            by: verdict.map_or(By::Us, |verdict| verdict.by),
            close: verdict.and_then(|verdict| verdict.close.as_ref()),
            why: verdict.map_or(Why::Requested, |verdict| verdict.why),
            opened: self.opened,
        });
    }

    fn may_send(&self) -> bool {
        let state = self.codec.state();
        self.phase == Phase::Run
            && !self.we_closed
            && matches!(state, State::Open | State::ClosingByPeer)
    }

    fn encode(&mut self, entry: Entry) {
        let Entry { what, ticket, .. } = entry;
        let result = match what {
            What::Own(what) => self.say(what),
            What::Shared {
                shared,
                rendering,
                message,
            } => self.say_shared((*shared).as_ref(), rendering, message),
        };
        match result {
            Ok(()) => {
                let end = self.stats.octets_out + self.out.len() as u64;
                self.tickets.push_back((end, ticket));
            }
            Err(error) => {
                self.stats.unsayable += 1;
                ticket.settle(Fate::Lost(Loss::Unsayable(error)));
                // Who waits for the queue to drain is told by the next flush.
                self.unflushed = true;
            }
        }
    }

    fn say_shared(
        &mut self,
        shared: &Shared,
        rendering: Rendering,
        message: Message,
    ) -> Result<(), SendError> {
        let Some(class) = self.codec.wire_class() else {
            return self.say(Outgoing::Message(message));
        };
        let (payload, binary) = (message.len() as u64, matches!(message, Message::Binary(_)));
        // `may_send` has seen that the state allows messages: an error is the
        // draft's own and may be kept for the whole class.
        let encoding = shared.encoded(class, rendering, || {
            let mut scratch = Outbox::new();
            self.codec.send(Outgoing::Message(message), &mut scratch)?;
            Ok(scratch.take_all())
        })?;
        self.out.put_shared(&encoding);
        self.stats.messages_out += 1;
        self.stats.binary_out += u64::from(binary);
        self.stats.payload_out += payload;
        Ok(())
    }

    /// An idle connection holds no buffer, and one that waits for the rest of
    /// a frame no more than the frame's beginning.
    fn shrink_input(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        } else if self.buffer > KEPT && self.input.len() < self.buffer / 4 {
            self.input = BytesMut::from(&self.input[..]);
        }
        self.buffer = self.input.capacity();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also when the task is dropped half-way: nobody waits for ever, and
        // every receipt is settled.
        self.queue.end();
    }
}
