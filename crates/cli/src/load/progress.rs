//! How far it is: a bar on a terminal, and nothing anywhere else. It is drawn a
//! few times a second, so that drawing is no part of what is measured.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use draftgate_load::Progress as Part;
use indicatif::{ProgressBar, ProgressStyle};

const EACH: Duration = Duration::from_millis(250);

/// A bar, or nothing.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(super) fn new() -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {percent:>3} %") {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// When it is to be drawn again; never where there is no terminal.
    pub(super) async fn next(&self) {
        match self.0 {
            Some(_) => tokio::time::sleep(EACH).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn show(&self, part: Part) {
        let Some(bar) = &self.0 else {
            return;
        };
        bar.set_message(if part.connecting {
            "connecting"
        } else {
            "measuring"
        });
        bar.set_length(part.of);
        bar.set_position(part.done);
    }

    /// The bar goes.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
