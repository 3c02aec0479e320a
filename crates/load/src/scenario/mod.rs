//! The scenarios, and what they share: connections opened a few at a time, threads
//! that share a scenario, and the counted time with what server and generator used
//! in it.

mod echo;
mod fan_out;
mod flow;
mod idle;
mod openings;
mod storm;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    Control, LoadError, Report, Scenario, Server, Settings, Speech,
    error::Fault,
    kit::{Kit, Ring, offer, ring},
    link::Link,
    pool::{Act, Pool},
    secure::Secure,
    socket::{Manner, Socket},
    usage::{Usage, own_cpu_ns},
};

/// So many openings are under way where it is not openings that are measured.
const AT_A_TIME: usize = 128;

/// A turn waits no longer, so that it is soon seen that it is to stop.
const TURN: Duration = Duration::from_millis(100);

/// Connections from one address to one port; there are some 28,000 ports.
const FROM_ONE_ADDRESS: usize = 20_000;

/// A turn while nothing should happen.
const GLANCE: Duration = Duration::from_millis(20);

/// What stands for the number of a channel.
const CHANNEL: &str = "{n}";

/// Files that are open besides the connections.
const OTHER_FILES: u64 = 64;

/// Carries a scenario out in this thread, and in more if that was asked for.
///
/// # Errors
/// It cannot be carried out, or the server did something else than it should.
pub fn run(
    settings: &Settings,
    scenario: &Scenario,
    control: &Control,
) -> Result<Report, LoadError> {
    let usage = |what: &str| Err(LoadError::Usage(what.to_owned()));
    if settings.speeches.is_empty() {
        return usage("no draft is named");
    }
    let takes_threads = matches!(scenario, Scenario::Echo(_) | Scenario::Openings(_));
    if settings.threads == 0 || (settings.threads > 1 && !takes_threads) {
        return usage("echo and openings alone are done by several threads");
    }
    let report = match scenario {
        Scenario::Echo(echo) => echo::run(settings, echo, control),
        Scenario::FanOut(fan_out) => fan_out::run(settings, fan_out, control),
        Scenario::Openings(openings) => openings::run(settings, openings, control),
        Scenario::Storm(storm) => storm::run(settings, storm, control),
        Scenario::Idle(idle) => idle::run(settings, idle, control),
    }?;
    Ok(Report {
        scenario: scenario.name(),
        url: settings.target.url.to_string(),
        drafts: settings.names(),
        threads: settings.threads as u64,
        ..report
    })
}

/// Carries `part` out in so many threads, of which this is the first, and adds up
/// what they measured. One that fails stops the others.
fn in_threads(
    ground: &Ground<'_>,
    threads: usize,
    part: impl Fn(usize) -> Result<Report, LoadError> + Sync,
) -> Result<Report, LoadError> {
    let part = |number| part(number).inspect_err(|_| ground.control.stop());
    let reports = thread::scope(|scope| {
        let part = &part;
        let others: Vec<_> = (1..threads)
            .map(|number| scope.spawn(move || part(number)))
            .collect();
        let mut reports = vec![part(0)];
        let broke = || LoadError::Usage("a thread of the generator broke".to_owned());
        let joined = others.into_iter().map(|other| other.join());
        reports.extend(joined.map(|report| report.unwrap_or_else(|_| Err(broke()))));
        reports
    });
    let mut reports = reports.into_iter();
    let first = reports.next().unwrap_or_else(|| Ok(Report::default()))?;
    reports.try_fold(first, |mut all, report| {
        all.add(report?);
        Ok(all)
    })
}

/// What every connection of a scenario is made of.
struct Ground<'a> {
    settings: &'a Settings,
    control: &'a Control,
    secure: Secure,
    /// One for each of the settings' speeches.
    kits: Vec<Arc<Kit>>,
    /// Connections of the scenario, in all threads.
    connections: usize,
    /// Channels, and how many of the connections publish.
    channels: Option<(usize, usize)>,
}

