//! The command line of `draftgate probe`, as clap reads it.

use std::time::Duration;

use clap::ValueEnum;
use draftgate_client::Drafts;
use draftgate_core::Draft;
use draftgate_gateway::config::units;
use draftgate_probe::Settings;

use crate::{
    args::spoken_names,
    reach::{Reach, drafts},
};

const HELP: &str = "\
Of a server every draft is tried, one connection after the other, and nothing is
said over them but a ping and the closing handshake: the server may be a machine
that acts on what it is told. One plain GET asks what stands at the address.

A file is an archived exchange (*.toml), or a request as it was recorded, from
its first line on, also in hexadecimal; - is standard input.

Exit codes: 0 a draft works, or the request is good, 1 none does, or it is not,
2 wrong usage.

Examples:
  draftgate probe ws://plc.example/updates
  draftgate probe --draft hixie-76 --origin http://tv.example ws://tv.example/
  draftgate probe --send Hello --format json ws://127.0.0.1:8080/echo
  draftgate probe request.txt                 which draft is it, and is it whole
  draftgate probe interop-vectors/hixie-76/text.client-phantomjs19.server-faye01.toml";

/// `draftgate probe`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Probe {
    /// The drafts to try, parted by commas
    #[arg(long, value_name = "DRAFTS", value_parser = drafts,
        help = format!("The drafts to try, in order, with commas between, or `auto` for all that have a version; by default every draft: {}", spoken_names()))]
    draft: Option<Drafts>,
    /// A text message to send once a connection is open; what comes is shown
    #[arg(long, value_name = "TEXT")]
    send: Option<String>,
    /// Try a second connection while the first is open: there may be one slot
    #[arg(long)]
    second: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
    /// How long each answer may take: to a request, a ping, a message, a Close
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    timeout: Duration,
    /// Take the octets of a file as they are, even if they look like hexadecimal
    #[arg(long)]
    pub(super) raw: bool,
    /// How the answer looks
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// A server, `ws://HOST:PORT/PATH` or `wss://…`; or a file with a recorded
    /// request, or - for standard input
    #[arg(value_name = "URL|FILE|-")]
    pub(super) target: String,
}

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Probe {
    /// What is tried.
    pub(super) fn settings(&self) -> Settings {
        let all = || draftgate_drafts::spoken().collect();
        let drafts: Vec<Draft> = self.draft.as_ref().map_or_else(all, Drafts::in_order);
        Settings {
            drafts,
            send: self.send.clone(),
            second: self.second,
            within: self.timeout,
        }
    }
}
