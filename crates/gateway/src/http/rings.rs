//! Which channels remember their last messages: those that have, or lately
//! had, readers over HTTP.
//!
//! A channel without such readers costs nothing. Anybody may name channels, so
//! their number is bounded. Of the address that named most, the one that was read
//! least lately makes room, so that nobody pushes out what others read; what all of them hold is bounded by the hub.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use draftgate_bus::{Bounds, Channel, Hub, Kept};
use tokio::time::{Duration, Instant, sleep};

use crate::{config::Http, gate::counted_as};

/// The channels of one hub that remember.
#[derive(Debug)]
pub(crate) struct Rings {
    hub: Hub,
    bounds: Bounds,
    most: usize,
    time: Duration,
    rings: Mutex<HashMap<Channel, Ring>>,
}

#[derive(Debug)]
struct Ring {
    /// Lets the channel go when it is dropped.
    _kept: Kept,
    readers: usize,
    /// Who read it first, as addresses are counted.
    named_by: IpAddr,
    /// When the last reader came or went.
    read: Instant,
}

/// A reader of a channel that remembers.
#[derive(Debug)]
#[must_use = "the channel remembers for as long as it is read"]
pub(super) struct Reading {
    rings: Arc<Rings>,
    channel: Channel,
}

impl Rings {
    pub(crate) fn new(hub: Hub, http: &Http) -> Arc<Self> {
        Arc::new(Self {
            hub,
            bounds: Bounds {
                messages: http.history,
                octets: http.history_octets,
                total: http.history_total,
            },
            most: http.history_channels,
            time: http.history_time,
            rings: Mutex::default(),
        })
    }

    /// Lets `channel` remember for a reader at `address`; `None` if as many
    /// channels as may do so are being read.
    pub(super) fn read(self: &Arc<Self>, channel: &Channel, address: IpAddr) -> Option<Reading> {
        let address = counted_as(address);
        let mut given_up = None;
        let mut rings = self.rings();
        if !rings.contains_key(channel) && rings.len() >= self.most {
            let oldest = least_missed(&rings, address)?;
            given_up = rings.remove(&oldest);
        }
        let ring = rings.entry(channel.clone()).or_insert_with(|| Ring {
            _kept: self.hub.keep(channel, self.bounds),
            readers: 0,
            named_by: address,
            read: Instant::now(),
        });
        ring.readers += 1;
        ring.read = Instant::now();
        drop(rings);
        drop(given_up);
        Some(Reading {
            rings: Arc::clone(self),
            channel: channel.clone(),
        })
    }

    /// Lets channels go that were not read for long.
    fn sweep(&self) {
        let time = self.time;
        let is_over =
            |_: &Channel, ring: &mut Ring| ring.readers == 0 && ring.read.elapsed() >= time;
        let over: Vec<_> = self.rings().extract_if(is_over).collect();
        drop(over);
    }

    /// How often to look.
    fn every(&self) -> Duration {
        (self.time / 2).clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    fn rings(&self) -> MutexGuard<'_, HashMap<Channel, Ring>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The channel that makes room for one more of `address`: of those that nobody
/// reads now and whose address named most, the one that was read least lately.
fn least_missed(rings: &HashMap<Channel, Ring>, address: IpAddr) -> Option<Channel> {
    let mut named = HashMap::from([(address, 1)]);
    for ring in rings.values() {
        *named.entry(ring.named_by).or_insert(0) += 1;
    }
    let count = |ring: &Ring| named.get(&ring.named_by).copied().unwrap_or(0);
    let idle = rings.iter().filter(|(_, ring)| ring.readers == 0);
    let oldest = idle.min_by_key(|(_, ring)| (std::cmp::Reverse(count(ring)), ring.read));
    oldest.map(|(channel, _)| channel.clone())
}

/// Lets channels forget that are not read over HTTP any more, for as long as
/// there are `rings`.
pub(crate) async fn sweep(rings: Weak<Rings>) {
    while let Some(every) = rings.upgrade().map(|rings| rings.every()) {
        sleep(every).await;
        if let Some(rings) = rings.upgrade() {
            rings.sweep();
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(ring) = self.rings.rings().get_mut(&self.channel) {
            ring.readers -= 1;
            ring.read = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(most: usize) -> (Hub, Arc<Rings>) {
        let hub = Hub::new();
        let http = Http {
            history_channels: most,
            ..Http::default()
        };
        (hub.clone(), Rings::new(hub, &http))
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn channel(name: &str) -> Channel {
        name.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_remembers_while_it_is_read_and_a_while_longer() {
        let (hub, rings) = rings(10);
        let reading = rings.read(&channel("a"), HERE).unwrap();
        sleep(Duration::from_secs(1000)).await;
        rings.sweep();
        assert_eq!(hub.channels(), 1);
        drop(reading);
        sleep(Duration::from_secs(59)).await;
        rings.sweep();
        assert_eq!(hub.channels(), 1);
        sleep(Duration::from_secs(1)).await;
        rings.sweep();
        assert_eq!(hub.channels(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_channel_that_was_read_least_lately_makes_room() {
        let (hub, rings) = rings(2);
        for name in ["a", "b"] {
            drop(rings.read(&channel(name), HERE));
            sleep(Duration::from_secs(1)).await;
        }
        drop(rings.read(&channel("a"), HERE));
        let kept = |name: &str| rings.rings().contains_key(&channel(name));
        let _c = rings.read(&channel("c"), HERE).unwrap();
        assert_eq!((kept("a"), kept("b"), hub.channels()), (true, false, 2));
        let _a = rings.read(&channel("a"), HERE).unwrap();
        assert!(rings.read(&channel("d"), HERE).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_many_channels_pushes_out_none_of_others() {
        let (hub, rings) = rings(10);
        let other: IpAddr = "192.0.2.7".parse().unwrap();
        for name in ["a", "b"] {
            drop(rings.read(&channel(name), other));
        }
        for number in 0..100 {
            sleep(Duration::from_millis(1)).await;
            drop(rings.read(&channel(&format!("room{number}")), HERE));
        }
        let kept = |name: &str| rings.rings().contains_key(&channel(name));
        assert_eq!((kept("a"), kept("b"), kept("room92")), (true, true, true));
        assert_eq!(hub.channels(), 10);
        // One that comes with its first finds room, too.
        drop(rings.read(&channel("c"), "192.0.2.8".parse().unwrap()));
        assert_eq!((kept("a"), kept("c"), kept("room92")), (true, true, false));
    }

    #[tokio::test]
    async fn ten_thousand_names_are_no_more_channels_than_may_be() {
        let (hub, rings) = rings(100);
        for number in 0..10_000 {
            drop(rings.read(&channel(&format!("room{number}")), HERE));
            assert!(hub.channels() <= 100);
        }
    }
}
