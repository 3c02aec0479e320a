//! How fast one connection may send, and until when it may last.
//!
//! Kept as the moment up to which every message so far is paid for (the generic
//! cell rate algorithm): one number, no timer that ticks. It stands around a
//! connection's handler, so that one without a rate pays nothing. What waits
//! does so in the peer's own socket: the driver decodes nothing, and then reads
//! nothing, while its own pings, deadlines and closes go on.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use draftgate_conn::{End, Handler, Peer, Sender};
use draftgate_core::{Capabilities, Close, Draft, Message, MessageRef, Notice};
use draftgate_translate as translate;
use tokio::{
    select,
    time::{Duration, Instant, Sleep, sleep_until},
};
use tracing::info;

use crate::{
    config::{Excess, Rate},
    service::{TOO_FAST, Tally},
};

/// What was paid for so far.
#[derive(Debug, Clone, Copy)]
struct Meter {
    each: Duration,
    /// How far ahead may be paid for: the burst, less the one that is due.
    ahead: Duration,
    paid_until: Instant,
}

impl Meter {
    fn new(rate: &Rate, now: Instant) -> Self {
        let each = Duration::from_secs(1) / rate.per_second.max(1);
        Self {
            each,
            ahead: each * rate.burst.saturating_sub(1),
            paid_until: now,
        }
    }

    /// When the next message may come, if that is not now.
    fn begins(&self, now: Instant) -> Option<Instant> {
        let begins = self.paid_until.checked_sub(self.ahead)?;
        (begins > now).then_some(begins)
    }

    fn pay(&mut self, now: Instant) {
        self.paid_until = self.paid_until.max(now) + self.each;
    }
}

/// Who must be told of a message that comes too fast.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: Arc<str>,
    pub(crate) tally: Arc<Tally>,
    /// Of all connections.
    pub(crate) all: Arc<AtomicU64>,
}

/// A handler whose peer sends no faster than its rate.
pub(crate) struct Paced {
    session: Box<dyn Handler>,
    meter: Meter,
    excess: Excess,
    told: Told,
    /// Made when it is first needed.
    timer: Option<Pin<Box<Sleep>>>,
    closed: bool,
}

impl Paced {
    /// `session`, at `rate`.
    pub(crate) fn new(session: Box<dyn Handler>, rate: &Rate, told: Told) -> Self {
        Self {
            session,
            meter: Meter::new(rate, Instant::now()),
            excess: rate.excess,
            told,
            timer: None,
            closed: false,
        }
    }

    /// Whether one more message comes slowly enough, which is then paid for.
    fn takes_one(&mut self, peer: &mut Peer<'_>) -> bool {
        let now = Instant::now();
        if self.closed {
            self.too_fast();
            return false;
        }
        if self.excess != Excess::Wait && self.meter.begins(now).is_some() {
            self.too_fast();
            if self.excess == Excess::Close {
                self.closed = true;
                let told = policy("messages come too fast", &peer.capabilities(), peer.draft());
                peer.close(Some(told));
            }
            return false;
        }
        self.meter.pay(now);
        true
    }

    fn too_fast(&self) {
        self.told.all.fetch_add(1, Relaxed);
        if self.told.tally.too_fast() {
            let id = &self.told.id;
            match self.excess {
                Excess::Close => {
                    info!(%id, code = TOO_FAST, "the connection is closed: messages come faster than `limits.message-rate`");
                }
                _ => {
                    info!(%id, code = TOO_FAST, "a message was dropped: messages come faster than `limits.message-rate`");
                }
            }
        }
    }
}

impl Handler for Paced {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        self.session.opened(peer);
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.excess == Excess::Wait
            && let Some(at) = self.meter.begins(Instant::now())
        {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.session.poll_ready(cx)
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if self.takes_one(peer) {
            self.session.message(message, peer);
        }
    }

    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        if self.takes_one(peer) {
            self.session.passed(message, peer);
        }
    }

    fn caught_up(&mut self) {
        self.session.caught_up();
    }

    fn is_light(&self) -> bool {
        self.session.is_light()
    }

    fn pong(&mut self, body: Bytes, peer: &mut Peer<'_>) {
        self.session.pong(body, peer);
    }

    fn notice(&mut self, notice: Notice) {
        self.session.notice(notice);
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        self.session.closing(close, peer);
    }

    fn ended(&mut self, end: &End<'_>) {
        self.session.ended(end);
    }
}

/// 1008, as far as a draft can say it; the log has it in any case.
fn policy(reason: &str, capabilities: &Capabilities, draft: Draft) -> Close {
    let close = Close::new(Close::POLICY, reason);
    translate::close(Some(close.clone()), capabilities, draft).unwrap_or(close)
}

/// When a connection is to end, and how it is told.
pub(crate) struct Until {
    pub(crate) at: Instant,
    pub(crate) sender: Sender,
    pub(crate) capabilities: Capabilities,
    pub(crate) draft: Draft,
}

/// Drives `run` to its end, which it is given as soon as its time has come.
pub(crate) async fn until<F: Future + Unpin>(until: Until, mut run: F) -> F::Output {
    select! {
        biased;
        ended = &mut run => return ended,
        () = sleep_until(until.at) => {}
    }
    let told = policy("the token has expired", &until.capabilities, until.draft);
    until.sender.close(Some(told));
    run.await
}

/// How fast publishers over HTTP may send, who have no connection that lasts.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<Box<str>, Meter>>);

/// As many publishers are told apart.
const MOST: usize = 10_000;

impl Buckets {
    /// Takes one message of `who`.
    ///
    /// # Errors
    /// It came too fast: after so long the next may come.
    pub(crate) fn take(&self, who: &str, rate: &Rate) -> Result<(), Duration> {
        let now = Instant::now();
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if meters.len() >= MOST && !meters.contains_key(who) {
            meters.retain(|_, meter| meter.paid_until > now);
        }
        let mut fresh = Meter::new(rate, now);
        let known = meters.get(who).map(|known| known.paid_until);
        fresh.paid_until = known.unwrap_or(now).max(now);
        if let Some(at) = fresh.begins(now) {
            return Err(at - now);
        }
        fresh.pay(now);
        // Beyond that many nobody is held up: it is a bound of memory alone.
        if known.is_some() || meters.len() < MOST {
            meters.insert(who.into(), fresh);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod paused;

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second,
            burst,
            excess: Excess::Wait,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let begun = Instant::now();
        let mut meter = Meter::new(&rate(10, 5), begun);
        let mut at_once = 0;
        for _ in 0..105 {
            match meter.begins(Instant::now()) {
                None => at_once += 1,
                Some(at) => sleep_until(at).await,
            }
            meter.pay(Instant::now());
        }
        assert_eq!(at_once, 5);
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
        // Who was silent has his burst again, and no more.
        tokio::time::advance(Duration::from_secs(100)).await;
        for left in (0..6).rev() {
            assert_eq!(meter.begins(Instant::now()).is_none(), left > 0);
            meter.pay(Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn publishers_are_told_apart_and_forgotten() {
        let buckets = Buckets::default();
        let rate = rate(2, 1);
        assert_eq!(buckets.take("a", &rate), Ok(()));
        assert_eq!(buckets.take("a", &rate), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take("b", &rate), Ok(()));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(buckets.take("a", &rate), Ok(()));
        for number in 0..MOST * 2 {
            assert_eq!(buckets.take(&number.to_string(), &rate), Ok(()));
        }
        assert_eq!(buckets.0.lock().unwrap().len(), MOST);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(buckets.take("c", &rate), Ok(()));
        assert_eq!(buckets.0.lock().unwrap().len(), 1);
    }
}
