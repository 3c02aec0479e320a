//! Which configuration: a file that was named, one in the usual places, or the
//! one that is built in; with the environment on top. Flags come later, by
//! what the commands do with it.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use draftgate_core::Draft;
use draftgate_gateway::config::{Config, ConfigError, Environment};

use crate::{args, exit::Failure};

/// Where a file is looked for if none is named.
const PLACES: [&str; 2] = ["draftgate.toml", "/etc/draftgate/draftgate.toml"];

/// Every draft that this build speaks, oldest first.
pub(crate) fn spoken() -> Vec<Draft> {
    draftgate_drafts::spoken().collect()
}

/// The configuration that the arguments and the environment ask for.
///
/// # Errors
/// It cannot be read, or there are mistakes in it.
pub(crate) fn load(file: &args::File) -> Result<Config, Failure> {
    let environment = Environment::new(env::vars_os());
    let config = match path(file) {
        Some(path) => Config::load(&path, &spoken(), &environment),
        None => Config::embedded(&spoken(), &environment),
    };
    config.map_err(failure)
}

/// The built-in configuration under the environment.
///
/// # Errors
/// What is wrong in the environment.
pub(crate) fn built_in() -> Result<Config, Failure> {
    Config::embedded(&spoken(), &Environment::new(env::vars_os())).map_err(failure)
}

fn path(file: &args::File) -> Option<PathBuf> {
    let named = || {
        let named = env::var_os("DRAFTGATE_CONFIG").filter(|name| !name.is_empty());
        named.map(PathBuf::from)
    };
    // What is there but cannot be read is an error, not a reason to look on.
    let found = || {
        let mut places = PLACES.into_iter().map(PathBuf::from);
        places.find(|place| !matches!(place.try_exists(), Ok(false)))
    };
    file.config.clone().or_else(named).or_else(found)
}

fn failure(error: ConfigError) -> Failure {
    match error {
        ConfigError::Mistakes(mistakes) => {
            let count = mistakes.problems().len();
            let s = if count == 1 { "" } else { "s" };
            let report = mistakes.render(io::stderr().is_terminal());
            Failure::configuration(format_args!(
                "the configuration has {count} mistake{s}\n{report}"
            ))
        }
        other => Failure::configuration(other),
    }
}
