//! Which draft worked at an address, so that the next connection there takes one
//! try. It is forgotten when it no longer works, and after a time, because a
//! server may have learned a better one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use draftgate_core::Draft;
use tokio::time::Instant;

/// What worked at one address.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    /// What worked last, and since when that is known.
    now: Option<(Draft, Instant)>,
    /// What was told last: the same is not told again.
    told: Option<Draft>,
}

impl Memory {
    /// The draft that worked within the last `time`.
    pub(crate) fn recall(&self, time: Duration) -> Option<Draft> {
        let learned = self.learned();
        let (draft, since) = learned.now?;
        (since.elapsed() < time).then_some(draft)
    }

    /// `draft` was found to work; whether that is news.
    pub(crate) fn learn(&self, draft: Draft) -> bool {
        let mut learned = self.learned();
        learned.now = Some((draft, Instant::now()));
        learned.told.replace(draft) != Some(draft)
    }

    /// `draft` does not work any more, if it is the one that is known.
    pub(crate) fn forget(&self, draft: Draft) {
        let mut learned = self.learned();
        learned.now.take_if(|(known, _)| *known == draft);
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn what_worked_is_known_for_its_time_and_told_once() {
        let memory = Memory::default();
        let (first, second) = (Draft::Hybi13, Draft::Hixie76);
        assert_eq!(memory.recall(TIME), None);
        assert!(memory.learn(first));
        tokio::time::advance(TIME - Duration::from_secs(1)).await;
        assert_eq!(memory.recall(TIME), Some(first));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(memory.recall(TIME), None);
        assert!(!memory.learn(first));
        assert_eq!(memory.recall(TIME), Some(first));
        memory.forget(second);
        assert_eq!(memory.recall(TIME), Some(first));
        memory.forget(first);
        assert_eq!(memory.recall(TIME), None);
        assert!(memory.learn(second));
    }
}
