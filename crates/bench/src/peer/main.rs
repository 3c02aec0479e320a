//! The servers of [`draftgate_bench::servers`] as a program, one process for each,
//! so that what one costs can be told from what another does. It prints its
//! address, serves on one thread, and ends when its standard input does: whoever
//! started it holds that open, and leaves nothing behind.

#![allow(clippy::print_stdout, reason = "the address is for whoever started it")]

use std::io::{self, Read};
use std::process::ExitCode;
use std::{process, thread};

use clap::Parser;
use draftgate_bench::servers::{Server, Service, listen, serve};

/// A server to be measured next to draftgate.
#[derive(Debug, Parser)]
struct Cli {
    #[arg(value_enum)]
    server: Server,
    /// Send every message to all connections, not only back
    #[arg(long)]
    broadcast: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        process::exit(0);
    });
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(cli: &Cli) -> io::Result<()> {
    // Where the system does not let it have more, it serves as many as it may.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let service = match cli.broadcast {
        true => Service::Broadcast,
        false => Service::Echo,
    };
    let listener = listen()?;
    println!("{}", listener.local_addr()?);
    serve(cli.server, service, listener).await
}
