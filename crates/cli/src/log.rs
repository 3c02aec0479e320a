//! The log, on standard error: for people on a terminal, JSON otherwise.
//!
//! What a library below logs is passed on from `warn` up alone, whatever level
//! is asked for: at `debug` HTTP parsers print heads, cookies included.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, OnceLock, PoisonError},
};

use draftgate_gateway::{
    LogSwitch,
    config::{self, LogFormat, LogLevel},
};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::{
    backlog::{Backlog, Flush},
    json_lines::JsonLines,
};

/// Our crates are all called so.
const OURS: &str = "draftgate";

/// The level of the log that was started.
static LEVEL: OnceLock<(reload::Handle<Targets, Registry>, Mutex<LogLevel>)> = OnceLock::new();

/// Starts the log as `log` says. Later calls change nothing. What was logged is
/// written when the result is dropped.
///
/// # Errors
/// The system gives no thread to write it.
pub(crate) fn start(log: &config::Log) -> io::Result<Flush> {
    let terminal = io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let wanted = log.level;
    let (filter, level) = reload::Layer::new(filter(log.level));
    let backlog = Backlog::new(if human { lost } else { lost_in_json });
    let layer = fmt::layer()
        .with_writer(backlog.clone())
        .log_internal_errors(false);
    let log = tracing_subscriber::registry().with(filter);
    let started = match human {
        true => log
            .with(layer.with_ansi(terminal).with_target(false))
            .try_init(),
        false => log.with(layer.event_format(JsonLines)).try_init(),
    };
    match started {
        Ok(()) => {
            let _ = LEVEL.set((level, Mutex::new(wanted)));
            backlog.start(io::stderr())
        }
        // There is a log already.
        Err(_) => Ok(Flush::nothing()),
    }
}

/// Changes the level from now on, where there is a log.
pub(crate) fn set_level(level: LogLevel) {
    if let Some((log, now)) = LEVEL.get() {
        let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
        // It fails only if the log is gone.
        let _ = log.reload(filter(level));
        *now = level;
    }
}

/// The level, for operators to change. A configuration that is read again puts
/// its own in force.
#[derive(Debug)]
pub(crate) struct Switch;

impl LogSwitch for Switch {
    fn level(&self) -> LogLevel {
        let now = LEVEL.get().map(|(_, now)| now);
        let now = now.map(|now| *now.lock().unwrap_or_else(PoisonError::into_inner));
        now.unwrap_or(LogLevel::Info)
    }

    fn set(&self, level: LogLevel) {
        set_level(level);
    }
}

fn filter(level: LogLevel) -> Targets {
    let level = level.name().parse().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(OURS, level)
}

fn lost(lines: u64) -> String {
    format!("WARN {lines} lines of the log were lost here: they were not read fast enough\n")
}

fn lost_in_json(lines: u64) -> String {
    format!(
        "{{\"level\":\"WARN\",\"message\":\"lines of the log were lost here: they were not read fast enough\",\"lines\":{lines}}}\n"
    )
}
