//! `draftgate vectors redact`: takes secrets out of exchanges that are files
//! already. A file in which there are none is not touched; one that is written
//! anew is there whole or as it was.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use draftgate_record::{Secrets, redact};
use draftgate_vectors::write;

use crate::{
    exchanges,
    exit::{Failure, quiet_pipe},
    whole,
};

const HELP: &str = "\
Taken out are the values of Cookie, Set-Cookie, Authorization and their like in
the heads of requests and answers; what stands instead is a placeholder. Lengths
and hashes are computed anew, and `altered` says what was done. Files that hold
no secret, once more redacted ones too, stay as they are.

Example:
  draftgate vectors redact --field X-Session recorded/*.toml

Exit codes: 0 done, 1 a file could not be read or written, 2 wrong usage.";

/// `draftgate vectors redact`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Redact {
    /// The exchanges
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Another field, or parameter of a URL, that is a secret; may be repeated
    #[arg(long = "field", value_name = "NAME")]
    fields: Vec<String>,
    /// Write them there, those without secrets too, and leave the files as they are
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Takes the secrets out, and prints what was taken out of which file.
///
/// # Errors
/// A file is no exchange, or cannot be written.
pub(crate) fn run(args: &Redact) -> Result<(), Failure> {
    let secrets = Secrets {
        keep: false,
        more: args.fields.clone(),
    };
    for path in &args.files {
        let names = one(path, args.output.as_deref(), &secrets)?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let what = match names.is_empty() {
            true => "no secrets".to_owned(),
            false => format!("taken out: {}", names.join(", ")),
        };
        quiet_pipe(writeln!(io::stdout().lock(), "{}: {what}", path.display()))?;
    }
    Ok(())
}

fn one(path: &Path, output: Option<&Path>, secrets: &Secrets) -> Result<BTreeSet<String>, Failure> {
    let mut vector = exchanges::one(path).map_err(Failure::new)?;
    let names = redact(&mut vector, secrets);
    let Some(file) = path
        .file_name()
        .filter(|_| !names.is_empty() || output.is_some())
    else {
        return Ok(names);
    };
    let dir = match output {
        Some(dir) => dir,
        None => path.parent().unwrap_or_else(|| Path::new("")),
    };
    let written = write(&vector).map_err(Failure::new)?;
    let failed =
        |path: &Path, error| Failure::new(format_args!("cannot write {}: {error}", path.display()));
    if output.is_some() {
        fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    }
    // What the exchange names is there before it is.
    let beside = written
        .files
        .iter()
        .map(|(name, octets)| (dir.join(name), &octets[..]));
    for (path, octets) in beside.chain([(dir.join(file), written.toml.as_bytes())]) {
        replace(&path, octets).map_err(|error| failed(&path, error))?;
    }
    Ok(names)
}

/// Makes the file `path` hold these octets, or leaves it as it was.
fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == octets) {
        return Ok(());
    }
    whole::write(path, |out| out.write_all(octets))
}
