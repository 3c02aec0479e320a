//! The command line of `draftgate connect`, as clap reads it. Names and single
//! letters are those that users of wscat, websocat and curl know, where these
//! agree; what is said twice there (`-n`) has no letter here.

use std::time::Duration;

use clap::ArgGroup;
use draftgate_client::{AnswerChecks, Drafts};
use draftgate_gateway::config::units;

use super::chunks::Chunk;
use crate::{
    args::spoken_names,
    reach::{Reach, drafts},
};

const HELP: &str = "\
Each line of standard input is a text message, each message that comes is a
line (binary as <binary, N octets: hex>). The end of input closes the connection
as its draft closes, once everything is sent; what the server says before its
own close is still printed. A server that answers later is waited for with
--wait, --count or --exit-on-close.

On a terminal lines are edited, with a history, and those that begin with / are
commands: /ping [TEXT], /pong [TEXT], /binary HEX or @FILE, /close [CODE [REASON]],
/help; // begins a line that is sent with one /. Ctrl-D ends the input, Ctrl-C
closes, a second Ctrl-C cuts the connection.

Exit codes:
  0    opened, and ended as it should: by us, or by the server with code 1000,
       1001 or none; with --count, after that many messages, however it ended
  1    anything else: input that cannot be sent, fewer messages than --count
  2    wrong usage; what the draft that is named cannot say
  69   no connection: no such host, nobody listens, no tunnel, no TLS, no answer
  76   broken off: closed with an error code, without a close, against the draft
  77   refused: the server answered otherwise than by opening a WebSocket
  124  --timeout ran out

Examples:
  draftgate connect ws://127.0.0.1:8080/bus/chat
  draftgate connect --draft hixie-76 --origin http://tv.example ws://tv.example/updates
  draftgate connect --draft auto --proxy http://me:secret@proxy.example:3128 wss://push.example/
  draftgate connect -x Hello --count 1 ws://127.0.0.1:8080/echo
  draftgate connect --http2 wss://push.example/
  draftgate connect --show-handshake --show-frames -x Hello ws://127.0.0.1:8080/echo
  echo Hello | draftgate connect --draft hixie-75 ws://127.0.0.1:8080/echo
  draftgate connect --raw --chunk all ws://127.0.0.1:8080/echo < in > out";

/// `draftgate connect`
#[derive(Debug, clap::Args)]
#[command(
    after_help = HELP,
    group(ArgGroup::new("kind").args(["text", "binary", "hex", "base64"])),
)]
pub(crate) struct Connect {
    /// Where to: `ws://HOST:PORT/PATH`, or `wss://` for TLS; the port is 80 or 443
    /// if left out, `NAME:PASSWORD@` may stand before the host
    pub(crate) url: String,
    /// The drafts to try, in order, with commas between
    #[arg(long, value_name = "DRAFTS", default_value = "hybi-13", value_parser = drafts,
        help = format!("The drafts to try, in order, with commas between, or `auto` for all that have a version, newest first: {}", spoken_names()))]
    pub(crate) draft: Drafts,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Over a stream of HTTP/2 (RFC 8441, hybi-13 alone): within TLS by ALPN, in clear
    /// because the server is known to speak it
    #[arg(long)]
    pub(crate) http2: bool,
    /// Offer to compress messages: permessage-deflate, in Version 8 deflate-frame
    #[arg(long)]
    pub(crate) compress: bool,
    /// How strictly to judge the server's answer; what `lenient` forgives is said
    #[arg(long, value_name = "HOW", default_value = "strict")]
    pub(crate) answer_checks: Checks,
    /// How long connecting and the opening handshake may take, each
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub(crate) connect_timeout: Duration,
    /// How often to ping the server, where the draft has ping, or `off`; by default
    /// every 50s
    #[arg(long, value_name = "TIME", value_parser = ping)]
    pub(crate) ping: Option<Ping>,

    #[command(flatten)]
    pub(crate) messages: Messages,
    #[command(flatten)]
    pub(crate) end: End,
    #[command(flatten)]
    pub(crate) show: Show,
}

