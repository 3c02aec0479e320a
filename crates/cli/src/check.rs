//! `draftgate check`: reads a configuration as `serve` would, and says what it
//! exposes. It opens no port, so it can run beside the gateway it is for.

use std::io::{self, Write};

use draftgate_gateway::config::{Config, Source};

use crate::{
    args, configuration,
    exit::{Failure, quiet_pipe},
};

/// Checks, and prints what was found.
///
/// # Errors
/// The configuration is wrong.
pub(crate) fn run(args: &args::Check) -> Result<(), Failure> {
    let config = configuration::load(&args.file)?;
    quiet_pipe(print(&config, &mut io::stdout().lock()))
}

fn print(config: &Config, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} is good.", name(&config.source))?;
    writeln!(out, "\nIt exposes:")?;
    for exposure in config.exposure() {
        writeln!(out, "  {exposure}")?;
    }
    let certificates = config.certificates();
    if !certificates.is_empty() {
        writeln!(out, "\nIts certificates:")?;
    }
    for certificate in certificates {
        writeln!(out, "  {certificate}")?;
    }
    let warnings = config.validate(open_files());
    if !warnings.is_empty() {
        writeln!(out, "\nProbably not meant:")?;
    }
    for warning in warnings {
        writeln!(out, "  {warning}")?;
    }
    out.flush()
}

/// How many files this process may have open, as far as the system limits that.
fn open_files() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_hard().ok();
    #[cfg(not(unix))]
    return None;
}

/// What people call a configuration.
pub(crate) fn name(source: &Source) -> &str {
    match source {
        Source::Embedded => "the built-in configuration",
        Source::File(name) => name,
    }
}
