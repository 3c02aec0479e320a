//! What stands behind a route: the servers of a proxy, or the one that feeds a
//! channel, in which drafts they are spoken to, and with what in the request.
//!
//! Flat keys beside the route's others and no table of their own: most files
//! say `upstream` alone.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use draftgate_client::{AnswerChecks, Drafts, Proxy, Via};
use draftgate_upstream::Address;
use http::{HeaderName, HeaderValue, header};
use toml::de::DeValue;

use super::{
    Route, Service, lists,
    problem::{Place, Problem},
    reader::{Said, Table, Value, Wrong},
    secret_file::certificates,
    shown::Shown,
    source,
    values::{OrOff, OrUnlimited, Pause, text},
};

/// The servers behind a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where they are; never empty. All of them are taken to be the same
    /// server, and take turns.
    pub addresses: Vec<Address>,
    /// In which drafts they are spoken to, in this order.
    pub drafts: Drafts,
    /// How long the draft that worked is tried first. An hour: a server that
    /// is exchanged is met anew soon enough.
    pub remember: Duration,
    /// How many connections to them there may be at once; a PLC has one slot.
    pub max_connections: Option<u32>,
    /// How long a server needs between two connections.
    pub pause: Duration,
    /// How long one that fails again and again is passed over at most, and left
    /// alone by a `source`.
    pub back_off: Duration,
    /// How long a client waits for one of those; zero: not at all. Below the
    /// time after which browsers give an opening up.
    pub wait: Duration,
    /// How many clients may wait for one.
    pub waiting: u32,
    /// Whether only one opening at a time goes to one host, as a client of
    /// hixie or RFC 6455 must have it. Off: a proxy speaks for many clients, and
    /// one opening that hangs would hold up all.
    pub one_at_a_time: bool,
    /// Fields of the client's request that are passed on besides `Cookie` and
    /// `Authorization`.
    pub pass: Vec<HeaderName>,
    /// Fields that are added, or replace those of the client.
    pub add: Vec<(HeaderName, HeaderValue)>,
    /// Fields that are not passed on.
    pub remove: Vec<HeaderName>,
    /// What `Host` says.
    pub host: HostField,
    /// What is claimed as the origin; `None`: what the client claims.
    pub origin: Option<String>,
    /// How strictly their answers are judged.
    pub answer_checks: AnswerChecks,
    /// How they are reached.
    pub via: Via,
    /// Files with certificates (PEM) that are trusted besides the system's.
    pub ca: Vec<PathBuf>,
    /// Whether any certificate is taken.
    pub insecure: bool,
    /// Whether each connection begins with a header of the PROXY protocol,
    /// version 2, that names the client.
    pub proxy_protocol: bool,
    /// Our addresses from which they are connected to, in turns; empty: the
    /// system chooses.
    pub sources: Vec<IpAddr>,
    /// How long it may take until the request can be sent.
    pub connect_timeout: Duration,
    /// How long the answer to the request may take.
    pub answer_timeout: Duration,
    /// How often they are sent a ping where the draft has ping.
    pub ping: Option<Duration>,
    /// How long they may send nothing where the draft has ping.
    pub idle: Option<Duration>,
}

/// What the field `Host` of a request to an upstream says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostField {
    /// The address of the upstream.
    #[default]
    Upstream,
    /// What the client said.
    Client,
    /// This.
    Fixed(String),
}

impl Upstream {
    /// The defaults for servers at `addresses`: those of
    /// [`draftgate_upstream::Settings`], and of a gateway's pings.
    pub fn new(addresses: Vec<Address>) -> Self {
        let defaults = draftgate_upstream::Settings::default();
        let client = defaults.client;
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            addresses,
            drafts: client.drafts,
            remember: defaults.remember,
            max_connections: defaults.max_connections.map(number),
            pause: defaults.pause,
            back_off: defaults.back_off.longest,
            wait: defaults.wait,
            waiting: number(defaults.waiting),
            one_at_a_time: defaults.one_at_a_time,
            pass: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
            host: HostField::Upstream,
            origin: client.origin,
            answer_checks: client.answer_checks,
            via: client.via,
            ca: client.tls.ca_files,
            insecure: client.tls.insecure,
            proxy_protocol: defaults.proxy_protocol,
            sources: defaults.sources,
            connect_timeout: client.connect_timeout,
            answer_timeout: client.opening_timeout,
            ping: Some(Duration::from_secs(50)),
            idle: Some(Duration::from_secs(120)),
        }
    }
}

