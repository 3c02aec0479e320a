//! Exchanges over sockets: the runner plays one recorded side, and judges what
//! the program at the other end makes of it.

mod applies;
mod client;
mod fresh;
mod link;
mod listen;
mod script;
mod server;
mod target;

use std::{collections::VecDeque, future::pending, num::NonZeroUsize, sync::Arc, time::Duration};

use draftgate_vectors::Vector;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet, time::sleep};

pub use applies::FRONT_END;
pub(crate) use applies::is_limit;
pub use listen::{inapplicable, serve};
pub use target::{Target, replay};

use crate::{Judged, Outcome, Split, Task, split::Way};

/// When steps are played.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Timing {
    /// As soon as what came before them in the recording has happened.
    #[default]
    None,
    /// And after the recorded pauses, times this.
    Scaled(f64),
}

/// What is no timing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no timing: write `none`, `recorded`, or a factor for the recorded pauses, as in `0.5`"
)]
pub struct NoTiming(String);

impl std::str::FromStr for Timing {
    type Err = NoTiming;

    fn from_str(text: &str) -> Result<Self, NoTiming> {
        match text {
            "none" => Ok(Self::None),
            "recorded" => Ok(Self::Scaled(1.0)),
            _ => match text.parse::<f64>() {
                Ok(factor) if (0.0..=1000.0).contains(&factor) => Ok(Self::Scaled(factor)),
                _ => Err(NoTiming(text.to_owned())),
            },
        }
    }
}

impl Timing {
    /// Waits where `recorded` passed.
    async fn wait(self, recorded: Option<Duration>) {
        let pause = self.pause(recorded);
        // A timer takes a millisecond for nothing, too, and there may be tens of
        // thousands of steps.
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    /// How long to wait where `recorded` passed.
    fn pause(self, recorded: Option<Duration>) -> Duration {
        match (self, recorded) {
            (Self::Scaled(factor), Some(pause)) => pause.mul_f64(factor),
            _ => Duration::ZERO,
        }
    }
}

/// How recorded steps are played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Playing {
    /// Whether keys and masks are made anew, and requests name the program
    /// under test; else the recorded octets are sent.
    pub fresh: bool,
    /// Whether the program gives every message back, whatever the file says of
    /// the recorded one.
    pub echo: bool,
    /// In which pieces octets are written: [`Split::Each`] is octet by octet
    /// here, for every other cut would be a connection of its own.
    pub split: Split,
    /// When steps are played.
    pub timing: Timing,
    /// How long anything may take. A guard, and no pace.
    pub patience: Duration,
}

impl Playing {
    fn cut<'a>(&self, octets: &'a [u8]) -> Vec<&'a [u8]> {
        let way = match self.split {
            Split::Each => Way::Pieces(1),
            split => split.ways(octets.len())[0],
        };
        way.cut(octets)
    }
}

/// Replays `tasks` against `target`, over at most `jobs` connections at once;
/// calls `done` after each. With `stop` it ends: what has not been judged by
/// then is skipped.
pub async fn run(
    tasks: &[Task<'_>],
    target: &Target,
    playing: Playing,
    jobs: NonZeroUsize,
    stop: impl Future<Output = ()>,
    done: impl Fn(),
) -> Vec<Judged> {
    let (turns, target) = (
        Arc::new(Semaphore::new(jobs.get())),
        Arc::new(target.clone()),
    );
    let mut running = JoinSet::new();
    for (index, (vector, _)) in tasks.iter().enumerate() {
        let (vector, turns) = (Vector::clone(vector), Arc::clone(&turns));
        let target = Arc::clone(&target);
        running.spawn(async move {
            // It is never closed.
            let _turn = turns.acquire().await;
            (index, replay(&vector, &target, &playing).await)
        });
    }
    let mut outcomes: Vec<Option<Outcome>> = vec![None; tasks.len()];
    tokio::pin!(stop);
    loop {
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = &mut stop => break,
        };
        match ended {
            Some(Ok((index, outcome))) => outcomes[index] = Some(outcome),
            Some(Err(broken)) => std::panic::resume_unwind(broken.into_panic()),
            None => break,
        }
        done();
    }
    let judged = tasks.iter().zip(outcomes);
    judged
        .map(|((vector, role), outcome)| {
            let stopped = || Outcome::Skipped("it was stopped before".to_owned());
            Judged::new(vector, *role, outcome.unwrap_or_else(stopped))
        })
        .collect()
}

/// Where clients come from.
#[derive(Debug)]
pub struct Clients {
    /// Where they come to.
    pub listener: TcpListener,
    /// Whether the first exchange follows the last one.
    pub repeat: bool,
    /// For how long the next one is waited for; `None`: for ever.
    pub wait: Option<Duration>,
}

/// How long to wait when no connection can be taken: those that end free files.
const AGAIN: Duration = Duration::from_millis(200);

/// Replays `tasks` to the `clients` that come, one exchange for each connection,
/// in their order. Ends with the last one, when none comes any more, or with
/// `stop`; calls `done` after each.
///
/// Exchanges for which no client came are skipped. Of an exchange that was
/// replayed more than once the first mismatch counts.
pub async fn listen(
    tasks: &[Task<'_>],
    clients: Clients,
    playing: Playing,
    stop: impl Future<Output = ()>,
    done: impl Fn(&Judged),
) -> Vec<Judged> {
    let mut judged: Vec<Judged> = Vec::with_capacity(tasks.len());
    let mut due = VecDeque::new();
    for (index, (vector, role)) in tasks.iter().enumerate() {
        let why = inapplicable(vector);
        if why.is_none() {
            due.push_back(index);
        }
        let why = why.unwrap_or_else(|| "no client came".to_owned());
        judged.push(Judged::new(vector, *role, Outcome::Skipped(why)));
    }
    let mut running = JoinSet::new();
    let Clients {
        listener,
        repeat,
        wait,
    } = clients;
    tokio::pin!(stop);
    while !due.is_empty() || !running.is_empty() {
        let idle = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => pending().await,
            }
        };
        tokio::select! {
            came = listener.accept(), if !due.is_empty() => {
                let Ok((stream, _)) = came else {
                    // Out of files, or the client left before it was served.
                    sleep(AGAIN).await;
                    continue;
                };
                let Some(index) = due.pop_front() else { continue };
                if repeat {
                    due.push_back(index);
                }
                let vector = Vector::clone(tasks[index].0);
                running.spawn(async move { (index, serve(&vector, stream, &playing).await) });
            }
            Some(ended) = running.join_next() => match ended {
                Ok((index, outcome)) => {
                    let one = &mut judged[index];
                    if !matches!(one.outcome, Outcome::Mismatch(_)) {
                        one.outcome = outcome;
                    }
                    done(one);
                }
                Err(broken) => std::panic::resume_unwind(broken.into_panic()),
            },
            () = idle, if running.is_empty() => break,
            () = &mut stop => break,
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timing_is_none_recorded_or_a_factor() {
        let pause = Some(Duration::from_millis(100));
        let wait = |text: &str| text.parse::<Timing>().unwrap().pause(pause);
        assert_eq!(wait("none"), Duration::ZERO);
        assert_eq!(wait("recorded"), Duration::from_millis(100));
        assert_eq!(wait("0.5"), Duration::from_millis(50));
        for text in ["", "fast", "-1", "NaN", "1e9"] {
            assert!(text.parse::<Timing>().is_err(), "{text}");
        }
    }
}
