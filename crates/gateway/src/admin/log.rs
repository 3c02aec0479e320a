//! The level of the log, which belongs to the program: a library only asks.

use std::fmt;

use crate::config::LogLevel;

/// Changes the level of the program's log while it runs.
pub trait LogSwitch: fmt::Debug + Send + Sync {
    /// The level now.
    fn level(&self) -> LogLevel;

    /// Logs at `level` from now on.
    fn set(&self, level: LogLevel);
}
