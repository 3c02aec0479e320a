//! The command line, as clap reads it: what was typed, and nothing derived
//! from it. `--help` is generated from this table, so it cannot drift.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, builder::TypedValueParser};
use draftgate_core::Draft;
use draftgate_gateway::config::{LogFormat, LogLevel};

/// A WebSocket gateway that speaks the drafts
#[derive(Debug, Parser)]
#[command(
    version,
    long_about = format!("A WebSocket gateway that speaks the drafts, on one port, their clients joined by one bus:\n{}.", spoken_names()),
    propagate_version = true,
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

const AFTER_HELP: &str = "\
Without a command it serves.

Examples:
  draftgate                                   serve on 127.0.0.1:8080, a chat page included
  draftgate check -c gate.toml                say what a configuration exposes
  draftgate connect --draft hixie-76 ws://127.0.0.1:8080/bus/chat
                                              join the chat as a client of 2010
  draftgate compare Hello                     the same text in every draft, octet by octet

Exit codes: 0 success, 1 failure, 2 wrong usage, 78 wrong configuration; connect
has more, which its own help lists.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway (the default)
    Serve(Serve),
    /// Check a configuration and say what it exposes
    Check(Check),
    /// Ask a running gateway: health, connections, refused handshakes; close, drain
    Admin(crate::admin::Admin),
    /// Print the configuration in effect, and who said what
    Config(crate::effective::Arguments),
    /// Send every message back, on one port in every draft
    Echo(Echo),
    /// Relay clients of any draft to a server of any draft
    Proxy(crate::proxy::Proxy),
    /// Connect to a server: lines in, messages out
    Connect(crate::connect::Connect),
    /// Try a server, or read a recorded request, draft by draft: what works, what
    /// fails, why, and what to do
    Probe(crate::probe::Probe),
    /// Name every field of a request, an answer or frames
    Explain(crate::explain::Explain),
    /// Record connections to a server, of any draft, as exchanges
    Record(crate::record::Record),
    /// Replay archived exchanges against our codecs, a server or a client
    Replay(crate::replay::Replay),
    /// Show one message in every draft, octet by octet
    Compare(crate::compare::Compare),
    /// Put load on a server, in every draft: echo, fan-out, openings, storms, idle
    /// connections
    Load(crate::load::Load),
    /// Look after archived exchanges
    Vectors(crate::vectors::Vectors),
    /// Write the manual's pages, one for each command
    Manual(crate::manual::Manual),
    /// Print what a shell needs to complete commands
    Completions(crate::manual::Completions),
}

const FILE_HELP: &str = "\
Without -c the first of these is read: the file that DRAFTGATE_CONFIG names,
./draftgate.toml, /etc/draftgate/draftgate.toml; without any, a configuration
that is built in: 127.0.0.1:8080, /echo, /bus/{channel}, a chat page, all drafts.
Flags win over the environment (DRAFTGATE_LIMITS__MESSAGE=1MiB), the environment
over the file, the file over the defaults.";

const SERVE_HELP: &str = "\
Signals: TERM and INT stop accepting and close every connection as its draft
says; a second INT quits at once. HUP reads the configuration again, and nobody
is disconnected. USR2 starts the program again from its file, which takes the
listening sockets over before this process stops.

Examples:
  draftgate serve --listen 127.0.0.1:0        take a free port, and print it
  draftgate serve -c gate.toml --log debug
  draftgate serve --record recordings         keep every connection as an exchange
  draftgate serve --admin                     answer `draftgate admin` on 127.0.0.1:8079
  DRAFTGATE_LIMITS__MESSAGE=1MiB draftgate serve";

/// `draftgate serve`
#[derive(Debug, clap::Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) file: File,
    /// Record every connection as an exchange into this directory (`record.dir`)
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Answer operators on this address (`admin.address`)
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8079",
        value_parser = address)]
    pub(crate) admin: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) open: Open,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// `draftgate check`
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the configuration is good, 78 it is not.")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) file: File,
}

/// Which configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct File {
    /// The configuration file (TOML)
    #[arg(short, long, value_name = "FILE", long_help = format!("The configuration file (TOML).\n\n{FILE_HELP}"))]
    pub(crate) config: Option<PathBuf>,
}

const ECHO_HELP: &str = "\
Serves every path; without --listen on 127.0.0.1:8080.

