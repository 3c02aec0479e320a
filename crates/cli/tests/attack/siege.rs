//! One attack from beginning to end: a gateway as a child process with a
//! configuration in which every timeout is short, the honest client beside it,
//! and the reckoning.

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use draftgate_drafts::announced;
use serde_json::Value;
use tokio::{runtime::Runtime, time::Instant};

use crate::{
    child::{Running, WATCHDOG, directory, draftgate},
    honest::{Client, Honest},
    vitals::{Vitals, files},
};

/// What memory may grow by.
const GROWTH: u64 = 64 << 20;

/// What the honest client may wait at most.
const SERVICE: Duration = Duration::from_secs(1);

/// One at a time: two would measure each other. nextest, which runs each test
/// in a process of its own, is told the same by its configuration.
static TURN: Mutex<()> = Mutex::new(());

/// What a gateway is configured with beyond the defaults: lines of TOML.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) limits: &'static str,
    pub(crate) timeouts: &'static str,
    /// Of a second listener; none is there without.
    pub(crate) second: &'static str,
    /// Other tables.
    pub(crate) tables: &'static str,
}

/// A gateway under attack.
pub(crate) struct Siege {
    name: &'static str,
    gateway: SocketAddr,
    second: Option<SocketAddr>,
    process: Running,
    before: Vitals,
    honest: Honest,
    runtime: Runtime,
    began: Instant,
    _turn: MutexGuard<'static, ()>,
}

/// What the gateway said of it.
#[derive(Debug)]
pub(crate) struct Log(Vec<Value>);

impl Siege {
    /// Starts a gateway, uses it a little, and takes its measure.
    pub(crate) fn lay(name: &'static str, rules: Rules) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let Rules {
            limits,
            timeouts,
            second,
            tables,
        } = rules;
        let second = match second {
            "" => String::new(),
            lines => format!("[[listeners]]\naddress = \"127.0.0.1:0\"\n{lines}\n"),
        };
        let config = format!(
            "drafts = \"all\"\norigins = [\"any\"]\n[limits]\n{limits}\n[timeouts]\n{timeouts}\n\
             [[listeners]]\naddress = \"127.0.0.1:0\"\npage = true\n{second}\
             [[routes]]\npath = \"/echo\"\nservice = \"echo\"\n\
             [[routes]]\npath = \"/bus/{{channel}}\"\nservice = \"bus\"\n{tables}\n"
        );
        let directory = directory();
        fs::write(directory.join("draftgate.toml"), config).unwrap();
        let mut process = draftgate(["serve", "--log-format", "json"])
            .directory(&directory)
            // As on the smallest machine; the figures are the same on larger ones.
            .env("TOKIO_WORKER_THREADS", "2")
            .start();
        let mut address = || -> SocketAddr {
            let line = process.stdout.line_with("/echo");
            let (_, rest) = line.split_once("ws://").unwrap();
            rest.split_once('/').unwrap().0.parse().unwrap()
        };
        let gateway = address();
        let second = (!second.is_empty()).then(&mut address);
        let fresh = files(process.id());
        for _ in 0..4 {
            for draft in announced() {
                let mut client = Client::open(gateway, draft);
                client.echo(&"x".repeat(100 << 10));
                client.close();
            }
        }
        until("the first clients are gone", || {
            files(process.id()) == fresh
        });
        let before = Vitals::of(process.id());
        Self {
            name,
            gateway,
            second,
            before,
            honest: Honest::start(gateway),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            began: Instant::now(),
            process,
            _turn: turn,
        }
    }

    pub(crate) fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// The second listener.
    pub(crate) fn second(&self) -> SocketAddr {
        self.second.unwrap()
    }

    /// Runs an attack to its end.
    pub(crate) fn attack<T>(&self, attack: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            match tokio::time::timeout(WATCHDOG, attack).await {
                Ok(value) => value,
                Err(_) => panic!("{}: the attack does not end", self.name),
            }
        })
    }

    /// Waits until the gateway has rid itself of the attackers, whose sockets
    /// are still open as `held`, and adds up. What ended them is `ended_by`.
    pub(crate) fn lift<T>(self, ended_by: &str, held: Vec<T>) -> Log {
        // The honest client has a connection that stays and one that comes and goes.
        until("the gateway closes every attacker", || {
            files(self.process.id()) <= self.before.files + 2
        });
        let lasted = self.began.elapsed();
        let served = self.honest.end();
        until("every file is given back", || {
            files(self.process.id()) == self.before.files
        });
        let after = Vitals::of(self.process.id());
        let attackers = held.len();
        drop(held);
        let growth = after.peak.saturating_sub(self.before.resident);
        println!(
            "{}: {attackers} attackers, ended by {ended_by}; memory {:+.1} MiB at most, {:+.1} MiB \
             after; hixie-76 served in {:.0} ms (new) and {:.0} ms (lasting) at most, {} rounds; {:.1} s",
            self.name,
            mib(growth as f64),
            mib(after.resident as f64 - self.before.resident as f64),
            served.fresh.as_secs_f64() * 1e3,
            served.lasting.as_secs_f64() * 1e3,
            served.rounds,
            lasted.as_secs_f64(),
        );
        self.process.signal("TERM");
        let ended = self.process.finish();
        ended.expect(0, &[]);
        let log = Log::read(&ended.stderr);
        let drained = log.with("message", "draining");
        let draining = drained.first().expect("a line about the drain");
        assert_eq!(draining["connections"], 0, "{draining}");
        assert_eq!(draining["requests"], 0, "{draining}");
        assert_eq!(after.threads, self.before.threads, "threads");
        assert!(growth <= GROWTH, "memory grew by {growth} octets");
        assert!(served.rounds > 0 && served.fresh <= SERVICE, "{served:?}");
        assert!(served.lasting <= SERVICE, "{served:?}");
        log
    }
}

impl Log {
    fn read(text: &str) -> Self {
        let lines = text.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of the log: {line}"))
        });
        Self(lines.collect())
    }

    /// The lines whose `key` begins with `value`.
    pub(crate) fn with(&self, key: &str, value: &str) -> Vec<&Value> {
        let lines = self.0.iter();
        lines
            .filter(|line| line[key].as_str().is_some_and(|v| v.starts_with(value)))
            .collect()
    }
}

fn mib(octets: f64) -> f64 {
    octets / f64::from(1 << 20)
}

/// Waits until `condition` holds, which it must.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < WATCHDOG, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
