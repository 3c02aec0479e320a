//! Everything about a connection but its I/O: what was read goes in, what is
//! to be written comes out, the time is an argument. The driver moves octets
//! between this and the transport; the split keeps the driver, which is
//! compiled once per kind of transport, small.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use draftgate_core::{Codec, Message, Outbox, Outgoing, Rendering, SendError, Shared, State};
use tokio::time::Instant;

use crate::{
    By, End, Fate, Handler, Loss, Settings, Start, Stats, What, Why,
    clock::{Clock, credit},
    ending::{Phase, Verdict},
    handler::send,
    hearing::capacity,
    lent::{Lent, Tickets},
    live::Beside,
    queue::{Absent, Back, Loan, Queue, Sent},
    queued::Entry,
    scratch::Scratch,
    tcp::Half,
};

/// While answers of more octets than this wait to be written, nothing is
/// decoded or read, and while more than this waits altogether, nothing is taken
/// from the queue: enough to fill a socket's buffer, little enough to hold for
/// each of 10,000 peers that do not read.
pub(crate) const HIGH: usize = 64 << 10;

/// Room for so many tickets is kept.
const TICKETS: usize = 64;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) codec: Box<dyn Codec>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) out: Lent<Outbox>,
    /// Between turns in `queue.live` and `beside`.
    pub(crate) stats: Lent<Stats>,
    beside: Beside,
    pub(crate) clock: Clock,
    pub(crate) phase: Phase,
    pub(crate) verdict: Option<Box<Verdict>>,
    /// The peer ended its half of TCP.
    pub(crate) eof: bool,
    /// Something was written and not flushed since.
    pub(crate) unflushed: bool,
    /// How much of the outbox answers what the peer said. What was queued does
    /// not count: two ends that both stop reading because they have much to
    /// say would wait for each other.
    pub(crate) answers: usize,
    pub(crate) input: Lent<BytesMut>,
    /// Capacity of the buffer in which `input` lies.
    pub(crate) buffer: u32,
    /// That is the thread's, for the time of a turn.
    pub(crate) lent: bool,
    /// The codec wants more than there is in `input`.
    pub(crate) caught_up: bool,
    pub(crate) opened: bool,
    /// The codec has seen what the peer says behind the opening.
    pub(crate) heard: bool,
    pub(crate) we_closed: bool,
    pub(crate) peer_closed: bool,
    /// The peer's Close waits for somebody to answer it.
    pub(crate) held_close: bool,
    /// There may be something in the queue, or a close to come behind it.
    pub(crate) stirred: bool,
    /// Something was taken out of the queue since the last flush.
    taken: bool,
    /// The handler takes nothing for now.
    pub(crate) stalled: bool,
    /// Nobody hears what the peer says.
    pub(crate) unheard: bool,
    /// The draft cannot say the heartbeat.
    pub(crate) mute: bool,
    /// Our end of the socket and the codec are with the queue.
    pub(crate) on_loan: bool,
    pub(crate) tickets: Lent<Tickets>,
}

impl Session {
    pub(crate) fn new(start: Start, settings: Arc<Settings>, now: Instant) -> Self {
        let Start {
            codec,
            head,
            received,
        } = start;
        // A copy of its own size: what was read for HTTP lies in a large buffer.
        let input = BytesMut::from(&received[..]);
        let mut out = Outbox::new();
        if let Some(head) = head {
            out.put_shared(&head);
        }
        let queue = Queue::new(settings.queue, settings.overflow);
        queue.live.tell(&Stats {
            octets_in: input.len() as u64,
            ..Stats::default()
        });
        Self {
            codec,
            queue: Arc::new(queue),
            settings,
            out: Lent::new(out),
            stats: Lent::new(Stats::default()),
            beside: Beside::default(),
            clock: Clock::new(now),
            phase: Phase::New,
            verdict: None,
            eof: false,
            unflushed: false,
            answers: 0,
            buffer: capacity(&input),
            input: Lent::new(input),
            lent: false,
            caught_up: false,
            opened: false,
            heard: false,
            we_closed: false,
            peer_closed: false,
            held_close: false,
            stirred: true,
            taken: false,
            stalled: false,
            unheard: false,
            mute: false,
            on_loan: false,
            tickets: Lent::new(Tickets::new()),
        }
    }