impl<'a> Ground<'a> {
    fn new(
        settings: &'a Settings,
        control: &'a Control,
        connections: usize,
        senders: usize,
        window: usize,
    ) -> Result<Self, LoadError> {
        if connections == 0 {
            return Err(LoadError::Usage("there must be a connection".to_owned()));
        }
        let wanted = connections as u64 + OTHER_FILES;
        let most = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
        if most < wanted {
            return Err(LoadError::Files { wanted, most });
        }
        let rings: Arc<[Ring]> = (0..senders)
            .map(|sender| ring(sender, settings.payload, window, settings.binary))
            .collect();
        let kit = |speech: &Speech| Kit::new(*speech, Arc::clone(&rings), &settings.target);
        Ok(Self {
            settings,
            control,
            secure: Secure::new(&settings.target, &settings.tls)?,
            kits: settings
                .speeches
                .iter()
                .map(kit)
                .collect::<Result<_, _>>()?,
            connections,
            channels: None,
        })
    }

    /// The channel of connection number `id`: publishers, and subscribers, take
    /// them in turn.
    fn channel(&self, id: usize) -> usize {
        let (channels, publishers) = self.channels.unwrap_or((1, 0));
        id.checked_sub(publishers).unwrap_or(id) % channels
    }

    /// Connection number `id`, which sends the ring of `sender`.
    fn link(&self, id: usize, sender: usize, manner: Manner) -> Result<Link, Fault> {
        let kit = &self.kits[self.settings.speech(id)];
        let since = Instant::now();
        let target = &self.settings.target;
        let offer = match kit.speech {
            Speech::Raw => None,
            Speech::Draft(draft) => {
                let made = match self.channels {
                    None => offer(draft, target),
                    Some(_) => {
                        let mut channel = target.clone();
                        let number = self.channel(id).to_string();
                        channel.url.resource = channel.url.resource.replace(CHANNEL, &number);
                        offer(draft, &channel)
                    }
                };
                Some(made.map_err(|error| Fault::Violation(error.to_string()))?)
            }
        };
        let socket = Socket::open(target, &self.secure, manner).map_err(Fault::Connect)?;
        Ok(Link::new(socket, Arc::clone(kit), sender, offer, since))
    }

    /// Where connection number `id` comes from: one address has ports for so
    /// many, and on this machine there are more addresses.
    fn manner(&self, id: usize) -> Manner {
        let local = self.settings.target.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST);
        let further = id / FROM_ONE_ADDRESS;
        let source = (local && self.connections > FROM_ONE_ADDRESS)
            .then(|| Ipv4Addr::new(127, 0, (further >> 8) as u8, further as u8 + 1).into());
        Manner {
            source,
            resets: false,
        }
    }

    /// Opens the connections that `ids` numbers, and waits until all are open.
    /// False if it is to stop.
    fn open_all(
        &self,
        pool: &mut Pool,
        act: &mut impl Act,
        ids: usize,
        number: impl Fn(usize) -> usize,
        sender: impl Fn(usize) -> usize,
    ) -> Result<bool, LoadError> {
        let within = self.settings.within;
        let before = pool.opened;
        let (mut next, mut seen, mut since) = (0, 0, Instant::now());
        loop {
            let opened = pool.opened - before;
            while next < ids && next - opened < AT_A_TIME {
                let id = number(next);
                let link = self.link(id, sender(id), self.manner(id));
                let link = link.map_err(|fault| self.lost(id, fault))?;
                pool.add(next, link, act)?;
                next += 1;
            }
            let opened = pool.opened - before;
            self.control.tell(true, opened as u64, ids as u64);
            if opened == ids {
                return Ok(true);
            }
            if self.control.is_stopped() {
                return Ok(false);
            }
            if opened > seen {
                (seen, since) = (opened, Instant::now());
            } else if since.elapsed() > within {
                return Err(self.lost(number(opened), Fault::TimedOut(within)));
            }
            pool.turn(TURN, None, act)?;
        }
    }

    /// Connection number `id` is needed.
    fn lost(&self, id: usize, fault: Fault) -> LoadError {
        LoadError::Connection {
            number: id + 1,
            of: self.connections,
            draft: self.kits[self.settings.speech(id)].speech.name(),
            fault,
        }
    }

    fn mark(&self, pool: &Pool) -> Result<Mark, LoadError> {
        Ok(Mark {
            server: self.settings.pid.map(Usage::of).transpose()?,
            own: own_cpu_ns(),
            octets: pool.octets(),
            at: Instant::now(),
        })
    }

    /// What was used between two marks.
    fn between(&self, begin: &Mark, end: &Mark) -> Report {
        let server = |((pid, before), after)| Server {
            pid,
            usage: (before, after),
            rss_per_connection: None,
        };
        Report {
            connections: self.connections as u64,
            payload: self.settings.payload as u64,
            elapsed: end.at - begin.at,
            octets: (end.octets.0 - begin.octets.0, end.octets.1 - begin.octets.1),
            server: self
                .settings
                .pid
                .zip(begin.server)
                .zip(end.server)
                .map(server),
            load_cpu_ns: end.own.zip(begin.own).map(|(end, begin)| end - begin),
            ..Report::default()
        }
    }
}

