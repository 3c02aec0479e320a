//! TLS of a listener of the gateway, from outside: every draft over each
//! version and both libraries, certificates by name and renewed, clients with
//! certificates, and peers that mean no good.
//!
//! Where a build has no OpenSSL, its half is not there.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod authority;
mod certificates;
mod hostile;
#[cfg(feature = "legacy-tls")]
mod judged;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod memory;
mod modern;
mod renewed;
mod tunnel;
