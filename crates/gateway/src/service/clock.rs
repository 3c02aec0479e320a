//! Says the time on a channel of its own, at whole multiples of its interval.
//!
//! The channel is on a hub apart, so that no bus route can name it and nobody
//! but the clock speaks there. One task feeds it; every tick is reckoned anew
//! from the system's clock, so that nothing adds up to a drift and a clock that
//! is set is followed. The time is told as it is when the message leaves, and
//! not as the tick was meant: what is late says so.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use draftgate_bus::{Channel, Hub};
use time::OffsetDateTime;

use super::{Answer, Bus, Opening, Service};
use crate::config::Route;

/// The name of its one channel.
pub(crate) const CHANNEL: &str = "clock";

/// How often the system's clock is looked at: one that is set forward over the
/// next tick is noticed within this, however long the interval.
const LOOK: Duration = Duration::from_secs(1);

/// A clock route.
#[derive(Debug)]
pub struct Clock {
    bus: Bus,
    ticking: Ticking,
}

/// What ticks.
#[derive(Debug, Clone)]
pub(crate) struct Ticking {
    pub(crate) hub: Hub,
    pub(crate) channel: Channel,
    interval: Duration,
}

impl Clock {
    /// The clock that `route` describes, beside `hub`, whose ledger it shares.
    /// `muted` counts the messages of its peers, none of which may publish.
    pub fn new(route: &Route, hub: &Hub, muted: Arc<AtomicU64>) -> Self {
        let hub = hub.apart();
        Self {
            bus: Bus::new(route, hub.clone(), muted),
            ticking: Ticking {
                hub,
                channel: CHANNEL.parse().expect("a constant name"),
                interval: route.interval,
            },
        }
    }

    pub(crate) fn ticking(&self) -> &Ticking {
        &self.ticking
    }
}

impl Service for Clock {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        let opening = Opening {
            channel: Some(CHANNEL),
            ..*opening
        };
        Box::pin(async move { self.bus.open(&opening).await })
    }
}

impl Ticking {
    /// Says the time until it is dropped. `now` is the system's clock.
    pub(crate) async fn feed(self, now: impl Fn() -> SystemTime) {
        loop {
            self.await_tick(&now).await;
            // Nobody listens, nobody comes back: nothing is said.
            if self.hub.channels() > 0 {
                self.hub.publish(&self.channel, said(now()).into(), None);
            }
        }
    }

    async fn await_tick(&self, now: &impl Fn() -> SystemTime) {
        let mut tick = after(since_1970(now()), self.interval);
        loop {
            let left = tick.saturating_sub(since_1970(now()));
            if left.is_zero() {
                return;
            }
            if left > self.interval {
                // The clock was set back.
                tick = after(since_1970(now()), self.interval);
                continue;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}

fn since_1970(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The first multiple of `interval` after `now`.
fn after(now: Duration, interval: Duration) -> Duration {
    let (now, interval) = (now.as_nanos(), interval.as_nanos().max(1));
    let tick = (now / interval + 1) * interval;
    const SECOND: u128 = 1_000_000_000;
    // Both halves fit until the year 584 billion.
    Duration::new((tick / SECOND) as u64, (tick % SECOND) as u32)
}

/// `now` as RFC 3339 has it, in UTC with milliseconds.
fn said(now: SystemTime) -> String {
    let now = OffsetDateTime::from(now);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        now.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use draftgate_bus::{Delivery, Envelope, Verdict};
    use draftgate_core::Message;
    use tokio::time::Instant;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Delivery for Heard {
        fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
            let Message::Text(text) = envelope.shared.message() else {
                return Verdict::Delivered;
            };
            self.0.lock().unwrap().push(text.as_str().to_owned());
            Verdict::Delivered
        }
    }

    fn ticking(interval: Duration) -> (Ticking, Arc<Heard>, draftgate_bus::Listening) {
        let (hub, channel) = (Hub::new(), CHANNEL.parse().unwrap());
        let heard = Arc::new(Heard::default());
        let (place, _) = hub.listen(&channel, None, heard.clone());
        let ticking = Ticking {
            hub,
            channel,
            interval,
        };
        (ticking, heard, place)
    }

    /// 2011-12-01T12:00:00Z, when RFC 6455 was nearly out.
    const THEN: u64 = 1_322_740_800;

    #[test]
    fn the_time_is_said_as_rfc_3339_has_it() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (THEN * 1000 + 7, "2011-12-01T12:00:00.007Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            let at = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(said(at), text);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_are_whole_seconds_and_do_not_drift() {
        let (ticking, heard, _place) = ticking(Duration::from_secs(1));
        let began = Instant::now();
        let base = UNIX_EPOCH + Duration::from_millis(THEN * 1000 + 300);
        let feed = tokio::spawn(ticking.feed(move || base + began.elapsed()));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        feed.abort();
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), 3600);
        let late = |text: &String| !text.ends_with(".000Z") && !text.ends_with(".001Z");
        assert_eq!(heard.iter().find(|text| late(text)), None);
        assert!(heard[0].starts_with("2011-12-01T12:00:01."), "{}", heard[0]);
        assert!(
            heard[3599].starts_with("2011-12-01T13:00:00."),
            "{}",
            heard[3599]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_followed() {
        // Set back on the way to 12:00:20, and forward over 11:00:50, which is said
        // when it is noticed.
        let (ticking, heard, _place) = ticking(Duration::from_secs(10));
        let began = Instant::now();
        let base = UNIX_EPOCH + Duration::from_secs(THEN);
        let shifted = move || match began.elapsed() {
            early if early < Duration::from_secs(15) => base + early,
            back if back < Duration::from_secs(45) => base + back - Duration::from_secs(3600),
            ahead => base + ahead + Duration::from_secs(3600),
        };
        let feed = tokio::spawn(ticking.feed(shifted));
        tokio::time::sleep(Duration::from_secs(61)).await;
        feed.abort();
        let heard = heard.0.lock().unwrap();
        let seconds: Vec<&str> = heard.iter().map(|text| &text[11..19]).collect();
        assert_eq!(
            seconds,
            [
                "12:00:10", "11:00:20", "11:00:30", "11:00:40", "13:00:45", "13:00:50", "13:01:00"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_over_a_tick_is_noticed_at_once() {
        let (ticking, heard, _place) = ticking(Duration::from_secs(3600));
        let began = Instant::now();
        let base = UNIX_EPOCH + Duration::from_secs(THEN);
        let feed = tokio::spawn(ticking.feed(move || match began.elapsed() {
            early if early < Duration::from_secs(15) => base + early,
            ahead => base + ahead + Duration::from_secs(2 * 3600),
        }));
        tokio::time::sleep(Duration::from_secs(17)).await;
        feed.abort();
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), 1);
        assert!(heard[0].starts_with("2011-12-01T14:00:1"), "{}", heard[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_to_nobody() {
        let (ticking, _, place) = ticking(Duration::from_secs(1));
        drop(place);
        let hub = ticking.hub.clone();
        let feed = tokio::spawn(ticking.feed(SystemTime::now));
        tokio::time::sleep(Duration::from_secs(10)).await;
        feed.abort();
        assert_eq!(hub.ledger().published(), 0);
    }
}
