//! `draftgate vectors check`: says what is wrong with archived exchanges.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use crate::exit::{Failure, quiet_pipe};

/// `draftgate vectors check`
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.")]
pub(crate) struct Check {
    /// Files, and directories of files
    #[arg(value_name = "PATH", default_value = "interop-vectors")]
    paths: Vec<PathBuf>,
}

/// Checks, and prints what was found.
///
/// # Errors
/// Something is wrong with a file, or it cannot be read.
pub(crate) fn run(args: &Check) -> Result<(), Failure> {
    let mut files = 0;
    for path in &args.paths {
        let vectors = match path.is_dir() {
            true => draftgate_vectors::load_dir(path),
            false => draftgate_vectors::load(path).map(|vector| vec![vector]),
        };
        files += vectors.map_err(Failure::new)?.len();
    }
    quiet_pipe(writeln!(
        io::stdout().lock(),
        "{files} files, nothing is wrong"
    ))
}
