//! Fan-out: publishers send, subscribers receive, and a message's time ends
//! when the last subscriber has it. Publishers may get what they publish, or
//! not: servers differ in that, and nothing of it is counted.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{
    CHANNEL, Counted, Ground,
    flow::{Flow, Flowing, finish},
    rest,
};
use crate::{
    Control, FanOut, LoadError, Report, Settings,
    error::Fault,
    kit::NAMED,
    link::Link,
    pool::{Act, Pool},
    reader::Tally,
    settings::is_rate,
};

/// Between the last opening and the first message.
pub(super) const SUBSCRIBED: Duration = Duration::from_millis(100);

/// Measures deliveries.
pub(super) fn run(
    settings: &Settings,
    fan_out: &FanOut,
    control: &Control,
) -> Result<Report, LoadError> {
    let FanOut {
        publishers,
        subscribers,
        channels,
        burst,
        rate,
    } = *fan_out;
    let is_wrong = |rate| !is_rate(rate);
    if publishers == 0 || subscribers == 0 || burst == 0 || rate.is_some_and(is_wrong) {
        let why = "publishers, subscribers and the burst are above 0, and the rate 0.001 at least";
        return Err(LoadError::Usage(why.to_owned()));
    }
    if channels == 0 || channels > publishers.min(subscribers) {
        let why = "each channel has a publisher and a subscriber";
        return Err(LoadError::Usage(why.to_owned()));
    }
    if channels > 1 && !settings.target.url.resource.contains(CHANNEL) {
        let why = format!("several channels have several URLs: write {CHANNEL} for the number");
        return Err(LoadError::Usage(why));
    }
    let all = publishers + subscribers;
    let senders = publishers.div_ceil(channels);
    if senders > 1 && settings.payload < NAMED {
        let why = format!(
            "several publishers of one channel sign their messages: the payload has {NAMED} octets at least"
        );
        return Err(LoadError::Usage(why));
    }
    let mut ground = Ground::new(settings, control, all, senders, 4 * burst.max(16))?;
    ground.channels = Some((channels, publishers));
    let mut pool = Pool::new(all)?;
    let mut act = Deliveries::new(&ground, publishers, subscribers);
    act.flow.by_due = rate.is_some();
    let sender = |id: usize| (id / channels).min(senders - 1);
    if !ground.open_all(&mut pool, &mut act, all, |own| own, sender)? {
        return Ok(Report {
            interrupted: true,
            ..Report::default()
        });
    }
    // Servers may answer before they have subscribed whom they answer.
    rest(&mut pool, &mut act, &ground, SUBSCRIBED)?;
    let mut counted = Counted::from_now(&ground);
    let begin = Instant::now();
    let mut published = 0_u64;
    loop {
        let due = rate.map(|rate| begin + Duration::from_secs_f64(published as f64 / rate));
        pool.turn(counted.most(&ground), due, &mut act)?;
        let now = Instant::now();
        match rate {
            None if act.flow.under_way == 0 => {
                for publisher in 0..publishers {
                    act.publish(&mut pool, publisher, burst, Instant::now())?;
                }
            }
            None => {}
            Some(rate) => loop {
                let at = begin + Duration::from_secs_f64(published as f64 / rate);
                if at > now {
                    break;
                }
                let publisher = published as usize % publishers;
                published += 1;
                act.flow.sent_late(at, now);
                act.publish(&mut pool, publisher, 1, at)?;
            },
        }
        if counted.begins(&ground, &pool, now)? {
            act.flow.count_from(Instant::now());
        }
        if counted.ends(&ground, &pool, act.complete, now)? {
            break;
        }
        act.flow.check_silence(now)?;
    }
    act.flow.count_until(Instant::now());
    let (messages, deliveries) = (act.complete, act.delivered);
    Ok(Report {
        fan_out: Some((burst as u64, publishers as u64, subscribers as u64)),
        rate,
        messages,
        deliveries,
        ..finish(pool, act, &counted)?
    })
}

