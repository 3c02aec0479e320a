//! A storm: all connect at once, as clients do when a server comes back. What
//! counts is when the last one is in, and that none is turned away.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Ground, TURN};
use crate::{
    Control, Latency, LoadError, Report, Settings, Storm,
    error::Fault,
    link::Link,
    pool::{Act, Pool},
    reader::Tally,
};

/// Measures a storm.
pub(super) fn run(
    settings: &Settings,
    storm: &Storm,
    control: &Control,
) -> Result<Report, LoadError> {
    let all = storm.connections;
    let ground = Ground::new(settings, control, all, 1, 2)?;
    let mut pool = Pool::new(all)?;
    let begin = ground.mark(&pool)?;
    let mut act = Arrivals {
        begin: begin.at,
        last: begin.at,
        is_in: vec![false; all],
        in_: 0,
        latency: Latency::default(),
        refused: BTreeMap::new(),
        errors: BTreeMap::new(),
    };
    for id in 0..all {
        match ground.link(id, 0, ground.manner(id)) {
            Ok(link) => pool.add(id, link, &mut act)?,
            Err(fault) => act.turned_away(&fault),
        }
    }
    loop {
        control.tell(true, act.in_, all as u64);
        let refused: u64 = act.refused.values().sum();
        if act.in_ + refused >= all as u64 || control.is_stopped() {
            break;
        }
        if act.last.elapsed() > settings.within {
            let missing: Vec<usize> = pool
                .all()
                .filter_map(|(id, link)| (!link.is_open()).then_some(id))
                .collect();
            for id in missing {
                drop(pool.drop_link(id));
                act.turned_away(&Fault::TimedOut(settings.within));
            }
            continue;
        }
        pool.turn(TURN, None, &mut act)?;
    }
    let end = ground.mark(&pool)?;
    let everyone = act.refused.is_empty() && act.in_ == all as u64;
    pool.farewell();
    Ok(Report {
        payload: 0,
        messages: act.in_,
        deliveries: act.in_,
        latency: act.latency,
        refused: act.refused,
        errors: act.errors,
        until_all: everyone.then(|| act.last - begin.at),
        interrupted: control.is_stopped(),
        ..ground.between(&begin, &end)
    })
}

struct Arrivals {
    begin: Instant,
    /// When something last became of one of them.
    last: Instant,
    is_in: Vec<bool>,
    in_: u64,
    latency: Latency,
    refused: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
}

impl Arrivals {
    fn turned_away(&mut self, fault: &Fault) {
        self.last = Instant::now();
        *self.refused.entry(fault.to_string()).or_default() += 1;
    }
}

impl Act for Arrivals {
    fn opened(&mut self, id: usize, _: &mut Link, now: Instant) -> bool {
        self.in_ += 1;
        self.is_in[id] = true;
        self.last = now;
        self.latency.record(now - self.begin, 1);
        true
    }

    fn received(&mut self, _: usize, _: &mut Link, tally: &Tally, _: Instant) -> Result<(), Fault> {
        Err(Fault::Unasked(tally.iter().map(|(_, count)| count).sum()))
    }

    fn failed(&mut self, id: usize, _: &Link, fault: Fault) -> Result<(), LoadError> {
        match self.is_in[id] {
            true => *self.errors.entry(fault.to_string()).or_default() += 1,
            false => self.turned_away(&fault),
        }
        Ok(())
    }
}
