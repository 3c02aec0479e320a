//! Keeps peers from filling the log: of each kind of line that a peer can
//! bring about, only so many are written in ten seconds, and one line says how
//! many more there were. What the gateway counts is counted all the same.
//!
//! By kind, so that a flood of one does not hide the others; and one address
//! gets a tenth of a kind's lines at most, so that it does not hide the same
//! mistake of others. This stands in front of the log and not behind it
//! (where the command's backlog bounds memory against a reader that stops):
//! there nobody knows any more which lines are alike.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Duration, Instant, sleep_until},
};
use tracing::warn;

use crate::gate::counted_as;

/// The time over which lines are counted and summed up.
const WINDOW: Duration = Duration::from_secs(10);

/// An access line is the only trace of a peer that was let in, so more of them
/// are written than of other lines: with the default rate, those of 10,000
/// connections that all end in a drain; and a tenth of them is as many as one
/// address has connections by default.
const ACCESS: u32 = 100;

/// What limits a gateway's log.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Lines of one kind in one window; `None` is no limit.
    most: Option<u32>,
    window: Mutex<Window>,
    /// A line was left out.
    left_out: Notify,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    kinds: HashMap<&'static str, Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    written: u32,
    left_out: u64,
    /// Lines written for each address; none for loopback, where a proxy
    /// brings every peer under one.
    by_address: HashMap<IpAddr, u32>,
}

impl Throttle {
    /// `rate` lines a second of each kind, averaged over ten seconds.
    pub(crate) fn new(rate: Option<u32>) -> Self {
        let seconds = WINDOW.as_secs() as u32;
        Self {
            most: rate.map(|rate| rate.saturating_mul(seconds)),
            window: Mutex::new(Window {
                since: Instant::now(),
                kinds: HashMap::new(),
            }),
            left_out: Notify::new(),
        }
    }

    /// Whether a line with this code about `peer` is to be written. If not, it
    /// is counted, and told with others of its kind.
    pub(crate) fn lets(&self, code: &'static str, peer: IpAddr) -> bool {
        self.lets_times(1, code, peer)
    }

    /// The same for the access line of `peer`'s connection that was open.
    pub(crate) fn lets_access(&self, peer: IpAddr) -> bool {
        self.lets_times(ACCESS, "access", peer)
    }

    /// Whether it is among so many times the usual number of lines.
    fn lets_times(&self, times: u32, code: &'static str, peer: IpAddr) -> bool {
        let Some(most) = self.most else { return true };
        let most = most.saturating_mul(times);
        let peer = counted_as(peer);
        self.take(code, |kind| {
            if kind.written >= most {
                return false;
            }
            if peer.is_loopback() {
                return true;
            }
            let here = kind.by_address.entry(peer).or_default();
            *here += 1;
            *here <= (most / 10).max(1)
        })
    }

    /// Tells what was left out so far.
    pub(crate) fn tell(&self) {
        let over = self.window().end();
        sum_up(over);
    }

    /// Waits for the end of a window in which lines were left out. Without it
    /// nothing would be told before the next line.
    pub(crate) async fn window_over(&self) {
        self.left_out.notified().await;
        let end = self.window().since + WINDOW;
        sleep_until(end).await;
    }

    fn take(&self, code: &'static str, lets: impl FnOnce(&mut Kind) -> bool) -> bool {
        let mut window = self.window();
        let over = match window.since.elapsed() >= WINDOW {
            true => window.end(),
            false => HashMap::new(),
        };
        let kind = window.kinds.entry(code).or_default();
        let written = lets(kind);
        match written {
            true => kind.written += 1,
            false => {
                kind.left_out += 1;
                if kind.left_out == 1 {
                    self.left_out.notify_one();
                }
            }
        }
        drop(window);
        sum_up(over);
        written
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// Begins the next one; the kinds of this one.
    fn end(&mut self) -> HashMap<&'static str, Kind> {
        self.since = Instant::now();
        std::mem::take(&mut self.kinds)
    }
}

/// Without the lock: writing a line may take its time.
fn sum_up(kinds: HashMap<&'static str, Kind>) {
    for (code, Kind { left_out, .. }) in kinds {
        if left_out > 0 {
            warn!(
                code,
                left_out,
                "{left_out} more lines with the code {code} in the last {} s were left out; `log.rate` says how many are written",
                WINDOW.as_secs()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// How many of `lines` about `peer` are written.
    fn written(throttle: &Throttle, code: &'static str, peer: IpAddr, lines: u32) -> usize {
        (0..lines).filter(|_| throttle.lets(code, peer)).count()
    }

    fn left_out(throttle: &Throttle, code: &str) -> u64 {
        throttle.window().kinds.get(code).map_or(0, |k| k.left_out)
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_has_so_many_lines_in_ten_seconds_and_the_rest_is_counted() {
        let throttle = Throttle::new(Some(3));
        for _ in 0..3 {
            assert_eq!(written(&throttle, "a", LOOPBACK, 12_345), 30);
            assert_eq!(left_out(&throttle, "a"), 12_315);
            assert_eq!(written(&throttle, "b", LOOPBACK, 30), 30);
            assert_eq!(left_out(&throttle, "b"), 0);
            advance(WINDOW - Duration::from_millis(1)).await;
            assert!(!throttle.lets("a", LOOPBACK));
            advance(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_takes_a_tenth_and_leaves_the_rest_to_others() {
        let throttle = Throttle::new(Some(10));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (peer, lines) in [
            ("192.0.2.1", 10),
            ("192.0.2.2", 10),
            ("2001:db8::1", 10),
            // The same household.
            ("2001:db8::2", 0),
            ("192.0.2.1", 0),
            ("127.0.0.1", 70),
            ("192.0.2.3", 0),
        ] {
            assert_eq!(written(&throttle, "a", address(peer), 100), lines, "{peer}");
        }
        assert_eq!(left_out(&throttle, "a"), 600);
        // What is kept does not grow with the addresses of a flood.
        for host in 0..100_000_u32 {
            throttle.lets("a", IpAddr::V4(host.into()));
        }
        assert!(throttle.window().kinds["a"].by_address.len() <= 100);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_were_open_have_a_hundred_times_as_many_lines() {
        let throttle = Throttle::new(Some(10));
        let written = |peer: IpAddr| (0..20_000).filter(|_| throttle.lets_access(peer)).count();
        // Who opens without end hides nobody else.
        assert_eq!(written("192.0.2.1".parse().unwrap()), 1_000);
        assert_eq!(written(LOOPBACK), 9_000);
        assert_eq!(left_out(&throttle, "access"), 30_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_that_stopped_is_summed_up_when_the_ten_seconds_are_over() {
        let throttle = Throttle::new(Some(1));
        let began = Instant::now();
        advance(Duration::from_secs(4)).await;
        written(&throttle, "a", LOOPBACK, 11);
        throttle.window_over().await;
        assert_eq!(began.elapsed(), WINDOW);
        assert_eq!(throttle.window().end()["a"].left_out, 1);
        // And nothing is told while nothing is left out.
        written(&throttle, "a", LOOPBACK, 10);
        let told = timeout(WINDOW * 10, throttle.window_over()).await;
        assert!(told.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_every_line_is_written() {
        let throttle = Throttle::new(None);
        assert_eq!(written(&throttle, "a", LOOPBACK, 100_000), 100_000);
        assert!((0..100_000).all(|_| throttle.lets_access(LOOPBACK)));
        assert!(throttle.window().kinds.is_empty());
    }
}
