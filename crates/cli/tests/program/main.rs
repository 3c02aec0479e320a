//! The built program from outside: arguments, files, signals and sockets in;
//! output, exit code and octets out. One binary with a module per subject,
//! because linking costs more than running. Every wait is for something to
//! happen and ends in a panic when it does not; nothing sleeps.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

mod admin;
mod arguments;
mod bus;
mod captures;
mod census;
mod check;
mod child;
mod client;
mod compare;
mod connect;
mod container;
mod documents;
mod effective;
mod ending;
mod explain;
mod hostile;
mod load;
mod messages;
mod opening;
mod over_http;
mod probe;
mod proxy;
mod record;
mod replay;
mod script;
mod serve;
mod service;
mod showing;
mod typing;
mod vectors;