/// What becomes of input, and how messages are printed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is sent, and how it is printed")]
pub(crate) struct Messages {
    /// With --raw: send text, cut between its characters
    #[arg(long, requires = "raw")]
    pub(crate) text: bool,
    /// Send each line as a binary message; print binary as it is
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Lines are octets in hexadecimal, sent as binary; print binary so
    #[arg(long)]
    pub(crate) hex: bool,
    /// Lines are octets in base64, sent as binary; print binary so
    #[arg(long)]
    pub(crate) base64: bool,
    /// Send standard input octet for octet, as binary unless --text, each piece as
    /// it is read a message; print what comes octet for octet, and nothing else
    #[arg(long, conflicts_with_all = ["hex", "base64", "execute", "slash"])]
    pub(crate) raw: bool,
    /// With --raw: how long the messages are, for example 64KiB (the last may be
    /// shorter); `all` of the input is one
    #[arg(long, value_name = "SIZE", requires = "raw", value_parser = chunk)]
    pub(crate) chunk: Option<Chunk>,
    /// Send this instead of standard input, then wait for 2s, or as --wait, --count
    /// or --exit-on-close say; may be repeated
    #[arg(short = 'x', long, value_name = "MESSAGE")]
    pub(crate) execute: Vec<String>,
    /// Take lines that begin with / for commands, as on a terminal
    #[arg(long)]
    pub(crate) slash: bool,
}

/// When it ends, besides by the server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "When it ends")]
pub(crate) struct End {
    /// End when so many messages have come, and not at the end of input
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End, with exit code 124, after this time, counted from the start
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) timeout: Option<Duration>,
    /// End when the server closes, and not at the end of input
    #[arg(long, visible_alias = "no-close", conflicts_with = "wait")]
    pub(crate) exit_on_close: bool,
    /// How long to wait for answers once everything is sent
    #[arg(short, long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) wait: Option<Duration>,
    /// What to close with, instead of 1000 without a reason
    #[arg(long, num_args = 2, value_names = ["CODE", "REASON"])]
    pub(crate) close: Vec<String>,
}

/// What is said on standard error.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is told on standard error")]
pub(crate) struct Show {
    /// Request and answer as they go over the wire; values of Cookie,
    /// Authorization and their like are hidden
    #[arg(long)]
    pub(crate) show_handshake: bool,
    /// Hide no values
    #[arg(long, requires = "show_handshake")]
    pub(crate) show_secrets: bool,
    /// Every frame of both sides, octet by octet, each field named
    #[arg(long)]
    pub(crate) show_frames: bool,
    /// When the connection opens and how it ends; on a terminal that is told anyway
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How strictly an answer is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Checks {
    /// As the draft's own client does
    Strict,
    /// Forgive what other clients forgive, and say what
    Lenient,
}

impl From<Checks> for AnswerChecks {
    fn from(checks: Checks) -> Self {
        match checks {
            Checks::Strict => Self::Strict,
            Checks::Lenient => Self::Lenient,
        }
    }
}

/// Whether the server is pinged by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    Every(Duration),
    Off,
}

fn ping(text: &str) -> Result<Ping, String> {
    if text == "off" {
        return Ok(Ping::Off);
    }
    match units::duration(text) {
        Ok(every) if every.is_zero() => Err("that would be without end; write `off`".to_owned()),
        Ok(every) => Ok(Ping::Every(every)),
        Err(error) => Err(error.to_string()),
    }
}

fn chunk(text: &str) -> Result<Chunk, String> {
    if text == "all" {
        return Ok(Chunk::All);
    }
    let size = units::size(text).map_err(|error| error.to_string())?;
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(Chunk::Of(size)),
        _ => Err("write at least 1B, or `all`".to_owned()),
    }
}
