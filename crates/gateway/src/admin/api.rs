//! What operators may ask for, in one table: a path, a method, and what is
//! done. Each of them is documented in docs/administering.md, and stays as it
//! is there; more fields may come.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use serde::Serialize;

use super::{
    answer::{Answer, Fault, json, of_type, text},
    connections::{self, Filter, Told, Words},
    handshakes, metrics,
    params::Params,
    process,
    when::moment,
};
use crate::{config::LogLevel, inner::Inner};

/// What there is, for `GET /api` and the documents: method, path, what it does.
pub(crate) const CALLS: [(&str, &str, &str); 15] = [
    ("GET", "/healthz", "200 while the process works"),
    (
        "GET",
        "/readyz",
        "200 while new connections are taken, 503 while the gateway drains",
    ),
    ("GET", "/metrics", "metrics for Prometheus"),
    ("GET", "/api", "this list"),
    ("GET", "/api/status", "version, times, listeners, counts"),
    ("GET", "/api/routes", "the routes in force"),
    (
        "GET",
        "/api/connections",
        "connections; `draft`, `route`, `path`, `peer`, `origin`, `user`, `older`, `limit`, `after`",
    ),
    (
        "DELETE",
        "/api/connections",
        "closes those that the same filter takes, or `all`; `code`, `reason`, `within`",
    ),
    ("GET", "/api/connections/{id}", "one, with its handshake"),
    (
        "DELETE",
        "/api/connections/{id}",
        "closes it; `code`, `reason`",
    ),
    (
        "GET",
        "/api/handshakes",
        "refused handshakes; `code`, `stage`, `draft`, `path`, `peer`, `limit`",
    ),
    (
        "GET",
        "/api/handshakes/{id}",
        "one, by the id that its client was told",
    ),
    (
        "GET",
        "/api/census",
        "who speaks which draft, and spoke it while that was counted",
    ),
    (
        "PUT",
        "/api/drain",
        "drains and stops, as SIGTERM does; `within`",
    ),
    ("GET, PUT", "/api/log", "the level of the log; `level`"),
];

/// Does what is asked for by someone who may.
///
/// # Errors
/// What is wrong with it.
pub(super) fn answer(inner: &Arc<Inner>, parts: &Parts, body: &Bytes) -> Result<Answer, Fault> {
    let path = parts.uri.path();
    let mut params = Params::read(parts.uri.query(), body)?;
    let method = match parts.method {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let known = |methods: &'static str| match methods.split(", ").any(|it| it == method.as_str()) {
        true => Ok(()),
        false => Err(Fault::Method(methods)),
    };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match segments.as_slice() {
        ["healthz"] => {
            known("GET")?;
            text(StatusCode::OK, "ok")
        }
        ["readyz"] => {
            known("GET")?;
            match inner.is_ready() {
                true => text(StatusCode::OK, "ready"),
                false => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "draining: no new connections are taken",
                ),
            }
        }
        ["metrics"] => {
            known("GET")?;
            scraped(inner, &parts.headers)
        }
        ["api"] => {
            known("GET")?;
            json(&CALLS.map(|(method, path, what)| Call { method, path, what }))
        }
        ["api", "status"] => {
            known("GET")?;
            json(&Status::of(inner))
        }
        ["api", "routes"] => {
            known("GET")?;
            json(&routes(inner))
        }
        ["api", "connections"] => {
            known("GET, DELETE")?;
            match *method {
                Method::GET => json(&connections::listed(inner.open.all(), &mut params)?),
                _ => return close_many(inner, params),
            }
        }
        ["api", "connections", id] => {
            known("GET, DELETE")?;
            let entry = connections::number(id).and_then(|number| inner.open.find(number));
            let entry =
                entry.ok_or_else(|| Fault::Unknown(format!("no connection {id} is open")))?;
            match *method {
                Method::GET => json(&Told::whole(&entry)),
                _ => {
                    let words = Words::read(&mut params)?;
                    params.finish()?;
                    let closed = words.close(vec![entry], Duration::ZERO);
                    return Ok(accepted(&Closing { closing: closed }));
                }
            }
        }
        ["api", "handshakes"] => {
            known("GET")?;
            json(&handshakes::listed(&inner.past, &mut params)?)
        }
        ["api", "handshakes", id] => {
            known("GET")?;
            let told = handshakes::Told::of(&inner.past, id);
            json(&told.ok_or_else(|| {
                Fault::Unknown(format!("no refused handshake {id} is remembered"))
            })?)
        }
        ["api", "census"] => {
            known("GET")?;
            json(&inner.census.report())
        }
        ["api", "drain"] => {
            known("PUT")?;
            let within = params.duration("within")?;
            params.finish()?;
            inner.ask_to_drain(within);
            return Ok(accepted(&Draining { draining: true }));
        }
        ["api", "log"] => {
            known("GET, PUT")?;
            log(inner, method, &mut params)?
        }
        _ => return Err(Fault::Unknown(format!("there is no {path}"))),
    };
    params.finish()?;
    Ok(answer)
}

