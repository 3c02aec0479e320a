//! Why a measurement did not come about. Whoever measures reads the sentence and
//! mends the cause; nothing here is retried, since a figure that came about in
//! another way than the rest is none.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no figure.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A program is missing, or the system does not let it run.
    #[error(
        "{what} did not start: {source}; `cargo xtask bench` builds and installs what it needs"
    )]
    Start { what: String, source: io::Error },
    /// A server ended before it listened.
    #[error("{0} ended without saying where it listens; run it alone to see why")]
    Silent(String),
    /// The load generator found something wrong.
    #[error("`{command}` failed ({status}): {said}")]
    Load {
        command: String,
        status: String,
        said: String,
    },
    /// The load generator said what is not understood here.
    #[error("`{command}` printed no result that is understood: {why}")]
    Result { command: String, why: String },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A document of ours lacks the place for a table.
    #[error("{0} has no line `{1}`")]
    NoMark(String, String),
    /// No scenario is called so.
    #[error("no scenario's name contains {0:?}; there are: {1}")]
    NoScenario(String, String),
    /// A scenario came to nothing; why was said when it did.
    #[error("{0} was not measured, see above")]
    Scenario(String),
    /// A plot could not be drawn.
    #[error("{name}.svg could not be drawn: {why}")]
    Plot { name: String, why: String },
    /// The threads cannot be held to a core.
    #[error("this process cannot be held to one core: {0}")]
    Core(io::Error),
}

/// For `map_err`: the file that it was about.
pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
    let path = path.into();
    move |source| Failure::File { path, source }
}
