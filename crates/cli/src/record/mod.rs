//! `draftgate record`: a tap in front of a server, an exchange for each
//! connection. What passes and what is written is the library's; here is what
//! was typed and what is printed.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use draftgate_core::Draft;
use draftgate_gateway::config::units;
use draftgate_record::{Options, Recorder, Report, Stored, Trouble, relay};
use tokio::{net::TcpListener, runtime::Builder};

use crate::{
    args::address,
    exit::{Failure, quiet_pipe, say},
    facts::Known,
    signals::Signals,
};

const HELP: &str = "\
Everything passes as it comes, octet by octet, whatever is spoken; nothing is
added, and a connection beyond a bound goes on, unrecorded. The values of
Cookie, Set-Cookie, Authorization and the like do not reach the files. What is
said in messages does.

INT and TERM end it, and write what is under way.

Exit codes: 0 all is written, 1 something is not, 2 wrong usage.

Examples:
  draftgate record --listen 127.0.0.1:8081 --upstream 127.0.0.1:8080 -o recordings
  draftgate record --listen 127.0.0.1:0 --upstream tv.example:80 -o recordings --max-exchanges 10
  draftgate replay recordings                 read again what was recorded";

/// `draftgate record`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Record {
    /// Where clients connect to; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: SocketAddr,
    /// The server behind
    #[arg(long, value_name = "HOST:PORT", value_parser = upstream)]
    upstream: String,
    /// The directory of the recordings; made if it is not there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Record so much of a connection, both directions together
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = units::size)]
    max_octets: u64,
    /// Record a connection for so long
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::duration)]
    max_time: Duration,
    /// Record so many connections; by default all
    #[arg(long, value_name = "N")]
    max_exchanges: Option<u64>,
    /// Write files of so much in all
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::size)]
    max_total: u64,
    #[command(flatten)]
    known: Known,
}

/// Records until a signal.
///
/// # Errors
/// The address or the directory cannot be had, or something was not written.
pub(crate) fn run(args: &Record) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    runtime.block_on(recording(args))
}

async fn recording(args: &Record) -> Result<(), Failure> {
    // Before the address is printed: whoever reads it may signal at once.
    let mut signals = Signals::of_a_client()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::new(format_args!("cannot listen on {}: {error}", args.listen)))?;
    let listens = listener.local_addr().unwrap_or(args.listen);
    let recorder = Recorder::start(options(args), told).map_err(Failure::new)?;
    let recorder = Arc::new(recorder);
    print(&format!(
        "listening on {listens}, before {}, recording into {}",
        args.upstream,
        args.output.display()
    ))?;
    let upstream = args.upstream.clone();
    let reached = upstream.clone();
    let trouble = move |trouble| match trouble {
        Trouble::Upstream { peer, error } => {
            say(format_args!(
                "{peer} was turned away: cannot connect to {reached}: {error}"
            ));
        }
        Trouble::Accept(error) => say(format_args!(
            "no connection can be accepted for now: {error}; if files ran out, raise `ulimit -n`"
        )),
        _ => {}
    };
    let stop = async {
        signals.next().await;
    };
    relay(listener, upstream, Arc::clone(&recorder), trouble, stop).await;
    recorder.finish();
    let recorded = recorder.recorded();
    if recorded.unrecorded > 0 {
        say(format_args!(
            "{} connections were not recorded, or not to their end",
            recorded.unrecorded
        ));
    }
    match recorded.failed {
        0 => Ok(()),
        failed => Err(Failure::new(format_args!(
            "{failed} exchanges were not written"
        ))),
    }
}

fn options(args: &Record) -> Options {
    Options {
        max_octets: args.max_octets,
        max_time: args.max_time,
        max_exchanges: args.max_exchanges,
        max_disk: args.max_total,
        secrets: args.known.secrets(),
        ..Options::new(&args.output, args.known.facts(SOURCE))
    }
}

const SOURCE: &str = concat!(
    "recorded by draftgate record ",
    env!("CARGO_PKG_VERSION"),
    ", a relay in front of the server that passed both streams on"
);

/// What became of a connection, on a line of its own.
fn told(report: Report) {
    match report {
        Report::Written(stored) => {
            // Whoever read our output may have left; the recording goes on.
            let _ = print(&line(&stored));
        }
        Report::Failed(error) => say(error),
        Report::Full(bound) => say(format_args!(
            "{bound}: from now on connections pass without being recorded"
        )),
        _ => {}
    }
}

fn line(stored: &Stored) -> String {
    let draft = stored.draft.map_or("no draft", Draft::name);
    let Stored {
        path,
        client,
        server,
        steps,
        partial,
        ..
    } = stored;
    let partial = partial.as_ref().map(|why| format!("; {why}"));
    format!(
        "{}  {draft}, {steps} steps, {client} octets of the client, {server} of the server{}",
        path.display(),
        partial.unwrap_or_default()
    )
}

fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    quiet_pipe(writeln!(out, "{line}").and_then(|()| out.flush()))
}

fn upstream(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').and_then(|(host, port)| {
        let named = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
        named.then(|| port.parse::<u16>().ok())?
    });
    match port {
        Some(_) => Ok(text.to_owned()),
        None => Err(
            "write a host and a port, for example 127.0.0.1:8080, [::1]:8080 or tv.example:80"
                .to_owned(),
        ),
    }
}
