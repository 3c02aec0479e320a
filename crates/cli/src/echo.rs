//! `draftgate echo`: a gateway whose only service sends every message back. It
//! is the same gateway as `serve` runs, so that what a client meets here it
//! will meet there.

use draftgate_gateway::config::Service;

use crate::{args, configuration, exit::Failure, serve};

/// Runs until a signal.
///
/// # Errors
/// As [`serve::run`].
pub(crate) fn run(args: &args::Echo) -> Result<(), Failure> {
    let read = || {
        let mut config = configuration::alone(configuration::built_in()?, Service::Echo);
        config.with_drafts(&args.drafts);
        Ok(config)
    };
    let serves = |_: &_| "an echo of every message".to_owned();
    serve::gateway(read, serves, &args.open, &args.log)
}
