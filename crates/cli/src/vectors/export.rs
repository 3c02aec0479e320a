//! `draftgate vectors export`: archived exchanges as a packet capture, for
//! programs that read those.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use crate::{
    exchanges,
    exit::{Failure, quiet_pipe},
    whole,
};

const HELP: &str = "\
Each exchange becomes a TCP connection from 198.51.100.1 to port 80 of
192.0.2.80, where Wireshark looks for HTTP; addresses, ports and sequence
numbers are made up. Times are as recorded; steps without a time have that of
the step before. Gaps stay gaps. Where an exchange comes from stands in comments
of the packets.

Exit codes: 0 it is written, 1 it is not, 2 wrong usage.

Examples:
  draftgate vectors export interop-vectors/hybi-13 -o hybi-13.pcapng
  tshark -r hybi-13.pcapng -Y websocket
  draftgate vectors export interop-vectors -o - | wireshark -k -i -";

/// `draftgate vectors export`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Export {
    /// Exchanges, and directories of exchanges
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The capture (pcapng); `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Exports.
///
/// # Errors
/// An exchange cannot be loaded, or the capture cannot be written.
pub(crate) fn run(args: &Export) -> Result<(), Failure> {
    let exchanges = exchanges::load(&args.paths).map_err(Failure::new)?;
    if args.output.as_os_str() == "-" {
        let mut out = BufWriter::new(io::stdout().lock());
        let written = draftgate_pcap::export(&exchanges, &mut out);
        return quiet_pipe(written.and_then(|()| out.flush()));
    }
    let fill = |out: &mut dyn Write| draftgate_pcap::export(&exchanges, out);
    whole::write(&args.output, fill).map_err(|error| {
        Failure::new(format_args!(
            "cannot write {}: {error}",
            args.output.display()
        ))
    })?;
    quiet_pipe(writeln!(
        io::stdout().lock(),
        "{} exchanges, a connection each, in {}",
        exchanges.len(),
        args.output.display()
    ))
}
