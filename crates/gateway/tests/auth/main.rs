//! Who may come in, and what he may do: tokens in every place and draft, JSON
//! Web Tokens, a server that is asked and misbehaves, rights and rates.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "../common/mod.rs"]
mod common;

mod exposed;
mod files;
mod jwt;
mod over_http;
mod rate;
mod rights;
mod secure;
mod server;
mod stage;
mod storms;
mod tokens;
