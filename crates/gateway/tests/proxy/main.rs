//! A proxy route over sockets, every draft in front of every draft. The
//! upstream is a second gateway with a service of the test's own.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod closing;
mod messages;
mod opening;
mod rig;
