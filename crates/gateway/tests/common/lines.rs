//! What a test's gateway logs, kept as JSON: lines that operators rely on are part
//! of what the tests hold it to.

use std::{
    io,
    pin::pin,
    sync::{Arc, LazyLock, Mutex},
};

use tokio::sync::Notify;
use tracing_subscriber::fmt::MakeWriter;

use super::soon;

/// The lines of the log, as JSON.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    octets: Arc<Mutex<Vec<u8>>>,
    /// There is a line more.
    more: Arc<Notify>,
}

impl Lines {
    pub(crate) fn all(&self) -> Vec<serde_json::Value> {
        let octets = self.octets.lock().unwrap().clone();
        String::from_utf8(octets)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn with(&self, key: &str, value: &str) -> Vec<serde_json::Value> {
        let mut lines = self.all();
        lines.retain(|line| line[key] == value);
        lines
    }

    /// Waits until `condition`, which is about these lines alone, holds.
    pub(crate) async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        soon(what, async {
            loop {
                let mut more = pin!(self.more.notified());
                // From here on, so that none is missed.
                more.as_mut().enable();
                if condition() {
                    break;
                }
                more.await;
            }
        })
        .await;
    }
}

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.octets.lock().unwrap().extend_from_slice(octets);
        self.more.notify_waiters();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// While a process has a single subscriber, tracing asks the one of the thread
/// that happens to come first to a line, remembers the answer for every
/// thread, and a test's lines are lost. This one stands beside it.
static SECOND: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));

/// Keeps what this thread logs while the guard lives.
pub(crate) fn captured() -> (Lines, tracing::subscriber::DefaultGuard) {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}
