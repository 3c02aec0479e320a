//! The gateway as a whole: bound, running, drained.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    net::{self, SocketAddr},
    sync::Arc,
};

use draftgate_bus::{Hub, Ledger};
use draftgate_record::{Recorded, Recorder, Report};
use tokio::time::{Duration, Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::{
    BindError, Counts, LogSwitch, Served,
    admin::LAST_WORDS,
    config::{Config, Plugin, Route},
    counts::Now,
    inner::{Inner, apart, going_away},
    ports::Inherited,
    rules::Own,
    service::Service,
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
        Self::begin(config, Box::new(service), Vec::new())
    }

    /// The same as [`Gateway::bind`] on `sockets` that are open already and
    /// listen: of a service manager, or [those](Running::sockets) of the process
    /// whose place it takes. Each listener takes the one of its address, or
    /// with port 0 one of its host; the others are closed, which is logged.
    ///
    /// # Errors
    /// As [`Gateway::bind`].
    pub fn bind_on(config: Config, sockets: Vec<net::TcpListener>) -> Result<Running, BindError> {
        Self::begin(config, Box::new(|_| None), sockets)
    }

    fn begin(
        config: Config,
        own: Own,
        sockets: Vec<net::TcpListener>,
    ) -> Result<Running, BindError> {
        let mut inherited = Inherited::new(sockets).map_err(BindError::Inherited)?;
        let recorder = match config.record.options(&config.token_names()) {
            Some(options) => Some(Arc::new(Recorder::start(options, recorded)?)),
            None => None,
        };
        let inner = Inner::new(own, config.log.rate, recorder);
        // Dropped on an error, and so stopped, with what has begun.
        let running = Running { inner };
        running.inner.follow(config, &mut inherited)?;
        for address in inherited.left() {
            warn!(%address, "a socket was inherited that no listener wants, and is closed; its `address` must be written as it stands here");
        }
        tokio::spawn(sum_up(Arc::clone(&running.inner)));
        let inner = &running.inner;
        inner.spawn_until(inner.abort.clone(), Arc::clone(&inner.census).keep());
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

    /// Where operators are answered, with the port that was got for port 0.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.inner.now().admin.as_ref().map(|admin| admin.bound)
    }

    /// Lets operators change the level of the program's log by `switch`; the
    /// first call counts.
    pub fn with_log(&self, switch: Arc<dyn LogSwitch>) {
        self.inner.with_log(switch);
    }

    /// Waits until an operator asks the gateway to drain, which whoever runs it
    /// is to do then: by [`Running::drain`], which takes the time that was asked for.
    pub fn asked_to_drain(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut asked = self.inner.drain.subscribe();
        async move {
            // The sender lives as long as the gateway; without one nobody asks.
            if asked.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
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
        let reloaded = self.inner.follow(config, &mut Inherited::default());
        self.inner.counts.reloaded(reloaded.is_ok());
        if reloaded.is_ok() {
            let census = Arc::clone(&self.inner.census);
            tokio::spawn(async move { census.save().await });
        }
        reloaded
    }

    /// Counts a configuration that was to be put in force and is none.
    pub fn not_reloaded(&self) {
        self.inner.counts.reloaded(false);
    }

    /// The certificates that listeners with TLS show now.
    pub fn certificates(&self) -> Vec<Served> {
        self.inner.now().ports.certificates()
    }

    /// The bus's books.
    pub fn ledger(&self) -> Ledger {
        self.inner.hub.ledger()
    }

    /// The bus itself, for programs that publish from within.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Who speaks which draft, and spoke it as far as that was counted.
    pub fn census(&self) -> draftgate_census::Report {
        self.inner.census.report()
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let now = Now {
            connections: self.inner.tasks.len(),
            open: self.inner.open.len(),
            upstream: self.inner.beyond.len(),
        };
        let accepted = self.inner.accepted();
        self.inner.counts.read(accepted, now)
    }

    /// The sockets that are listened on, for the process that is to
    /// [take this one's place](Gateway::bind_on).
    ///
    /// # Errors
    /// The process may have no more files.
    #[cfg(unix)]
    pub fn sockets(&self) -> std::io::Result<Vec<OwnedFd>> {
        let now = self.inner.now();
        let mut sockets = now.ports.sockets()?;
        if let Some(admin) = &now.admin {
            sockets.push(admin.socket()?);
        }
        Ok(sockets)
    }

    /// Leaves what comes from now on to another process that accepts from the
    /// same [sockets](Self::sockets): finishes the openings that are under way,
    /// none of which is refused over this, and then [drains](Self::drain).
    pub async fn hand_over(self) {
        let inner = &self.inner;
        // The other process is to find all of it.
        inner.census.hand_over();
        let _ = timeout(Duration::from_secs(5), inner.census.save_all()).await;
        inner.now().give_way();
        inner.openings.close();
        // An opening that takes longer has a client that is silent.
        if timeout(OPENINGS, inner.openings.wait()).await.is_err() {
            let left = inner.openings.len();
            info!(left, "openings are left that did not end in {OPENINGS:?}");
        }
        self.drain().await;
    }

    /// Stops accepting and ends every connection as its draft says (1001,
    /// `FF 00`, FIN), spread over the configured drain time so that the
    /// clients do not all come back at once; cuts what is left after it.
    pub async fn drain(self) {
        let inner = &self.inner;
        let asked = inner.drain.borrow().flatten();
        let time = asked.unwrap_or_else(|| inner.rules().config.drain);
        let began = Instant::now();
        inner.stop.cancel();
        inner.now().ports.close();
        let open = inner.open.all();
        // Tasks without an open connection are requests, and refusals being told.
        let requests = inner.tasks.len().saturating_sub(open.len());
        info!(
            connections = open.len(),
            requests, "draining for up to {time:?}"
        );
        let apart = apart(time, open.len());
        let closing = async {
            for (turn, entry) in (0..).zip(&open) {
                let sender = &entry.sender;
                // Gone meanwhile: its turn need not be waited for.
                if !sender.is_ended() {
                    sleep_until(began + apart * turn).await;
                    sender.close(Some(going_away()));
                }
            }
            inner.tasks.wait().await;
            inner.streams.wait().await;
            inner.beyond.wait().await;
            inner.sources.wait().await;
        };
        if timeout_at(began + time, closing).await.is_err() {
            let left = inner.open.all();
            warn!(
                connections = inner.tasks.len(),
                "the drain time is over; cutting what is left"
            );
            for entry in left {
                entry.sender.abort();
            }
            // They write their lines; whatever does not end by then has none.
            let last = async {
                inner.tasks.wait().await;
                inner.streams.wait().await;
            };
            let _ = timeout(Duration::from_millis(500), last).await;
        }
        self.shutdown().await;
    }

    /// Stops at once: every connection is cut.
    pub async fn shutdown(self) {
        self.inner.end();
        self.inner.tasks.wait().await;
        self.inner.streams.wait().await;
        self.inner.beyond.wait().await;
        self.inner.sources.wait().await;
        self.inner.operators.close();
        let _ = timeout(LAST_WORDS, self.inner.operators.wait()).await;
        self.inner.throttle.tell();
        self.finish_recording().await;
        self.inner.census.finish().await;
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

/// How long openings may last that are under way when the gateway hands over:
/// as long as a head may, by default.
const OPENINGS: Duration = Duration::from_secs(10);
