//! Who may come in: how many connections a listener holds, in all and from
//! one address. Counted before a single octet is read, so that a flood costs
//! a counter each and nothing else.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Refused, config::ListenerLimits};

/// A listener's count of its connections.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: ListenerLimits,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    pub(crate) fn new(limits: ListenerLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            inside: Mutex::default(),
        })
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// The listener, or the address, has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let address = counted_as(address);
        let most = match address.is_loopback() {
            true => self.limits.per_ip_loopback,
            false => self.limits.per_ip,
        };
        let mut inside = self.inside();
        if inside.all >= self.limits.max_connections {
            return Err(Refused::too_many_connections().field("Retry-After", "10"));
        }
        let here = inside.by_address.get(&address).copied().unwrap_or(0);
        if most.is_some_and(|most| here >= most) {
            return Err(Refused::too_many_from_address().field("Retry-After", "10"));
        }
        inside.all += 1;
        inside.by_address.insert(address, here + 1);
        Ok(Place {
            gate: Arc::clone(self),
            address,
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        inside.all -= 1;
        if let Some(here) = inside.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

/// IPv6 is counted by its first 64 bits: a household is given that many and
/// could otherwise come from a new address each time.
fn counted_as(address: IpAddr) -> IpAddr {
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
        gate.admit(address.parse().unwrap()).err().map(|r| r.status)
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_place_is_given_back() {
        let gate = gate(10, 1);
        let place = gate.admit("192.0.2.1".parse().unwrap()).unwrap();
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
            .map(|a| gate.admit(a.parse().unwrap()).unwrap())
            .into();
        assert_eq!(refused(&gate, "127.0.0.1"), Some(503));
        drop(places);
        assert_eq!(refused(&gate, "127.0.0.1"), None);
    }

    #[test]
    fn ipv6_is_counted_by_its_first_half() {
        let gate = gate(10, 1);
        let _place = gate.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert_eq!(refused(&gate, "2001:db8:0:1::2"), Some(429));
        assert_eq!(refused(&gate, "2001:db8:0:2::1"), None);
    }
}
