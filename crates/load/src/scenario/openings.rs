//! Opening handshakes, one after another in so many places at once. Each ends
//! with a reset of TCP: a closing handshake is not what is measured, and a
//! connection that ends with FIN keeps its port for a minute.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Counted, Ground, in_threads};
use crate::{
    Control, Latency, LoadError, Openings, Report, Settings, Speech,
    error::Fault,
    kit::offer,
    link::Link,
    pool::{Act, Pool},
    reader::Tally,
    socket::Manner,
};

/// So many refusals without one success are no measurement.
const HOPELESS: u64 = 1000;

/// Measures openings.
pub(super) fn run(
    settings: &Settings,
    openings: &Openings,
    control: &Control,
) -> Result<Report, LoadError> {
    let ground = Ground::new(settings, control, openings.concurrency, 1, 2)?;
    let threads = settings.threads.min(openings.concurrency);
    let share = |part: usize| (openings.concurrency - part).div_ceil(threads);
    let all = in_threads(&ground, threads, |part| {
        measured(&ground, share(part), threads)
    })?;
    Ok(Report { payload: 0, ..all })
}

fn measured(ground: &Ground<'_>, places: usize, threads: usize) -> Result<Report, LoadError> {
    let mut pool = Pool::new(places)?;
    let mut act = Attempts {
        ground,
        free: (0..places).collect(),
        counting: false,
        done: 0,
        failed: 0,
        latency: Latency::default(),
        refused: BTreeMap::new(),
    };
    let mut counted = Counted::from_now(ground);
    let mut next = 0;
    loop {
        for place in std::mem::take(&mut act.free) {
            match opening(ground, next) {
                Ok(link) => pool.add(place, link, &mut act)?,
                Err(fault) => act.failed(place, fault)?,
            }
            next += 1;
        }
        pool.turn(counted.most(ground), None, &mut act)?;
        let now = Instant::now();
        if counted.begins(ground, &pool, now)? {
            act.counting = true;
        }
        if counted.ends(ground, &pool, act.done * threads as u64, now)? {
            break;
        }
        let within = ground.settings.within;
        let late = |link: &Link| now.saturating_duration_since(link.since) > within;
        let late = pool.all().find(|(_, link)| late(link)).map(|(id, _)| id);
        if let Some(id) = late {
            drop(pool.drop_link(id));
            act.failed(id, Fault::TimedOut(within))?;
        }
    }
    Ok(Report {
        messages: act.done,
        deliveries: act.done,
        latency: act.latency,
        refused: act.refused,
        ..counted.report(ground)
    })
}

/// The opening of connection number `id`.
fn opening(ground: &Ground<'_>, id: usize) -> Result<Link, Fault> {
    let manner = Manner {
        source: None,
        resets: true,
    };
    let link = ground.link(id, 0, manner)?;
    if link.speech() != Speech::Raw {
        return Ok(link);
    }
    // The request's octets, and whatever comes is an answer.
    let offered = offer(Speech::Raw.framing(), &ground.settings.target);
    let offered = offered.map_err(|error| Fault::Violation(error.to_string()))?;
    Ok(link.with_raw_request(offered.request))
}

struct Attempts<'a> {
    ground: &'a Ground<'a>,
    /// Places for the next ones.
    free: Vec<usize>,
    counting: bool,
    done: u64,
    /// Since the last success.
    failed: u64,
    latency: Latency,
    refused: BTreeMap<String, u64>,
}

impl Attempts<'_> {
    fn failed(&mut self, id: usize, fault: Fault) -> Result<(), LoadError> {
        self.failed += 1;
        if self.failed >= HOPELESS {
            return Err(self.ground.lost(id, fault));
        }
        *self.refused.entry(fault.to_string()).or_default() += 1;
        self.free.push(id);
        Ok(())
    }
}

impl Act for Attempts<'_> {
    fn opened(&mut self, id: usize, link: &mut Link, now: Instant) -> bool {
        self.failed = 0;
        if self.counting {
            self.done += 1;
            self.latency.record(now - link.since, 1);
        }
        self.free.push(id);
        false
    }

    fn received(&mut self, _: usize, _: &mut Link, _: &Tally, _: Instant) -> Result<(), Fault> {
        Ok(())
    }

    fn failed(&mut self, id: usize, _: &Link, fault: Fault) -> Result<(), LoadError> {
        self.failed(id, fault)
    }
}
