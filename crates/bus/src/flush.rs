//! What comes after a publish: each subscriber is told to let go on its way
//! what it took.
//!
//! Not under the channel's turn, and not at once: publishes that come close
//! together, of one publisher or of many, are flushed by one pass, so that
//! what they brought can leave in one write. A pass is made of parts that
//! stand for themselves, so that none holds its thread for long and threads
//! share them. A part that is due is not asked for twice: however much is
//! published, no more wait than there are.

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

use crate::room::Subscriber;

/// Subscribers of one part at most: a millisecond, if each costs a write.
const PART: usize = 128;

/// The subscribers of a channel, in the order in which they came. A copy
/// shares the parts that are not changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscribers {
    /// None is empty.
    parts: Vec<Arc<Part>>,
    count: usize,
}

#[derive(Debug, Default)]
struct Part {
    all: Vec<Arc<Subscriber>>,
    /// It waits to be flushed, and that has not begun.
    due: AtomicBool,
}

impl Clone for Part {
    /// Another part, which does not wait: a flush that does knows only the old.
    fn clone(&self) -> Self {
        Self {
            all: self.all.clone(),
            due: AtomicBool::new(false),
        }
    }
}

impl Subscribers {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.parts.iter().flat_map(|part| &part.all)
    }

    /// `subscriber` is the latest.
    pub(crate) fn push(&mut self, subscriber: Arc<Subscriber>) {
        self.count += 1;
        match self.parts.last_mut().filter(|last| last.all.len() < PART) {
            Some(last) => Arc::make_mut(last).all.push(subscriber),
            None => self.parts.push(Arc::new(Part {
                all: vec![subscriber],
                due: AtomicBool::new(false),
            })),
        }
    }

    pub(crate) fn remove(&mut self, id: u64) {
        let Some((at, within)) = self.find(id) else {
            return;
        };
        self.count -= 1;
        let part = Arc::make_mut(&mut self.parts[at]);
        part.all.remove(within);
        let left = part.all.len();
        // What many have left becomes no long list of short parts.
        let next = self.parts.get(at + 1).map_or(PART, |next| next.all.len());
        if left == 0 {
            self.parts.remove(at);
        } else if left + next <= PART / 2 {
            let next = self.parts.remove(at + 1);
            let part = Arc::make_mut(&mut self.parts[at]);
            part.all.extend(next.all.iter().cloned());
        }
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.find(id).is_some()
    }

    /// Its part, and where it is in that: both are sorted.
    fn find(&self, id: u64) -> Option<(usize, usize)> {
        let begins = |part: &Arc<Part>| part.all.first().is_some_and(|first| first.id <= id);
        let at = self.parts.partition_point(begins).checked_sub(1)?;
        let within = self.parts[at].all.binary_search_by_key(&id, |s| s.id);
        Some((at, within.ok()?))
    }
}

/// A pass over subscribers of a channel that is still to be made. Dropping it
/// makes it too, so that nothing that was delivered stays.
#[must_use = "what was delivered waits for it"]
pub struct Flush {
    parts: Vec<Arc<Part>>,
    /// How many of the last part are flushed.
    begun: usize,
}

impl Flush {
    /// What is to be flushed after a publish to `subscribers`, and does not
    /// wait for it already.
    pub(crate) fn of(subscribers: &Subscribers) -> Option<Self> {
        // Behind all that was delivered: a flush that has not begun will see it.
        let fresh = |part: &&Arc<Part>| !part.due.swap(true, AcqRel);
        let parts: Vec<_> = subscribers.parts.iter().filter(fresh).cloned().collect();
        (!parts.is_empty()).then(|| Self { parts, begun: 0 })
    }

    /// The pass in parts, to be made soon, in any order and on any thread.
    pub fn parts(mut self) -> Vec<Self> {
        let parts = mem::take(&mut self.parts).into_iter();
        let alone = |part| Self {
            parts: vec![part],
            begun: 0,
        };
        parts.map(alone).collect()
    }

    /// Flushes the next `count` subscribers. Whether there are more.
    pub fn some(&mut self, mut count: usize) -> bool {
        while let Some(part) = self.parts.last() {
            if self.begun == 0 {
                // What is delivered from here on asks anew. An exchange, so that
                // whoever finds it set has delivered before what follows looks.
                part.due.swap(false, AcqRel);
            }
            let left = &part.all[self.begun..];
            let these = left.len().min(count);
            left[..these].iter().for_each(|it| it.flush());
            self.begun += these;
            count -= these;
            if these < left.len() {
                return true;
            }
            self.parts.pop();
            self.begun = 0;
        }
        false
    }

    /// Makes the pass.
    pub fn run(self) {
        drop(self);
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.some(usize::MAX);
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush")
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}
