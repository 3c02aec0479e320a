//! Which timers run when. They are derived from where the connection stands
//! each time the driver looks, and not started and stopped one by one: a timer
//! that nobody forgot to stop cannot fire in the wrong state. One [`Timer`] is
//! armed for the earliest.
//!
//! [`Timer`]: crate::timer::Timer

use std::time::Duration;

use draftgate_core::{Close, Closing, Outgoing, State};
use tokio::time::Instant;

use crate::{Why, ending::Phase, session::Session};

/// When things happened that timers count from.
#[derive(Debug)]
pub(crate) struct Clock {
    /// On the heap: for nearly all of its time a connection is open.
    edges: Option<Box<Edges>>,
    /// When octets last came.
    pub(crate) heard: Instant,
    /// When octets last went.
    pub(crate) wrote: Instant,
    /// Since when something waits to be written; later by what [`credit`] gives
    /// for what was written.
    pub(crate) waiting: Option<Instant>,
    /// Since when the rest of something that the peer began to say is waited
    /// for; later by what [`credit`] gives for what came of it.
    pub(crate) begun: Option<Instant>,
    /// When the next ping is due; `None` until the connection is open.
    pub(crate) ping: Option<Instant>,
}

/// The times of an opening, and those of a closing.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    /// When the driver began.
    pub(crate) started: Option<Instant>,
    /// Until when our head is kept back.
    pub(crate) head: Option<Instant>,
    /// When either end began to close; later by what [`credit`] gives.
    pub(crate) closing: Option<Instant>,
    /// Since when this stage of closing lasts, whatever was credited.
    pub(crate) closing_began: Option<Instant>,
    /// Progress does not prolong `closing`.
    pub(crate) strict: bool,
    /// When the end of TCP is no longer waited for.
    pub(crate) ending: Option<Instant>,
    /// Octets thrown away since the protocol was over.
    pub(crate) discarded: usize,
    /// The end of what the peer sends was acted upon.
    pub(crate) eof_handled: bool,
    /// The handler knows that it is over.
    pub(crate) told: bool,
}

const NEITHER: Edges = Edges {
    started: None,
    head: None,
    closing: None,
    closing_began: None,
    strict: false,
    ending: None,
    discarded: 0,
    eof_handled: false,
    told: false,
};

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    Closing,
    Ending,
    Head,
    Heartbeat,
    Idle,
    Message,
    Opening,
    Ping,
    Write,
}

impl Clock {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            edges: Some(Box::new(Edges {
                started: Some(now),
                ..Edges::default()
            })),
            heard: now,
            wrote: now,
            waiting: None,
            begun: None,
            ping: None,
        }
    }

    /// The times of the opening, or of the closing; none in between.
    pub(crate) fn edges(&self) -> &Edges {
        self.edges.as_deref().unwrap_or(&NEITHER)
    }

    /// The same, to be set.
    pub(crate) fn edges_mut(&mut self) -> &mut Edges {
        self.edges.get_or_insert_default()
    }

    /// Closing begins, or a stage of it.
    pub(crate) fn begin_closing(&mut self, now: Instant) {
        let edges = self.edges_mut();
        (edges.closing, edges.closing_began) = (Some(now), Some(now));
    }

    /// What closing has, if it is under way, counts from `now`.
    pub(crate) fn restart_closing(&mut self, now: Instant) {
        if let Some(edges) = &mut self.edges {
            edges.closing = edges.closing.map(|_| now);
        }
    }

    /// What closing has, if it is under way, is longer by what `octets` are
    /// worth.
    pub(crate) fn credit_closing(&mut self, octets: usize, now: Instant) {
        if let Some(edges) = &mut self.edges {
            edges.closing = edges.closing.map(|since| credit(since, octets, now));
        }
    }

    /// The opening is done.
    pub(crate) fn opened(&mut self) {
        if self.edges.as_ref().is_some_and(|it| it.closing.is_none()) {
            self.edges = None;
        }
    }
}

/// Which timers run. While that stays as it is, each of them is only ever put
/// off: by octets that came or went, or by a state that was left and entered
/// anew. So a timer that was armed for the first of them is still early enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    phase: Phase,
    state: State,
    facts: u16,
}

impl Session {
    /// Which timers run now: all that [`alarm`](Self::alarm) looks at, but for
    /// the times themselves and what never changes.
    pub(crate) fn standing(&self) -> Standing {
        let (clock, edges) = (&self.clock, self.clock.edges());
        let facts = [
            self.caught_up,
            self.stalled,
            self.held_close,
            self.unheard,
            edges.strict,
            edges.head.is_some(),
            clock.waiting.is_some(),
            clock.begun.is_some(),
            clock.ping.is_some(),
            edges.closing.is_some(),
            edges.closing_began.is_some(),
            edges.ending.is_some(),
        ];
        let bits = facts.iter().enumerate();
        Standing {
            phase: self.phase,
            state: self.codec.state(),
            facts: bits.fold(0, |all, (at, fact)| all | u16::from(*fact) << at),
        }
    }