/// Reads what a route with `service` says of its upstream into `route`.
pub(super) fn read(table: &mut Table<'_>, route: &mut Route, service: Option<Service>) {
    let upstream = table.said("upstream");
    let source = table.said("source");
    let addresses = match (service, &upstream, &source) {
        (Some(Service::Proxy), Some(said), _) => addresses(table, "upstream", said),
        (Some(Service::Proxy), None, _) => {
            let problem = Problem::new(table.place.clone(), "a proxy route lacks `upstream`");
            table.wrong(problem.help("add for example `upstream = \"ws://127.0.0.1:9000\"`"));
            Vec::new()
        }
        (Some(Service::Bus), _, Some(said)) => addresses(table, "source", said),
        _ => Vec::new(),
    };
    for (key, said, owner) in [
        ("upstream", &upstream, Service::Proxy),
        ("source", &source, Service::Bus),
    ] {
        if let (Some(said), Some(service)) = (said, service)
            && service != owner
        {
            let wrong = Wrong::new(format!("has no meaning for `service = \"{service}\"`")).help(
                format!("it is a key of routes with `service = \"{owner}\"`"),
            );
            table.wrong_value(key, said, wrong);
        }
    }
    if let (Some(said), true) = (&source, route.path.has_channel()) {
        let wrong = Wrong::new("needs one channel, and the path has `{channel}`")
            .help("write a path without it, and add `channel = \"…\"`");
        table.wrong_value("source", said, wrong);
    }
    let other = match service {
        Some(Service::Proxy) => "source",
        _ => "upstream",
    };
    table.meaningless(|key| key == other);
    let mut read = Upstream::new(addresses);
    let keys = keys(table, &mut read);
    if let (Some(Service::Bus), Some(said)) = (service, &source) {
        source::check(table, route, &read, said, &keys);
    }
    if service == Some(Service::Proxy) || source.is_some() {
        route.upstream = Some(Box::new(read));
        return;
    }
    table.meaningless(|key| key == "source" || key.contains("upstream"));
    for (key, said) in keys {
        let wrong = Wrong::new("has no meaning without an upstream")
            .help("it is a key of routes with `service = \"proxy\"` and `upstream`, or of bus routes with `source`");
        table.wrong_value(key, &said, wrong);
    }
}

/// Reads everything but the addresses; which keys were said.
fn keys<'t>(table: &mut Table<'t>, upstream: &mut Upstream) -> Vec<(&'static str, Said<'t>)> {
    let mut keys = Vec::new();
    let mut ask = |table: &mut Table<'t>, key| {
        let said = table.said(key);
        keys.extend(said.clone().map(|said| (key, said)));
        said
    };
    for key in [
        "upstream-remember",
        "max-upstream-connections",
        "upstream-wait",
        "upstream-pause",
        "upstream-back-off",
        "upstream-waiting",
        "upstream-one-at-a-time",
        "upstream-host",
        "upstream-origin",
        "upstream-answer-checks",
        "upstream-proxy",
        "upstream-insecure",
        "upstream-proxy-protocol",
        "upstream-connect-timeout",
        "upstream-answer-timeout",
        "upstream-ping",
        "upstream-idle",
    ] {
        ask(table, key);
    }
    for list in [
        "upstream-pass",
        "upstream-remove",
        "upstream-ca",
        "upstream-sources",
    ] {
        table.unless_said(list, Shown::nothing());
    }
    table.unless_said("upstream-add", Shown::Is(serde_json::json!({})));
    table.unless_said("upstream-drafts", Shown::text("auto"));
    if let Some(said) = ask(table, "upstream-drafts") {
        drafts(table, &said, &mut upstream.drafts);
    }
    if let Some(said) = ask(table, "upstream-pass") {
        upstream.pass = names(table, "upstream-pass", &said);
    }
    if let Some(said) = ask(table, "upstream-remove") {
        upstream.remove = names(table, "upstream-remove", &said);
    }
    if let Some(said) = ask(table, "upstream-add") {
        upstream.add = fields(table, &said);
    }
    if let Some(said) = ask(table, "upstream-ca") {
        upstream.ca = one_or_more(
            table,
            "upstream-ca",
            &said,
            "a file or a list of files",
            certificates,
        );
    }
    if let Some(said) = ask(table, "upstream-sources") {
        const WHAT: &str = "a list of IP addresses";
        upstream.sources = one_or_more(table, "upstream-sources", &said, WHAT, |text| {
            text.parse()
                .map_err(|_| Wrong::new(format!("has \"{text}\", which is no IP address")))
        });
    }
    table.set("upstream-remember", &mut upstream.remember);
    table.set_as::<OrUnlimited, _>("max-upstream-connections", &mut upstream.max_connections);
    table.set_as::<Pause, _>("upstream-wait", &mut upstream.wait);
    table.set("upstream-waiting", &mut upstream.waiting);
    table.set("upstream-one-at-a-time", &mut upstream.one_at_a_time);
    table.set_as::<Pause, _>("upstream-pause", &mut upstream.pause);
    table.set("upstream-back-off", &mut upstream.back_off);
    table.set("upstream-host", &mut upstream.host);
    let mut origin = Origin(upstream.origin.take());
    table.set("upstream-origin", &mut origin);
    upstream.origin = origin.0;
    table.set("upstream-answer-checks", &mut upstream.answer_checks);
    table.set("upstream-proxy", &mut upstream.via);
    if let Some(said) = table.said("upstream-proxy") {
        // The type would not show that there is a password.
        table.shows("upstream-proxy", Shown::written("", said.value));
    }
    table.set("upstream-insecure", &mut upstream.insecure);
    table.set("upstream-proxy-protocol", &mut upstream.proxy_protocol);
    table.set("upstream-connect-timeout", &mut upstream.connect_timeout);
    table.set("upstream-answer-timeout", &mut upstream.answer_timeout);
    for (key, value) in [
        ("upstream-ping", &mut upstream.ping),
        ("upstream-idle", &mut upstream.idle),
    ] {
        table.set_as::<OrOff, _>(key, value);
    }
    keys
}

