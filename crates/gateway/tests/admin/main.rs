//! The admin listener over its socket: what it tells of connections, refusals
//! and counts is what happened, what it is told to do is done, and who may not
//! ask is not answered.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

mod asking;
#[path = "../common/mod.rs"]
mod common;
mod connections;
mod counts;
mod handshakes;
mod orders;
mod strangers;
