//! `draftgate vectors import`: archived exchanges out of packet captures. What is
//! read and how is the library's; here is what was typed and what is printed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use draftgate_core::Role;
use draftgate_gateway::config::units;
use draftgate_pcap::{Bounds, Conversation, Found, Hints, Import as Captures, LeftOut, Why};
use draftgate_record::Store;

use crate::{
    exit::{Failure, quiet_pipe, say},
    facts::Known,
};

const HELP: &str = "\
Reads pcap and pcapng, puts TCP together, and writes each WebSocket connection
as one exchange, NUMBER.DRAFT.client-ADDRESS.server-ADDRESS.toml. Several files
are read like one capture, in the order given.

A connection is a WebSocket if its request says so, or its server's port is
named by --port. Where the request was not captured, or no draft takes it, the
draft must be named by --draft, too. Octets that were not captured are marked as
gaps; nothing is invented. Fragments of IP are not put together.

The values of Cookie, Set-Cookie, Authorization and the like do not reach the
files. What is said in messages does.

Exit codes: 0 all is written, 1 a file is broken, a bound left something out or
there was no WebSocket, 2 wrong usage.

Examples:
  tcpdump -i any -s 0 -w traffic.pcap 'tcp port 8080'
  draftgate vectors import traffic.pcap -o exchanges
  draftgate vectors import begun-late.pcapng -o exchanges --port 8080 --draft hixie-76";

/// `draftgate vectors import`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Import {
    /// Captures, `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The directory of the exchanges; made if it is not there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Ports of servers: connections to them are WebSocket, with or without a request
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', value_parser = port)]
    port: Vec<u16>,
    /// Keep so much of a connection in memory, both directions together
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = units::size)]
    max_connection: u64,
    /// Keep so much in memory in all
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::size)]
    max_total: u64,
    #[command(flatten)]
    known: Known,
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "write a number from 1 to 65535".to_owned())
}

/// Imports, and says what was found.
///
/// # Errors
/// A file is broken, something was left out for a bound or not written, or
/// there is no WebSocket.
pub(crate) fn run(args: &Import) -> Result<(), Failure> {
    let bounds = Bounds {
        connection: args.max_connection,
        total: args.max_total,
    };
    let hints = Hints {
        ports: args.port.clone(),
        draft: args.known.draft,
    };
    let mut captures = Captures::new(bounds, hints);
    let mut broken = 0;
    for file in &args.files {
        // Whatever came before the fault is worth having.
        if let Err(why) = read(&mut captures, file) {
            say(format_args!("{}: {why}", file.display()));
            broken += 1;
        }
    }
    let counts = captures.counts().clone();
    let store = Store::open(&args.output, args.known.keep_secrets, u64::MAX);
    let mut writer = Writer {
        args,
        store: store.map_err(Failure::new)?,
        written: 0,
        failed: 0,
        partial: 0,
        gaps: 0,
    };
    let mut left_out: BTreeMap<Why, Vec<LeftOut>> = BTreeMap::new();
    for found in captures.finish() {
        match found {
            Found::Conversation(conversation) => writer.write(&conversation)?,
            Found::LeftOut(it) => left_out.entry(it.why).or_default().push(it),
        }
    }
    let mut lines = vec![
        format!("{:>9} packets", counts.packets),
        format!("{:>9} TCP connections", counts.connections),
        format!(
            "{:>9} exchanges, in {}",
            writer.written,
            args.output.display()
        ),
        format!("{:>9} gaps, in {} of them", writer.gaps, writer.partial),
    ];
    for (skipped, count) in &counts.skipped {
        lines.push(format!("{count:>9} packets {}", skipped.sentence()));
    }
    for (why, connections) in &left_out {
        let count = connections.len();
        lines.push(format!(
            "{count:>9} connections left out: {}",
            why.sentence()
        ));
        if !matches!(why, Why::NotWebSocket | Why::Empty) {
            let named = connections.iter().take(SHOWN);
            lines.extend(named.map(|it| format!("{:>12} {} to {}", it.number, it.from, it.to)));
            if count > SHOWN {
                lines.push(format!("{:>12} and {} more", "", count - SHOWN));
            }
        }
    }
    if counts.unnoted > 0 {
        let sentence = Why::MemoryFull.sentence();
        lines.push(format!(
            "{:>9} packets of more connections: {sentence}",
            counts.unnoted
        ));
    }
    print(&lines.join("\n"))?;
    let bounded = left_out.keys().any(|why| why.is_a_bound()) || counts.unnoted > 0;
    verdict(&[
        (broken > 0, "a capture could not be read to its end"),
        (writer.failed > 0, "an exchange was not written"),
        (bounded, "a bound left connections out"),
        (
            writer.written + writer.failed == 0,
            "there is no WebSocket connection in it",
        ),
    ])
}

