//! Who may come in: how many connections a listener holds, in all and from
//! one address. Counted before a single octet is read, so that a flood costs
//! a counter each and nothing else. What comes from a proxy counts for an
//! address once the proxy has said for whom it speaks.
//!
//! And how many of an address may be in their opening handshake at once. What
//! exceeds that waits for its turn, in the order of arrival, instead of being
//! refused: devices behind one NAT that all come back at once are let in one
//! after the other, and a flood of handshakes that are never finished delays
//! nobody but its own address.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use crate::{Refused, config::ListenerLimits, turn::Turn};

/// A listener's count of its connections.
#[derive(Debug)]
pub(crate) struct Gate {
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    limits: ListenerLimits,
    all: u32,
    by_address: HashMap<IpAddr, Here>,
}

/// What one address has.
#[derive(Debug)]
struct Here {
    connections: u32,
    /// Turns that are left; `None` where there is no limit. It hands them out
    /// in the order in which they were asked for.
    turns: Option<Arc<Semaphore>>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    /// The address it counts for, as [`counted_as`] has it.
    address: Option<IpAddr>,
    /// The turns of that address, where they are limited.
    turns: Option<Arc<Semaphore>>,
}

/// A client for which a proxy's connection counts besides; given back when
/// dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    pub(crate) fn new(limits: ListenerLimits) -> Arc<Self> {
        let inside = Inside {
            limits,
            all: 0,
            by_address: HashMap::new(),
        };
        Arc::new(Self {
            inside: Mutex::new(inside),
        })
    }

    /// Other limits from now on; whoever is inside stays, and an address that
    /// is keeps its turns.
    pub(crate) fn limit(&self, limits: ListenerLimits) {
        self.inside().limits = limits;
    }

    /// A place for a connection from `address`; with `None` it counts in the
    /// whole alone until [`Place::count_for`] says more.
    ///
    /// # Errors
    /// The listener, or the address, has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Refused> {
        let mut inside = self.inside();
        if inside.all >= inside.limits.max_connections {
            return Err(Refused::too_many_connections().field("Retry-After", "10"));
        }
        let address = address.map(counted_as);
        let turns = match address {
            Some(address) => inside.count(address)?,
            None => None,
        };
        inside.all += 1;
        Ok(Place {
            gate: Arc::clone(self),
            address,
            turns,
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// From here on the connection counts for `address` and no other.
    ///
    /// # Errors
    /// The address has as many as it may; nothing changed.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> Result<(), Refused> {
        let address = counted_as(address);
        if self.address == Some(address) {
            return Ok(());
        }
        let mut inside = self.gate.inside();
        self.turns = inside.count(address)?;
        if let Some(before) = self.address.replace(address) {
            inside.leave(before);
        }
        Ok(())
    }

    /// A place for what comes over this connection and counts as one of its own.
    ///
    /// # Errors
    /// The listener, or the address, has as many as it may.
    pub(crate) fn another(&self, address: Option<IpAddr>) -> Result<Self, Refused> {
        self.gate.admit(address)
    }

    /// Counts one more for `address`, whose request came over this connection
    /// and lasts; it counts in the whole already.
    ///
    /// # Errors
    /// The address has as many as it may.
    pub(crate) fn guest(&self, address: IpAddr) -> Result<Guest, Refused> {
        let address = counted_as(address);
        self.gate.inside().count(address)?;
        Ok(Guest {
            gate: Arc::clone(&self.gate),
            address,
        })
    }

    /// The turn for this connection's opening handshake, if it need not wait
    /// for it. To be given back before the place is.
    pub(crate) fn turn_now(&self) -> Option<Turn> {
        let Some(turns) = &self.turns else {
            return Some(Turn::new(None));
        };
        // Whoever waits already comes first: there is none left then.
        let permit = Arc::clone(turns).try_acquire_owned().ok()?;
        Some(Turn::new(Some(permit)))
    }

    /// The same, once the address has fewer than its limit under way.
    ///
    /// # Errors
    /// It did not come within `patience`.
    pub(crate) async fn turn(&self, patience: Duration) -> Result<Turn, Refused> {
        let Some(turns) = self.turns.clone() else {
            return Ok(Turn::new(None));
        };
        match timeout(patience, turns.acquire_owned()).await {
            // Never closed: the error cannot come.
            Ok(permit) => Ok(Turn::new(permit.ok())),
            Err(_) => Err(Refused::too_many_half_open().field("Retry-After", "10")),
        }
    }
}

