//! The timer of a connection. While what it is armed for is far off, nearly
//! always, it has a place in a bucket with all others of about that time, and
//! the bucket has the one [`Sleep`] of them all; a bucket rings early, and only
//! then is a `Sleep` of the connection's own made for the rest. So each rings
//! as exactly as it would by itself, and an idle connection has 32 octets for
//! its timer instead of 112. No task drives the buckets, as a queue of delays
//! would need one in each runtime: the runtime's own clock wakes a bucket,
//! which wakes those in it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::{
    runtime::{Handle, Id},
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// How much of time has a bucket of its own: few enough of them are made for
/// what they take, and soon enough they ring for few to wait by themselves.
const QUANTUM: Duration = Duration::from_millis(256);

/// What is as near as this gets a `Sleep` of its own.
const NEAR: Duration = Duration::from_millis(512);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) enum Timer {
    #[default]
    Off,
    Far {
        key: u32,
        bucket: Arc<Bucket>,
    },
    Near(Pin<Box<Sleep>>),
}

impl Timer {
    /// Whether it would have rung by `now`, so that it is to be armed anew.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self {
            Self::Off => false,
            Self::Far { bucket, .. } => bucket.due <= now,
            Self::Near(sleep) => sleep.deadline() <= now,
        }
    }

    /// Has the task of `cx` woken at `at` at the latest. It may be woken before:
    /// a timer is only ever moved to earlier, since one that was put off wakes us
    /// once for nothing, which costs less than to move it at every read. Ready
    /// if it is time already, or time to arm it anew.
    pub(crate) fn arm(&mut self, at: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let early = match self {
            Self::Off => false,
            Self::Far { key, bucket } => {
                now < bucket.due && bucket.due <= at && bucket.renew(*key, cx.waker())
            }
            Self::Near(sleep) => !sleep.is_elapsed() && sleep.deadline() <= at,
        };
        if !early {
            self.set(at, now, cx.waker());
        }
        match self {
            Self::Near(sleep) => sleep.as_mut().poll(cx),
            Self::Far { .. } | Self::Off => Poll::Pending,
        }
    }

    fn set(&mut self, at: Instant, now: Instant, waker: &Waker) {
        if at.saturating_duration_since(now) > NEAR
            && let Some(far) = far(at, now, waker)
        {
            *self = far;
            return;
        }
        match self {
            Self::Near(sleep) => sleep.as_mut().reset(at),
            _ => *self = Self::Near(Box::pin(sleep_until(at))),
        }
    }
}

impl Timer {
    /// Nothing is waited for: what has rung is forgotten.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.is_due(now) {
            *self = Self::Off;
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Self::Far { key, bucket } = self {
            bucket.leave(*key);
        }
    }
}

/// The timers of one [`QUANTUM`].
#[derive(Debug)]
pub(crate) struct Bucket {
    due: Instant,
    /// Set at once.
    sleep: OnceLock<Pin<Box<Sleep>>>,
    /// `None` when it has rung.
    waiting: Mutex<Option<Slab<Waker>>>,
}

impl Bucket {
    fn new(due: Instant) -> Arc<Self> {
        let mut sleep = Box::pin(sleep_until(due));
        let bucket = Arc::new(Self {
            due,
            sleep: OnceLock::new(),
            waiting: Mutex::new(Some(Slab::new())),
        });
        let waker = Waker::from(Arc::clone(&bucket));
        // Not at the expense of the connection that is just polled: a clock that
        // is not asked does not ring.
        let _ = pin!(unconstrained(sleep.as_mut())).poll(&mut Context::from_waker(&waker));
        let _ = bucket.sleep.set(sleep);
        bucket
    }

    /// A place for `waker`; `None` if it has rung, or is full.
    fn join(&self, waker: &Waker) -> Option<u32> {
        let mut waiting = self.waiting();
        let waiting = waiting.as_mut()?;
        let key = u32::try_from(waiting.vacant_key()).ok()?;
        waiting.insert(waker.clone());
        Some(key)
    }

    /// Wakes `waker` instead of whatever was at its place; false if it has rung.
    fn renew(&self, key: u32, waker: &Waker) -> bool {
        let mut waiting = self.waiting();
        let Some(known) = waiting.as_mut().and_then(|it| it.get_mut(key as usize)) else {
            return false;
        };
        if !known.will_wake(waker) {
            let known = mem::replace(known, waker.clone());
            // It may be the last that holds its task, and that be here as well.
            drop(waiting);
            drop(known);
        }
        true
    }

