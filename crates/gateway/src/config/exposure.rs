//! What a configuration exposes: which drafts each listener speaks on each
//! route, and what old drafts, origins and addresses give up.
//!
//! Nothing here is a mistake; it is what whoever switched it on should know.
//! `draftgate check` prints it.

use std::{fmt, net::SocketAddr};

use draftgate_core::Draft;
use ipnet::IpNet;

use super::{
    Allowed, ClientAuth, Config, Listener, OriginRule, Plugin, Policy, Quirk, QuirkFor, Route,
    Service, Site, TlsProfile, admin::is_loopback, lists::names_of, problem::listed,
};

/// One thing that is exposed, and where. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The listener.
    pub listener: SocketAddr,
    /// The path pattern of the route; `None` where it concerns all of them.
    pub route: Option<String>,
    /// What.
    pub what: Exposed,
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            Some(route) => write!(f, "{} {route}: {}", self.listener, self.what),
            None => write!(f, "{}: {}", self.listener, self.what),
        }
    }
}

/// What is exposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exposed {
    /// The drafts a route speaks.
    #[error("speaks {}", names_of(.0))]
    Speaks(Vec<Draft>),
    /// Drafts whose clients do not mask.
    #[error("clients of {} send what the client's page chose as plain octets: a proxy on the way that does not know WebSocket can be made to take them for HTTP and cache them", names_of(.0))]
    Unmasked(Vec<Draft>),
    /// Clients that need not mask although their draft does.
    #[error("takes frames without a mask from whoever looks like {}: on the way they are octets that a proxy can be made to take for HTTP", .0.join(", "))]
    UnmaskedFrom(Vec<String>),
    /// hixie-75 proves nothing in its opening.
    #[error(
        "hixie-75 has no challenge: its opening proves neither that the client meant a WebSocket nor that we speak it"
    )]
    NoChallenge,
    /// hixie-75 without `Origin`.
    #[error(
        "hixie-75 is accepted without Origin: anything that can send HTTP looks like such a client; each is logged"
    )]
    Hixie75WithoutOrigin,
    /// Somebody decides who comes in.
    #[error("{0} decides who comes in")]
    Decides(String),
    /// Every origin.
    #[error("every web page may connect, with the cookies of whoever reads it")]
    AnyOrigin,
    /// `null`.
    #[error(
        "pages with the origin `null` may connect; any web page can make itself a frame with that origin"
    )]
    NullOrigin,
    /// `missing`.
    #[error(
        "clients without Origin may connect: every program that reaches the address, but no browser"
    )]
    NoOrigin,
    /// `same-host` decided by what the client sends.
    #[error(
        "`same-host` compares with the Host that the client names: a page whose DNS name is turned to this address passes; `public-url` closes that"
    )]
    HostFromClient,
    /// Every peer may publish.
    #[error("every peer may publish to every channel it can name")]
    EveryonePublishes,
    /// Programs of this machine publish over HTTP.
    #[error(
        "programs of this machine publish over HTTP without a token; a proxy on it that announces nobody, as nginx unless told to, makes everybody one of them (`trust-loopback = false` closes that)"
    )]
    LoopbackPublishes,
    /// A token that whoever is on the way reads.
    #[error(
        "tokens are sent in the clear over the network; give the listener `tls`, or put a proxy that ends TLS before it"
    )]
    TokenInTheClear,
    /// Clients reach what stands behind.
    #[error("relays to {}: whoever may connect here reaches that, with the cookies and passwords it sends", .0.join(", "))]
    Relays(Vec<String>),
    /// Nobody is sure who the upstream is.
    #[error("takes any certificate of the upstream: whoever is on the way can be it")]
    AnyCertificate,
    /// In reach of a network, in plain text.
    #[error(
        "in reach of the network without TLS: whoever is on the way reads and changes everything; give the listener `tls`, put a proxy that ends TLS before it (and set `public-url`), or listen on loopback"
    )]
    PlainNetwork,
    /// Old versions of TLS.
    #[error(
        "speaks TLS 1.0 and 1.1 too: whoever is on the way may read and change what such clients say"
    )]
    LegacyTls,
    /// Nobody without a certificate.
    #[error("only clients with a certificate that an authority of `client-ca` signed come in")]
    ClientCertificates,
    /// A proxy ends TLS, but the port is open.
    #[error(
        "`public-url` promises TLS that something in front ends, but this address is in reach of the network: let only the proxy reach it"
    )]
    BesideProxy,
    /// Policies for plug-ins.
    #[error("answers policy requests of {}: {} may connect", and(.plugins), of_sites(.allow))]
    Policy {
        /// Who may ask here.
        plugins: Vec<Plugin>,
        /// Whose programs may connect.
        allow: Vec<Site>,
    },
    /// What these proxies forward is believed.
    #[error("{} are believed about a client's address, scheme and host", networks(.0))]
    BelievedProxies(Vec<IpNet>),
    /// The PROXY protocol is required.
    #[error("only {} may connect, and are believed about whom they connect for", networks(.0))]
    ProxiesAlone(Vec<IpNet>),
    /// And nothing is encrypted on the way from there.
    #[error("on the way from there everything is plain")]
    PlainFromProxies,
    /// Operators, on loopback without a token.
    #[error(
        "every program of this machine is an operator: it sees who is connected, and may close and drain; `admin.token-file` asks for a token"
    )]
    Operators,
    /// Operators, who show a token.
    #[error("operators who show the token see who is connected, and may close and drain")]
    OperatorsWithToken,
    /// The same over a network.
    #[error(
        "operators show their token in the clear over the network; let only them reach this address, or go to loopback through SSH"
    )]
    OperatorsInTheClear,
    /// The page.
    #[error("serves the chat page at `/`")]
    Page,
}

