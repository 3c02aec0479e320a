//! Which address has failed, and how long it is passed over for that: a second,
//! then twice as long each time, less up to half of it by chance, so that many
//! gateways do not come back to a server at the same moment. When the time is
//! over, one connection finds out for all how it does now.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::BackOff;

/// How one address has done.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How often it has failed since it worked.
    failures: u32,
    /// Until when it is passed over.
    until: Option<Instant>,
    /// Whether somebody finds out at the moment.
    probed: bool,
}

/// Held by the one that finds out how an address does that failed before; an end
/// without an answer, too, lets another one try.
#[derive(Debug)]
pub(crate) struct Probe<'a>(Option<&'a Health>);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(health) = self.0 {
            health.state().probed = false;
        }
    }
}

impl Health {
    /// Until when it is passed over, if it is.
    pub(crate) fn out_until(&self, now: Instant) -> Option<Instant> {
        self.state().until.filter(|until| *until > now)
    }

    /// Whether it failed before and somebody finds out how it does now.
    pub(crate) fn is_probed(&self) -> bool {
        let state = self.state();
        state.probed && state.failures > 0
    }

    /// Leave to try it; `None` if it failed before and somebody else finds out
    /// how it does now.
    pub(crate) fn probe(&self) -> Option<Probe<'_>> {
        let mut state = self.state();
        if state.failures == 0 {
            return Some(Probe(None));
        }
        let probed = std::mem::replace(&mut state.probed, true);
        // Made only if it is handed out: its end takes the lock.
        (!probed).then(|| Probe(Some(self)))
    }

    /// It has failed, at an attempt that began at `begun`: for how long it is
    /// passed over. `None` if that is no news: attempts that ran while it failed,
    /// or while it is passed over, are the same failure.
    pub(crate) fn failed(&self, begun: Instant, back_off: BackOff) -> Option<Duration> {
        let mut state = self.state();
        if state.until.is_some_and(|until| begun < until) {
            return None;
        }
        let now = Instant::now();
        let delay = delay(state.failures, back_off);
        state.failures = state.failures.saturating_add(1);
        state.until = Some(now + delay);
        Some(delay)
    }

    /// It has worked; whether it had failed before.
    pub(crate) fn worked(&self) -> bool {
        let mut state = self.state();
        state.until = None;
        std::mem::take(&mut state.failures) > 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait after `failures` of before and one now.
pub(crate) fn delay(failures: u32, back_off: BackOff) -> Duration {
    let doubled = 2u32.saturating_pow(failures.min(31));
    let longest = back_off.first.saturating_mul(doubled).min(back_off.longest);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK_OFF: BackOff = BackOff {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };

    #[tokio::test(start_paused = true)]
    async fn the_time_doubles_up_to_the_longest_and_a_success_ends_it() {
        let health = Health::default();
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let begun = Instant::now();
            let delay = health.failed(begun, BACK_OFF).unwrap();
            let longest = Duration::from_secs(longest);
            assert!(delay >= longest / 2 && delay <= longest, "{delay:?}");
            assert_eq!(health.out_until(begun), Some(begun + delay));
            tokio::time::advance(delay).await;
            assert_eq!(health.out_until(Instant::now()), None);
        }
        assert!(health.worked());
        assert!(!health.worked());
        let delay = health.failed(Instant::now(), BACK_OFF).unwrap();
        assert!(delay <= BACK_OFF.first);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_ran_at_the_same_time_count_once() {
        let health = Health::default();
        let begun = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(health.failed(begun, BACK_OFF).is_some());
        for _ in 0..100 {
            assert_eq!(health.failed(begun, BACK_OFF), None);
        }
        // Nor do those that were made for want of another address.
        assert_eq!(health.failed(Instant::now(), BACK_OFF), None);
        tokio::time::advance(BACK_OFF.first).await;
        let delay = health.failed(Instant::now(), BACK_OFF).unwrap();
        assert!(delay <= 2 * BACK_OFF.first);
    }

    #[tokio::test(start_paused = true)]
    async fn one_finds_out_how_an_address_does_that_failed() {
        let health = Health::default();
        // While nothing is known against it, anybody may try.
        let _both = (health.probe().unwrap(), health.probe().unwrap());
        health.failed(Instant::now(), BACK_OFF);
        let one = health.probe().unwrap();
        assert!(health.is_probed() && health.probe().is_none());
        drop(one);
        assert!(!health.is_probed());
        let another = health.probe().unwrap();
        health.worked();
        assert!(!health.is_probed() && health.probe().is_some());
        drop(another);
    }

    #[test]
    fn any_number_of_failures_has_a_delay() {
        for failures in [0, 31, 32, u32::MAX] {
            assert!(delay(failures, BACK_OFF) <= BACK_OFF.longest);
        }
        let forever = BackOff {
            first: Duration::MAX,
            longest: Duration::from_secs(1),
        };
        assert!(delay(7, forever) <= forever.longest);
    }

    #[test]
    fn the_delays_of_many_differ() {
        let delays: std::collections::BTreeSet<_> = (0..100).map(|_| delay(6, BACK_OFF)).collect();
        assert!(delays.len() > 50, "{delays:?}");
    }
}
