//! Counts who speaks which draft, keeps the counts in their file, and says what
//! is under observation.
//!
//! The bookkeeping is the crate `draftgate-census`; this is its clock, its file
//! and its place among the connections. A family is found once, when an
//! opening is answered, and forgotten when the connection is open.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::SystemTime,
};

use draftgate_census::{Aside, Census, Family, Opened, Report, Seconds, Served, Store, StoreError};
use draftgate_core::Draft;
use tokio::{
    sync::OwnedMutexGuard,
    time::{Duration, MissedTickBehavior, interval, timeout},
};
use tracing::{error, info, warn};

use crate::{
    access::shown,
    config::{Config, Route},
    inner::Inner,
    refusals::{Refusal, Stage},
    registry::Entry,
};

/// How often the file is written: what a killed process loses at most.
const PERIOD: Duration = Duration::from_secs(60);

/// How long the end of the gateway waits for the file.
const AT_THE_END: Duration = Duration::from_secs(5);

/// The code of the line about an opening in a draft that is under observation.
const OBSERVED: &str = "observed-draft";

/// The census of a gateway.
pub(crate) struct Counting {
    census: Mutex<Census>,
    store: Mutex<Option<Store>>,
    /// Whether what the file says is not counted in yet.
    unread: AtomicBool,
    /// What is to be told of the file; whoever saved may have been ended first.
    untold: Mutex<Vec<(Store, Aside)>>,
    /// Held by whoever writes the file.
    saving: Arc<tokio::sync::Mutex<()>>,
    /// Whether another process says what the configuration has.
    handed_over: AtomicBool,
    /// Whether the last try to write the file failed.
    failing: AtomicBool,
    observed: [AtomicU64; Draft::ALL.len()],
}

/// What became of a try to write the file.
enum Saved {
    Well {
        /// After it had failed.
        again: bool,
    },
    Failed {
        /// As the time before.
        again: bool,
        error: StoreError,
    },
}

/// What a connection is counted as.
#[derive(Debug)]
pub(crate) struct Client(Mutex<Counted>);

#[derive(Debug)]
enum Counted {
    /// Its opening is not done.
    Opening(Box<Family>),
    Open(Opened),
    Ended,
}

impl Client {
    /// Whoever sent this head.
    pub(crate) fn new(head: &[u8]) -> Self {
        Self(Mutex::new(Counted::Opening(Box::new(Family::of(head)))))
    }

