//! How far a long replay has come: a bar on a terminal, and nothing anywhere
//! else, so that a log is not filled with it.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or nothing.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of `tasks` things to do.
    pub(super) fn of(tasks: usize) -> Self {
        if !stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(tasks as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// One is done.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    /// All are done: the bar goes.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
