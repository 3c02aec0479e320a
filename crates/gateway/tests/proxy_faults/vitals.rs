//! What a process holds: files and allocated octets.

use std::fs;

use draftgate_gateway::Running;
use peak_alloc::PeakAlloc;
use tokio::sync::{Mutex, MutexGuard};

use crate::common::until;

/// What may stay: tables that have grown, and nothing for each connection.
const SLACK: usize = 24 << 10;

static ALONE: Mutex<()> = Mutex::const_new(());

/// Held by each test: what is counted is its own.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().await
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    files: usize,
    octets: usize,
}

impl Vitals {
    pub(crate) fn now() -> Self {
        Self {
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            octets: PeakAlloc.current_usage(),
        }
    }

    pub(crate) fn octets(self) -> usize {
        self.octets
    }

    /// Waits until files and memory are again what they were.
    pub(crate) async fn again(self, what: &str) {
        let what = format!("{what}: as before ({self:?})");
        let mut last = self;
        let mut looks = 0;
        until(&what, || {
            last = Self::now();
            looks += 1;
            assert!(looks < 5000, "{what}, and not {last:?}");
            last.files <= self.files && last.octets <= self.octets + SLACK
        })
        .await;
    }
}

/// Waits until no connection is left.
pub(crate) async fn rest(running: &Running) {
    until("no connection is left", || {
        let counts = running.counts();
        (counts.connections, counts.open, counts.upstream) == (0, 0, 0)
    })
    .await;
}

/// Goes through `pass` twice: what is made once is made by the first time, and
/// of the second nothing may stay.
pub(crate) async fn steady(what: &str, running: &Running, pass: impl AsyncFn()) {
    pass().await;
    rest(running).await;
    let before = Vitals::now();
    pass().await;
    rest(running).await;
    before.again(what).await;
}
