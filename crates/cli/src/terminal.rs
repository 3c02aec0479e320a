//! What standard output and error can show: their width, and whether in colours.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};

/// The columns of the terminal; `None` if there is none.
pub(crate) fn width() -> Option<usize> {
    let size = io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size);
    size.flatten().map(|(width, _)| usize::from(width.0))
}

/// The columns of the terminal that standard error is; `None` if it is none.
pub(crate) fn width_of_stderr() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map(|(width, _)| usize::from(width.0))
}

/// Whether to print in colours: on a terminal that has them, unless `NO_COLOR`
/// is set; elsewhere with `CLICOLOR_FORCE`.
pub(crate) fn colours() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}