/// What is on its way to whom.
pub(super) struct Deliveries<'a> {
    /// Of deliveries.
    flow: Flow<'a>,
    publishers: usize,
    subscribers: usize,
    /// Of each publisher.
    streams: Vec<Stream>,
    channels: usize,
    /// Streams of each channel.
    senders: usize,
    /// How much of each stream of its channel each subscriber has.
    has: Vec<u64>,
    /// Messages that every subscriber has, and deliveries.
    complete: u64,
    delivered: u64,
}

/// The messages of one publisher; of all of a channel where octets do not tell
/// them apart.
#[derive(Default)]
struct Stream {
    /// How many came before those.
    before: u64,
    /// Since when each is on its way, and how many have still to get it.
    on_their_way: VecDeque<(Instant, usize)>,
}

impl<'a> Deliveries<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, publishers: usize, subscribers: usize) -> Self {
        let channels = ground.channels.map_or(1, |(channels, _)| channels);
        let apart = !ground.kits.iter().any(|kit| kit.only_counts());
        let streams = if apart { publishers } else { channels };
        let senders = streams.div_ceil(channels);
        Self {
            flow: Flow::new(ground),
            publishers,
            subscribers,
            streams: (0..streams).map(|_| Stream::default()).collect(),
            channels,
            senders,
            has: vec![0; subscribers * senders],
            complete: 0,
            delivered: 0,
        }
    }

    /// Publishes so many at once; they count from `since`.
    pub(super) fn publish(
        &mut self,
        pool: &mut Pool,
        publisher: usize,
        messages: usize,
        since: Instant,
    ) -> Result<(), LoadError> {
        let stream = publisher % self.streams.len();
        let channel = publisher % self.channels;
        let subscribers = (self.subscribers - channel).div_ceil(self.channels);
        for _ in 0..messages {
            let all = (since, subscribers);
            self.streams[stream].on_their_way.push_back(all);
        }
        if self.flow.under_way == 0 {
            self.flow.heard = Instant::now();
        }
        self.flow.under_way += (messages * subscribers) as u64;
        if let Some(link) = pool.link(publisher) {
            link.queue(messages as u64);
        }
        pool.write(publisher, self)
    }

    /// A subscriber has `count` more of what a sender of its channel sends.
    fn delivered(
        &mut self,
        subscriber: usize,
        sender: usize,
        count: u64,
        now: Instant,
    ) -> Result<(), Fault> {
        let counts = self.flow.counts(now);
        let sender = sender.min(self.senders - 1);
        let has = &mut self.has[subscriber * self.senders + sender];
        let stream = sender * self.channels + subscriber % self.channels;
        let stream = &mut self.streams[stream];
        let first = (*has - stream.before) as usize;
        *has += count;
        let messages = first..first + count as usize;
        if messages.end > stream.on_their_way.len() {
            let too_many = messages.end - stream.on_their_way.len();
            return Err(Fault::Unasked(too_many as u64));
        }
        for (since, left) in stream.on_their_way.range_mut(messages) {
            *left -= 1;
            if *left > 0 {
                continue;
            }
            self.flow.took(*since, now, 1);
            self.complete += u64::from(counts);
        }
        while stream
            .on_their_way
            .front()
            .is_some_and(|(_, left)| *left == 0)
        {
            stream.on_their_way.pop_front();
            stream.before += 1;
        }
        self.flow.under_way -= count;
        if counts {
            self.delivered += count;
        }
        Ok(())
    }
}

impl<'a> Flowing<'a> for Deliveries<'a> {
    fn flow(&self) -> &Flow<'a> {
        &self.flow
    }

    fn into_flow(self) -> Flow<'a> {
        self.flow
    }
}

impl Act for Deliveries<'_> {
    fn opened(&mut self, _: usize, _: &mut Link, _: Instant) -> bool {
        true
    }

    fn received(
        &mut self,
        id: usize,
        _: &mut Link,
        tally: &Tally,
        now: Instant,
    ) -> Result<(), Fault> {
        let Some(subscriber) = id.checked_sub(self.publishers) else {
            return Ok(());
        };
        self.flow.heard = now;
        for (sender, count) in tally {
            self.delivered(subscriber, *sender, *count, now)?;
        }
        Ok(())
    }

    fn failed(&mut self, id: usize, _: &Link, fault: Fault) -> Result<(), LoadError> {
        Err(self.flow.ground.lost(id, fault))
    }
}
