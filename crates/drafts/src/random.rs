//! Keys in service.

use draftgate_wire::KeySource;
use rand::Rng;

/// The thread's CSPRNG, seeded by the operating system and reseeded as it
/// runs: masking keys must not be predictable (RFC 6455 §10.3). Holds nothing,
/// so a connection that owns one costs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomKeys;

impl KeySource for RandomKeys {
    fn fill(&mut self, octets: &mut [u8]) {
        // A masking key for each frame: less than half of what it costs to fill so few.
        match octets.as_mut_array::<4>() {
            Some(key) => *key = rand::rng().next_u32().to_ne_bytes(),
            None => rand::rng().fill_bytes(octets),
        }
    }

    fn fork(&mut self) -> Box<dyn KeySource> {
        Box::new(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_from_frame_to_frame() {
        let mut drawn = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut key = [0; 16];
            RandomKeys.fork().fill(&mut key);
            assert!(drawn.insert(key), "the same 128 bits came twice");
        }
    }
}