Examples:
  draftgate echo --listen 127.0.0.1:9000
  draftgate echo --drafts hixie-75,hixie-76   old clients alone";

/// `draftgate echo`
#[derive(Debug, clap::Args)]
#[command(after_help = ECHO_HELP)]
pub(crate) struct Echo {
    #[command(flatten)]
    pub(crate) open: Open,
    /// The drafts to speak, parted by commas
    #[arg(long, value_name = "DRAFT,…", value_delimiter = ',', value_parser = spoken_draft,
        help = format!("The drafts to speak, parted by commas; by default all: {}", spoken_names()))]
    pub(crate) drafts: Vec<Draft>,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// Who may reach it.
#[derive(Debug, clap::Args)]
pub(crate) struct Open {
    /// Listen on this address alone; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Accept browsers from pages of any origin
    #[arg(long)]
    pub(crate) any_origin: bool,
    /// Move octets with so many threads (`threads`; one for each core)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
}

/// What is written down, on standard error.
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// The least severe level that is logged
    #[arg(long = "log", value_name = "LEVEL", value_parser = levels())]
    pub(crate) level: Option<LogLevel>,
    /// How log lines look; `auto` is `human` on a terminal, else `json`
    #[arg(long = "log-format", value_name = "FORMAT", value_parser = formats())]
    pub(crate) format: Option<LogFormat>,
}

/// Every draft that is spoken, for help.
pub(crate) fn spoken_names() -> String {
    let names: Vec<String> = draftgate_drafts::spoken().map(Draft::with_alias).collect();
    names.join(", ")
}

/// A draft by any of its names, if it is spoken.
pub(crate) fn spoken_draft(name: &str) -> Result<Draft, String> {
    let draft: Draft =
        name.parse().map_err(
            |error: draftgate_core::UnknownDraft| match nearest_draft(name) {
                Some(near) => format!("{error}; did you mean `{near}`?"),
                None => error.to_string(),
            },
        )?;
    match draftgate_drafts::offerer(draft) {
        Ok(_) => Ok(draft),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// A draft by any of its names, spoken or not.
pub(crate) fn any_draft(name: &str) -> Result<Draft, String> {
    name.parse()
        .map_err(|unknown: draftgate_core::UnknownDraft| unknown.to_string())
}

/// The name of a draft that is spoken, if one is like `name`: one letter or
/// digit is wrong, or two.
fn nearest_draft(name: &str) -> Option<&'static str> {
    let wanted = name.trim().to_ascii_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&wanted, known);
    let nearest = draftgate_drafts::spoken()
        .map(Draft::name)
        .min_by_key(distance)?;
    (distance(&nearest) <= 2).then_some(nearest)
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, for example 127.0.0.1:8080, 0.0.0.0:80 or [::1]:0"
            .to_owned()
    })
}

pub(crate) fn levels() -> impl TypedValueParser<Value = LogLevel> {
    const LEVELS: [LogLevel; 5] = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];
    clap::builder::PossibleValuesParser::new(LEVELS.map(LogLevel::name)).map(|name| {
        let named = LEVELS.into_iter().find(|level| level.name() == name);
        named.unwrap_or(LogLevel::Info)
    })
}

fn formats() -> impl TypedValueParser<Value = LogFormat> {
    clap::builder::PossibleValuesParser::new(["auto", "human", "json"]).map(|name| {
        match name.as_str() {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => LogFormat::Auto,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_table_of_arguments_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_names_every_draft_that_is_spoken() {
        let help = Args::command().render_long_help().to_string();
        for draft in draftgate_drafts::spoken() {
            assert!(help.contains(&draft.with_alias()), "{draft}: {help}");
        }
    }

    #[test]
    fn without_a_command_the_flags_of_serve_are_taken() {
        let args = Args::try_parse_from(["draftgate", "--listen", "127.0.0.1:0"]).unwrap();
        assert!(args.command.is_none());
        assert_eq!(args.serve.open.listen, "127.0.0.1:0".parse().ok());
    }

    #[test]
    fn each_level_is_named_as_the_configuration_names_it() {
        for name in ["error", "warn", "info", "debug", "trace"] {
            let args = Args::try_parse_from(["draftgate", "--log", name]).unwrap();
            assert_eq!(args.serve.log.level.map(LogLevel::name), Some(name));
        }
    }
}
