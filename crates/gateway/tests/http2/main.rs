//! HTTP/2: WebSockets over its streams (RFC 8441), and what else is served over
//! it, from the first octet to the last.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "shared with the tests of TLS")]
mod authority;
mod client;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod hostile;
mod peer;
mod plain;
mod refused;
mod secure;
mod sockets;
mod streams;
#[path = "../tls/tunnel.rs"]
#[allow(dead_code, reason = "shared with the tests of TLS")]
mod tunnel;
