//! The gateway as a whole: bound, running, drained.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use draftgate_bus::{Hub, Ledger};
use draftgate_conn::Sender;
use draftgate_core::Close;
use draftgate_record::{Recorded, Recorder, Report};
use tokio::time::{Duration, Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    BindError, Counts,
    config::{Config, Plugin, Route},
    counts::{Counters, Now},
    policy::Policies,
    ports::{Changed, Ports},
    rules::{Own, Rules},
    service::Service,
    tasks::Tasks,
    throttle::Throttle,
};

/// Binds a configuration's listeners.
#[derive(Debug)]
pub struct Gateway;

/// What another configuration changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Addresses that are listened on now and were not before.
    pub opened: Vec<SocketAddr>,
    /// Addresses that are not listened on any more.
    pub closed: Vec<SocketAddr>,
    /// How many routes are as they were.
    pub routes_kept: usize,
    /// How many are new or changed.
    pub routes_new: usize,
}

/// A gateway that runs. Dropping it stops it at once; [`Running::drain`] lets
/// the connections end as their drafts say.
#[derive(Debug)]
pub struct Running {
    inner: Arc<Inner>,
}

/// What all connections share, whatever configuration they began under.
pub(crate) struct Inner {
    /// Services of the program that embeds us.
    pub(crate) own: Own,
    /// What is in force for connections that come now.
    now: Mutex<InForce>,
    pub(crate) counts: Counters,
    pub(crate) throttle: Arc<Throttle>,
    recorder: Option<Arc<Recorder>>,
    /// No more connections, no more upgrades.
    pub(crate) stop: CancellationToken,
    pub(crate) accepted: AtomicU64,
    pub(crate) hub: Hub,
    /// Every task ends now.
    abort: CancellationToken,
    tasks: Tasks,
    /// The connections to upstreams.
    pub(crate) beyond: Tasks,
    /// What feeds channels.
    pub(crate) sources: Tasks,
    open: Mutex<HashMap<u64, Sender>>,
    registered: AtomicU64,
    /// How many streams of events have been told that they end.
    leaving: AtomicU32,
}

/// A configuration's rules, and the sockets that it wants.
#[derive(Debug, Default)]
struct InForce {
    rules: Option<Arc<Rules>>,
    ports: Ports,
}

/// A place in the list of open connections; left when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    inner: Arc<Inner>,
    key: u64,
}

impl Gateway {
    /// Opens every listener of `config` and serves its routes. Must be called
    /// in a tokio runtime. Raises the process's soft limit of open files to
    /// the hard one: each connection is one.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be had, or because
    /// nothing can be written where connections are to be recorded.
    pub fn bind(config: Config) -> Result<Running, BindError> {
        Self::bind_with(config, |_| None)
    }

    /// The same, with services of your own: where `service` answers for a
    /// route, that takes the place of the one the configuration names.
    ///
    /// # Errors
    /// As [`Gateway::bind`].
    pub fn bind_with(
        config: Config,
        service: impl Fn(&Route) -> Option<Arc<dyn Service>> + Send + Sync + 'static,
    ) -> Result<Running, BindError> {
        let recorder = match config.record.options() {
            Some(options) => Some(Arc::new(Recorder::start(options, recorded)?)),
            None => None,
        };
        let abort = CancellationToken::new();
        let inner = Arc::new(Inner {
            own: Box::new(service),
            now: Mutex::default(),
            throttle: Arc::new(Throttle::new(config.log.rate)),
            recorder,
            counts: Counters::default(),
            stop: CancellationToken::new(),
            accepted: AtomicU64::new(0),
            hub: Hub::new(),
            tasks: Tasks::new(abort.clone()),
            beyond: Tasks::new(abort.clone()),
            sources: Tasks::new(abort.clone()),
            abort,
            open: Mutex::default(),
            registered: AtomicU64::new(0),
            leaving: AtomicU32::new(0),
        });
        // Dropped on an error, and so stopped, with what has begun.
        let running = Running { inner };
        running.inner.follow(config)?;
        tokio::spawn(sum_up(Arc::clone(&running.inner)));
        Ok(running)
    }
}

/// Tells what the log left out.
async fn sum_up(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            biased;
            () = inner.abort.cancelled() => return,
            () = inner.throttle.window_over() => inner.throttle.tell(),
        }
    }
}

