//! What can be said to `draftgate admin`.

use std::{fmt::Write, net::SocketAddr, path::PathBuf};

use clap::{Subcommand, ValueEnum};
use draftgate_core::Draft;
use draftgate_gateway::config::LogLevel;

use crate::args;

const HELP: &str = "\
The gateway is found by its configuration (-c and the usual places): the table
[admin] says address and token. The token may also stand in DRAFTGATE_ADMIN_TOKEN.

Examples:
  draftgate admin status
  draftgate admin connections --draft hixie-76 --limit 20
  draftgate admin handshakes --code origin-refused
  draftgate admin handshakes c4711            why this client was refused, with its head
  draftgate admin census --unused 90d         what may be switched off
  draftgate admin close --peer 192.0.2.7 --reason maintenance
  draftgate admin log debug

Exit codes: 0 yes, 1 no, 2 wrong usage, 69 nobody answers, 76 it is no admin
listener, 77 the token is missing or wrong, 78 wrong configuration.";

/// The heading of what says how to close.
const HOW: &str = "How they are closed";

const CLOSE: &str = "\
Examples:
  draftgate admin close c4711 --code 1008 --reason policy
  draftgate admin close --draft hixie-76 --older 12h --within 5m
  draftgate admin close --all --within 10m";

/// `draftgate admin`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Admin {
    #[command(flatten)]
    pub(super) server: Server,
    /// Print tables for people, or the JSON that was answered
    #[arg(id = "told_as", long = "format", value_name = "FORMAT", help_heading = "How it is told", value_enum, default_value_t = Format::Table, global = true)]
    pub(super) format: Format,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Which gateway.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which gateway")]
pub(super) struct Server {
    /// The configuration file of the gateway (TOML)
    #[arg(
        id = "configured_by",
        short = 'c',
        long = "config",
        value_name = "FILE",
        global = true
    )]
    pub(super) config: Option<PathBuf>,
    /// Its admin listener, instead of the one that the configuration names
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = args::address, global = true)]
    pub(super) address: Option<SocketAddr>,
    /// The file with the token
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) token_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Whether the process works
    Health,
    /// Whether it takes new connections; exit code 1 while it drains
    Ready,
    /// Print the metrics, as Prometheus reads them
    Metrics,
    /// What runs, since when, and how much
    Status,
    /// The routes in force
    Routes,
    /// List connections
    Connections(Connections),
    /// Show one connection, with its handshake
    Connection {
        /// Its id, as in the log
        id: String,
    },
    /// Close connections
    Close(Close),
    /// Stop as SIGTERM does: new connections are refused, closes are spread
    Drain {
        /// Over this time, instead of `timeouts.drain`
        #[arg(long, value_name = "DURATION")]
        within: Option<String>,
    },
    /// Show the level of the log, or change it
    Log {
        #[arg(value_parser = args::levels())]
        level: Option<LogLevel>,
    },
    /// List refused handshakes, or show one
    Handshakes(Handshakes),
    /// Say who still speaks which draft, and which nobody uses
    Census(super::census::Arguments),
}

/// Which connections.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which connections")]
pub(super) struct Filter {
    /// Of this draft
    #[arg(long, value_parser = args::any_draft)]
    draft: Option<Draft>,
    /// Of the route with this path pattern
    #[arg(long)]
    route: Option<String>,
    /// Of this path; with `*` at its end, of all that begin so
    #[arg(long)]
    path: Option<String>,
    /// From this address or network
    #[arg(long, value_name = "NETWORK")]
    peer: Option<String>,
    /// Of this origin
    #[arg(long)]
    origin: Option<String>,
    /// Of this user, where the route asks who it is
    #[arg(long)]
    user: Option<String>,
    /// Open for longer than this
    #[arg(long, value_name = "DURATION")]
    older: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    #[command(flatten)]
    pub(super) filter: Filter,
    /// List at most so many
    #[arg(long, help_heading = "How it is told")]
    pub(super) limit: Option<u32>,
    /// List those behind this id
    #[arg(long, value_name = "ID", help_heading = "How it is told")]
    pub(super) after: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = CLOSE)]
pub(super) struct Close {
    /// Its id, as in the log
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) filter: Filter,
    /// Every connection
    #[arg(long)]
    pub(super) all: bool,
    /// The close code, where the draft has codes [default: 1001]
    #[arg(long, help_heading = HOW)]
    pub(super) code: Option<u16>,
    /// The reason, where the draft has reasons
    #[arg(long, help_heading = HOW)]
    pub(super) reason: Option<String>,
    /// Spread over this time, instead of all at once
    #[arg(long, value_name = "DURATION", help_heading = HOW, conflicts_with = "id")]
    pub(super) within: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Handshakes {
    /// The id that the client was told
    pub(super) id: Option<String>,
    /// With this code
    #[arg(long)]
    pub(super) code: Option<String>,
    /// That came so far: connection, handshake, http
    #[arg(long)]
    pub(super) stage: Option<String>,
    /// Of this draft
    #[arg(long, value_parser = args::any_draft)]
    pub(super) draft: Option<Draft>,
    /// Of this path
    #[arg(long)]
    pub(super) path: Option<String>,
    /// From this address or network
    #[arg(long, value_name = "NETWORK")]
    pub(super) peer: Option<String>,
    /// List at most so many
    #[arg(long)]
    pub(super) limit: Option<u32>,
}

impl Filter {
    /// As the listener wants it.
    pub(super) fn query(&self) -> Query {
        let mut query = Query(String::new());
        query.add("draft", self.draft.map(Draft::name));
        query.add("route", self.route.as_ref());
        query.add("path", self.path.as_ref());
        query.add("peer", self.peer.as_ref());
        query.add("origin", self.origin.as_ref());
        query.add("user", self.user.as_ref());
        query.add("older", self.older.as_ref());
        query
    }
}

/// A query that is being put together.
#[derive(Debug)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn add(&mut self, name: &str, value: Option<impl ToString>) {
        let Some(value) = value else { return };
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0 += name;
        self.0.push('=');
        for octet in value.to_string().bytes() {
            // Writing to a String cannot fail.
            let _ = match octet {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    self.0.write_char(char::from(octet))
                }
                other => write!(self.0, "%{other:02X}"),
            };
        }
    }

    /// Behind `path`.
    pub(super) fn of(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_whatever_was_typed() {
        let filter = Filter {
            draft: Some(Draft::Hixie76),
            path: Some("/tv*&a=é".to_owned()),
            ..Filter::default()
        };
        assert_eq!(
            filter.query().of("/api/connections"),
            "/api/connections?draft=hixie-76&path=/tv%2A%26a%3D%C3%A9"
        );
        assert_eq!(Filter::default().query().of("/a"), "/a");
    }
}
