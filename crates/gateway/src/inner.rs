//! What all connections of a gateway share, and what is in force for those that
//! come.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use draftgate_bus::Hub;
use draftgate_core::Close;
use draftgate_record::Recorder;
use tokio::{sync::watch, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{
    BindError, Reloaded,
    admin::{self, LogSwitch, Past, Times},
    census::Counting,
    config::Config,
    counts::Counters,
    policy::Policies,
    ports::{Changed, Inherited, Ports},
    registry::{Entry, Registered, Registry},
    rules::{Own, Rules},
    tasks::Tasks,
    throttle::Throttle,
};

/// What all connections share, whatever configuration they began under.
pub(crate) struct Inner {
    /// Services of the program that embeds us.
    pub(crate) own: Own,
    /// What is in force for connections that come now.
    now: Mutex<InForce>,
    pub(crate) counts: Counters,
    /// Who speaks which draft.
    pub(crate) census: Arc<Counting>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// No more connections, no more upgrades.
    pub(crate) stop: CancellationToken,
    /// How many were given a name, TCP connections and requests over HTTP/2.
    pub(crate) named: AtomicU64,
    pub(crate) hub: Hub,
    /// Every task ends now.
    pub(crate) abort: CancellationToken,
    pub(crate) tasks: Tasks,
    /// The requests and connections within connections of HTTP/2.
    pub(crate) streams: Tasks,
    /// Openings under way, from accepting on.
    pub(crate) openings: TaskTracker,
    /// The connections to upstreams.
    pub(crate) beyond: Tasks,
    /// What feeds channels.
    pub(crate) sources: Tasks,
    pub(crate) open: Registry,
    /// The last refused handshakes.
    pub(crate) past: Past,
    /// How long things take.
    pub(crate) times: Times,
    /// An operator wants it to drain, within this time.
    pub(crate) drain: watch::Sender<Option<Option<Duration>>>,
    log: OnceLock<Arc<dyn LogSwitch>>,
    /// The connections of operators.
    pub(crate) operators: TaskTracker,
    /// How many streams of events have been told that they end.
    leaving: AtomicU32,
}

/// A configuration's rules, and the sockets that it wants.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    rules: Option<Arc<Rules>>,
    pub(crate) ports: Ports,
    pub(crate) admin: Option<admin::Open>,
}

impl InForce {
    /// Accepts nothing more, not even operators.
    pub(crate) fn give_way(&mut self) {
        self.ports.close();
        if let Some(admin) = self.admin.take() {
            admin.stop();
        }
    }
}

impl Inner {
    /// Nothing is in force yet.
    pub(crate) fn new(
        own: Own,
        log_rate: Option<u32>,
        recorder: Option<Arc<Recorder>>,
    ) -> Arc<Self> {
        admin::started();
        let abort = CancellationToken::new();
        Arc::new(Self {
            own,
            now: Mutex::default(),
            throttle: Arc::new(Throttle::new(log_rate)),
            recorder,
            counts: Counters::default(),
            census: Counting::new(),
            stop: CancellationToken::new(),
            named: AtomicU64::new(0),
            hub: Hub::new(),
            openings: TaskTracker::new(),
            tasks: Tasks::new(abort.clone()),
            streams: Tasks::new(abort.clone()),
            beyond: Tasks::new(abort.clone()),
            sources: Tasks::new(abort.clone()),
            abort,
            open: Registry::default(),
            past: Past::default(),
            times: Times::default(),
            drain: watch::channel(None).0,
            log: OnceLock::new(),
            operators: TaskTracker::new(),
            leaving: AtomicU32::new(0),
        })
    }

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
    pub(crate) fn follow(
        self: &Arc<Self>,
        config: Config,
        inherited: &mut Inherited,
    ) -> Result<Reloaded, BindError> {
        raise_open_files(&config);
        let mut now = self.now();
        if let (Some(_), Some(before)) = (&self.recorder, &now.rules) {
            let hidden = before.config.token_names();
            let mut names = config.token_names();
            names.retain(|name| !hidden.contains(name));
            if !names.is_empty() {
                return Err(BindError::Recorded(names));
            }
        }
        let plan = now.ports.plan(&config, inherited)?;
        let policies = config.policy.as_ref();
        let policies = policies.map(|policy| Policies::new(policy, plan.public_ports()));
        let admin = admin::Plan::make(now.admin.as_ref(), config.admin.as_ref(), |address| {
            inherited.take(address)
        })?;
        let made = Rules::make(self, config, policies, now.rules.as_deref())?;
        // From here on nothing can fail.
        if let Some(before) = &now.rules {
            before.end_sources(&made.rules);
        }
        let rules = made.begin(self);
        self.past.follow(&rules.config);
        self.census.follow(&rules.config);
        admin.follow(&mut now.admin, self);
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
    /// Before anything was: never after [`crate::Gateway::bind`].
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.now().rules.clone();
        rules.expect("in force since the gateway was bound")
    }

    /// What is in force.
    pub(crate) fn now(&self) -> MutexGuard<'_, InForce> {
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

    /// How many TCP connections were accepted.
    pub(crate) fn accepted(&self) -> u64 {
        let within = self.counts.http2_requests.load(Relaxed);
        self.named.load(Relaxed).saturating_sub(within)
    }

    /// What records connections, where that is wanted.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Notes a connection whose opening is answered.
    pub(crate) fn register(self: &Arc<Self>, entry: Entry) -> Registered {
        let entry = Arc::new(entry);
        self.counts.upgrade(entry.about.draft);
        if entry.about.http2 {
            self.counts.http2_upgrades.fetch_add(1, Relaxed);
        }
        for quirk in entry.about.quirks.all() {
            self.counts.quirks[quirk as usize].fetch_add(1, Relaxed);
        }
        self.open.enter(&entry);
        // The drain may have taken its list while this one was being opened.
        if self.stop.is_cancelled() {
            entry.sender.close(Some(going_away()));
        }
        if self.is_aborted() {
            entry.sender.abort();
        }
        Registered::new(Arc::clone(self), entry)
    }

    /// Whether new connections are taken.
    pub(crate) fn is_ready(&self) -> bool {
        !self.stop.is_cancelled() && !self.openings.is_closed() && self.drain.borrow().is_none()
    }

    /// Asks whoever runs the gateway to drain it, within its own time or this;
    /// the first to ask says.
    pub(crate) fn ask_to_drain(&self, within: Option<Duration>) {
        self.drain.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(within);
            first
        });
    }

    /// What changes the level of the log, if anything does.
    pub(crate) fn log(&self) -> Option<&Arc<dyn LogSwitch>> {
        self.log.get()
    }

    /// Lets operators change the level of the log; the first call counts.
    pub(crate) fn with_log(&self, switch: Arc<dyn LogSwitch>) {
        let _ = self.log.set(switch);
    }

    /// Stops at once.
    pub(crate) fn end(&self) {
        self.stop.cancel();
        self.abort.cancel();
        // Connections wait for what their senders say alone.
        for entry in self.open.all() {
            entry.sender.abort();
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Inner");
        shown.field("counts", &self.counts).finish_non_exhaustive()
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

/// The time between two closes: all of them within four fifths of the drain
/// time, and a few connections without making anybody wait.
pub(crate) fn apart(time: Duration, connections: usize) -> Duration {
    let most = Duration::from_millis(50);
    match u32::try_from(connections) {
        Ok(connections @ 1..) => (time * 4 / 5 / connections).min(most),
        _ => Duration::ZERO,
    }
}

pub(crate) fn going_away() -> Close {
    Close::new(Close::GOING_AWAY, "the gateway is shutting down")
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
