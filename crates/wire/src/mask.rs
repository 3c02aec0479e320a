//! Masking: `out[i] = in[i] XOR key[i mod 4]` (RFC 6455 §5.3); where the whole
//! frame is masked, `i` begins at its header.
//!
//! A plain loop over words, which the compiler vectorises and unrolls as far
//! as the target allows; wider words, and arrays of 16 to 64 octets, are no
//! faster on long payloads and slower on short ones. Where in memory the words
//! lie does not matter. Masking and unmasking are the same.

/// XORs `octets` with `key`, whose first octet is `key[phase % 4]`: `phase` is
/// how many octets under the same key went before.
#[inline]
pub fn mask(octets: &mut [u8], key: [u8; 4], phase: usize) {
    // Turned in a register: as an array it costs more than a short payload does.
    let turn = 8 * (phase % 4) as u32;
    let key = u32::from_be_bytes(key).rotate_left(turn).to_be_bytes();
    let (words, rest) = octets.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (octet, key) in rest.iter_mut().zip(key) {
        *octet ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// The formula, octet by octet.
    fn masked(octets: &[u8], key: [u8; 4], phase: usize) -> Vec<u8> {
        let keys = (0..).map(|i| key[(phase + i) % 4]);
        octets.iter().zip(keys).map(|(o, key)| o ^ key).collect()
    }

    #[test]
    fn any_cut_gives_what_the_formula_gives() {
        let plain: Vec<u8> = (0..100).collect();
        for cut in 0..=plain.len() {
            let mut octets = plain.clone();
            let (front, back) = octets.split_at_mut(cut);
            mask(front, KEY, 0);
            mask(back, KEY, cut);
            assert_eq!(octets, masked(&plain, KEY, 0), "cut at {cut}");
        }
    }

    #[test]
    fn any_length_place_and_phase_gives_what_the_formula_gives() {
        let plain: Vec<u8> = (0..208).collect();
        for length in 0..=200 {
            for (at, phase) in (0..8).flat_map(|at| (0..8).map(move |phase| (at, phase))) {
                let mut octets = plain.clone();
                mask(&mut octets[at..at + length], KEY, phase);
                let want = masked(&plain[at..at + length], KEY, phase);
                assert_eq!(octets[at..at + length], want, "{length} octets, {phase}");
                assert_eq!(octets[..at], plain[..at]);
                assert_eq!(octets[at + length..], plain[at + length..]);
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_key_and_phase_give_what_the_formula_gives(
            plain: Vec<u8>,
            key: [u8; 4],
            phase: usize,
        ) {
            let mut octets = plain.clone();
            mask(&mut octets, key, phase);
            prop_assert_eq!(&octets, &masked(&plain, key, phase % 4));
            mask(&mut octets, key, phase);
            prop_assert_eq!(octets, plain);
        }
    }
}
