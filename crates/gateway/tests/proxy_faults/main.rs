//! What goes wrong between a client, the gateway and an upstream: whatever it
//! is, tasks, sockets and memory are afterwards what they were before. A
//! binary of its own, because files and allocated octets are counted for the
//! whole process; its tests run one after the other.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![allow(clippy::print_stdout, reason = "the figures")]

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod cuts;
mod pressure;
mod stage;
mod upstreams;
mod vitals;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;
