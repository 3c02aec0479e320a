//! Idle connections: what each of them costs the server's memory, after it was
//! used, because what a connection keeps of its first message it keeps for long.
//!
//! One connection comes and goes before the first reading, so that what the
//! server sets up once is not divided among the others.

use tokio::time::Instant;

use super::{
    Ground,
    echo::Echoes,
    fan_out::{Deliveries, SUBSCRIBED},
    flow::drain,
    rest,
};
use crate::{Control, Idle, LoadError, Report, Settings, pool::Pool};

/// So many connections are used at the same time.
const AT_A_TIME: usize = 256;

/// Measures memory.
pub(super) fn run(
    settings: &Settings,
    idle: &Idle,
    control: &Control,
) -> Result<Report, LoadError> {
    if settings.pid.is_none() {
        let why = "idle connections are measured by the server's memory: name its process (--pid)";
        return Err(LoadError::Usage(why.to_owned()));
    }
    drop(connected(settings, idle, control, 1)?);
    let (mut pool, report) = connected(settings, idle, control, idle.connections)?;
    pool.farewell();
    Ok(report)
}

/// Connects so many, uses them, lets them be, and reads the memory.
fn connected(
    settings: &Settings,
    idle: &Idle,
    control: &Control,
    connections: usize,
) -> Result<(Pool, Report), LoadError> {
    let publishers = usize::from(idle.bus);
    let all = connections + publishers;
    let ground = Ground::new(settings, control, all, 1, idle.used.max(2))?;
    let mut pool = Pool::new(all)?;
    let same = |own: usize| own;
    let mut used = 0;
    let begin;
    if idle.bus {
        let mut act = Deliveries::new(&ground, publishers, connections);
        rest(&mut pool, &mut act, &ground, idle.settle)?;
        begin = ground.mark(&pool)?;
        if ground.open_all(&mut pool, &mut act, all, same, |_| 0)? {
            rest(&mut pool, &mut act, &ground, SUBSCRIBED)?;
            for _ in 0..idle.used {
                act.publish(&mut pool, 0, 1, Instant::now())?;
                drain(&mut pool, &mut act)?;
                used += connections;
            }
        }
        // The one that publishes is not one of those that are counted.
        drop(pool.drop_link(0));
        rest(&mut pool, &mut act, &ground, idle.settle)?;
    } else {
        let mut act = Echoes::new(&ground, all);
        rest(&mut pool, &mut act, &ground, idle.settle)?;
        begin = ground.mark(&pool)?;
        if ground.open_all(&mut pool, &mut act, all, same, |_| 0)? && idle.used > 0 {
            let ids: Vec<usize> = (0..all).collect();
            for some in ids.chunks(AT_A_TIME) {
                for id in some {
                    act.send(&mut pool, *id, idle.used as u64)?;
                }
                drain(&mut pool, &mut act)?;
                used += some.len() * idle.used;
            }
        }
        rest(&mut pool, &mut act, &ground, idle.settle)?;
    }
    let end = ground.mark(&pool)?;
    let mut report = Report {
        connections: connections as u64,
        messages: used as u64,
        deliveries: used as u64,
        interrupted: control.is_stopped(),
        ..ground.between(&begin, &end)
    };
    if let Some(server) = &mut report.server {
        let (before, after) = server.usage;
        let grown = after.rss as f64 - before.rss as f64;
        server.rss_per_connection = Some(grown / connections as f64);
    }
    Ok((pool, report))
}
