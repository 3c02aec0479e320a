//! The probe against servers on loopback: one for each thing that can be found,
//! which shows it, and healthy ones of every draft, which show none.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod answers;
mod any_octets;
mod conversations;
mod documents;
mod healthy;
mod key3;
mod openings;
mod recorded;
mod server;
mod tls;
mod ways;
