//! Which configuration: a file that was named, one in the usual places, or the
//! one that is built in; with the environment on top. Flags come later, by
//! what the commands do with it.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use draftgate_core::Draft;
use draftgate_gateway::config::{
    AdminSought, Config, ConfigError, Effective, Environment, Origins, Route, Service,
};

use crate::{args, exit::Failure};

/// Where a file is looked for if none is named.
const PLACES: [&str; 2] = ["draftgate.toml", "/etc/draftgate/draftgate.toml"];

/// The pattern of every path.
const EVERY_PATH: &str = "/{rest}";

/// Every draft that this build speaks, oldest first.
pub(crate) fn spoken() -> Vec<Draft> {
    draftgate_drafts::spoken().collect()
}

/// The configuration that the arguments and the environment ask for.
///
/// # Errors
/// It cannot be read, or there are mistakes in it.
pub(crate) fn load(file: &args::File) -> Result<Config, Failure> {
    Ok(effective(file)?.0)
}

/// The same, with what every key holds.
///
/// # Errors
/// As [`load`].
pub(crate) fn effective(file: &args::File) -> Result<(Config, Effective), Failure> {
    let environment = Environment::new(env::vars_os());
    let read = match path(file) {
        Some(path) => Config::load_effective(&path, &spoken(), &environment),
        None => Config::embedded_effective(&spoken(), &environment),
    };
    read.map_err(failure)
}

/// Where the admin listener is that the arguments and the environment mean;
/// what else they say is not looked at.
///
/// # Errors
/// That cannot be read.
pub(crate) fn admin(file: &args::File, with_token: bool) -> Result<AdminSought, Failure> {
    let environment = Environment::new(env::vars_os());
    let sought = AdminSought::load(path(file).as_deref(), &environment, with_token);
    sought.map_err(|error| {
        Failure::configuration(format_args!(
            "cannot find the admin listener: {}\nTo ask without the configuration, say where with --address, and with --token-file (or DRAFTGATE_ADMIN_TOKEN) which token.",
            failure(error)
        ))
    })
}

/// The built-in configuration under the environment.
///
/// # Errors
/// What is wrong in the environment.
pub(crate) fn built_in() -> Result<Config, Failure> {
    Config::embedded(&spoken(), &Environment::new(env::vars_os())).map_err(failure)
}

/// `config` with one route, which takes every path for `service`; what it says
/// for all routes stays.
pub(crate) fn alone(config: Config, service: Service) -> Config {
    let like = config.routes.first();
    let drafts = like.map_or_else(spoken, |route| route.drafts.clone());
    let origins = like.map_or_else(Origins::local, |route| route.origins.clone());
    let limits = like.map(|route| route.limits).unwrap_or_default();
    let route = |path| Route {
        origins,
        limits,
        ..Route::new(path, service, drafts)
    };
    let routes = EVERY_PATH.parse().ok().map(route).into_iter().collect();
    let mut config = Config { routes, ..config };
    for listener in &mut config.listeners {
        listener.page = false;
    }
    config
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_service_takes_every_path_and_there_is_no_page() {
        let config = alone(Config::default(), Service::Echo);
        for path in ["/", "/anything", "/at/any/depth/"] {
            let (route, _) = config.route(path).unwrap();
            assert_eq!(route.service, Service::Echo);
            assert_eq!(route.origins, Origins::local());
        }
        assert!(!config.listeners[0].page);
    }
}
