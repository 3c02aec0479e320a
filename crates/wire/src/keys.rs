//! Where keys come from: masking keys, hixie-76's keys, `Sec-WebSocket-Key`.
//!
//! Protocol code rolls no dice. In service the source is a CSPRNG, because
//! RFC 6455 §10.3 wants masking keys that cannot be predicted; in vectors and
//! tests it is a fixed run of octets.

use std::fmt::Debug;

/// A source of octets for keys.
pub trait KeySource: Debug + Send {
    /// Fills `octets`.
    fn fill(&mut self, octets: &mut [u8]);

    /// A source of its own for a codec that needs keys all its life.
    fn fork(&mut self) -> Box<dyn KeySource>;

    /// A number from `low` to `high`, both included, evenly distributed.
    fn number(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high - low) + 1;
        // Octets above the last whole multiple of `span` would favour small numbers.
        let fair = (1 << 32) - (1 << 32) % span;
        loop {
            let mut octets = [0; 4];
            self.fill(&mut octets);
            let drawn = u64::from(u32::from_be_bytes(octets));
            if drawn < fair {
                return low + (drawn % span) as u32;
            }
        }
    }
}

/// The same octets again and again: for vectors and tests, never for service.
#[derive(Debug, Clone)]
pub struct FixedKeys {
    octets: Vec<u8>,
    next: usize,
}

impl FixedKeys {
    /// Repeats `octets` for ever.
    ///
    /// # Panics
    /// If `octets` is empty.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        let octets = octets.into();
        assert!(!octets.is_empty(), "a key source needs at least one octet");
        Self { octets, next: 0 }
    }
}

impl KeySource for FixedKeys {
    fn fill(&mut self, octets: &mut [u8]) {
        for octet in octets {
            *octet = self.octets[self.next];
            self.next = (self.next + 1) % self.octets.len();
        }
    }

    fn fork(&mut self) -> Box<dyn KeySource> {
        Box::new(self.clone())
    }

    fn number(&mut self, low: u32, high: u32) -> u32 {
        // A fixed run of octets may never fall in the fair range; evenness does not matter here.
        let mut octets = [0; 4];
        self.fill(&mut octets);
        low + (u64::from(u32::from_be_bytes(octets)) % (u64::from(high - low) + 1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_at_both_ends() {
        for octet in [0, 1, 127, 200, 255] {
            let mut keys = FixedKeys::new([octet, octet / 2]);
            for (low, high) in [(1, 12), (5, 5), (0, u32::MAX)] {
                assert!((low..=high).contains(&keys.number(low, high)));
            }
        }
    }

    #[test]
    fn a_fork_goes_on_from_the_same_place() {
        let mut keys = FixedKeys::new([1, 2, 3]);
        let mut two = [0; 2];
        keys.fill(&mut two);
        let mut forked = keys.fork();
        forked.fill(&mut two);
        assert_eq!(two, [3, 1]);
    }
}
