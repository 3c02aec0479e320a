//! The client against servers on loopback: our own acceptors of every draft,
//! scripts that answer as no server should, a proxy, and TLS.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod drafts;
mod http2;
mod keep_alive;
mod proxy;
mod retry;
mod server;
mod tls;
