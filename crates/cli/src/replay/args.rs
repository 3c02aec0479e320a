//! The arguments of `draftgate replay`.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::ValueEnum;
use draftgate_core::{Draft, Role, Strictness};
use draftgate_gateway::config::units;
use draftgate_replay::{Split, net::Timing};

use crate::args::any_draft;

pub(super) const HELP: &str = "\
Exit codes: 0 all is as expected, 1 something is not, 2 wrong usage, a file
that is no vector, or nothing to replay.

Examples:
  draftgate replay interop-vectors
  draftgate replay interop-vectors/hixie-76 --split each
  draftgate replay interop-vectors --draft hybi-13 --format junit -o report.xml
  draftgate replay interop-vectors --target ws://127.0.0.1:8080/echo --origin http://localhost
  draftgate replay interop-vectors --target ws://127.0.0.1:9000/ --peer websocket-driver
  draftgate replay interop-vectors --draft hixie-76 --listen 127.0.0.1:9000";

/// `draftgate replay`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Replay {
    /// Files, and directories of files
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) over: Over,
    /// Cut streams: `each` in two at each octet and octet by octet (over sockets octet by octet alone), `random:SEED`, or in pieces of N octets
    #[arg(long, value_name = "each|random:SEED|N")]
    pub(super) split: Option<Split>,
    /// What our own codecs let pass, as `strictness` of a route: hybi-08, lenient, or both with a comma
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["target", "listen"])]
    pub(super) strictness: Option<Strictness>,
    /// How many exchanges are replayed at once; by default as many as there are processors, 8 against a server
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(super) jobs: Option<NonZeroUsize>,
    /// How the report looks
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
    /// Where the report goes; by default to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Against what, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Over {
    /// Test this server: the recorded clients are played
    #[arg(long, value_name = "URL")]
    pub(super) target: Option<String>,
    /// Test clients: be the recorded servers on this address, one exchange for each connection; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "target", value_parser = crate::args::address)]
    pub(super) listen: Option<SocketAddr>,
    /// Begin again when the last exchange was replayed, until a signal
    #[arg(long, requires = "listen")]
    pub(super) repeat: bool,
    /// End when no client comes for so long; without it, only with the last exchange or a signal
    #[arg(long, value_name = "TIME", requires = "listen", value_parser = units::duration)]
    pub(super) wait: Option<Duration>,
    /// Make keys and masks anew, and name the server that is tested in requests (the default)
    #[arg(long, conflicts_with = "exact")]
    pub(super) fresh: bool,
    /// Send the recorded octets
    #[arg(long)]
    pub(super) exact: bool,
    /// Claim this origin instead of the recorded one
    #[arg(
        long,
        value_name = "ORIGIN",
        requires = "target",
        conflicts_with = "exact"
    )]
    pub(super) origin: Option<String>,
    /// The server gives every message back, in every exchange
    #[arg(long, requires = "target")]
    pub(super) echo: bool,
    /// When steps are played: `none` is as soon as may be, `recorded` after the recorded pauses, a number scales them
    #[arg(long, value_name = "none|recorded|FACTOR", default_value = "none")]
    pub(super) timing: Timing,
    /// How long anything may take: a guard, and no pace
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) timeout: Duration,
    /// Who is tested: what the exchanges say of a peer whose name begins so is a known deviation, and no mismatch
    #[arg(long, value_name = "NAME")]
    pub(super) peer: Option<String>,
}

/// Which exchanges, in which roles.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Exchanges in this draft alone; may be repeated
    #[arg(long, value_name = "DRAFT", value_parser = any_draft)]
    pub(super) draft: Vec<Draft>,
    /// This role alone is tested
    #[arg(long, value_name = "client|server", value_parser = role)]
    pub(super) role: Option<Role>,
    /// Exchanges with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Exchanges whose names match, as in `*netty*`; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(super) name: Vec<String>,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For build servers
    Junit,
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "write a whole number from 1".to_owned())
}

fn patience(text: &str) -> Result<Duration, String> {
    match units::duration(text).map_err(|it| it.to_string())? {
        Duration::ZERO => Err("nothing comes in no time: write for example `5s`".to_owned()),
        time => Ok(time),
    }
}

fn role(name: &str) -> Result<Role, String> {
    let roles = [Role::Client, Role::Server];
    let found = roles.into_iter().find(|role| role.name() == name);
    found.ok_or_else(|| "write `client` or `server`".to_owned())
}