/// `"client"` is what the client claims.
struct Origin(Option<String>);

impl Value for Origin {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let origin = text(value, "an origin or \"client\"")?;
        match origin {
            "client" => Ok(Self(None)),
            origin if HeaderValue::from_str(origin).is_ok() && !origin.is_empty() => {
                Ok(Self(Some(origin.to_owned())))
            }
            _ => Err(Wrong::new("cannot stand in a field of a request")),
        }
    }

    fn show(&self) -> Shown {
        Shown::text(self.0.as_deref().unwrap_or("client"))
    }
}

impl Value for HostField {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let host = text(value, "a host, \"upstream\" or \"client\"")?;
        match host {
            "upstream" => Ok(Self::Upstream),
            "client" => Ok(Self::Client),
            host if crate::public_url::authority(host).is_some() => {
                Ok(Self::Fixed(host.to_owned()))
            }
            _ => Err(Wrong::new("is no host with an optional port")
                .help("write \"host\" or \"host:port\", \"upstream\" for the upstream's own, or \"client\" for what the client said")),
        }
    }

    fn show(&self) -> Shown {
        Shown::text(match self {
            Self::Upstream => "upstream",
            Self::Client => "client",
            Self::Fixed(host) => host,
        })
    }
}

impl Value for Via {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let proxy = text(
            value,
            "the address of an HTTP proxy, \"none\" or \"environment\"",
        )?;
        match proxy {
            "none" => Ok(Self::Directly),
            "environment" => Ok(Self::Environment),
            proxy => match proxy.parse::<Proxy>() {
                Ok(proxy) => Ok(Self::Proxy(proxy)),
                Err(error) => Err(Wrong::new("is no HTTP proxy").help(error.to_string())),
            },
        }
    }

    fn show(&self) -> Shown {
        match self {
            Self::Directly => Shown::text("none"),
            Self::Environment => Shown::text("environment"),
            Self::Proxy(proxy) => Shown::text(proxy),
        }
    }
}

fn addresses(table: &Table<'_>, key: &'static str, said: &Said<'_>) -> Vec<Address> {
    const WHAT: &str = "a URL or a list of URLs";
    let count = match said.value {
        DeValue::Array(elements) => elements.len(),
        _ => 1,
    };
    if count == 0 {
        let wrong = Wrong::new("names no server");
        table.wrong_value(key, said, wrong.help("write at least one URL"));
    }
    if key == "source" && count > 1 {
        let wrong = Wrong::new("must be one URL: a channel has one source");
        table.wrong_value(key, said, wrong);
    }
    one_or_more(table, key, said, WHAT, |text| {
        text.parse()
            .map_err(|error: draftgate_upstream::NotAnAddress| {
                Wrong::new("names no server").help(error.to_string())
            })
    })
}

