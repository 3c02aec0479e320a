//! The command line of `draftgate load`, as clap reads it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use draftgate_client::{Tls, Url};
use draftgate_core::Draft;
use draftgate_gateway::config::units;
use draftgate_load::{
    Echo, FanOut, Idle, Openings, Scenario, Settings, Speech, Storm, Target, TlsTerms,
};

use crate::{
    args::{spoken_draft, spoken_names},
    exit::Failure,
};

const HELP: &str = "\
Every message that comes is compared with what was sent: its place, its order,
its content. With --pid the server's time on a processor is read, which other
programs on the machine do not change. The result says who was in the way of
more: the server, or this program.

Exit codes: 0 done, 1 a message was wrong, 2 wrong usage, 69 cannot connect,
76 a connection broke, 77 an opening was refused, 124 nothing came any more.

Examples:
  draftgate load echo ws://127.0.0.1:8080/echo
  draftgate load echo --connections 500 --ping-pong --payload 1KiB ws://127.0.0.1:8080/echo
  draftgate load echo --rate 10000 --draft hixie-76 ws://127.0.0.1:8080/echo
  draftgate load fan-out --subscribers 1000 --draft all ws://127.0.0.1:8080/bus/load
  draftgate load openings --concurrency 16 ws://127.0.0.1:8080/echo
  draftgate load storm --connections 15000 --draft hixie-76 ws://127.0.0.1:8080/echo
  draftgate load idle --connections 5000 --use 1 --pid 4711 ws://127.0.0.1:8080/echo";