fn accepted(value: &impl Serialize) -> Answer {
    let mut answer = json(value);
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

#[derive(Serialize)]
struct Call {
    method: &'static str,
    path: &'static str,
    what: &'static str,
}

#[derive(Serialize)]
struct Closing {
    /// How many are being closed.
    closing: usize,
}

#[derive(Serialize)]
struct Draining {
    draining: bool,
}

/// Metrics in the format that is asked for.
fn scraped(inner: &Arc<Inner>, fields: &HeaderMap) -> Answer {
    let accept = fields.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let scraped = metrics::scrape(inner);
    match accept.is_some_and(|it| it.contains("application/openmetrics-text")) {
        true => of_type(metrics::OPEN_METRICS, scraped),
        false => of_type(metrics::CLASSIC, metrics::classic(&scraped)),
    }
}

fn close_many(inner: &Inner, mut params: Params<'_>) -> Result<Answer, Fault> {
    let filter = Filter::read(&mut params)?;
    let (words, all) = (Words::read(&mut params)?, params.flag("all")?);
    let within = params.duration("within")?.unwrap_or_default();
    params.finish()?;
    if filter.is_empty() && !all {
        return Err(Fault::Query(
            "no filter was given; `all=true` closes every connection".to_owned(),
        ));
    }
    let mut entries = inner.open.all();
    entries.retain(|entry| filter.takes(entry));
    let closing = words.close(entries, within);
    Ok(accepted(&Closing { closing }))
}

#[derive(Serialize)]
struct Level {
    level: &'static str,
}

fn log(inner: &Inner, method: &Method, params: &mut Params<'_>) -> Result<Answer, Fault> {
    let Some(switch) = inner.log() else {
        return Err(Fault::Unable(
            "the program that runs the gateway does not let the level of its log be changed",
        ));
    };
    if *method == Method::PUT {
        let known = "error, warn, info, debug or trace";
        let level = params.read_as("level", known, LogLevel::named)?;
        let level = level.ok_or_else(|| Fault::Query(format!("`level` is missing: {known}")))?;
        switch.set(level);
        tracing::info!(level = level.name(), "the level of the log was changed");
    }
    Ok(json(&Level {
        level: switch.level().name(),
    }))
}

/// The gateway as a whole.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    features: &'static [&'static str],
    process: u32,
    /// When it began. Ids of connections count from here.
    started: String,
    seconds: u64,
    configuration: String,
    ready: bool,
    listeners: Vec<String>,
    admin: Option<String>,
    connections: usize,
    openings: usize,
    tcp_connections: usize,
    upstream_connections: usize,
    accepted: u64,
    reloads: u64,
    reload_failures: u64,
}

impl Status {
    fn of(inner: &Inner) -> Self {
        use std::sync::atomic::Ordering::Relaxed;

        let (connections, openings) = inner.open.count();
        let started = process::started();
        let source = match &inner.rules().config.source {
            crate::config::Source::Embedded => "built in".to_owned(),
            crate::config::Source::File(name) => name.clone(),
        };
        let now = inner.now();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            features: super::FEATURES,
            process: std::process::id(),
            started: moment(started),
            seconds: started.elapsed().unwrap_or_default().as_secs(),
            configuration: source,
            ready: inner.is_ready(),
            listeners: now.ports.addrs().iter().map(ToString::to_string).collect(),
            admin: now.admin.as_ref().map(|admin| admin.bound.to_string()),
            connections,
            openings,
            tcp_connections: inner.tasks.len(),
            upstream_connections: inner.beyond.len(),
            accepted: inner.accepted(),
            reloads: inner.counts.reloads.load(Relaxed),
            reload_failures: inner.counts.reload_failures.load(Relaxed),
        }
    }
}

#[derive(Serialize)]
struct RouteTold {
    path: String,
    service: String,
    drafts: Vec<&'static str>,
    channel: Option<String>,
    upstreams: Vec<String>,
    /// Connections that came by it under the rules in force.
    connections: usize,
}

fn routes(inner: &Inner) -> Vec<RouteTold> {
    let rules = inner.rules();
    let entries = inner.open.all();
    let told = |(index, route): (usize, &crate::config::Route)| {
        let here = entries.iter().filter(|entry| {
            Arc::ptr_eq(&entry.rules, &rules)
                && entry.about.route as usize == index
                && entry.is_open()
        });
        let upstream = route.upstream.as_deref();
        RouteTold {
            path: route.path.to_string(),
            service: route.service.to_string(),
            drafts: route.drafts.iter().map(|draft| draft.name()).collect(),
            channel: route.channel.clone(),
            upstreams: upstream
                .map(|it| it.addresses.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            connections: here.count(),
        }
    };
    rules.config.routes.iter().enumerate().map(told).collect()
}