fn drafts(table: &Table<'_>, said: &Said<'_>, drafts: &mut Drafts) {
    const KEY: &str = "upstream-drafts";
    if said.value.as_str() == Some("auto") {
        *drafts = Drafts::Auto;
        return;
    }
    let spoken: Vec<_> = draftgate_drafts::spoken().collect();
    let named = one_or_more(table, KEY, said, "\"auto\" or a list of drafts", |name| {
        lists::draft(name, &spoken)
    });
    match (named.is_empty(), said.value) {
        (false, _) => *drafts = Drafts::Named(named),
        (true, DeValue::Array(names)) if names.is_empty() => {
            let wrong = Wrong::new("names no draft");
            table.wrong_value(KEY, said, wrong.help("leave it out for \"auto\""));
        }
        (true, _) => {}
    }
}

/// A string, or an array of strings, each read by `read`.
pub(super) fn one_or_more<T>(
    table: &Table<'_>,
    key: &'static str,
    said: &Said<'_>,
    what: &str,
    read: impl Fn(&str) -> Result<T, Wrong>,
) -> Vec<T> {
    if let DeValue::String(text) = said.value {
        return match read(text) {
            Ok(value) => vec![value],
            Err(wrong) => {
                table.wrong_value(key, said, wrong);
                Vec::new()
            }
        };
    }
    let items = lists::each(table, key, said, what, |item| match item.value.as_str() {
        Some(text) => read(text),
        None => Err(Wrong::must_be(what, item.value)),
    });
    items.into_iter().map(|(value, _)| value).collect()
}

fn names(table: &Table<'_>, key: &'static str, said: &Said<'_>) -> Vec<HeaderName> {
    one_or_more(table, key, said, "a list of names of fields", name)
}

pub(super) fn name(text: &str) -> Result<HeaderName, Wrong> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Wrong::new(format!("has \"{text}\", which is no name of a field")))?;
    match may_be_passed(&name) {
        Ok(()) => Ok(name),
        Err(why) => Err(Wrong::new(format!("has \"{text}\", {why}"))),
    }
}

/// Whether a field concerns client and upstream, and not each connection.
fn may_be_passed(name: &HeaderName) -> Result<(), &'static str> {
    const OF_THE_DRAFT: &str =
        "which the draft itself writes: see `upstream-host` and `upstream-origin`";
    const HOP_BY_HOP: &str = "which is about one connection and passes no proxy";
    let text = name.as_str();
    if [header::HOST, header::ORIGIN].contains(name)
        || text.starts_with("sec-websocket-")
        || text.starts_with("websocket-")
    {
        return Err(OF_THE_DRAFT);
    }
    let hop_by_hop = [
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::PROXY_AUTHORIZATION,
        header::PROXY_AUTHENTICATE,
    ];
    match hop_by_hop.contains(name) || text == "keep-alive" || text == "proxy-connection" {
        true => Err(HOP_BY_HOP),
        false => Ok(()),
    }
}

fn fields(table: &Table<'_>, said: &Said<'_>) -> Vec<(HeaderName, HeaderValue)> {
    const KEY: &str = "upstream-add";
    const WHAT: &str = "a table of fields such as { X-Site = \"a\" }";
    let DeValue::Table(entries) = said.value else {
        table.wrong_value(KEY, said, Wrong::must_be(WHAT, said.value));
        return Vec::new();
    };
    let mut fields = Vec::new();
    for (key, value) in entries.iter() {
        let read = name(key.get_ref()).and_then(|name| {
            let text = text(value.get_ref(), "a string")?;
            let value = HeaderValue::from_str(text).map_err(|_| {
                Wrong::new(format!(
                    "has a value of {name} that cannot stand in a field"
                ))
            })?;
            Ok((name, value))
        });
        match read {
            Ok(field) => fields.push(field),
            Err(wrong) => {
                let item = Said {
                    value: value.get_ref(),
                    place: Place::Span(value.span()),
                };
                table.wrong_value(KEY, &item, wrong);
            }
        }
    }
    fields
}
