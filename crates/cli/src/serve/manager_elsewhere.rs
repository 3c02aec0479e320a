//! Service managers that are told nothing: all but systemd. The names are
//! those of `manager.rs`.

use std::time::Duration;

use draftgate_gateway::Running;

/// Nothing to stop.
#[derive(Debug)]
pub(super) struct Watched;

/// Connections are accepted.
pub(super) fn ready(_: &Running) -> Watched {
    Watched
}

/// The configuration is being read.
pub(super) fn reloading() {}

/// It has been, or the old one stays.
pub(super) fn reloaded(_: &Running) {}

/// The process serves now, and is the one to be watched.
pub(super) fn succeeded(_: u32) {}

/// Connections are being closed.
pub(super) fn stopping(_: Duration) {}
