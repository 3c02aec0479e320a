//! hello-00 through the whole gateway: the two programs that are known to have
//! spoken it, the limits it was born with and no longer has, and a listener that
//! has them again.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "only what makes a certificate is used")]
mod authority;
#[path = "../common/mod.rs"]
mod common;

mod born_with;
mod lifted;
mod programs;
#[path = "../tls/tunnel.rs"]
#[allow(dead_code, reason = "one kind of client is enough")]
mod tunnel;
