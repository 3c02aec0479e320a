//! The draftgate program: a gateway for every draft of the WebSocket protocol,
//! and a client for them.
//!
//! This crate parses arguments, prints, logs and chooses exit codes; it frames
//! no octet and knows no draft. What it does is in the crates below it, which
//! neither print nor exit.

#![allow(clippy::print_stdout, reason = "this is the program itself")]

mod admin;
mod args;
mod backlog;
mod check;
mod compare;
mod configuration;
mod connect;
#[cfg(test)]
mod documents;
mod echo;
mod effective;
mod exchanges;
mod exit;
mod explain;
mod facts;
mod input;
mod json_lines;
mod load;
mod log;
mod manual;
mod probe;
mod proxy;
mod reach;
mod record;
mod replay;
mod serve;
#[cfg_attr(not(unix), path = "signals_elsewhere.rs")]
mod signals;
mod terminal;
mod vectors;
mod whole;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let Args { command, serve } = Args::parse();
    let done = match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Admin(args) => admin::run(&args),
        Command::Config(args) => effective::run(&args),
        Command::Echo(args) => echo::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Vectors(args) => vectors::run(&args),
        Command::Manual(args) => manual::pages(&args),
        Command::Completions(args) => manual::completions(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
