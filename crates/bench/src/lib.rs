//! What the measurements share: payloads, open connections of every draft,
//! other libraries in the same place, and contenders that run in turns.
//!
//! The bench targets print times for whoever changes a routine; the program
//! `ratios` prints how we stand next to memcpy and other libraries, which is
//! what docs/performance.md quotes. The bench targets are divan's and not
//! criterion's, because it brings five small crates and not thirty. Neither
//! lets contenders take turns, and on a machine that others use too nothing
//! else gives ratios that hold; so `turns` does.

pub mod archive;
pub mod ends;
pub mod fanout;
pub mod payload;
pub mod peers;
pub mod servers;
pub mod turns;

/// Asks the allocator to keep what is given back: to be called first. glibc
/// takes the largest block that was returned for a measure of what to keep, so
/// without this a message of a mebibyte costs 256 page faults or none,
/// depending on what was measured before it.
pub fn keep_memory() {
    drop(std::hint::black_box(vec![0_u8; 31 << 20]));
}
