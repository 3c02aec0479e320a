//! How fast a listener accepts: so many connections a second, after a few at
//! once. What comes faster waits in the kernel's queue, unaccepted, so that a
//! storm of returning clients is delayed and nobody is refused.
//!
//! Kept as the moment up to which everything accepted is paid for (the generic
//! cell rate algorithm), because that is one number and no timer that ticks.

use tokio::time::{Duration, Instant, sleep_until};

/// How much may be accepted at once, in time: more than what timers and a busy
/// machine are late by, so that the rate is reached as well as kept.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The pace of one listener.
#[derive(Debug)]
pub(crate) struct Pace {
    /// What one connection takes; `None` is no limit.
    each: Option<Duration>,
    paid_until: Instant,
}

impl Pace {
    /// `rate` connections a second.
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self {
            each: rate.map(|rate| Duration::from_secs(1) / rate.max(1)),
            paid_until: Instant::now(),
        }
    }

    /// Waits until one more may be accepted. Nothing is taken by waiting:
    /// whoever stops in the middle loses nothing.
    pub(crate) async fn wait(&self) {
        if let Some(each) = self.each {
            // At least one at once, however slow the rate.
            let ahead = AT_ONCE.saturating_sub(each);
            if let Some(at) = self.paid_until.checked_sub(ahead)
                && at > Instant::now()
            {
                sleep_until(at).await;
            }
        }
    }

    /// One was accepted.
    pub(crate) fn took_one(&mut self) {
        if let Some(each) = self.each {
            self.paid_until = self.paid_until.max(Instant::now()) + each;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are accepted in `time`.
    async fn accepted_in(pace: &mut Pace, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut count = 0;
        loop {
            pace.wait().await;
            if Instant::now() >= end {
                return count;
            }
            pace.took_one();
            count += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_and_reached_after_a_tenth_of_a_second_at_once() {
        for rate in [20, 1_000, 30_000] {
            let mut pace = Pace::new(Some(rate));
            let count = accepted_in(&mut pace, Duration::from_secs(10)).await;
            let at_once = rate / 10;
            assert!(
                (rate * 10..=rate * 10 + at_once + 1).contains(&count),
                "{rate}: {count}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_pace_takes_one_at_a_time() {
        let mut pace = Pace::new(Some(1));
        let began = Instant::now();
        for second in 0..5 {
            pace.wait().await;
            assert_eq!(began.elapsed().as_secs(), second);
            pace.took_one();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_earns_no_more_than_a_tenth_of_a_second() {
        let mut pace = Pace::new(Some(100));
        accepted_in(&mut pace, Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let count = accepted_in(&mut pace, Duration::from_millis(1)).await;
        assert!((10..=11).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let mut pace = Pace::new(None);
        let began = Instant::now();
        for _ in 0..100_000 {
            pace.wait().await;
            pace.took_one();
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