fn raise_open_files(config: &Config) {
    let wanted = config.files();
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => warn!(
            limit,
            wanted,
            "the system lets this process open fewer files than `max-connections` asks for; raise the hard limit (`ulimit -Hn`, LimitNOFILE=) or lower max-connections"
        ),
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files could not be raised"),
    }
}

impl Running {
    /// The addresses, in the configuration's order, with the ports that were
    /// got for port 0.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.inner.now().ports.addrs()
    }

    /// The addresses of the listeners that answer the policy requests of one
    /// plug-in alone, with the ports that were got for port 0.
    pub fn policy_addrs(&self) -> Vec<(Plugin, SocketAddr)> {
        self.inner.now().ports.policy_addrs()
    }

    /// Takes `config` in place of the configuration so far: for connections
    /// that are accepted from now on; those that are open keep theirs. A listener whose
    /// address stays keeps its socket, a route that stays as it was keeps its
    /// service. All of it happens, or nothing.
    ///
    /// What is recorded (`record`) and how much is logged (`log.rate`) stays as it was.
    ///
    /// # Errors
    /// What `config` needs cannot be had; nothing has changed.
    pub fn reload(&self, config: Config) -> Result<Reloaded, BindError> {
        self.inner.follow(config)
    }

    /// The bus's books.
    pub fn ledger(&self) -> Ledger {
        self.inner.hub.ledger()
    }

    /// The bus itself, for programs that publish from within.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let now = Now {
            connections: self.inner.tasks.len(),
            open: self.inner.open().len(),
            upstream: self.inner.beyond.len(),
        };
        let accepted = self.inner.accepted.load(Relaxed);
        self.inner.counts.read(accepted, now)
    }

    /// Stops accepting and ends every connection as its draft says (1001,
    /// `FF 00`, FIN), spread over the configured drain time so that the
    /// clients do not all come back at once; cuts what is left after it.
    pub async fn drain(self) {
        let inner = &self.inner;
        let (began, time) = (Instant::now(), inner.rules().config.drain);
        inner.stop.cancel();
        let open: Vec<Sender> = inner.open().values().cloned().collect();
        // Tasks without an open connection are requests, and refusals being told.
        let requests = inner.tasks.len().saturating_sub(open.len());
        info!(
            connections = open.len(),
            requests, "draining for up to {time:?}"
        );
        let apart = apart(time, open.len());
        let closing = async {
            for (turn, sender) in (0..).zip(&open) {
                // Gone meanwhile: its turn need not be waited for.
                if !sender.is_ended() {
                    sleep_until(began + apart * turn).await;
                    sender.close(Some(going_away()));
                }
            }
            inner.tasks.wait().await;
            inner.beyond.wait().await;
            inner.sources.wait().await;
        };
        if timeout_at(began + time, closing).await.is_err() {
            let left: Vec<Sender> = inner.open().values().cloned().collect();
            warn!(
                connections = inner.tasks.len(),
                "the drain time is over; cutting what is left"
            );
            for sender in left {
                sender.abort();
            }
            // They write their lines; whatever does not end by then has none.
            let _ = timeout(Duration::from_millis(500), inner.tasks.wait()).await;
        }
        self.shutdown().await;
    }

    /// Stops at once: every connection is cut.
    pub async fn shutdown(self) {
        self.inner.end();
        self.inner.tasks.wait().await;
        self.inner.beyond.wait().await;
        self.inner.sources.wait().await;
        self.inner.throttle.tell();
        self.finish_recording().await;
        let (counts, ledger) = (self.counts(), self.ledger());
        info!("in all: {counts}; on the bus: {ledger}");
    }
}

impl Running {
    /// What was recorded so far; nothing where nothing is.
    pub fn recorded(&self) -> Recorded {
        let recorder = self.inner.recorder.as_ref();
        recorder.map(|it| it.recorded()).unwrap_or_default()
    }

    /// Waits until what was recorded is written.
    async fn finish_recording(&self) {
        let Some(recorder) = self.inner.recorder.clone() else {
            return;
        };
        let finished = Arc::clone(&recorder);
        // It waits for a thread that writes files.
        let _ = tokio::task::spawn_blocking(move || finished.finish()).await;
        let Recorded {
            written,
            failed,
            unrecorded,
        } = recorder.recorded();
        info!(written, failed, unrecorded, "recordings");
    }
}

