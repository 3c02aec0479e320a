//! Which service each route has: one of the program's that embeds us, or the
//! one that its configuration names, made with what all of them share.

use std::sync::Arc;

use draftgate_bus::Hub;
use draftgate_client::TlsFailure;

use super::{Bus, Echo, Proxy, Service, Source};
use crate::{
    BindError,
    config::{self, Config, Route},
    counts::Counters,
    tasks::Tasks,
};

/// What services share.
#[derive(Debug)]
pub(crate) struct Services<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) counts: &'a Counters,
    /// Drives the connections to upstreams.
    pub(crate) beyond: &'a Tasks,
}

/// One for each route.
type All = Vec<Arc<dyn Service>>;

impl Services<'_> {
    /// The services of every route, those first that `own` gives, and the
    /// sources of channels, which are to be run.
    ///
    /// # Errors
    /// What one needs cannot be had.
    pub(crate) fn of(
        &self,
        config: &Config,
        own: impl Fn(&Route) -> Option<Arc<dyn Service>>,
    ) -> Result<(All, Vec<Source>), BindError> {
        let (mut all, mut sources) = (Vec::new(), Vec::new());
        for route in &config.routes {
            if let Some(own) = own(route) {
                all.push(own);
                continue;
            }
            all.push(self.built_in(route)?);
            let bus = route.service == config::Service::Bus;
            if let Some(source) = bus.then(|| Source::new(route, self.hub)).flatten() {
                source.prepare().map_err(refused(route))?;
                sources.push(source);
            }
        }
        Ok((all, sources))
    }

    fn built_in(&self, route: &Route) -> Result<Arc<dyn Service>, BindError> {
        Ok(match route.service {
            config::Service::Bus => {
                let muted = Arc::clone(&self.counts.muted);
                Arc::new(Bus::new(route, self.hub.clone(), muted))
            }
            config::Service::Echo => Arc::new(Echo),
            config::Service::Proxy => {
                let proxy = Proxy::new(route, self.beyond.clone());
                Arc::new(proxy.map_err(refused(route))?)
            }
        })
    }
}

fn refused(route: &Route) -> impl FnOnce(TlsFailure) -> BindError {
    |source| BindError::Upstream {
        route: route.path.to_string(),
        source,
    }
}
