//! Upstreams on loopback: our own acceptors of every draft over TCP and Unix
//! sockets, servers that refuse, hang, reset and say nonsense, and what of all
//! this the next connection goes by.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod drafts;
mod feed;
mod logged;
mod places;
mod refusals;
mod server;
mod slots;
mod turns;
