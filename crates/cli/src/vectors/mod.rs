//! `draftgate vectors`: what is done with archived exchanges besides replaying
//! and recording them. Each of its verbs has a file of its own here, arguments
//! included; what they do is in the crates below.

mod check;
mod export;
mod import;
mod redact;

use clap::Subcommand;

use crate::exit::Failure;

const HELP: &str = "\
The format of the files is described in docs/vectors.md.";

/// `draftgate vectors`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Vectors {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Say everything that is wrong with exchanges
    Check(check::Check),
    /// Take secrets out of exchanges
    Redact(redact::Redact),
    /// Read exchanges out of packet captures
    Import(import::Import),
    /// Write exchanges as a packet capture
    Export(export::Export),
}

/// Does it.
///
/// # Errors
/// What the verb says.
pub(crate) fn run(args: &Vectors) -> Result<(), Failure> {
    match &args.verb {
        Verb::Check(args) => check::run(args),
        Verb::Redact(args) => redact::run(args),
        Verb::Import(args) => import::run(args),
        Verb::Export(args) => export::run(args),
    }
}
