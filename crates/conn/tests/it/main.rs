//! The driver against a fake draft and a scripted transport, under a paused
//! clock. One binary for all of it: linking is what takes the time.

#![allow(
    clippy::unwrap_used,
    reason = "all of this is a test, its helpers included"
)]

mod closing;
mod ends;
mod fake;
mod flow;
mod loan;
mod memory;
mod opening;
mod pairs;
mod queue;
mod rig;
mod shared;
mod timers;
