//! What echoes and deliveries have in common: messages that are under way, when
//! something last came of them, and which of them count. A scenario embeds it
//! and adds what it alone has to know: who is to send what, and who lacks it.

use tokio::time::Instant;

use super::{Counted, Ground, TURN};
use crate::{
    Latency, LoadError, Report,
    pool::{Act, Pool},
};

/// Messages under way, and the time in which they count.
pub(super) struct Flow<'a> {
    pub(super) ground: &'a Ground<'a>,
    /// Messages that are to come, to each of their receivers.
    pub(super) under_way: u64,
    /// When something last came, or was sent after nothing was under way.
    pub(super) heard: Instant,
    /// There is a rate: each message has an instant at which it is due.
    pub(super) by_due: bool,
    /// Counting began, and ended.
    from: Option<Instant>,
    until: Option<Instant>,
    latency: Latency,
    /// How late messages were sent that were due.
    lag: Latency,
}

impl<'a> Flow<'a> {
    pub(super) fn new(ground: &'a Ground<'a>) -> Self {
        Self {
            ground,
            under_way: 0,
            heard: Instant::now(),
            by_due: false,
            from: None,
            until: None,
            latency: Latency::default(),
            lag: Latency::default(),
        }
    }

    pub(super) fn count_from(&mut self, now: Instant) {
        self.from = Some(now);
    }

    pub(super) fn count_until(&mut self, now: Instant) {
        self.until = Some(now);
    }

    /// Whether what happened then counts.
    pub(super) fn counts(&self, at: Instant) -> bool {
        self.from.is_some_and(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }

    /// Something was due then, and is sent now.
    pub(super) fn sent_late(&mut self, due: Instant, now: Instant) {
        if self.counts(due) {
            self.lag.record(now - due, 1);
        }
    }

    /// So many took from `since` to `now`. What was due in the counted time counts
    /// whenever it comes: those that come late are the ones to be told of.
    pub(super) fn took(&mut self, since: Instant, now: Instant, count: u64) {
        if self.counts(if self.by_due { since } else { now }) {
            self.latency.record(now - since, count);
        }
    }

    /// Holds the server to an answer.
    ///
    /// # Errors
    /// Something is under way, and nothing has come for too long.
    pub(super) fn check_silence(&self, now: Instant) -> Result<(), LoadError> {
        let within = self.ground.settings.within;
        if self.under_way > 0 && now.saturating_duration_since(self.heard) > within {
            return Err(LoadError::Silent {
                after: within,
                missing: self.under_way,
            });
        }
        Ok(())
    }
}

/// A scenario with messages under way.
pub(super) trait Flowing<'a>: Act {
    /// Where it keeps them.
    fn flow(&self) -> &Flow<'a>;

    /// Once all is measured.
    fn into_flow(self) -> Flow<'a>;
}

/// Waits for what is under way, unless it is to stop.
///
/// # Errors
/// Nothing came for too long, or a connection is gone.
pub(super) fn drain<'a>(pool: &mut Pool, act: &mut impl Flowing<'a>) -> Result<(), LoadError> {
    while act.flow().under_way > 0 && !act.flow().ground.control.is_stopped() {
        pool.turn(TURN, None, act)?;
        act.flow().check_silence(Instant::now())?;
    }
    Ok(())
}

/// Waits for what is under way, says farewell and reports what was `counted`.
///
/// # Errors
/// Those of [`drain`].
pub(super) fn finish<'a>(
    mut pool: Pool,
    mut act: impl Flowing<'a>,
    counted: &Counted,
) -> Result<Report, LoadError> {
    drain(&mut pool, &mut act)?;
    let decoded = pool.all().map(|(_, link)| link.decoded()).sum();
    pool.farewell();
    let flow = act.into_flow();
    Ok(Report {
        latency: flow.latency,
        lag: flow.lag,
        decoded,
        ..counted.report(flow.ground)
    })
}