/// How many of those left out for one reason are named.
const SHOWN: usize = 20;

fn verdict(reasons: &[(bool, &str)]) -> Result<(), Failure> {
    let reasons = reasons.iter().filter(|(holds, _)| *holds);
    let reasons: Vec<_> = reasons.map(|(_, reason)| *reason).collect();
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(reasons.join("; "))),
    }
}

fn read(captures: &mut Captures, path: &Path) -> Result<(), String> {
    let read = |file: &mut (dyn Read + Send), captures: &mut Captures| {
        captures.read(file).map_err(|error| error.to_string())
    };
    match path.as_os_str() == "-" {
        true => read(&mut io::stdin(), captures),
        false => {
            let mut file =
                File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
            read(&mut file, captures)
        }
    }
}

/// Writes exchanges, and counts them.
struct Writer<'a> {
    args: &'a Import,
    store: Store,
    written: u64,
    failed: u64,
    partial: u64,
    gaps: usize,
}

impl Writer<'_> {
    fn write(&mut self, conversation: &Conversation) -> Result<(), Failure> {
        let name = name(conversation);
        let path = self.args.output.join(format!("{name}.toml"));
        if path.exists() {
            say(format_args!(
                "{} is there already and stays as it is; import into another directory",
                path.display()
            ));
            self.failed += 1;
            return Ok(());
        }
        let facts = self.args.known.facts(SOURCE);
        let secrets = self.args.known.secrets();
        let exchange = conversation.exchange(&name, &facts, &secrets);
        match self.store.put(&exchange) {
            Ok(path) => {
                self.written += 1;
                self.gaps += conversation.gaps();
                self.partial += u64::from(conversation.gaps() > 0);
                let octets = |side| exchange.octets(side).len();
                let partial = conversation.partial.as_ref().map(|why| format!("; {why}"));
                print(&format!(
                    "{}  {}, {} steps, {} octets of the client, {} of the server{}",
                    path.display(),
                    exchange.about.draft,
                    exchange.steps.len(),
                    octets(Role::Client),
                    octets(Role::Server),
                    partial.unwrap_or_default()
                ))
            }
            Err(error) => {
                say(error);
                self.failed += 1;
                Ok(())
            }
        }
    }
}

const SOURCE: &str = concat!(
    "imported from a packet capture by draftgate vectors import ",
    env!("CARGO_PKG_VERSION")
);

/// `003.hybi-13.client-192.0.2.1-50000.server-192.0.2.2-80`
fn name(conversation: &Conversation) -> String {
    let Conversation {
        number,
        draft,
        client,
        server,
        ..
    } = conversation;
    // No colon, which some file systems do not have in names.
    let plain = |address: &std::net::SocketAddr| {
        let ip = address.ip().to_string().replace(':', "_");
        format!("{ip}-{}", address.port())
    };
    let (client, server) = (plain(client), plain(server));
    format!("{number:03}.{draft}.client-{client}.server-{server}")
}

fn print(line: &str) -> Result<(), Failure> {
    quiet_pipe(writeln!(io::stdout().lock(), "{line}"))
}
