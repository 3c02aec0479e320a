//! The log, on standard error: for people on a terminal, JSON otherwise.
//!
//! What a library below logs is passed on from `warn` up alone, whatever level
//! is asked for: at `debug` HTTP parsers print heads, cookies included.

use std::io::{self, IsTerminal};

use draftgate_gateway::config::{self, LogFormat};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Our crates are all called so.
const OURS: &str = "draftgate";

/// Starts the log as `log` says. Later calls change nothing.
pub(crate) fn start(log: &config::Log) {
    let terminal = io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let level = log.level.name().parse().unwrap_or(LevelFilter::INFO);
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(OURS, level);
    let layer = fmt::layer()
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let log = tracing_subscriber::registry().with(filter);
    // An `Err` says that there is a log already.
    let _ = match human {
        true => log
            .with(layer.with_ansi(terminal).with_target(false))
            .try_init(),
        false => log.with(layer.json().flatten_event(true)).try_init(),
    };
}