    /// The timer that is due first, and when.
    pub(crate) fn alarm(&self) -> Option<(Instant, Alarm)> {
        let mut first: Option<(Instant, Alarm)> = None;
        let mut run = |alarm, since: Option<Instant>, patience: Option<Duration>| {
            // A patience beyond the end of time is none.
            let at = since.and_then(|since| since.checked_add(patience?));
            if let Some(at) = at
                && first.is_none_or(|(earliest, _)| at < earliest)
            {
                first = Some((at, alarm));
            }
        };
        let (clock, settings) = (&self.clock, &self.settings);
        let edges = clock.edges();
        match self.phase {
            Phase::New | Phase::Done => {}
            Phase::Shut(_) | Phase::Linger => run(Alarm::Ending, edges.ending, NOW),
            Phase::Flush(_) => run(Alarm::Closing, edges.closing, Some(self.patience())),
            Phase::Run => {
                let relayed = self.held_close || self.patient_with_closing();
                if !(self.stalled && self.patient_with_closing()) {
                    run(Alarm::Closing, edges.closing, Some(self.patience()));
                }
                if relayed {
                    run(Alarm::Closing, edges.closing_began, LONGEST_CLOSING);
                }
                run(Alarm::Write, clock.waiting, Some(settings.write_timeout));
                // What lies here undecoded waits for us and not for the peer.
                if self.caught_up && self.codec.state() == State::Open {
                    run(Alarm::Message, clock.begun, settings.message_timeout);
                }
                match self.codec.state() {
                    State::Opening => {
                        run(Alarm::Head, edges.head, NOW);
                        let opening = Some(settings.opening_timeout);
                        run(Alarm::Opening, edges.started, opening);
                    }
                    State::Open if self.codec.capabilities().ping => {
                        run(Alarm::Ping, clock.ping, NOW);
                        // A peer that still takes what it is sent is alive, and
                        // one that does not is the write timeout's affair.
                        if clock.waiting.is_none() && !self.stalled {
                            run(Alarm::Idle, Some(clock.heard), settings.idle_timeout);
                        }
                    }
                    State::Open => {
                        let heartbeat = settings.heartbeat.as_ref().filter(|_| !self.mute);
                        let every = heartbeat.map(|h| h.every.max(SHORTEST));
                        run(Alarm::Heartbeat, Some(clock.wrote), every);
                    }
                    State::ClosingByUs | State::ClosingByPeer | State::Closed => {}
                }
            }
        }
        first
    }

    /// Acts on every timer that is due. Whether there was one.
    pub(crate) fn ring(&mut self, now: Instant) -> bool {
        let mut rang = false;
        while let Some((at, alarm)) = self.alarm() {
            if at > now {
                break;
            }
            rang = true;
            match alarm {
                Alarm::Closing if self.held_close => self.answer_late(now),
                Alarm::Closing => self.give_up(Why::CloseTimeout, now),
                Alarm::Ending => self.phase = Phase::Done,
                Alarm::Head => self.clock.edges_mut().head = None,
                Alarm::Heartbeat => self.beat(now),
                Alarm::Idle => {
                    let close = Close::new(Close::GOING_AWAY, "nothing received for too long");
                    self.close(Some(close), Why::IdleTimeout, now);
                }
                Alarm::Message => {
                    let close = Close::new(Close::POLICY, "a message was not finished in time");
                    self.close(Some(close), Why::MessageTimeout, now);
                }
                Alarm::Opening => self.give_up(Why::OpeningTimeout, now),
                Alarm::Ping => self.ping(now),
                Alarm::Write => {
                    self.cut(Why::WriteTimeout);
                    self.phase = Phase::Done;
                }
            }
        }
        rang
    }

    fn ping(&mut self, now: Instant) {
        self.put_off_ping(now);
        let _ = self.say(Outgoing::Ping(bytes::Bytes::new()));
    }

    /// The next ping is due when the interval has passed once more.
    pub(crate) fn put_off_ping(&mut self, now: Instant) {
        let every = self.settings.keep_alive;
        self.clock.ping = every.and_then(|every| now.checked_add(every.max(SHORTEST)));
    }

    fn beat(&mut self, now: Instant) {
        self.clock.wrote = now;
        let Some(heartbeat) = &self.settings.heartbeat else {
            return;
        };
        let what = heartbeat.what.clone();
        if self.out.is_empty() && self.say(what).is_err() {
            // It cannot be said in this draft and never will be.
            self.stats.unsayable += 1;
            self.mute = true;
        }
    }

    /// How long the end of the connection may go without progress.
    pub(crate) fn patience(&self) -> Duration {
        match self.codec.capabilities().closing {
            // It is not the peer's answer that is waited for.
            _ if self.held_close => self.settings.close_timeout,
            Closing::Marker => self.settings.marker_timeout,
            _ => self.settings.close_timeout,
        }
    }
}

/// `since`, moved on for `octets` that went one way or the other at `now`: a
/// millisecond each. So a timer that counts from there asks for 1000 octets a
/// second, less than any link that works, and not just for an octet now and
/// then; and it never lasts longer than its patience from `now`.
pub(crate) fn credit(since: Instant, octets: usize, now: Instant) -> Instant {
    let worth = Duration::from_millis(octets as u64);
    since.checked_add(worth).map_or(now, |later| later.min(now))
}

/// How long one side of a pair may still talk while the other waits to close: a
/// hundred messages over a slow link fit, a device that never heeds a Close
/// does not keep its slot.
const LONGEST_CLOSING: Option<Duration> = Some(Duration::from_secs(30));

/// The time was computed when it was set.
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A ping or heartbeat more often than this would be an attack, and zero an
/// endless loop.
const SHORTEST: Duration = Duration::from_millis(1);