/// An instant, and what had been used by then.
struct Mark {
    at: Instant,
    server: Option<Usage>,
    own: Option<u64>,
    octets: (u64, u64),
}

/// Warm-up, then the counted time.
struct Counted {
    warm_until: Instant,
    begin: Option<Mark>,
    end: Option<Mark>,
}

impl Counted {
    fn from_now(ground: &Ground<'_>) -> Self {
        Self {
            warm_until: Instant::now() + ground.settings.warm_up,
            begin: None,
            end: None,
        }
    }

    /// Begins to count when it is time. Whether it does so now.
    fn begins(
        &mut self,
        ground: &Ground<'_>,
        pool: &Pool,
        now: Instant,
    ) -> Result<bool, LoadError> {
        if self.begin.is_some() || now < self.warm_until {
            return Ok(false);
        }
        self.begin = Some(ground.mark(pool)?);
        Ok(true)
    }

    /// Ends it when so many were `counted` or the time is over, or it is to
    /// stop. Whether it does so now.
    fn ends(
        &mut self,
        ground: &Ground<'_>,
        pool: &Pool,
        counted: u64,
        now: Instant,
    ) -> Result<bool, LoadError> {
        let stopped = ground.control.is_stopped();
        let Some(begin) = &self.begin else {
            return Ok(stopped);
        };
        let settings = ground.settings;
        let elapsed = now.saturating_duration_since(begin.at);
        let over = match settings.messages {
            Some(messages) => {
                ground.control.tell(false, counted, messages);
                counted >= messages
            }
            None => {
                let all = settings.duration.as_millis() as u64;
                ground.control.tell(false, elapsed.as_millis() as u64, all);
                elapsed >= settings.duration
            }
        };
        if !over && !stopped {
            return Ok(false);
        }
        self.end = Some(ground.mark(pool)?);
        Ok(true)
    }

    /// How long the poll may wait.
    fn most(&self, ground: &Ground<'_>) -> Duration {
        let end = match &self.begin {
            None => self.warm_until,
            Some(begin) => begin.at + ground.settings.duration,
        };
        end.saturating_duration_since(Instant::now()).min(TURN)
    }

    fn report(&self, ground: &Ground<'_>) -> Report {
        let report = match (&self.begin, &self.end) {
            (Some(begin), Some(end)) => ground.between(begin, end),
            _ => Report::default(),
        };
        Report {
            interrupted: ground.control.is_stopped(),
            ..report
        }
    }
}

/// Leaves the server alone for a while, but for its pings.
fn rest(
    pool: &mut Pool,
    act: &mut impl Act,
    ground: &Ground<'_>,
    settle: Duration,
) -> Result<(), LoadError> {
    let until = Instant::now() + settle;
    while Instant::now() < until && !ground.control.is_stopped() {
        pool.turn(GLANCE, None, act)?;
    }
    Ok(())
}
