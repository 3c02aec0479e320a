//! What a configuration makes of the gateway: its routes with their services.
//! Another configuration makes other rules, and each connection keeps those
//! that were in force when it was accepted.
//!
//! A route that a new configuration leaves as it was keeps its service, with
//! all that knows: which drafts upstreams speak, who waits for one, what
//! channels remember. What a service needs to live ends with the last
//! connection that it has, but what feeds a channel ends with the rules: two
//! that feed one channel would say everything twice.

use std::{fmt, sync::Arc, time::SystemTime};

use draftgate_bus::Hub;
use draftgate_client::TlsFailure;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    BindError,
    auth::{self, Buckets, Guard},
    config::{self, Config, Http, Route},
    http::{Door, Rings, sweep},
    inner::Inner,
    policy::Policies,
    service::{Bus, Clock, Echo, Proxy, Service, Source},
};

/// Gives a route a service of the embedding program's own.
pub(crate) type Own = Box<dyn Fn(&Route) -> Option<Arc<dyn Service>> + Send + Sync>;

/// What is in force for the connections of one time.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) config: Config,
    /// What plug-ins are told; `None` as in the configuration.
    pub(crate) policies: Option<Policies>,
    /// One for each of the configuration's routes.
    pub(crate) served: Vec<Arc<Served>>,
    /// Who decides about who may come in, where anybody does, likewise.
    pub(crate) guards: Vec<Option<Arc<Guard>>>,
    /// What channels of the bus remember for readers over HTTP.
    rings: Arc<Rings>,
}

/// A route's service, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) service: Arc<dyn Service>,
    /// Where its channels are, if it has any that we know of.
    pub(crate) door: Option<Door>,
    /// Ends what feeds its channel from elsewhere.
    source: Option<CancellationToken>,
    /// Ends what it needs to live.
    _alive: Option<DropGuard>,
}

/// Rules that are not in force yet.
pub(crate) struct Made {
    pub(crate) rules: Rules,
    /// What is to feed channels, and until when.
    sources: Vec<(Source, CancellationToken)>,
}

impl Rules {
    /// What `config` makes, with what stays of `before`.
    ///
    /// # Errors
    /// What a route needs cannot be had.
    pub(crate) fn make(
        inner: &Arc<Inner>,
        config: Config,
        policies: Option<Policies>,
        before: Option<&Self>,
    ) -> Result<Made, BindError> {
        let guards = auth::guards(&config)?;
        let same_http = before.filter(|before| before.config.http == config.http);
        let rings = match same_http {
            Some(before) => Arc::clone(&before.rings),
            None => remembering(inner, &inner.hub, &config.http),
        };
        let same_http = same_http.is_some();
        let mut taken = vec![false; before.map_or(0, |before| before.served.len())];
        let mut made = Made {
            rules: Self {
                config,
                policies,
                served: Vec::new(),
                guards,
                rings,
            },
            sources: Vec::new(),
        };
        for index in 0..made.rules.config.routes.len() {
            let route = &made.rules.config.routes[index];
            let stays = before.and_then(|before| before.same(route, &mut taken));
            let served = match stays {
                Some(served) if same_http || served.door.is_none() => served,
                _ => made.serve(inner, index)?,
            };
            made.rules.served.push(served);
        }
        Ok(made)
    }

    /// The service of a route that is as `route`, once.
    fn same(&self, route: &Route, taken: &mut [bool]) -> Option<Arc<Served>> {
        let mut routes = self.config.routes.iter().enumerate();
        let (index, _) = routes.find(|(index, it)| !taken[*index] && it.serves_as(route))?;
        taken[index] = true;
        Some(Arc::clone(&self.served[index]))
    }

    /// How many services `other` has, too.
    pub(crate) fn in_common(&self, other: &Self) -> usize {
        let ours = |it: &&Arc<Served>| self.served.iter().any(|own| Arc::ptr_eq(own, it));
        other.served.iter().filter(ours).count()
    }

    /// Ends what fed channels under these rules and does not under `next`.
    pub(crate) fn end_sources(&self, next: &Self) {
        for served in &self.served {
            let stays = next.served.iter().any(|it| Arc::ptr_eq(it, served));
            if let Some(source) = served.source.as_ref().filter(|_| !stays) {
                source.cancel();
            }
        }
    }
}

impl Made {
    fn serve(&mut self, inner: &Arc<Inner>, index: usize) -> Result<Arc<Served>, BindError> {
        let route = &self.rules.config.routes[index];
        let served = match (inner.own)(route) {
            Some(own) => Served::new(own),
            None => self.built_in(inner, index)?,
        };
        Ok(Arc::new(served))
    }

    fn built_in(&mut self, inner: &Arc<Inner>, index: usize) -> Result<Served, BindError> {
        let route = &self.rules.config.routes[index];
        let muted = Arc::clone(&inner.counts.muted);
        Ok(match route.service {
            config::Service::Bus => {
                let bus = Bus::new(route, inner.hub.clone(), muted);
                let mut served = Served::new(Arc::new(bus));
                served.door = Some(Door {
                    hub: inner.hub.clone(),
                    rings: Arc::clone(&self.rules.rings),
                    own: None,
                    buckets: Buckets::default(),
                });
                if let Some(source) = Source::new(route, &inner.hub) {
                    source.prepare().map_err(refused(route))?;
                    let until = inner.stop.child_token();
                    served.source = Some(until.clone());
                    self.sources.push((source, until));
                }
                served
            }
            config::Service::Clock => {
                let clock = Clock::new(route, &inner.hub, muted);
                let ticking = clock.ticking().clone();
                let until = inner.stop.child_token();
                let mut served = Served::new(Arc::new(clock));
                served.door = Some(Door {
                    hub: ticking.hub.clone(),
                    rings: remembering(inner, &ticking.hub, &self.rules.config.http),
                    own: Some(ticking.channel.clone()),
                    buckets: Buckets::default(),
                });
                inner.spawn_until(until.clone(), ticking.feed(SystemTime::now));
                served._alive = Some(until.drop_guard());
                served
            }
            config::Service::Echo => Served::new(Arc::new(Echo)),
            config::Service::Proxy => {
                let upstream = route.upstream.as_deref();
                let upstream = upstream.filter(|it| !it.addresses.is_empty());
                let upstream = upstream.ok_or_else(|| BindError::NoUpstream {
                    route: route.path.to_string(),
                })?;
                let proxy = Proxy::new(route, upstream, inner.beyond.clone());
                Served::new(Arc::new(proxy.map_err(refused(route))?))
            }
        })
    }

    /// Puts them in force for `inner`'s connections from now on: feeds the
    /// channels.
    pub(crate) fn begin(self, inner: &Inner) -> Arc<Rules> {
        for (source, until) in self.sources {
            inner.sources.spawn(source.run(until));
        }
        Arc::new(self.rules)
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Served {
    fn new(service: Arc<dyn Service>) -> Self {
        Self {
            service,
            door: None,
            source: None,
            _alive: None,
        }
    }
}

/// What channels on `hub` remember, which is looked after while anybody needs it.
fn remembering(inner: &Inner, hub: &Hub, http: &Http) -> Arc<Rings> {
    let rings = Rings::new(hub.clone(), http);
    let until = inner.stop.child_token();
    inner.spawn_until(until, sweep(Arc::downgrade(&rings)));
    rings
}

fn refused(route: &Route) -> impl FnOnce(TlsFailure) -> BindError {
    |source| BindError::Upstream {
        route: route.path.to_string(),
        source,
    }
}
