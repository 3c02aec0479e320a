//! Reads the routes of a file, and what must hold among their keys.

use std::time::Duration;

use super::{
    Allowed, BinaryPolicy, Heartbeat, PathPattern, Route, Service, auth, census, compression,
    file::{Shared, octets, route_limits},
    hello, http,
    lists::{self, Chosen, names_of},
    problem::{Place, Problem, listed},
    quirks,
    reader::{Said, Table, Tables, Wrong},
    rights,
    shown::Shown,
    upstream,
};

pub(super) fn routes(top: &mut Table<'_>, shared: &Shared<'_>) -> Vec<Route> {
    const ADVICE: &str = "add `[[routes]]` with `path`, `service` and `drafts`, for example `path = \"/echo\"`, `service = \"echo\"`, `drafts = \"all\"`";
    let tables = match top.tables("routes") {
        Tables::These(tables) if !tables.is_empty() => tables,
        Tables::Wrong => Vec::new(),
        Tables::Absent | Tables::These(_) => {
            let problem = Problem::new(
                Place::Whole,
                "the file has no route, so that every client would be refused",
            );
            top.wrong(problem.help(ADVICE));
            Vec::new()
        }
    };
    let mut routes: Vec<Route> = Vec::new();
    let mut paths: Vec<(PathPattern, Place)> = Vec::new();
    let mut without_drafts: Vec<Place> = Vec::new();
    for mut table in tables {
        let said_path = table.said("path");
        let path = required::<PathPattern>(&mut table, "path", "\"/bus/{channel}\"");
        if let (Some(path), Some(said)) = (&path, said_path) {
            reachable(&table, path, &said, &paths);
            paths.push((path.clone(), said.place));
        }
        let service = required::<Service>(&mut table, "service", "\"bus\"");
        let drafts = match (lists::drafts(&mut table, shared.spoken), &shared.drafts) {
            (Chosen::Drafts(drafts), _) => drafts,
            (Chosen::Nothing, Chosen::Drafts(drafts)) => drafts.clone(),
            (Chosen::Nothing, Chosen::Nothing) => {
                without_drafts.push(table.place.clone());
                Vec::new()
            }
            (Chosen::Wrong, _) | (_, Chosen::Wrong) => Vec::new(),
        };
        let names = drafts.iter().map(|draft| draft.name());
        table.shows("drafts", Shown::list(names));
        let path = path.unwrap_or_else(PathPattern::root);
        let route = Route::new(path, service.unwrap_or(Service::Echo), drafts);
        routes.push(one(table, route, service, shared));
    }
    if let Some((first, others)) = without_drafts.split_first() {
        let mut problem = Problem::new(first.clone(), "nothing says which drafts this route speaks")
            .label("no `drafts` here, and none at the top of the file")
            .help("there is no default, because old drafts protect less: write `drafts = \"all\"` or a list such as `drafts = [\"hixie-76\", \"hybi-13\"]` at the top or here")
            .help(format!("spoken are {}", names_of(shared.spoken)));
        for other in others {
            problem = problem.related(other, "nor here");
        }
        top.wrong(problem);
    }
    routes
}

