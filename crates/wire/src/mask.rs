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

/// Does the same and says whether all octets are ASCII afterwards: nearly all
/// short texts are, and need no further look.
#[inline]
pub(crate) fn unmask_ascii(octets: &mut [u8], key: [u8; 4], phase: usize) -> bool {
    let turn = 8 * (phase % 4) as u32;
    let key = u32::from_be_bytes(key).rotate_left(turn);
    let wide = u64::from(key) << 32 | u64::from(key);
    let Some(last) = octets.last_chunk().copied() else {
        return unmask_few(octets, wide);
    };
    // The last eight octets once more, from what they were: in one step what
    // would be a step for each.
    let tail = 8 * (octets.len() % 4) as u32;
    let last = u64::from_be_bytes(last) ^ wide.rotate_left(tail);
    let mut seen = last;
    let (words, _) = octets.as_chunks_mut();
    for word in words {
        let plain = u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(wide.to_be_bytes());
        seen |= plain;
        *word = plain.to_ne_bytes();
    }
    if let Some(end) = octets.last_chunk_mut() {
        *end = last.to_be_bytes();
    }
    seen & NOT_ASCII == 0
}

/// The top bit of each octet.
pub(crate) const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Fewer than eight octets.
fn unmask_few(octets: &mut [u8], wide: u64) -> bool {
    let mut seen = 0;
    for (octet, key) in octets.iter_mut().zip(wide.to_be_bytes()) {
        *octet ^= key;
        seen |= *octet;
    }
    seen.is_ascii()
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
                let mut again = plain.clone();
                let ascii = unmask_ascii(&mut again[at..at + length], KEY, phase);
                assert_eq!((ascii, &again), (want.is_ascii(), &octets));
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
            prop_assert_eq!(unmask_ascii(&mut octets, key, phase), plain.is_ascii());
            prop_assert_eq!(octets, plain);
        }
    }
}
