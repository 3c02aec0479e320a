//! Echo: so many messages are under way on each connection, and for each that
//! comes back another one goes; or they go at a rate, each at its instant,
//! whatever has come back by then.
//!
//! With a rate a latency counts from the instant at which the message was due,
//! so that a server that stands still is charged for every message that it kept
//! from being sent in time. Without one there is nothing it would have kept: the
//! figure is the time of a message behind those before it in the window.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Counted, Ground,
    flow::{Flow, Flowing, finish},
    in_threads,
};
use crate::{
    Control, Echo, LoadError, Report, Settings,
    error::Fault,
    link::Link,
    pool::{Act, Pool},
    reader::Tally,
    settings::is_rate,
};

/// Measures echoes.
pub(super) fn run(
    settings: &Settings,
    echo: &Echo,
    control: &Control,
) -> Result<Report, LoadError> {
    if echo.window == 0 || echo.rate.is_some_and(|rate| !is_rate(rate)) {
        return Err(LoadError::Usage(
            "the window is above 0, and the rate 0.001 at least".to_owned(),
        ));
    }
    let threads = settings.threads.min(echo.connections.max(1));
    let ground = Ground::new(settings, control, echo.connections, 1, echo.window)?;
    let gate = Gate {
        ready: AtomicUsize::new(0),
        of: threads,
    };
    let all = in_threads(&ground, threads, |part| {
        measured(&ground, echo, &gate, part)
    })?;
    Ok(Report {
        window: echo.rate.is_none().then_some(echo.window as u64),
        rate: echo.rate,
        ..all
    })
}

/// All threads begin together.
struct Gate {
    ready: AtomicUsize,
    of: usize,
}

/// One thread's share: every connection whose number leaves `part`.
fn measured(
    ground: &Ground<'_>,
    echo: &Echo,
    gate: &Gate,
    part: usize,
) -> Result<Report, LoadError> {
    let number = |own: usize| own * gate.of + part;
    let own = (echo.connections - part).div_ceil(gate.of);
    let mut pool = Pool::new(own)?;
    let mut act = Echoes::new(ground, own);
    let mut open = ground.open_all(&mut pool, &mut act, own, number, |_| 0)?;
    gate.ready.fetch_add(1, Relaxed);
    while open && gate.ready.load(Relaxed) < gate.of {
        pool.turn(Duration::from_millis(1), None, &mut act)?;
        open = !ground.control.is_stopped();
    }
    if !open {
        return Ok(Report {
            interrupted: true,
            ..Report::default()
        });
    }
    let mut counted = Counted::from_now(ground);
    let mut due = echo.rate.map(|rate| Due {
        begin: Instant::now(),
        each: gate.of as f64 / rate,
        first: part as f64 / rate,
        count: 0,
    });
    act.flow.by_due = due.is_some();
    if due.is_none() {
        act.refills = true;
        act.fill(&mut pool, echo.window as u64)?;
    }
    loop {
        let next = due.as_ref().map(Due::next);
        pool.turn(counted.most(ground), next, &mut act)?;
        let now = Instant::now();
        if let Some(due) = &mut due {
            act.send_due(&mut pool, due, now)?;
        }
        if counted.begins(ground, &pool, now)? {
            act.flow.count_from(Instant::now());
        }
        if counted.ends(ground, &pool, act.counted * gate.of as u64, now)? {
            break;
        }
        act.flow.check_silence(now)?;
    }
    act.refills = false;
    act.flow.count_until(Instant::now());
    let messages = act.counted;
    Ok(Report {
        messages,
        deliveries: messages,
        ..finish(pool, act, &counted)?
    })
}

/// When messages are due: an arithmetic sequence, so that nothing that happens
/// moves the next one.
struct Due {
    begin: Instant,
    /// Seconds between two.
    each: f64,
    /// Seconds until the first.
    first: f64,
    count: u64,
}

impl Due {
    fn next(&self) -> Instant {
        let after = self.first + self.each * self.count as f64;
        self.begin + Duration::from_secs_f64(after)
    }
}

/// What is under way, and how long it took.
pub(super) struct Echoes<'a> {
    flow: Flow<'a>,
    /// For each connection: since when, and how many.
    sent: Vec<VecDeque<(Instant, u64)>>,
    /// For each message that comes another one goes.
    refills: bool,
    counted: u64,
    written: Vec<usize>,
}

impl<'a> Echoes<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, connections: usize) -> Self {
        Self {
            flow: Flow::new(ground),
            sent: (0..connections).map(|_| VecDeque::new()).collect(),
            refills: false,
            counted: 0,
            written: Vec::new(),
        }
    }

    /// Sends the first window of every connection.
    fn fill(&mut self, pool: &mut Pool, window: u64) -> Result<(), LoadError> {
        for id in 0..self.sent.len() {
            self.send(pool, id, window)?;
        }
        Ok(())
    }

    /// Sends so many on connection `id` now.
    pub(super) fn send(
        &mut self,
        pool: &mut Pool,
        id: usize,
        messages: u64,
    ) -> Result<(), LoadError> {
        let now = Instant::now();
        if let Some(link) = pool.link(id) {
            self.queue(id, link, now, messages);
        }
        self.flow.heard = now;
        pool.write(id, self)
    }

    fn queue(&mut self, id: usize, link: &mut Link, since: Instant, messages: u64) {
        link.queue(messages);
        self.sent[id].push_back((since, messages));
        self.flow.under_way += messages;
    }

    /// Sends what is due, each on the next connection.
    fn send_due(&mut self, pool: &mut Pool, due: &mut Due, now: Instant) -> Result<(), LoadError> {
        loop {
            let at = due.next();
            if at > now {
                break;
            }
            let id = due.count as usize % self.sent.len();
            due.count += 1;
            if let Some(link) = pool.link(id) {
                self.queue(id, link, at, 1);
                self.written.push(id);
            }
            self.flow.sent_late(at, now);
        }
        for id in std::mem::take(&mut self.written) {
            pool.write(id, self)?;
        }
        Ok(())
    }
}

impl<'a> Flowing<'a> for Echoes<'a> {
    fn flow(&self) -> &Flow<'a> {
        &self.flow
    }

    fn into_flow(self) -> Flow<'a> {
        self.flow
    }
}

impl Act for Echoes<'_> {
    fn opened(&mut self, _: usize, _: &mut Link, _: Instant) -> bool {
        true
    }

    fn received(
        &mut self,
        id: usize,
        link: &mut Link,
        tally: &Tally,
        now: Instant,
    ) -> Result<(), Fault> {
        let all: u64 = tally.iter().map(|(_, count)| count).sum();
        self.flow.heard = now;
        let mut left = all;
        while left > 0 {
            let Some((since, count)) = self.sent[id].front_mut() else {
                return Err(Fault::Unasked(left));
            };
            let these = left.min(*count);
            let since = *since;
            *count -= these;
            if *count == 0 {
                self.sent[id].pop_front();
            }
            left -= these;
            self.flow.took(since, now, these);
        }
        self.flow.under_way -= all;
        if self.flow.counts(now) {
            self.counted += all;
        }
        if self.refills {
            self.queue(id, link, now, all);
        }
        Ok(())
    }

    fn failed(&mut self, id: usize, _: &Link, fault: Fault) -> Result<(), LoadError> {
        Err(self.flow.ground.lost(id, fault))
    }
}
