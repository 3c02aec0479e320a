//! `draftgate config`: the configuration as `serve` would run it, every key
//! with its value and who said so. It opens no port, and shows no secret.

use std::io::{self, Write};

use draftgate_gateway::config::{Config, Effective};

use crate::{
    args, configuration,
    exit::{Failure, quiet_pipe},
};

const HELP: &str = "\
It takes the flags of serve, and shows what they change. What it prints as TOML
can be read again with -c, secrets apart: those are masked.

Examples:
  draftgate config -c gate.toml               every key, and who said it
  draftgate config -c gate.toml --changed     what is not the default
  draftgate config --format json | jq .values.limits

Exit codes: 0 success, 78 wrong configuration.";

/// `draftgate config`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: args::Serve,
    /// How it looks
    #[arg(long = "format", value_name = "FORMAT", value_enum, default_value_t = Shape::Toml)]
    shape: Shape,
    /// Only what differs from the defaults
    #[arg(long)]
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// As a file that says everything
    Toml,
    /// As JSON, each value beside who said so
    Json,
}

/// Prints it.
///
/// # Errors
/// The configuration is wrong.
pub(crate) fn run(args: &Arguments) -> Result<(), Failure> {
    let (config, mut effective) = configuration::effective(&args.flags.file)?;
    flags(config, &mut effective, &args.flags);
    let text = match args.shape {
        Shape::Toml => effective.to_toml(args.changed),
        Shape::Json => format!("{:#}\n", effective.to_json(args.changed)),
    };
    let mut out = io::stdout().lock();
    quiet_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What the flags change, as `serve` changes it.
fn flags(mut config: Config, effective: &mut Effective, flags: &args::Serve) {
    if let Some(dir) = &flags.record {
        effective.with_flag("record", "dir", "--record", &dir.display().to_string());
    }
    if let Some(level) = flags.log.level {
        effective.with_flag("log", "level", "--log", level.name());
    }
    if let Some(format) = flags.log.format {
        effective.with_flag("log", "format", "--log-format", format.name());
    }
    if flags.open.any_origin {
        config.any_origin();
        effective.with_origins("--any-origin", &config.routes);
    }
    if let Some(address) = flags.open.listen {
        config.with_listen(address);
        effective.with_listen(address);
        effective.with_origins("--listen", &config.routes);
    }
}
