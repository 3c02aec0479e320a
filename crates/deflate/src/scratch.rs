//! What a thread lends to the connections that it drives, one message at a time.

use std::cell::RefCell;

use flate2::{Compress, Decompress};

use crate::settings::LARGEST;

/// At most so much is inflated or deflated at once.
pub(crate) const CHUNK: usize = 32 << 10;

/// How many of each kind a thread keeps: more than one only where routes differ
/// or fragmented messages overlap.
const KEPT: usize = 4;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static DEFLATERS: RefCell<Vec<(Kind, Compress)>> = const { RefCell::new(Vec::new()) };
    static INFLATERS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// Level and window of a compressor.
pub(crate) type Kind = (u8, u8);

/// A buffer of [`CHUNK`] octets.
pub(crate) fn with_buffer<T>(with: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(CHUNK, 0);
        with(buffer)
    })
}

/// A compressor that has seen nothing.
pub(crate) fn deflater((level, window): Kind) -> Compress {
    let kept = DEFLATERS.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(kind, _)| *kind == (level, window))?;
        Some(kept.swap_remove(at).1)
    });
    kept.unwrap_or_else(|| {
        Compress::new_with_window_bits(flate2::Compression::new(level.into()), false, window)
    })
}

/// Gives a compressor back.
pub(crate) fn keep_deflater(kind: Kind, mut deflater: Compress) {
    deflater.reset();
    DEFLATERS.with_borrow_mut(|kept| {
        if kept.len() == KEPT {
            kept.swap_remove(0);
        }
        kept.push((kind, deflater));
    });
}

/// An inflater for any window, that has seen nothing.
pub(crate) fn inflater() -> Decompress {
    INFLATERS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Decompress::new_with_window_bits(false, LARGEST))
}

/// Gives an inflater back.
pub(crate) fn keep_inflater(mut inflater: Decompress) {
    inflater.reset(false);
    INFLATERS.with_borrow_mut(|kept| {
        if kept.len() < KEPT {
            kept.push(inflater);
        }
    });
}