/// A value without a default.
fn required<T: super::reader::Value>(
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> Option<T> {
    if table.said(key).is_none() {
        let problem = Problem::new(table.place.clone(), format!("a route lacks `{key}`"));
        table.wrong(problem.help(format!("add for example `{key} = {example}`")));
        return None;
    }
    table.value(key)
}

/// Notes a path that an earlier route takes whole.
fn reachable(
    table: &Table<'_>,
    path: &PathPattern,
    said: &Said<'_>,
    earlier: &[(PathPattern, Place)],
) {
    let Some((taker, first)) = earlier.iter().find(|(other, _)| other.covers(path)) else {
        return;
    };
    let problem = match taker == path {
        true => Problem::new(
            said.place.clone(),
            format!("two routes have the path `{path}`"),
        )
        .help("leave one of them out"),
        false => Problem::new(
            said.place.clone(),
            format!("no client can reach the route `{path}`"),
        )
        .help("the first route that matches a path takes it: put this one before"),
    };
    table.wrong(problem.related(first, "this one takes all its paths"));
}

/// Everything but path, service and drafts.
fn one(
    mut table: Table<'_>,
    mut route: Route,
    service: Option<Service>,
    shared: &Shared<'_>,
) -> Route {
    census::observe(&mut table, &mut route);
    route.origins = lists::origins(&mut table)
        .or_else(|| shared.origins.clone())
        .unwrap_or_default();
    table.shows("origins", Shown::list(route.origins.rules()));
    route.subprotocols = lists::subprotocols(&mut table);
    route.limits = shared.limits;
    let mut limits = table.table("limits", "routes.limits");
    route_limits(&mut limits, &mut route.limits);
    route.rate = shared.rate;
    rights::rate_of(&mut limits, &mut route.rate);
    limits.finish();
    route.queue = shared.queue;
    octets(&mut table, "queue", &mut route.queue);
    table.set("binary", &mut route.binary);
    table.set("accept-length-frames", &mut route.accept_length_frames);
    table.set(
        "hixie-75-without-origin",
        &mut route.hixie_75_without_origin,
    );
    table.set("version-aliases", &mut route.version_aliases);
    lists::strictness(&mut table, &mut route.limits.strictness);
    route.compression = compression::read(&mut table);
    hello::read(&mut table, &mut route.hello);
    quirks::read(&mut table, &mut route.quirks);
    table.set("heartbeat-interval", &mut route.heartbeat_interval);
    heartbeat(&mut table, &mut route);
    let over_http = of_channels(&mut table, &mut route, service);
    upstream::read(&mut table, &mut route, service);
    if over_http {
        route.http = http::of_route(&mut table, shared.http, route.publish == Allowed::All);
    }
    route.auth = auth::read(&mut table, service).map(Box::new);
    table.finish();
    route
}

fn heartbeat(table: &mut Table<'_>, route: &mut Route) {
    let said = table.said("heartbeat");
    table.set("heartbeat", &mut route.heartbeat);
    let (Heartbeat::UnknownFrame, Some(said)) = (&route.heartbeat, said) else {
        return;
    };
    if route.binary == BinaryPolicy::LengthFrame {
        let wrong = Wrong::new("must not be \"unknown-frame\" beside `binary = \"length-frame\"`")
            .help("clients that read such frames as binary would get an empty message each time; use \"empty-text\" or `{ text = \"…\" }`");
        table.wrong_value("heartbeat", &said, wrong);
        return;
    }
    let mut drafts = route.drafts.iter();
    if let Some(draft) = drafts.find(|draft| draftgate_drafts::reports_unknown_frames(**draft)) {
        let what = format!("must not be \"unknown-frame\" on a route that speaks {draft}");
        let wrong = Wrong::new(what)
            .help(format!("a {draft} client reports an error for each frame of an unknown type, only {} discards it in silence; use \"empty-text\" or `{{ text = \"…\" }}`, or leave {draft} to another route", draftgate_drafts::WITHOUT_KEYS));
        table.wrong_value("heartbeat", &said, wrong);
    }
}

/// Which services a key has a meaning for.
const CHANNEL_KEYS: [(&str, &[Service]); 7] = [
    ("channel", &[Service::Bus]),
    ("overflow", &[Service::Bus, Service::Clock]),
    ("include-sender", &[Service::Bus]),
    ("publish", &[Service::Bus]),
    ("subscribe", &[Service::Bus, Service::Clock]),
    ("http", &[Service::Bus, Service::Clock]),
    ("interval", &[Service::Clock]),
];

/// The keys that say how a channel behaves; whether `http` says more.
fn of_channels(table: &mut Table<'_>, route: &mut Route, service: Option<Service>) -> bool {
    let channel = table.said("channel");
    let mut wrong_here = false;
    for (key, services) in CHANNEL_KEYS {
        let said = table.said(key);
        if let (Some(said), Some(service)) = (said, service)
            && !services.contains(&service)
        {
            let wrong = Wrong::new(format!("has no meaning for `service = \"{service}\"`"));
            let theirs = services.iter().map(|s| format!("service = \"{s}\""));
            let theirs = listed(theirs, "or");
            table.wrong_value(
                key,
                &said,
                wrong.help(format!("it is a key of routes with {theirs}")),
            );
            wrong_here = true;
        }
    }
    if wrong_here {
        return false;
    }
    route.channel = table.value("channel");
    table.set("overflow", &mut route.overflow);
    table.set("include-sender", &mut route.include_sender);
    table.set("publish", &mut route.publish);
    table.set("subscribe", &mut route.subscribe);
    table.set("interval", &mut route.interval);
    let means = |key: &str, service| {
        let mut keys = CHANNEL_KEYS.iter();
        keys.all(|(name, services)| *name != key || services.contains(&service))
    };
    table.meaningless(|key| service.is_some_and(|service| !means(key, service)));
    match service {
        Some(Service::Bus) => channel_of(table, route, channel.as_ref()),
        Some(Service::Clock) => clock(table, route),
        _ => {}
    }
    service.is_none_or(|service| means("http", service))
}

/// The clock has a channel of its own, on which only it speaks.
fn clock(table: &mut Table<'_>, route: &mut Route) {
    route.publish = Allowed::None;
    if route.path.has_channel() {
        let problem = Problem::new(
            table.place.clone(),
            format!(
                "the path `{}` of a clock names a channel, and it has but one",
                route.path
            ),
        );
        table.wrong(problem.help("write the path without `{channel}`, such as \"/clock\""));
    }
    let said = table.said("interval");
    if let Some(said) = said.filter(|_| route.interval < SHORTEST_INTERVAL) {
        let wrong = Wrong::new("must be at least 10ms");
        table.wrong_value("interval", &said, wrong);
    }
}

/// Below that the clock would say little more than how busy the machine is.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

fn channel_of(table: &Table<'_>, route: &Route, said: Option<&Said<'_>>) {
    match (said, route.path.has_channel()) {
        (None, true) => {}
        (None, false) => table.wrong(
            Problem::new(table.place.clone(), format!("the bus route `{}` names no channel", route.path))
                .help("write the path with `{channel}`, such as \"/bus/{channel}\", or add `channel = \"…\"` for one fixed channel"),
        ),
        (Some(said), true) => {
            let wrong = Wrong::new("is said twice: the path has `{channel}` already");
            table.wrong_value("channel", said, wrong.help("leave one of the two out"));
        }
        (Some(said), false) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
            let is_name = |name: &str| (1..=255).contains(&name.len()) && name.chars().all(plain);
            if route.channel.as_deref().is_some_and(|name| !is_name(name)) {
                let wrong = Wrong::new("is no name of a channel");
                table.wrong_value("channel", said, wrong.help("a name is 1 to 255 octets of A–Z, a–z, 0–9, `.`, `_`, `~` and `-`"));
            }
        }
    }
}