impl Config {
    /// What it exposes, by listener and route, in their order.
    pub fn exposure(&self) -> Vec<Exposure> {
        let mut all = Vec::new();
        for listener in &self.listeners {
            let at = |route: Option<&Route>, what| Exposure {
                listener: listener.address,
                route: route.map(|route| route.path.to_string()),
                what,
            };
            all.extend(of_listener(listener).into_iter().map(|what| at(None, what)));
            if let Some(policy) = &self.policy {
                let both = vec![Plugin::Flash, Plugin::Silverlight];
                all.push(at(None, of_policy(policy, both)));
            }
            for route in &self.routes {
                all.extend(
                    of_route(route, listener)
                        .into_iter()
                        .map(|what| at(Some(route), what)),
                );
            }
        }
        if let Some(policy) = &self.policy {
            all.extend(policy.listeners().map(|(plugin, listener)| Exposure {
                listener: listener.address,
                route: None,
                what: of_policy(policy, vec![plugin]),
            }));
        }
        all.extend(self.admin.iter().map(|admin| Exposure {
            listener: admin.address,
            route: None,
            what: match (&admin.token, is_loopback(admin.address)) {
                (None, _) => Exposed::Operators,
                (Some(_), true) => Exposed::OperatorsWithToken,
                (Some(_), false) => Exposed::OperatorsInTheClear,
            },
        }));
        all
    }
}

fn of_policy(policy: &Policy, plugins: Vec<Plugin>) -> Exposed {
    Exposed::Policy {
        plugins,
        allow: policy.allow.clone(),
    }
}

fn and(plugins: &[Plugin]) -> String {
    let names: Vec<String> = plugins.iter().map(ToString::to_string).collect();
    names.join(" and ")
}

fn of_sites(allow: &[Site]) -> String {
    match allow.contains(&Site::Every) {
        true => "programs of every web page".to_owned(),
        false => format!("programs of {}", listed(allow, "and")),
    }
}

fn of_listener(listener: &Listener) -> Vec<Exposed> {
    let mut all = Vec::new();
    let beyond_loopback = !listener.address.ip().to_canonical().is_loopback();
    let proxies = || listener.trusted_proxies.clone();
    if listener.proxy_protocol {
        all.push(Exposed::ProxiesAlone(proxies()));
        if listener.tls.is_none() {
            all.push(Exposed::PlainFromProxies);
        }
    } else if beyond_loopback && listener.tls.is_none() {
        all.push(match &listener.public_url {
            Some(url) if url.secure => Exposed::BesideProxy,
            _ => Exposed::PlainNetwork,
        });
    }
    if let Some(tls) = &listener.tls
        && tls.profile == TlsProfile::Legacy10
    {
        all.push(Exposed::LegacyTls);
    }
    if wants_certificate(listener) {
        all.push(Exposed::ClientCertificates);
    }
    if !listener.proxy_protocol && !listener.trusted_proxies.is_empty() {
        all.push(Exposed::BelievedProxies(proxies()));
    }
    if listener.page {
        all.push(Exposed::Page);
    }
    all
}

