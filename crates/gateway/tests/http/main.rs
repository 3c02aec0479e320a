//! The bus over plain HTTP, on real sockets: who may publish and read, what
//! arrives where, and what is left when readers go.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod client;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod crowds;
mod events;
mod pages;
mod poll;
mod publish;
mod who;
