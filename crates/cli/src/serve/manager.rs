//! What a service manager is told: systemd, by the protocol of `sd_notify(3)`.
//! Where nobody listens, each of these does nothing; and what cannot be told
//! hurts nobody, for the manager sees by itself that the process lives.

use std::time::Duration;

use draftgate_gateway::Running;
use sd_notify::NotifyState::{
    self, ExtendTimeoutUsec, MainPid, MonotonicUsec, Ready, Reloading, Status, Stopping,
};
use tokio::{task::JoinHandle, time::interval};
use tracing::debug;

/// What is added to the time of a drain: for what comes after it.
const AFTER_THE_DRAIN: Duration = Duration::from_secs(15);

/// Tells the manager for as long as it is not dropped that the process works.
#[derive(Debug)]
pub(super) struct Watched(Option<JoinHandle<()>>);

/// Connections are accepted. From here on the watchdog is told, if there is
/// one: by the threads that serve connections, so that it notices if they
/// hang. Must be called in a tokio runtime.
pub(super) fn ready(running: &Running) -> Watched {
    tell(&[Ready, Status(&status(running))]);
    Watched(sd_notify::watchdog_enabled().map(|within| {
        tokio::spawn(async move {
            // Half the time, as sd_watchdog_enabled(3) recommends.
            let mut beat = interval((within / 2).max(Duration::from_millis(1)));
            loop {
                beat.tick().await;
                tell(&[NotifyState::Watchdog]);
            }
        })
    }))
}

/// The configuration is being read.
pub(super) fn reloading() {
    // A manager that wants this message wants its time, too.
    if let Ok(now @ MonotonicUsec(_)) = NotifyState::monotonic_usec_now() {
        tell(&[Reloading, now]);
    }
}

/// It has been, or the old one stays.
pub(super) fn reloaded(running: &Running) {
    tell(&[Ready, Status(&status(running))]);
}

/// The process `pid` serves now, and is the one to be watched.
pub(super) fn succeeded(pid: u32) {
    tell(&[MainPid(pid)]);
}

/// Connections are being closed, within `drain`.
pub(super) fn stopping(drain: Duration) {
    let within = u32::try_from((drain + AFTER_THE_DRAIN).as_micros()).unwrap_or(u32::MAX);
    let status = Status("closing connections");
    tell(&[Stopping, ExtendTimeoutUsec(within), status]);
}

fn status(running: &Running) -> String {
    let addrs: Vec<String> = running.addrs().iter().map(ToString::to_string).collect();
    format!("serving on {}", addrs.join(", "))
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        debug!(%error, "the service manager could not be told");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