fn networks(networks: &[IpNet]) -> String {
    listed(networks.iter().map(IpNet::to_string), "and")
}

fn of_route(route: &Route, listener: &Listener) -> Vec<Exposed> {
    let mut all = vec![Exposed::Speaks(route.drafts.clone())];
    let unmasked: Vec<Draft> = route
        .drafts
        .iter()
        .copied()
        .filter(|draft| !draftgate_drafts::is_masked(*draft))
        .collect();
    if !unmasked.is_empty() {
        all.push(Exposed::Unmasked(unmasked));
    }
    if let QuirkFor::Families(names) = route.quirks.of(Quirk::Unmasked)
        && !names.is_empty()
    {
        all.push(Exposed::UnmaskedFrom(names.clone()));
    }
    if let Some(upstream) = &route.upstream {
        if route.service == Service::Proxy {
            let to = upstream.addresses.iter().map(ToString::to_string);
            all.push(Exposed::Relays(to.collect()));
        }
        if upstream.insecure {
            all.push(Exposed::AnyCertificate);
        }
    }
    if route.speaks(draftgate_drafts::WITHOUT_KEYS) {
        all.push(Exposed::NoChallenge);
        if route.hixie_75_without_origin {
            all.push(Exposed::Hixie75WithoutOrigin);
        }
    }
    let auth = route.auth.as_ref();
    all.extend(auth.map(|auth| Exposed::Decides(auth.decides())));
    // Where a page has to show what it cannot know, others have nothing.
    let shows = auth.is_some_and(|auth| !auth.comes_by_itself());
    for rule in route.origins.rules() {
        match rule {
            OriginRule::Any | OriginRule::Null if shows => {}
            OriginRule::Missing if auth.is_some() || wants_certificate(listener) => {}
            OriginRule::Any => all.push(Exposed::AnyOrigin),
            OriginRule::Null => all.push(Exposed::NullOrigin),
            OriginRule::Missing => all.push(Exposed::NoOrigin),
            OriginRule::SameHost if listener.public_url.is_none() => {
                all.push(Exposed::HostFromClient);
            }
            OriginRule::SameHost
            | OriginRule::Loopback
            | OriginRule::File
            | OriginRule::Exact(_)
            | OriginRule::Below(_) => {}
        }
    }
    if route.auth.is_some() && in_the_clear(listener) {
        all.push(Exposed::TokenInTheClear);
    }
    let everybody = route.auth.is_none() && route.publish == Allowed::All;
    if route.service == Service::Bus && everybody {
        all.push(Exposed::EveryonePublishes);
    }
    if route.service == Service::Bus && route.http.enabled {
        all.extend(over_http(route, listener));
    }
    all
}

fn over_http(route: &Route, listener: &Listener) -> Vec<Exposed> {
    let mut all = Vec::new();
    // Where something in front is known, nobody counts as this machine's.
    let fronted = listener.proxy_protocol
        || listener.public_url.is_some()
        || ["127.0.0.1", "::1"]
            .iter()
            .all(|ip| ip.parse().is_ok_and(|ip| listener.trusts(ip)));
    let everybody = route.publish == Allowed::All;
    if route.auth.is_none() && route.http.trusts_loopback(everybody) && !fronted {
        all.push(Exposed::LoopbackPublishes);
    }
    let by_http = route.http.token.is_some() && route.auth.is_none();
    if by_http && in_the_clear(listener) {
        all.push(Exposed::TokenInTheClear);
    }
    all
}

fn wants_certificate(listener: &Listener) -> bool {
    let tls = listener.tls.as_ref();
    tls.is_some_and(|tls| tls.client_auth == ClientAuth::Required)
}

/// Whether whoever is on the way to `listener` reads everything.
fn in_the_clear(listener: &Listener) -> bool {
    let secure = listener.public_url.as_ref().is_some_and(|url| url.secure);
    let tls = secure || listener.tls.is_some();
    let beyond_loopback = !listener.address.ip().to_canonical().is_loopback();
    beyond_loopback && !listener.proxy_protocol && !tls
}

#[cfg(test)]
#[path = "exposure_tests.rs"]
mod tests;