    fn family(&self) -> Option<Family> {
        match &*self.counted() {
            Counted::Opening(family) => Some((**family).clone()),
            Counted::Open(_) | Counted::Ended => None,
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting {
    /// Begins to count, in memory.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            census: Mutex::new(Census::new(now())),
            store: Mutex::default(),
            unread: AtomicBool::new(false),
            untold: Mutex::default(),
            saving: Arc::default(),
            handed_over: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            observed: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// Counts for the routes of `config` from now on. What its file says is
    /// read when it is written next, which neither the start nor a signal waits
    /// for. Without the file counting goes on in memory: whatever is wrong with
    /// it is no reason to serve nobody.
    pub(crate) fn follow(&self, config: &Config) {
        let served = |route: &Route| {
            let path = route.path.to_string();
            let observes = |draft: &Draft| route.observe.contains(draft);
            let place = |draft: &Draft| Served::new(*draft, &path).observed(observes(draft));
            // A draft that no head announces is counted as the one that it does.
            let is_told = |draft: &&Draft| draftgate_drafts::announced().any(|it| it == **draft);
            route
                .drafts
                .iter()
                .filter(is_told)
                .map(place)
                .collect::<Vec<_>>()
        };
        let store = config.census.file.as_ref().map(Store::new);
        {
            let mut known = self.store();
            if *known != store {
                self.unread.store(store.is_some(), Release);
                *known = store;
            }
        }
        let served = config.routes.iter().flat_map(served);
        self.census().serves(served, now());
    }

    /// Writes the file while the gateway runs.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The first tick is at once: what is wrong is told at the start.
            period.tick().await;
            self.save().await;
        }
    }

    /// From here on it is for another process to say what the configuration
    /// has.
    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Release);
    }

    /// Adds what was counted to the file, if there is one and anything is new.
    /// It goes on where whoever waits for it stops waiting. Nothing where
    /// somebody writes already, so that nobody queues up behind a slow disk.
    pub(crate) async fn save(self: &Arc<Self>) {
        if let Ok(only) = Arc::clone(&self.saving).try_lock_owned() {
            self.save_alone(only).await;
        }
    }

    /// The same after whoever writes: all that was counted until now is in the
    /// file then.
    pub(crate) async fn save_all(self: &Arc<Self>) {
        let only = Arc::clone(&self.saving).lock_owned().await;
        self.save_alone(only).await;
    }

    async fn save_alone(self: &Arc<Self>, only: OwnedMutexGuard<()>) {
        if self.store().is_none() {
            return;
        }
        let this = Arc::clone(self);
        // It waits for a disk, and for another process that writes the same.
        let saving = tokio::task::spawn_blocking(move || {
            let _only = only;
            this.save_now()
        });
        let saved = saving.await;
        for (store, aside) in std::mem::take(&mut *self.untold()) {
            tell(&store, aside);
        }
        let Ok(Some((store, saved))) = saved else {
            return;
        };
        match saved {
            Saved::Well { again: true } => {
                info!(file = %store.path().display(), "the census is written again; nothing was lost");
            }
            Saved::Well { again: false } => {}
            Saved::Failed {
                again: false,
                error,
            } => {
                warn!(%error, "what was counted stays in memory, and is written when that is possible; make room or the folder, or let the user who runs draftgate write there");
            }
            // That was said when it began.
            Saved::Failed { again: true, .. } => {}
        }
    }

    /// The same at the end, which does not wait for ever.
    pub(crate) async fn finish(self: &Arc<Self>) {
        if timeout(AT_THE_END, self.save_all()).await.is_err() {
            warn!("the file of the census could not be written within {AT_THE_END:?}");
        } else if self.failing.load(Acquire) {
            warn!("what was counted since the census was last written is lost");
        }
    }

    fn save_now(&self) -> Option<(Store, Saved)> {
        let store = self.store().clone()?;
        let saved = match self.read_and_add(&store) {
            Ok(()) => Saved::Well {
                again: self.failing.swap(false, AcqRel),
            },
            Err(error) => Saved::Failed {
                again: self.failing.swap(true, AcqRel),
                error,
            },
        };
        Some((store, saved))
    }

    fn read_and_add(&self, store: &Store) -> Result<(), StoreError> {
        let mut is_new = false;
        if self.unread.load(Acquire) {
            let (state, aside) = store.load(now())?;
            // Where it cannot be written, it is known at least.
            self.unread.store(false, Release);
            self.census().resume(state, now());
            // What lies in the future is mended, and told of, by writing.
            let aside = aside.filter(|it| *it != Aside::Future);
            self.untold().extend(aside.map(|it| (store.clone(), it)));
            is_new = true;
        }
        let (unsaved, served) = {
            let mut census = self.census();
            if !is_new && !census.is_to_be_saved() {
                return Ok(());
            }
            (census.take_unsaved(now()), census.served().to_vec())
        };
        let served = (!self.handed_over.load(Acquire)).then_some(served.as_slice());
        match store.save(&unsaved, served, now()) {
            Ok((saved, aside)) => {
                self.census().saved(saved);
                self.untold().extend(aside.map(|it| (store.clone(), it)));
                Ok(())
            }
            Err(error) => {
                self.census().not_saved(&unsaved);
                Err(error)
            }
        }
    }

    /// A connection is open.
    fn opened(&self, entry: &Entry) {
        let mut client = entry.client.counted();
        let Counted::Opening(family) = &*client else {
            return;
        };
        let (draft, route) = (entry.about.draft, entry.route().path.to_string());
        let opened = self.census().opened(draft, &route, family, now());
        *client = Counted::Open(opened);
    }

    /// A connection is not there any more.
    pub(crate) fn ended(&self, entry: &Entry) {
        let was = std::mem::replace(&mut *entry.client.counted(), Counted::Ended);
        if let Counted::Open(opened) = was {
            self.census().closed(&opened, now());
        }
    }

    /// A request for a WebSocket was refused.
    pub(crate) fn refused(&self, refusal: &Refusal<'_>) {
        if refusal.stage != Stage::Handshake {
            return;
        }
        let known = refusal.client.and_then(Client::family);
        let family = known.unwrap_or_else(|| Family::of(refusal.head));
        let route = refusal.route.map(|route| route.path.to_string());
        let (draft, code) = (refusal.draft, refusal.reason.code);
        let mut census = self.census();
        census.refused(draft, route.as_deref(), &family, code, now());
    }

    /// What is known now.
    pub(crate) fn report(&self) -> Report {
        self.census().report(now())
    }

    /// How many connections were opened in each draft on routes that observe
    /// it; of drafts that no route did observe, nothing.
    pub(crate) fn observed(&self) -> Vec<(Draft, u64)> {
        let census = self.census();
        let counts = Draft::ALL.into_iter().zip(&self.observed);
        let counts = counts.map(|(draft, count)| (draft, count.load(Relaxed)));
        let observes = |draft| census.served().iter().any(|it| it.observes(draft));
        counts
            .filter(|(draft, count)| *count > 0 || observes(*draft))
            .collect()
    }

    /// Whether the file could not be written when that was tried last.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Acquire)
    }

    fn observe(&self, draft: Draft) {
        let place = Draft::ALL.iter().position(|known| *known == draft);
        if let Some(count) = place.and_then(|at| self.observed.get(at)) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, Vec<(Store, Aside)>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a connection whose opening is done.
    pub(crate) fn count_opened(&self, entry: &Entry) {
        let (draft, route) = (entry.about.draft, entry.route());
        let family = match route.observe.contains(&draft) {
            true => entry.client.family(),
            false => None,
        };
        self.census.opened(entry);
        let Some(family) = family else { return };
        self.census.observe(draft);
        if self.throttle.lets(OBSERVED, entry.peer().client.ip()) {
            info!(
                id = entry.id(),
                code = OBSERVED,
                peer = %entry.peer(),
                draft = draft.name(),
                path = shown(entry.about.said.path()),
                client = family.name,
                "a connection in a draft that is under observation: switched off, it would have been refused; `draftgate admin census` sums up"
            );
        }
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").finish_non_exhaustive()
    }
}

fn tell(store: &Store, aside: Aside) {
    let file = store.path().display();
    match aside {
        Aside::Damaged { to, why } => error!(
            %file,
            aside = %to.display(),
            "the file was no census: {why}; it was put aside, and counting began anew"
        ),
        Aside::Future => warn!(
            %file,
            "the census spoke of days to come, as after a clock that ran ahead: they were dropped, and the rest is kept; look whether the clock is right"
        ),
    }
}

/// Seconds since 1970.
fn now() -> Seconds {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
