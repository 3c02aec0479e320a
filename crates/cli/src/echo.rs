//! `draftgate echo`: a gateway whose only service sends every message back. It
//! is the same gateway as `serve` runs, so that what a client meets here it
//! will meet there.

use draftgate_gateway::config::{Config, Origins, Route, Service};

use crate::{args, configuration, exit::Failure, serve};

/// Every path.
const PATH: &str = "/{rest}";

/// Runs until a signal.
///
/// # Errors
/// As [`serve::run`].
pub(crate) fn run(args: &args::Echo) -> Result<(), Failure> {
    let mut config = echoing(configuration::built_in()?);
    config.with_drafts(&args.drafts);
    let serves = "an echo of every message".to_owned();
    serve::gateway(config, serves, &args.open, &args.log)
}

/// `config` with nothing but echo; what it says for all routes stays.
fn echoing(config: Config) -> Config {
    let like = config.routes.first();
    let drafts = like.map_or_else(configuration::spoken, |route| route.drafts.clone());
    let origins = like.map_or_else(Origins::local, |route| route.origins.clone());
    let limits = like.map(|route| route.limits).unwrap_or_default();
    let route = |path| Route {
        origins,
        limits,
        ..Route::new(path, Service::Echo, drafts)
    };
    let routes = PATH.parse().ok().map(route).into_iter().collect();
    let mut config = Config { routes, ..config };
    for listener in &mut config.listeners {
        listener.page = false;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_echoes_and_there_is_no_page() {
        let config = echoing(Config::default());
        for path in ["/", "/anything", "/at/any/depth/"] {
            let (route, _) = config.route(path).unwrap();
            assert_eq!(route.service, Service::Echo);
            assert_eq!(route.origins, Origins::local());
        }
        assert!(!config.listeners[0].page);
    }
}
