//! draftgate and other people's WebSocket programs: clients and browsers against
//! `draftgate serve`, servers against `draftgate connect`, and the Autobahn
//! cases against both roles of hybi-13. Everything here is a process and a
//! socket; nothing of ours judges itself. One test binary, since they all need
//! the same few lines about child processes. `cargo xtask test` installs the
//! programs; a test whose program is missing fails. Names begin with `foreign_`,
//! by which `cargo xtask test --quick` leaves them out.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod admin;
mod authorizing;
mod autobahn;
mod browsers;
mod bus;
mod child;
mod clients;
mod compare;
mod connect;
mod events;
mod expected;
mod fed;
mod gateway;
mod hops;
mod http2;
mod ladder;
mod monitoring;
mod octets;
mod ours;
mod package;
mod peers;
mod probe;
mod programs;
mod prometheus;
mod proxied;
mod proxies;
mod proxy;
mod recipes;
mod replay;
mod secure;
mod servers;
mod tunnel;
mod upgrade;
mod walk;
mod websockify;
