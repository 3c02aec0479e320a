//! What a process holds: files and allocated octets.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use draftgate_gateway::Running;
use peak_alloc::PeakAlloc;
use tokio::runtime::Builder;

use crate::common::until;

/// What may stay: tables that have grown, and nothing for each connection.
const SLACK: usize = 24 << 10;

static ALONE: Mutex<()> = Mutex::new(());

/// Runs `test` while no other one runs: what is counted is its own. Its runtime
/// has files too, and is made when the others' are gone.
pub(crate) fn alone(test: impl Future<Output = ()>) {
    run(&mut Builder::new_current_thread(), test);
}

/// The same, where what is tested is driven by three threads.
pub(crate) fn alone_on_threads(test: impl Future<Output = ()>) {
    run(Builder::new_multi_thread().worker_threads(3), test);
}

fn run(builder: &mut Builder, test: impl Future<Output = ()>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(test);
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