/// `draftgate load`
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Load {
    #[command(subcommand)]
    what: What,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum What {
    /// Messages that come back: a window of them on each connection, or a rate
    Echo(EchoFlags),
    /// Messages to many: the time until the last subscriber has each
    FanOut(FanOutFlags),
    /// Opening handshakes a second
    Openings(OpeningsFlags),
    /// Opening handshakes all at once: the time until the last is in
    Storm(StormFlags),
    /// Idle connections: the server's memory for each
    Idle(IdleFlags),
}

#[derive(Debug, Args)]
struct EchoFlags {
    /// Connections
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Messages under way on each connection
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    window: u32,
    /// One message under way on each connection, as --window 1
    #[arg(long, conflicts_with_all = ["window", "rate"])]
    ping_pong: bool,
    /// Messages a second, all connections together, each at its instant
    /// whatever has come back by then
    #[arg(long, value_name = "N", conflicts_with = "window", value_parser = rate)]
    rate: Option<f64>,
    /// Threads of this program
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    #[command(flatten)]
    messages: Messages,
    #[command(flatten)]
    time: Time,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct FanOutFlags {
    /// Connections that send
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    publishers: u32,
    /// Connections that receive
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// Channels over which both are spread: {n} in the URL is the channel's number
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    channels: u32,
    /// Messages that each publisher sends at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    burst: u32,
    /// Messages a second, all publishers together; without it the next burst goes
    /// when every subscriber has the last
    #[arg(long, value_name = "N", conflicts_with = "burst", value_parser = rate)]
    rate: Option<f64>,
    #[command(flatten)]
    messages: Messages,
    #[command(flatten)]
    time: Time,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct OpeningsFlags {
    /// Openings under way
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Threads of this program
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    #[command(flatten)]
    time: Time,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct StormFlags {
    /// Connections
    #[arg(long, value_name = "N", default_value = "15000", value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct IdleFlags {
    /// Connections
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Messages that each gets before it is idle
    #[arg(long = "use", value_name = "N", default_value = "0")]
    used: u32,
    /// One more connection sends what they get, as on a bus; else each sends its
    /// own, and gets it back
    #[arg(long)]
    bus: bool,
    /// How long the server is left alone before its memory is read
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    settle: Duration,
    #[command(flatten)]
    messages: Messages,
    #[command(flatten)]
    common: Common,
}

/// What the messages are.
#[derive(Debug, Args)]
struct Messages {
    /// Octets of payload of each message, for example 16, 125B, 16KiB or 1MiB
    #[arg(long, value_name = "SIZE", default_value = "125", value_parser = payload)]
    payload: usize,
    /// Binary messages, in drafts that have them
    #[arg(long)]
    binary: bool,
}

/// How long it takes.
#[derive(Debug, Args)]
struct Time {
    /// How long is counted
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    duration: Duration,
    /// How long it runs before that
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    warm_up: Duration,
    /// End when at least so many were counted, however long that takes
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    messages: Option<u64>,
}

/// What all of them need.
#[derive(Debug, Args)]
struct Common {
    /// What the connections speak, in turn
    #[arg(long, value_name = "DRAFT,…", default_value = "hybi-13", value_parser = speeches,
        help = format!("What the connections speak, in turn: drafts with commas between, `all` of them ({}), or `raw` TCP without any opening or frames", spoken_names()))]
    draft: Speeches,
    /// The server's process: what it uses is part of the result
    #[arg(long)]
    pid: Option<u32>,
    /// The longest that nothing may come while something is awaited
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    within: Duration,
    /// How the result looks
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// The server may be another machine, whose owner agrees
    #[arg(long)]
    remote: bool,
    /// A file with certificates (PEM) to trust besides the system's; may be repeated
    #[arg(long, value_name = "FILE")]
    cacert: Vec<PathBuf>,
    /// Take any certificate: for tests alone
    #[arg(short = 'k', long)]
    insecure: bool,
    /// The newest version of TLS to speak, by OpenSSL: 1.0, 1.1, 1.2 or 1.3
    #[cfg(feature = "legacy-tls")]
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    tls_max: Option<draftgate_load::TlsVersion>,
    /// The server, `ws://HOST:PORT/PATH` or `wss://…`
    #[arg(value_name = "URL")]
    url: Url,
}

/// How the result looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What the connections speak.
#[derive(Debug, Clone)]
struct Speeches(Vec<Speech>);

impl Load {
    /// What was asked for.
    ///
    /// # Errors
    /// The server cannot be found, or is another machine.
    pub(super) fn asked(&self) -> Result<(Settings, Scenario, Format), Failure> {
        let (scenario, common) = match &self.what {
            What::Echo(flags) => (
                Scenario::Echo(Echo {
                    connections: flags.connections as usize,
                    window: if flags.ping_pong {
                        1
                    } else {
                        flags.window as usize
                    },
                    rate: flags.rate,
                }),
                &flags.common,
            ),
            What::FanOut(flags) => (
                Scenario::FanOut(FanOut {
                    publishers: flags.publishers as usize,
                    subscribers: flags.subscribers as usize,
                    channels: flags.channels as usize,
                    burst: flags.burst as usize,
                    rate: flags.rate,
                }),
                &flags.common,
            ),
            What::Openings(flags) => (
                Scenario::Openings(Openings {
                    concurrency: flags.concurrency as usize,
                }),
                &flags.common,
            ),
            What::Storm(flags) => (
                Scenario::Storm(Storm {
                    connections: flags.connections as usize,
                }),
                &flags.common,
            ),
            What::Idle(flags) => (
                Scenario::Idle(Idle {
                    connections: flags.connections as usize,
                    used: flags.used as usize,
                    bus: flags.bus,
                    settle: flags.settle,
                }),
                &flags.common,
            ),
        };
        let target = Target::find(common.url.clone(), common.remote).map_err(super::failure)?;
        let mut settings = Settings {
            speeches: common.draft.0.clone(),
            pid: common.pid,
            within: common.within,
            tls: TlsTerms {
                tls: Tls {
                    ca_files: common.cacert.clone(),
                    insecure: common.insecure,
                },
                #[cfg(feature = "legacy-tls")]
                at_most: common.tls_max,
            },
            ..Settings::new(target)
        };
        self.what.complete(&mut settings);
        Ok((settings, scenario, common.format))
    }
}

impl What {
    fn complete(&self, settings: &mut Settings) {
        let (messages, time, threads) = match self {
            Self::Echo(flags) => (Some(&flags.messages), Some(&flags.time), flags.threads),
            Self::FanOut(flags) => (Some(&flags.messages), Some(&flags.time), 1),
            Self::Openings(flags) => (None, Some(&flags.time), flags.threads),
            Self::Storm(_) => (None, None, 1),
            Self::Idle(flags) => (Some(&flags.messages), None, 1),
        };
        if let Some(messages) = messages {
            settings.payload = messages.payload;
            settings.binary = messages.binary;
        }
        if let Some(time) = time {
            settings.duration = time.duration;
            settings.warm_up = time.warm_up;
            settings.messages = time.messages;
        }
        settings.threads = usize::from(threads);
    }
}

fn speeches(text: &str) -> Result<Speeches, String> {
    let speech = |name: &str| match name.trim() {
        "raw" => Ok(vec![Speech::Raw]),
        "all" => Ok(draftgate_drafts::announced().map(Speech::Draft).collect()),
        name => spoken_draft(name).map(|draft: Draft| vec![Speech::Draft(draft)]),
    };
    let named: Result<Vec<_>, _> = text.split(',').map(speech).collect();
    named.map(|named| Speeches(named.concat()))
}

/// The limits of every codec end below that.
const MOST_PAYLOAD: u64 = 256 << 20;

fn payload(text: &str) -> Result<usize, String> {
    let octets = match text.parse::<u64>() {
        Ok(octets) => octets,
        Err(_) => units::size(text).map_err(|error| error.to_string())?,
    };
    match usize::try_from(octets) {
        Ok(fits) if octets <= MOST_PAYLOAD => Ok(fits),
        _ => Err("it is at most 256MiB".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    rate.filter(|rate| rate.is_finite() && *rate >= 0.001)
        .ok_or_else(|| "write messages a second, for example 10000".to_owned())
}

#[cfg(feature = "legacy-tls")]
fn tls_version(text: &str) -> Result<draftgate_load::TlsVersion, String> {
    use draftgate_load::TlsVersion;

    match text {
        "1.0" => Ok(TlsVersion::V1_0),
        "1.1" => Ok(TlsVersion::V1_1),
        "1.2" => Ok(TlsVersion::V1_2),
        "1.3" => Ok(TlsVersion::V1_3),
        _ => Err("write 1.0, 1.1, 1.2 or 1.3".to_owned()),
    }
}
