//! Many replays at once, and the order in which they are reported, which is
//! that of the files whatever finished first.

use std::{
    num::NonZeroUsize,
    panic,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use draftgate_core::{Limits, Role};
use draftgate_vectors::Vector;

use crate::{Judged, Split, offline::judge_within};

/// An exchange in one role.
pub type Task<'a> = (&'a Vector, Role);

/// Replays `tasks` against our own codecs, which hold the recorded peers to
/// `limits`, in `jobs` threads; calls `done` after each.
pub fn offline(
    tasks: &[Task<'_>],
    limits: Limits,
    split: Split,
    jobs: NonZeroUsize,
    done: &(dyn Fn() + Sync),
) -> Vec<Judged> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some((vector, role)) = tasks.get(index) else {
                return judged;
            };
            let outcome = judge_within(limits, vector, *role, split);
            judged.push((index, Judged::new(vector, *role, outcome)));
            done();
        }
    };
    let mut judged = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(work)).collect();
        let mut judged = Vec::with_capacity(tasks.len());
        for thread in threads {
            match thread.join() {
                Ok(part) => judged.extend(part),
                Err(why) => panic::resume_unwind(why),
            }
        }
        judged
    });
    judged.sort_by_key(|(index, _)| *index);
    judged.into_iter().map(|(_, judged)| judged).collect()
}
