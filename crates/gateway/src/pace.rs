//! How fast a listener takes up connections: so many a second, after a few at
//! once. The others wait unread, in the order of arrival, so that a storm of
//! returning clients is delayed and nobody is refused.
//!
//! They wait here and not in the kernel's queue: that is short (4,096 on
//! Linux), and what finds no room in it may be reset, because a client that
//! was answered by a SYN cookie believes that it is connected.
//!
//! Kept as the moment up to which every connection so far is paid for (the
//! generic cell rate algorithm): one number, no queue, no timer that ticks.

use tokio::time::{Duration, Instant};

/// How much may begin at once, in time: more than what timers and a busy
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

    /// When the next connection may begin; `None` is at once.
    pub(crate) fn begins(&mut self) -> Option<Instant> {
        let each = self.each?;
        let now = Instant::now();
        // At least one at once, however slow the rate.
        let ahead = AT_ONCE.saturating_sub(each);
        let begins = self.paid_until.checked_sub(ahead).filter(|at| *at > now);
        self.paid_until = self.paid_until.max(now) + each;
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a storm begin within `time`.
    fn begun_in(pace: &mut Pace, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut count = 0;
        while pace.begins().is_none_or(|at| at < end) {
            count += 1;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_after_a_tenth_of_a_second_at_once() {
        for rate in [20, 1_000, 30_000] {
            let mut pace = Pace::new(Some(rate));
            let count = begun_in(&mut pace, Duration::from_secs(10));
            // And what a nanosecond's rounding makes of it.
            let at_once = rate / 10 + 1 + rate / 1_000;
            assert!(
                (rate * 10..=rate * 10 + at_once).contains(&count),
                "{rate}: {count}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_first_begins_first() {
        let mut pace = Pace::new(Some(1_000));
        let mut last = Instant::now();
        for number in 0..5_000 {
            let begins = pace.begins();
            assert_eq!(begins.is_none(), number < 100, "{number}");
            if let Some(at) = begins {
                assert!(at > last, "{number}");
                last = at;
            }
        }
        assert_eq!((last - Instant::now()).as_millis(), 4_900);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_pace_takes_one_at_a_time() {
        let mut pace = Pace::new(Some(1));
        let now = Instant::now();
        assert_eq!(pace.begins(), None);
        for second in 1..5 {
            assert_eq!(pace.begins(), Some(now + Duration::from_secs(second)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_earns_no_more_than_a_tenth_of_a_second() {
        let mut pace = Pace::new(Some(100));
        begun_in(&mut pace, Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(60)).await;
        let at_once = (0..100).filter(|_| pace.begins().is_none()).count();
        assert_eq!(at_once, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let mut pace = Pace::new(None);
        assert!((0..100_000).all(|_| pace.begins().is_none()));
    }
}
