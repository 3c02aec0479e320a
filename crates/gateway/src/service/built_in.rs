//! Which service each route has: one of the program's that embeds us, or the
//! one that its configuration names, made with what all of them share.

use std::sync::Arc;

use draftgate_bus::Hub;
use draftgate_client::TlsFailure;

use super::{Bus, Clock, Echo, Proxy, Service, Source, clock::Ticking};
use crate::{
    BindError,
    config::{self, Config, Http, Route},
    counts::Counters,
    http::{Door, Rings},
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

/// The services of all routes, and what is to be run for them.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// One for each route.
    pub(crate) services: Vec<Arc<dyn Service>>,
    /// Where each route's channels are, if it has any that we know of.
    pub(crate) doors: Vec<Option<Door>>,
    /// What feeds channels from elsewhere.
    pub(crate) sources: Vec<Source>,
    /// What feeds clocks.
    pub(crate) clocks: Vec<Ticking>,
    /// What remembers, and is to be swept.
    pub(crate) rings: Vec<Arc<Rings>>,
}

impl Services<'_> {
    /// The services of every route, those first that `own` gives.
    ///
    /// # Errors
    /// What one needs cannot be had.
    pub(crate) fn of(
        &self,
        config: &Config,
        own: impl Fn(&Route) -> Option<Arc<dyn Service>>,
    ) -> Result<Made, BindError> {
        let bus = Rings::new(self.hub.clone(), &config.http);
        let mut made = Made::default();
        made.rings.push(Arc::clone(&bus));
        for route in &config.routes {
            let (service, door) = match own(route) {
                Some(own) => (own, None),
                None => self.built_in(route, &config.http, &bus, &mut made)?,
            };
            made.services.push(service);
            made.doors.push(door);
        }
        Ok(made)
    }

    fn built_in(
        &self,
        route: &Route,
        http: &Http,
        bus: &Arc<Rings>,
        made: &mut Made,
    ) -> Result<(Arc<dyn Service>, Option<Door>), BindError> {
        let muted = Arc::clone(&self.counts.muted);
        Ok(match route.service {
            config::Service::Bus => {
                if let Some(source) = Source::new(route, self.hub) {
                    source.prepare().map_err(refused(route))?;
                    made.sources.push(source);
                }
                let door = Door {
                    hub: self.hub.clone(),
                    rings: Arc::clone(bus),
                    own: None,
                };
                let bus = Bus::new(route, self.hub.clone(), muted);
                (Arc::new(bus), Some(door))
            }
            config::Service::Clock => {
                let clock = Clock::new(route, self.hub, muted);
                let ticking = clock.ticking().clone();
                let rings = Rings::new(ticking.hub.clone(), http);
                let door = Door {
                    hub: ticking.hub.clone(),
                    rings: Arc::clone(&rings),
                    own: Some(ticking.channel.clone()),
                };
                made.rings.push(rings);
                made.clocks.push(ticking);
                (Arc::new(clock), Some(door))
            }
            config::Service::Echo => (Arc::new(Echo), None),
            config::Service::Proxy => {
                let upstream = route.upstream.as_deref();
                let upstream = upstream.filter(|it| !it.addresses.is_empty());
                let upstream = upstream.ok_or_else(|| BindError::NoUpstream {
                    route: route.path.to_string(),
                })?;
                let proxy = Proxy::new(route, upstream, self.beyond.clone());
                (Arc::new(proxy.map_err(refused(route))?), None)
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
