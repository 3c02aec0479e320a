//! The tasks of a gateway: counted, so that its end can be waited for, and cut
//! when it is to stop at once.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns tasks of one kind. Clones spawn into the same.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    abort: CancellationToken,
}

impl Tasks {
    /// Tasks that end when `abort` says so.
    pub(crate) fn new(abort: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            abort,
        }
    }

    /// Runs `task` until it ends or all are cut.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = abort.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs `task` until it ends; that all are cut it has to heed itself. What
    /// waits for that takes room in every connection.
    pub(crate) fn spawn_heeding(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Waits until all are cut.
    pub(crate) async fn cut(&self) {
        self.abort.cancelled().await;
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until none runs any more. New ones may still be spawned by those.
    pub(crate) async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