/// Logs what became of a recording.
fn recorded(report: Report) {
    match report {
        Report::Written(stored) => {
            let (path, draft) = (stored.path.display(), stored.draft.map(|d| d.name()));
            debug!(%path, draft, partial = stored.partial, "recorded");
        }
        Report::Failed(error) => warn!(%error, "a connection could not be recorded"),
        Report::Full(bound) => warn!(
            "connections are not recorded any more, or not to their end: {bound}; see the keys of `record`"
        ),
        _ => {}
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.inner.end();
        self.inner.throttle.tell();
    }
}

/// The time between two closes: all of them within four fifths of the drain
/// time, and a few connections without making anybody wait.
fn apart(time: Duration, connections: usize) -> Duration {
    let most = Duration::from_millis(50);
    match u32::try_from(connections) {
        Ok(connections @ 1..) => (time * 4 / 5 / connections).min(most),
        _ => Duration::ZERO,
    }
}

fn going_away() -> Close {
    Close::new(Close::GOING_AWAY, "the gateway is shutting down")
}

impl Inner {
    /// Runs `task` until it ends or the gateway stops at once.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Runs `task` until `stop`; it is no connection and is not waited for.
    pub(crate) fn spawn_until(
        &self,
        stop: CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Puts `config` in force.
    ///
    /// # Errors
    /// What it needs cannot be had, and what was in force still is.
    fn follow(self: &Arc<Self>, config: Config) -> Result<Reloaded, BindError> {
        raise_open_files(&config);
        let mut now = self.now();
        let plan = now.ports.plan(&config)?;
        let policies = config.policy.as_ref();
        let policies = policies.map(|policy| Policies::new(policy, plan.public_ports()));
        let made = Rules::make(self, config, policies, now.rules.as_deref())?;
        // From here on nothing can fail.
        if let Some(before) = &now.rules {
            before.end_sources(&made.rules);
        }
        let rules = made.begin(self);
        let Changed { opened, closed } = now.ports.follow(plan, &rules, self);
        let before = now.rules.replace(Arc::clone(&rules));
        let kept = before.map_or(0, |before| before.in_common(&rules));
        Ok(Reloaded {
            opened,
            closed,
            routes_kept: kept,
            routes_new: rules.served.len() - kept,
        })
    }

    /// What is in force for connections that come now.
    ///
    /// # Panics
    /// Before anything was: never after [`Gateway::bind`].
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.now().rules.clone();
        rules.expect("in force since the gateway was bound")
    }

    fn now(&self) -> MutexGuard<'_, InForce> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After how long one more stream of events is to end, now that the
    /// gateway stops: spread as the closes of connections are.
    pub(crate) fn leave(&self) -> Duration {
        let streams = self.counts.streaming.load(Relaxed).max(1);
        let turn = self.leaving.fetch_add(1, Relaxed);
        let streams = usize::try_from(streams).unwrap_or(usize::MAX);
        apart(self.rules().config.drain, streams).saturating_mul(turn)
    }

    /// Whether everything is cut.
    pub(crate) fn is_aborted(&self) -> bool {
        self.abort.is_cancelled()
    }

    /// What records connections, where that is wanted.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Counts that `peer` was refused. Whether a line is to say so: log it
    /// with the same `code`, which stands in the sum of what is left out.
    #[must_use = "the log is limited"]
    pub(crate) fn refuse(&self, code: &'static str, peer: SocketAddr) -> bool {
        self.counts.refuse(code);
        self.throttle.lets(code, peer.ip())
    }

    /// Notes that a connection is open.
    pub(crate) fn register(self: &Arc<Self>, sender: Sender) -> Registered {
        let key = self.registered.fetch_add(1, Relaxed);
        self.open().insert(key, sender.clone());
        // The drain may have taken its list while this one was being opened.
        if self.stop.is_cancelled() {
            sender.close(Some(going_away()));
        }
        Registered {
            inner: Arc::clone(self),
            key,
        }
    }

    fn end(&self) {
        self.stop.cancel();
        self.abort.cancel();
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Sender>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Inner");
        shown.field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.inner.open().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_are_spread_over_most_of_the_drain_time() {
        let time = Duration::from_secs(10);
        assert_eq!(apart(time, 0), Duration::ZERO);
        assert_eq!(apart(time, 2), Duration::from_millis(50));
        assert_eq!(apart(time, 8_000), Duration::from_millis(1));
    }
}
