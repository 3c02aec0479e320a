//! Masking: `out[i] = in[i] XOR key[i mod 4]` (RFC 6455 §5.3).
//!
//! A plain loop over eight octets at a time, which the compiler vectorises;
//! masking and unmasking are the same.

/// XORs `octets` with `key`, whose first octet is `key[phase % 4]`: `phase` is
/// how many octets of the same frame went before.
pub fn mask(octets: &mut [u8], key: [u8; 4], phase: usize) {
    let mut turned = key;
    turned.rotate_left(phase % 4);
    let [a, b, c, d] = turned;
    let wide = [a, b, c, d, a, b, c, d];
    let mut chunks = octets.chunks_exact_mut(8);
    for chunk in &mut chunks {
        for (octet, key) in chunk.iter_mut().zip(wide) {
            *octet ^= key;
        }
    }
    for (octet, key) in chunks.into_remainder().iter_mut().zip(wide) {
        *octet ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_what_the_formula_gives() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..100).collect();
        let want: Vec<u8> = (0..100).map(|i| plain[i] ^ key[i % 4]).collect();
        for cut in 0..=plain.len() {
            let mut octets = plain.clone();
            let (front, back) = octets.split_at_mut(cut);
            mask(front, key, 0);
            mask(back, key, cut);
            assert_eq!(octets, want, "cut at {cut}");
        }
    }
}
