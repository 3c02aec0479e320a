//! `draftgate vectors check`: says everything that is wrong with archived
//! exchanges, a line for each, in the form that editors jump to. The lines are
//! the output; standard error stays for what keeps the verb from its work.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;
use draftgate_vectors::{Checked, check};
use serde_json::json;

use crate::exit::{Failure, quiet_pipe};

const HELP: &str = "\
Checked are the shape of each file, what its parts are to each other, lengths
and hashes, where it comes from, that no exchange is there twice, and that every
.bin file belongs to one.

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.";

/// `draftgate vectors check`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Check {
    /// Files, and directories of files
    #[arg(value_name = "PATH", default_value = "interop-vectors")]
    paths: Vec<PathBuf>,
    /// How the findings are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A line for each: FILE:LINE: REASON
    Text,
    /// One object: `files`, and `problems` of `path`, `line`, `what`
    Json,
}

/// Checks, and prints what was found.
///
/// # Errors
/// Something is wrong, or a path is not there.
pub(crate) fn run(args: &Check) -> Result<(), Failure> {
    for path in &args.paths {
        if let Err(error) = path.metadata() {
            let path = path.display();
            return Err(Failure::usage(format_args!(
                "cannot read {path}: {error}; name a file or directory of exchanges"
            )));
        }
    }
    let found = check(&args.paths);
    let out = &mut io::stdout().lock();
    quiet_pipe(match args.format {
        Format::Text => text(&found, out),
        Format::Json => writeln!(out, "{:#}", as_json(&found)),
    })?;
    match found.problems.len() {
        0 => Ok(()),
        1 => Err(Failure::new("1 thing is wrong")),
        many => Err(Failure::new(format_args!("{many} things are wrong"))),
    }
}

fn text(found: &Checked, out: &mut impl Write) -> io::Result<()> {
    for problem in &found.problems {
        writeln!(out, "{problem}")?;
    }
    if found.problems.is_empty() {
        let files = if found.files == 1 { "file" } else { "files" };
        writeln!(out, "{} {files}, nothing is wrong", found.files)?;
    }
    Ok(())
}

fn as_json(found: &Checked) -> serde_json::Value {
    let problems: Vec<_> = found
        .problems
        .iter()
        .map(|problem| json!({ "path": problem.path, "line": problem.line, "what": problem.what }))
        .collect();
    json!({ "files": found.files, "problems": problems })
}
