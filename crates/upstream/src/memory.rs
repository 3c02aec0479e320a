//! Which draft worked at an address, so that the next connection there takes one
//! try. It is forgotten when the server answers that it no longer works; after a
//! time, because a server may have learned a better one, and when the server ends
//! connections without a word, all are tried anew, but by one connection alone
//! now and then: a device with one slot would be asked in every draft by each
//! client that it has no slot for.

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
    /// When all were last tried anew, since there is one that is known.
    renewed: Option<Instant>,
}

impl Memory {
    /// The draft that worked within the last `time`.
    pub(crate) fn recall(&self, time: Duration) -> Option<Draft> {
        let learned = self.learned();
        let (draft, since) = learned.now?;
        (since.elapsed() < time).then_some(draft)
    }

    /// The draft that worked, however long ago.
    pub(crate) fn last(&self) -> Option<Draft> {
        self.learned().now.map(|(draft, _)| draft)
    }

    /// Leave to try all anew, which is given once in `time`.
    pub(crate) fn renew(&self, time: Duration) -> bool {
        let mut learned = self.learned();
        let lately = learned.renewed.is_some_and(|at| at.elapsed() < time);
        if !lately {
            learned.renewed = Some(Instant::now());
        }
        !lately
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
        assert_eq!(memory.last(), Some(first));
        assert!(!memory.learn(first));
        assert_eq!(memory.recall(TIME), Some(first));
        assert_eq!(memory.last(), Some(first));
        memory.forget(second);
        assert_eq!(memory.recall(TIME), Some(first));
        memory.forget(first);
        assert_eq!(memory.recall(TIME), None);
        assert!(memory.learn(second));
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_tried_anew_once_in_a_time() {
        let memory = Memory::default();
        for _ in 0..3 {
            assert!(memory.renew(TIME));
            assert!(!memory.renew(TIME));
            tokio::time::advance(TIME).await;
        }
    }
}