    /// Before anything else; later nothing.
    pub(crate) fn start(&mut self) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Run;
        let now = Instant::now();
        self.clock = Clock::new(now);
        if !self.out.is_empty() {
            // Our head.
            self.clock.edges_mut().head = now.checked_add(self.settings.head_delay);
        }
        let head = self.out.len();
        self.codec.start(&mut self.out);
        if self.out.len() > head {
            // The peer waits for what stands behind it.
            self.clock.edges_mut().head = None;
        }
    }

    /// Takes what a turn needs, from `scratch` where that has it. Where
    /// something is on loan, [`take_back`](Self::take_back) comes next.
    pub(crate) fn resume(&mut self, scratch: &mut Scratch) {
        let spares = &mut scratch.spares;
        self.out.borrow(&mut spares.out);
        self.input.borrow(&mut spares.input);
        self.tickets.borrow(&mut spares.tickets);
        self.stats.borrow(&mut spares.stats);
        self.out.lend(&mut scratch.out);
        if !self.on_loan {
            self.recall();
        }
    }

    /// Gives back what a turn needed; says what went over the connection.
    pub(crate) fn pause(&mut self, scratch: &mut Scratch) {
        self.queue.live.tell(&self.stats);
        self.beside.tell(&self.stats);
        self.out.take_back(&mut scratch.out);
        if self.tickets.capacity() > TICKETS {
            self.tickets.shrink_to(TICKETS);
        }
        let spares = &mut scratch.spares;
        self.out.give_back(&mut spares.out);
        self.input.give_back(&mut spares.input);
        self.tickets.give_back(&mut spares.tickets);
        self.stats.give_back(&mut spares.stats);
    }

    /// What went over the connection by now.
    fn recall(&mut self) {
        let stats = self.beside.stats();
        *self.stats = self.queue.live.recall(stats);
    }

    /// Whether the outbox is kept back, for our head and the answer to the
    /// peer's challenge to leave in one write.
    pub(crate) fn held(&self) -> bool {
        self.clock.edges().head.is_some()
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
            self.clock.restart_closing(now);
        }
    }

    /// Takes back what was lent: the codec here, our end of the socket into `half`.
    pub(crate) fn take_back(&mut self, half: &mut Half) {
        if !std::mem::replace(&mut self.on_loan, false) {
            return;
        }
        let back = self.queue.take_back();
        self.recall();
        let Some(Back { loan, torn, failed }) = back else {
            return;
        };
        *half = loan.half;
        self.codec = loan.codec;
        // All else whoever wrote has counted where it was recalled from.
        self.stats.payload_out += loan.sent.payload;
        self.clock.wrote = loan.sent.last.unwrap_or(self.clock.wrote);
        if let Some(torn) = torn {
            self.out.put_shared(&torn.rest);
            let end = self.stats.octets_out + self.out.len() as u64;
            self.tickets.push_back((end, torn.ticket));
            self.taken = true;
        }
        if let Some(kind) = failed {
            self.broken(&kind.into());
        }
    }

    /// Whether somebody posts, and there is nothing left to do here.
    pub(crate) fn may_lend(&self) -> bool {
        self.queue.is_wanted()
            && self.phase == Phase::Run
            && self.opened
            && !(self.we_closed || self.peer_closed || self.unflushed)
            && self.out.is_empty()
            && self.tickets.is_empty()
    }

    /// Lends the queue what writing takes.
    pub(crate) fn lend(&mut self, half: &mut Half) {
        let Some(class) = self.codec.wire_class() else {
            return;
        };
        let loan = Box::new(Loan {
            half: std::mem::take(half),
            codec: std::mem::replace(&mut self.codec, Box::new(Absent)),
            class,
            sent: Sent::default(),
        });
        match self.queue.lend(loan) {
            Ok(()) => self.on_loan = true,
            Err(loan) => (*half, self.codec) = (loan.half, loan.codec),
        }
    }

    /// Encodes what is queued, and closes when it is time to. Whether more
    /// could be encoded as soon as something is written.
    pub(crate) fn fill(&mut self, now: Instant) -> bool {
        // The handler may have ordered something just now.
        if !self.stirred && !self.peer_closed && !self.queue.is_stirred() {
            return false;
        }
        while self.may_send() {
            if self.out.len() > HIGH {
                return true;
            }
            let Some(entry) = self.queue.pop() else {
                self.stirred = false;
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
        if !clock.edges().strict {
            clock.credit_closing(count, now);
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
        if std::mem::replace(&mut self.taken, false) {
            self.queue.written();
        }
    }

    /// Says `what` at once.
    pub(crate) fn say(&mut self, what: Outgoing) -> Result<(), SendError> {
        let codec = self.codec.as_mut();
        send(codec, &mut self.out, &self.queue, &mut self.stats, what)
    }

    /// Tells `handler`, once, that the protocol is over.
    pub(crate) fn tell_end(&mut self, handler: &mut dyn Handler) {
        if self.phase == Phase::Run || std::mem::replace(&mut self.clock.edges_mut().told, true) {
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
        self.taken = true;
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
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also when the task is dropped half-way: nobody waits for ever, and
        // every receipt is settled.
        self.queue.end();
    }
}