    fn leave(&self, key: u32) {
        let mut waiting = self.waiting();
        let left = waiting.as_mut().and_then(|it| it.try_remove(key as usize));
        drop(waiting);
        drop(left);
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Slab<Waker>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bucket {
    fn wake(self: Arc<Self>) {
        let waiting = self.waiting().take();
        for (_, waker) in waiting.into_iter().flatten() {
            waker.wake();
        }
    }
}

/// The buckets that connections of this thread have made, until they are due.
struct Buckets {
    /// Whose clock rings them.
    of: Id,
    since: Instant,
    all: BTreeMap<u32, Arc<Bucket>>,
}

thread_local! {
    static BUCKETS: RefCell<Option<Buckets>> = const { RefCell::new(None) };
}

/// A place in the last bucket before `at`.
fn far(at: Instant, now: Instant, waker: &Waker) -> Option<Timer> {
    let of = Handle::try_current().ok()?.id();
    BUCKETS.with_borrow_mut(|buckets| {
        if buckets.as_ref().is_none_or(|known| known.of != of) {
            *buckets = None;
        }
        let buckets = buckets.get_or_insert_with(|| Buckets {
            of,
            since: now,
            all: BTreeMap::new(),
        });
        let since = buckets.since;
        let tick = |at: Instant| {
            let ticks = at.checked_duration_since(since)?.as_millis() / QUANTUM.as_millis();
            u32::try_from(ticks).ok()
        };
        let (tick, past) = (tick(at)?, tick(now)?);
        let joined = |bucket: &Arc<Bucket>| {
            let key = bucket.join(waker)?;
            let bucket = Arc::clone(bucket);
            Some(Timer::Far { key, bucket })
        };
        if let Some(timer) = buckets.all.get(&tick).and_then(joined) {
            return Some(timer);
        }
        buckets.all = buckets.all.split_off(&past);
        let bucket = Bucket::new(since.checked_add(QUANTUM.checked_mul(tick)?)?);
        let timer = joined(&bucket);
        buckets.all.insert(tick, bucket);
        timer
    })
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    /// Waits for `timer` as the driver does; how often it was looked at.
    async fn wait(timer: &mut Timer, at: Instant) -> usize {
        let mut looks = 0;
        poll_fn(|cx| {
            looks += 1;
            let now = Instant::now();
            if at <= now {
                return Poll::Ready(looks);
            }
            timer.arm(at, now, cx).map(|()| looks)
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_rings_at_its_time_however_far_that_is() {
        for millis in [1, 511, 512, 513, 1_000, 25_000, 120_001, 86_400_000] {
            let began = Instant::now();
            let patience = Duration::from_millis(millis);
            let looks = wait(&mut Timer::Off, began + patience).await;
            assert_eq!(began.elapsed(), patience);
            assert!(looks <= 3, "{looks} looks in {patience:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_of_one_time_have_one_bucket_and_ring_each_at_its_own() {
        let began = Instant::now();
        let waits = (0..100).map(|after| {
            tokio::spawn(async move {
                let at = began + Duration::from_millis(30_000 + after);
                wait(&mut Timer::Off, at).await;
                assert_eq!(Instant::now(), at);
            })
        });
        let waits: Vec<_> = waits.collect();
        tokio::task::yield_now().await;
        let made = BUCKETS.with_borrow(|it| it.as_ref().map_or(0, |it| it.all.len()));
        assert!((1..=2).contains(&made), "{made} buckets");
        for wait in waits {
            wait.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_a_bucket_is_held_by_it_no_longer() {
        struct Nobody;
        impl Wake for Nobody {
            fn wake(self: Arc<Self>) {}
        }
        let task = Arc::new(Nobody);
        let waker = Waker::from(Arc::clone(&task));
        let mut timer = Timer::Off;
        let now = Instant::now();
        let far = now + Duration::from_secs(60);
        let armed = timer.arm(far, now, &mut Context::from_waker(&waker));
        assert!(armed.is_pending() && matches!(timer, Timer::Far { .. }));
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 2);
        drop(timer);
        assert_eq!(Arc::strong_count(&task), 1);
    }
}
