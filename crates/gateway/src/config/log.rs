//! What the gateway writes down.
//!
//! Payloads, `Cookie` and `Authorization` are never logged, whatever stands
//! here.

/// Format, verbosity and the access lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// The least severe level that is written.
    pub level: LogLevel,
    /// Whether each connection writes one line at its end. On: it is the only
    /// trace of who spoke which draft.
    pub access: bool,
    /// Lines of each kind that peers can bring about, by the second, averaged
    /// over ten; `None` is unlimited. What exceeds it is summed up in one line.
    /// 10: a person sees what goes on, and a flood of refusals writes some
    /// kilobytes a second. An address other than loopback brings about a tenth
    /// of a kind's lines, and of access lines there are a hundred times as many.
    pub rate: Option<u32>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            level: LogLevel::Info,
            access: true,
            rate: Some(10),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The least severe level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Failures of the gateway itself.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And starts, stops, connections.
    Info,
    /// And each step of a handshake.
    Debug,
    /// And each frame's header.
    Trace,
}

impl LogFormat {
    /// The word of a file for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

impl LogLevel {
    /// Every level, the least talkative first.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The name, as filters of log libraries write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
