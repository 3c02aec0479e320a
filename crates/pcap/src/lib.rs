//! Archived exchanges from packet captures, and back.
//!
//! [`Import`] reads pcap and pcapng, puts TCP together and hands out every
//! WebSocket connection as a [`Conversation`]. What the capture does not hold is
//! a gap: nothing is invented, and nothing is judged by a codec.

mod connection;
mod conversation;
mod date;
mod export;
mod half;
mod import;
mod left_out;
mod packets;
mod segment;
mod told;
mod write;

#[cfg(test)]
mod tests;

pub use conversation::{Conversation, Moment};
pub use draftgate_record::Did;
pub use export::export;
pub use import::{Bounds, Counts, Found, Hints, Import};
pub use left_out::{LeftOut, Why};
pub use packets::FileError;
pub use segment::Skipped;
