//! How many connections there are at a time, and who waits for one: some
//! controllers have a single one to give. Those who wait are served in the order
//! in which they came.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::{Instant, sleep, timeout},
};

use crate::Settings;

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Busy {
    /// How many connections there may be.
    pub slots: usize,
    /// How many others waited.
    pub waiting: usize,
    /// How long this one has waited.
    pub waited: Duration,
}

impl Busy {
    fn sentence(&self) -> String {
        let Self {
            slots,
            waiting,
            waited,
        } = self;
        let taken = match slots {
            1 => "its one connection is taken".to_owned(),
            _ => format!("all {slots} of its connections are taken"),
        };
        let queue = match (waited.is_zero(), waiting) {
            (false, _) => format!("and none became free in {:.1} s", waited.as_secs_f64()),
            (true, 0) => "and none may wait".to_owned(),
            (true, 1) => "and one client is waiting already".to_owned(),
            (true, _) => format!("and {waiting} clients are waiting already"),
        };
        format!("{taken}, {queue}; try later, or raise its maximum if the server bears more")
    }
}

/// The place of one connection; free again when dropped, after the pause that
/// the server needs.
#[derive(Debug)]
pub struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    pause: Duration,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take().filter(|_| !self.pause.is_zero()) else {
            return;
        };
        // Where the runtime is gone, nobody waits any more.
        if let Ok(runtime) = Handle::try_current() {
            let pause = self.pause;
            runtime.spawn(async move {
                sleep(pause).await;
                drop(permit);
            });
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Slots {
    bound: Option<(Arc<Semaphore>, usize)>,
    /// How long one may wait.
    wait: Duration,
    /// How many may wait.
    most: usize,
    /// How long one stays taken when its connection has ended.
    pause: Duration,
    waiting: AtomicUsize,
}

impl Slots {
    pub(crate) fn new(settings: &Settings) -> Self {
        let bound = settings.max_connections.map(|slots| {
            let slots = slots.min(Semaphore::MAX_PERMITS);
            (Arc::new(Semaphore::new(slots)), slots)
        });
        Self {
            bound,
            wait: settings.wait,
            most: settings.waiting,
            pause: settings.pause,
            waiting: AtomicUsize::new(0),
        }
    }

    /// A slot, at once or when it is this one's turn.
    ///
    /// # Errors
    /// There is none, and none became free in time.
    pub(crate) async fn take(&self) -> Result<Slot, Busy> {
        let Some((semaphore, slots)) = &self.bound else {
            return Ok(self.slot(None));
        };
        match Arc::clone(semaphore).try_acquire_owned() {
            Ok(permit) => return Ok(self.slot(Some(permit))),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
        }
        let busy = |waiting, waited| Busy {
            slots: *slots,
            waiting,
            waited,
        };
        let Ok(turn) = Turn::take(&self.waiting, self.most) else {
            return Err(busy(self.most, Duration::ZERO));
        };
        let begun = Instant::now();
        let permit = timeout(self.wait, Arc::clone(semaphore).acquire_owned()).await;
        drop(turn);
        match permit {
            Ok(Ok(permit)) => Ok(self.slot(Some(permit))),
            _ => Err(busy(self.waiting(), begun.elapsed())),
        }
    }

    fn slot(&self, permit: Option<OwnedSemaphorePermit>) -> Slot {
        Slot {
            permit,
            pause: self.pause,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many are taken; `None` where they are not counted.
    pub(crate) fn taken(&self) -> Option<usize> {
        let (semaphore, slots) = self.bound.as_ref()?;
        Some(slots - semaphore.available_permits())
    }
}

/// A place in the queue; given up when dropped.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self, usize> {
        let more = |count| (count < most).then_some(count + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)?;
        Ok(Self(waiting))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn bounded(slots: Option<usize>, wait: Duration, waiting: usize) -> Slots {
        Slots::new(&Settings {
            max_connections: slots,
            wait,
            waiting,
            ..Settings::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_stays_taken_for_as_long_as_the_server_needs() {
        let slots = Slots::new(&Settings {
            max_connections: Some(1),
            pause: Duration::from_millis(300),
            ..Settings::default()
        });
        let begun = Instant::now();
        drop(slots.take().await.unwrap());
        let next = slots.take().await.unwrap();
        assert_eq!(begun.elapsed().as_millis(), 300);
        drop(next);
        assert_eq!(slots.taken(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_served_in_their_order() {
        let slots = Arc::new(bounded(Some(1), WAIT, 5));
        let first = slots.take().await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for name in 0..5 {
            let (slots, order) = (Arc::clone(&slots), Arc::clone(&order));
            tasks.spawn(async move {
                let slot = slots.take().await.unwrap();
                order.lock().unwrap().push(name);
                sleep(Duration::from_secs(1)).await;
                drop(slot);
            });
            tokio::task::yield_now().await;
        }
        assert_eq!((slots.waiting(), slots.taken()), (5, Some(1)));
        let busy = slots.take().await.unwrap_err();
        assert_eq!(
            busy.to_string(),
            "its one connection is taken, and 5 clients are waiting already; try later, or raise its maximum if the server bears more"
        );
        drop(first);
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!((slots.waiting(), slots.taken()), (0, Some(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_how_long() {
        let slots = bounded(Some(2), WAIT, 5);
        let held = (slots.take().await.unwrap(), slots.take().await.unwrap());
        let busy = slots.take().await.unwrap_err();
        assert_eq!((busy.slots, busy.waited), (2, WAIT));
        assert!(
            busy.to_string().contains("none became free in 10.0 s"),
            "{busy}"
        );
        assert_eq!(slots.waiting(), 0);
        drop(held.0);
        assert!(slots.take().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_to_wait_nobody_waits() {
        let slots = bounded(Some(1), Duration::ZERO, 5);
        let slot = slots.take().await.unwrap();
        let begun = Instant::now();
        let busy = slots.take().await.unwrap_err();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(busy.to_string().contains("none may wait"), "{busy}");
        drop(slot);
        assert!(slots.take().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_waiting_leaves_the_queue() {
        let slots = Arc::new(bounded(Some(1), WAIT, 1));
        let slot = slots.take().await.unwrap();
        let waiting = Arc::clone(&slots);
        let task = tokio::spawn(async move { waiting.take().await.map(drop) });
        tokio::task::yield_now().await;
        assert_eq!(slots.waiting(), 1);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(slots.waiting(), 0);
        drop(slot);
        assert!(slots.take().await.is_ok());
        assert_eq!(slots.taken(), Some(0));
    }

    #[tokio::test]
    async fn without_a_bound_everybody_has_one() {
        let slots = bounded(None, WAIT, 0);
        let held = [slots.take().await, slots.take().await];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(slots.taken(), None);
    }
}
