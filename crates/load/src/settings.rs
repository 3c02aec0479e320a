//! What is asked for, and the two things that pass between the measuring thread
//! and whoever waits for it: how far it is, and that it is to stop.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use draftgate_core::Draft;

use crate::{Speech, Target, TlsTerms};

/// What all scenarios share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub target: Target,
    /// What the connections speak, in turn.
    pub speeches: Vec<Speech>,
    /// Octets of payload of each message.
    pub payload: usize,
    /// Whether messages are binary.
    pub binary: bool,
    /// How long is counted.
    pub duration: Duration,
    /// How long it runs before that.
    pub warm_up: Duration,
    /// It ends when so many were counted, however long that takes.
    pub messages: Option<u64>,
    /// The server's process, for what it uses.
    pub pid: Option<u32>,
    /// Threads of the generator; echo and openings alone use more than one.
    pub threads: usize,
    /// What TLS goes by.
    pub tls: TlsTerms,
    /// The longest that nothing may come while something is awaited.
    pub within: Duration,
}

impl Settings {
    /// Five seconds of messages of 125 octets in RFC 6455, after one second that
    /// is not counted.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            speeches: vec![Speech::Draft(Draft::Hybi13)],
            payload: 125,
            binary: false,
            duration: Duration::from_secs(5),
            warm_up: Duration::from_secs(1),
            messages: None,
            pid: None,
            threads: 1,
            tls: TlsTerms::default(),
            within: Duration::from_secs(30),
        }
    }

    /// What connection number `id` speaks.
    pub(crate) fn speech(&self, id: usize) -> usize {
        id % self.speeches.len()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.speeches.iter().map(|speech| speech.name()).collect()
    }
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Scenario {
    /// Messages that come back.
    Echo(Echo),
    /// Messages that go to many.
    FanOut(FanOut),
    /// Opening handshakes, one after another.
    Openings(Openings),
    /// Opening handshakes, all at once.
    Storm(Storm),
    /// Connections over which nothing goes.
    Idle(Idle),
}

impl Scenario {
    /// As it is written on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::FanOut(_) => "fan-out",
            Self::Openings(_) => "openings",
            Self::Storm(_) => "storm",
            Self::Idle(_) => "idle",
        }
    }
}

/// Messages that come back.
#[derive(Debug, Clone)]
pub struct Echo {
    /// Connections.
    pub connections: usize,
    /// Messages under way on each, unless there is a rate; 1 is ping-pong.
    pub window: usize,
    /// Messages a second, all connections together; 0.001 at least.
    pub rate: Option<f64>,
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            connections: 1,
            window: 64,
            rate: None,
        }
    }
}

/// Messages that go to many.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// Connections that send.
    pub publishers: usize,
    /// Connections that receive.
    pub subscribers: usize,
    /// Channels over which both are spread: `{n}` in the URL is the channel's
    /// number, from 0 on.
    pub channels: usize,
    /// Messages that each publisher sends at once.
    pub burst: usize,
    /// Messages a second, 0.001 at least, all publishers together; without it the next burst
    /// goes when every subscriber has the last.
    pub rate: Option<f64>,
}

/// Opening handshakes, one after another.
#[derive(Debug, Clone)]
pub struct Openings {
    /// How many are under way.
    pub concurrency: usize,
}

/// Opening handshakes, all at once.
#[derive(Debug, Clone)]
pub struct Storm {
    /// How many.
    pub connections: usize,
}

/// Connections over which nothing goes.
#[derive(Debug, Clone)]
pub struct Idle {
    /// How many.
    pub connections: usize,
    /// Messages that each gets before it is idle.
    pub used: usize,
    /// Whether one more connection sends what they get, as on a bus; else each
    /// sends its own, and gets it back.
    pub bus: bool,
    /// How long the server is left alone before its memory is read.
    pub settle: Duration,
}

/// Whether messages can be sent at so many a second.
pub(crate) fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate >= 0.001
}

/// How far it is, and that it is to stop.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    done: AtomicU64,
    of: AtomicU64,
    connecting: AtomicBool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether connections are being opened; else it is measured.
    pub connecting: bool,
    /// So much is done: connections, messages, or milliseconds.
    pub done: u64,
    /// Of so much; 0 if nothing has begun.
    pub of: u64,
}

impl Control {
    /// Ends it soon; what was measured so far is the result.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    pub(crate) fn tell(&self, connecting: bool, done: u64, of: u64) {
        self.connecting.store(connecting, Relaxed);
        self.done.store(done.min(of), Relaxed);
        self.of.store(of, Relaxed);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            connecting: self.connecting.load(Relaxed),
            done: self.done.load(Relaxed),
            of: self.of.load(Relaxed),
        }
    }
}