impl Inside {
    /// Counts one more for `address`; its turns.
    fn count(&mut self, address: IpAddr) -> Result<Option<Arc<Semaphore>>, Refused> {
        let most = match address.is_loopback() {
            true => self.limits.per_ip_loopback,
            false => self.limits.per_ip,
        };
        let full = || Refused::too_many_from_address().field("Retry-After", "10");
        let here = match self.by_address.entry(address) {
            Entry::Occupied(here) => here.into_mut(),
            Entry::Vacant(_) if most == Some(0) => return Err(full()),
            Entry::Vacant(nobody) => nobody.insert(Here::nobody(&self.limits, address)),
        };
        if most.is_some_and(|most| here.connections >= most) {
            return Err(full());
        }
        here.connections += 1;
        Ok(here.turns.clone())
    }

    fn leave(&mut self, address: IpAddr) {
        if let Some(here) = self.by_address.get_mut(&address) {
            here.connections -= 1;
            if here.connections == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Here {
    fn nobody(limits: &ListenerLimits, address: IpAddr) -> Self {
        let most = match address.is_loopback() {
            true => limits.half_open_per_ip_loopback,
            false => limits.half_open_per_ip,
        };
        let turns = |most: u32| Semaphore::new((most as usize).min(Semaphore::MAX_PERMITS));
        Self {
            connections: 0,
            turns: most.map(turns).map(Arc::new),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.gate.inside().leave(self.address);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        inside.all -= 1;
        if let Some(address) = self.address {
            inside.leave(address);
        }
    }
}

/// IPv6 is counted by its first 64 bits: a household is given that many and
/// could otherwise come from a new address each time.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let prefix = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn gate(all: u32, per_ip: u32) -> Arc<Gate> {
        Gate::new(ListenerLimits {
            max_connections: all,
            per_ip: Some(per_ip),
            per_ip_loopback: None,
            ..ListenerLimits::default()
        })
    }

    fn refused(gate: &Arc<Gate>, address: &str) -> Option<u16> {
        gate.admit(address.parse().ok()).err().map(|r| r.status)
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_place_is_given_back() {
        let gate = gate(10, 1);
        let place = gate.admit("192.0.2.1".parse().ok()).unwrap();
        assert_eq!(refused(&gate, "192.0.2.1"), Some(429));
        assert_eq!(refused(&gate, "::ffff:192.0.2.1"), Some(429));
        assert_eq!(refused(&gate, "192.0.2.2"), None);
        drop(place);
        assert_eq!(refused(&gate, "192.0.2.1"), None);
        assert!(gate.inside().by_address.is_empty());
    }

    #[test]
    fn loopback_is_limited_by_the_whole_alone() {
        let gate = gate(3, 1);
        let places: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1"]
            .map(|a| gate.admit(a.parse().ok()).unwrap())
            .into();
        assert_eq!(refused(&gate, "127.0.0.1"), Some(503));
        drop(places);
        assert_eq!(refused(&gate, "127.0.0.1"), None);
    }

    #[test]
    fn ipv6_is_counted_by_its_first_half() {
        let gate = gate(10, 1);
        let _place = gate.admit("2001:db8:0:1::1".parse().ok()).unwrap();
        assert_eq!(refused(&gate, "2001:db8:0:1::2"), Some(429));
        assert_eq!(refused(&gate, "2001:db8:0:2::1"), None);
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    fn two_at_a_time() -> Arc<Gate> {
        Gate::new(ListenerLimits {
            half_open_per_ip: Some(2),
            ..ListenerLimits::default()
        })
    }

    fn place(gate: &Arc<Gate>, address: &str) -> Place {
        gate.admit(address.parse().ok()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_arrival() {
        let gate = two_at_a_time();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..100 {
            let (place, done) = (place(&gate, "192.0.2.1"), done.clone());
            tokio::spawn(async move {
                let turn = place.turn(PATIENCE).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                done.send((number, Instant::now())).unwrap();
                drop(turn);
            });
        }
        let began = Instant::now();
        for number in 0..100 {
            let (which, at) = order.recv().await.unwrap();
            assert_eq!(which, number);
            // Two at a time, a tenth of a second each.
            assert_eq!((at - began).as_millis() / 100, number / 2 + 1);
        }
        tokio::task::yield_now().await;
        assert!(gate.inside().by_address.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_come_in_time_is_refused_and_leaves_the_row() {
        let gate = two_at_a_time();
        let places = [(); 4].map(|()| place(&gate, "192.0.2.1"));
        let first = places[0].turn(PATIENCE).await.unwrap();
        let _second = places[1].turn(PATIENCE).await.unwrap();
        let began = Instant::now();
        let refused = places[2].turn(PATIENCE).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (429, "too-many-half-open"));
        assert_eq!(began.elapsed(), PATIENCE);
        drop(first);
        let _third = places[3].turn(PATIENCE).await.unwrap();
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_in_its_handshakes_delays_no_other() {
        let gate = two_at_a_time();
        let flood: Vec<_> = (1..=50)
            .map(|host| place(&gate, &format!("2001:db8:0:1::{host}")))
            .collect();
        let waiting: Vec<_> = flood
            .iter()
            .map(|place| place.turn(Duration::MAX))
            .collect();
        let mut waiting = std::pin::pin!(futures_of(waiting));
        let began = Instant::now();
        for other in ["2001:db8:0:2::1", "192.0.2.1", "127.0.0.1"] {
            let place = place(&gate, other);
            tokio::select! {
                biased;
                () = &mut waiting => panic!("more than two turns at once"),
                turn = place.turn(PATIENCE) => drop(turn.unwrap()),
            }
            assert_eq!(began.elapsed(), Duration::ZERO, "{other}");
        }
        // The flood's own prefix waits.
        let household = place(&gate, "2001:db8:0:1::ffff");
        tokio::select! {
            biased;
            () = &mut waiting => panic!("more than two turns at once"),
            turn = household.turn(PATIENCE) => assert_eq!(turn.unwrap_err().status, 429),
        }
    }

    /// Ends when all of them have had their turn, and keeps each.
    async fn futures_of(turns: Vec<impl Future<Output = Result<Turn, Refused>>>) {
        let mut turns: Vec<_> = turns.into_iter().map(Box::pin).collect();
        let mut had = Vec::new();
        std::future::poll_fn(|cx| {
            turns.retain_mut(|turn| match turn.as_mut().poll(cx) {
                std::task::Poll::Ready(turn) => {
                    had.push(turn);
                    false
                }
                std::task::Poll::Pending => true,
            });
            match turns.is_empty() {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_has_turns_of_its_own() {
        let gate = Gate::new(ListenerLimits {
            half_open_per_ip: Some(1),
            half_open_per_ip_loopback: None,
            ..ListenerLimits::default()
        });
        let places = ["127.0.0.1", "127.0.0.1", "::1", "::1"].map(|a| place(&gate, a));
        let mut turns = Vec::new();
        for place in &places {
            turns.push(place.turn(Duration::ZERO).await.unwrap());
        }
    }

    #[test]
    fn a_guest_counts_for_its_address_and_not_in_the_whole() {
        let gate = gate(10, 1);
        let proxy = gate.admit(None).unwrap();
        let address = "192.0.2.1".parse().unwrap();
        let guest = proxy.guest(address).unwrap();
        assert_eq!(proxy.guest(address).unwrap_err().status, 429);
        assert_eq!(gate.inside().all, 1);
        drop(guest);
        assert!(gate.inside().by_address.is_empty());
    }

    #[test]
    fn what_a_proxy_brings_counts_for_the_address_it_names() {
        let gate = gate(10, 1);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut one = gate.admit(None).unwrap();
        let mut two = gate.admit(None).unwrap();
        one.count_for(address("192.0.2.1")).unwrap();
        one.count_for(address("192.0.2.1")).unwrap();
        assert_eq!(two.count_for(address("192.0.2.1")).unwrap_err().status, 429);
        two.count_for(address("192.0.2.2")).unwrap();
        // It turns out to come from further behind: the first address is free.
        one.count_for(address("192.0.2.3")).unwrap();
        assert_eq!(refused(&gate, "192.0.2.1"), None);
        drop((one, two));
        assert!(gate.inside().by_address.is_empty());
        assert_eq!(gate.inside().all, 0);
    }
}
