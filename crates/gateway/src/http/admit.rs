//! Who asks over HTTP, and what that allows.
//!
//! Any web page can send a request to 127.0.0.1, and with `POST` it need not
//! even read the answer: loopback is trusted only where no page can be behind
//! it. Reading is allowed to whom a WebSocket would be; what tells a page's
//! request without `Origin` (a form of an old browser, a `GET` within its own
//! site) from a program's is looked for as well.

use std::net::IpAddr;

use draftgate_drafts::opening::{Refusal, RefusalKind};
use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{self, HeaderName},
    request::Parts,
};

use crate::{
    Refused,
    auth::Guard,
    config::{self, OriginRule, Route},
    forwarded::{self, Forwarded},
    front::Visit,
    peer::Peer,
    public_url,
};

/// A request that may read.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) peer: Peer,
    /// The URL by which it reached us, without its query.
    pub(super) url: String,
    /// The client, if a proxy speaks for it.
    pub(super) announced: bool,
    /// The origin that it names, for the answer.
    pub(super) origin: Option<HeaderValue>,
    pub(super) by_token: bool,
    /// A web page is behind it.
    page: bool,
    /// The page has an origin that is no site's: `null`, `file://`.
    nowhere: bool,
    /// It comes from this machine, or why it does not count as that.
    local: Result<(), String>,
}

/// What is behind a request.
enum From {
    /// It names its origin itself.
    Page,
    /// A page whose browser does not name it.
    Unnamed(String),
    Program,
}

/// Whether who sent `parts` may read on `route`.
///
/// Where `guard` decides who may come in, nobody does by the token of `http` or by
/// being a program of this machine.
///
/// # Errors
/// Why not.
pub(super) fn admit(
    visit: &Visit,
    route: &Route,
    guard: Option<&Guard>,
    parts: &Parts,
) -> Result<Admitted, Refused> {
    let fields = &parts.headers;
    let trusts = |address| visit.listener.trusts(address);
    let forwarded = match trusts(visit.peer.client.ip()) {
        true => forwarded::read(fields, trusts)?,
        false => Forwarded::default(),
    };
    let peer = match forwarded.client {
        Some(client) => visit.peer.announced(client),
        None => visit.peer,
    };
    let opening = |refusal| Refused::opening(refusal, String::new);
    let tls = visit.peer.tls;
    let public = public_url::reached(fields, &visit.listener, &forwarded, tls).map_err(opening)?;
    let by_token = guard.is_none() && shows_token(fields, route)?;
    let local = locality(visit, parts, &peer);
    let host = Some(public.authority.as_str());
    // Whom the route accepts: `page`, and without a look at the request's Host.
    let (page, by_name) = match behind(parts, public.secure, public.authority.as_str(), by_token)? {
        From::Page => {
            route.origins.allow(fields, host)?;
            (true, route.origins.allow(fields, None).is_ok())
        }
        From::Unnamed(origin) => {
            let accepted = |host| config::allows(&route.origins, &[origin.as_bytes()], host);
            accepted(host)?;
            (true, accepted(None).is_ok())
        }
        From::Program => {
            if !by_token {
                config::allows(&route.origins, &[], host)?;
            }
            (false, false)
        }
    };
    // Nobody's name can be turned to where a token is shown that is asked for.
    let shows = guard.is_some_and(Guard::wants_token);
    if !by_token && !by_name && !shows {
        not_rebound(visit, route, fields, &peer, &local)?;
    }
    let scheme = if public.secure { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{}", public.authority, parts.uri.path());
    Ok(Admitted {
        peer,
        url,
        announced: forwarded.client.is_some(),
        origin: fields.get(header::ORIGIN).cloned(),
        by_token,
        page,
        nowhere: is_from_nowhere(fields),
        local: local.map_err(|(_, why)| why),
    })
}

impl Admitted {
    /// Whether it may publish on a channel on which `everybody` may over
    /// WebSocket, or not.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_publish(&self, route: &Route, everybody: bool) -> Result<(), Refused> {
        let why = match &self.local {
            _ if self.by_token => return Ok(()),
            _ if !route.http.trusts_loopback(everybody) => match route.http.trust_loopback {
                Some(_) => "`trust-loopback = false`: programs of this machine need it too",
                None => {
                    "where WebSocket clients may not publish, programs of this machine need it too, unless `trust-loopback = true`"
                }
            }
            .to_owned(),
            Err(why) => why.clone(),
            Ok(()) if self.nowhere => {
                "any web page can make itself a frame whose origin is `null`".to_owned()
            }
            Ok(()) if self.page && !everybody => {
                "a web page may publish without it only where WebSocket clients may".to_owned()
            }
            Ok(()) => return Ok(()),
        };
        let refused = match route.http.token {
            Some(_) => Refused::token_missing().field("WWW-Authenticate", CHALLENGE),
            None => Refused::token_unset(),
        };
        Err(refused.with(why))
    }
}

/// Whether an origin is named that pages of every site can have.
fn is_from_nowhere(fields: &HeaderMap) -> bool {
    let mut named = ["origin", "sec-websocket-origin"]
        .into_iter()
        .flat_map(|name| fields.get_all(name))
        .map(|value| value.as_bytes().trim_ascii());
    named.any(|origin| {
        let no_site: [&[u8]; 2] = [b"null", b"file:"];
        no_site.iter().any(|it| {
            origin
                .get(..it.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(it))
        })
    })
}

const CHALLENGE: &str = "Bearer realm=\"draftgate\"";

/// Whether the request shows the route's token. What is no `Bearer` is not for us.
fn shows_token(fields: &HeaderMap, route: &Route) -> Result<bool, Refused> {
    let Some(token) = &route.http.token else {
        return Ok(false);
    };
    let mut shown = fields
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(|value| {
            let (scheme, rest) = value.as_bytes().split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(rest)
        });
    match shown.next() {
        None => Ok(false),
        Some(first) if token.is(first.trim_ascii()) => Ok(true),
        Some(_) => Err(Refused::token_wrong().field("WWW-Authenticate", CHALLENGE)),
    }
}

/// Why a request does not count as one of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// By its name for us alone.
    Host,
    Other,
}

/// Whether a program of this machine asks, and for itself.
fn locality(visit: &Visit, parts: &Parts, peer: &Peer) -> Result<(), (Elsewhere, String)> {
    let other = |why: &str| Err((Elsewhere::Other, why.to_owned()));
    let listener = &visit.listener;
    let address = visit.peer.client.ip().to_canonical();
    if peer.via.is_some() || !address.is_loopback() {
        return other("the client is another machine");
    }
    if listener.public_url.is_some() {
        // It is for what ends TLS, which brings everybody from wherever it runs.
        return other("`public-url` is set: it may come through what stands in front");
    }
    if listener.proxy_protocol || listener.trusts(address) {
        return other("it comes from a proxy that says of no client");
    }
    if parts.version < Version::HTTP_11 {
        return other("it is HTTP/1.0, as proxies speak it that name no client");
    }
    if upgrades(&parts.headers) {
        // What nginx adds to everything where it is to pass WebSockets on.
        return other("it has `Connection: upgrade`, as proxies write it: it comes from one");
    }
    if let Some(name) = FORWARDING
        .iter()
        .find(|name| parts.headers.contains_key(**name))
    {
        return other(&format!("it has the field {name}: it comes from a proxy"));
    }
    match public_url::host(&parts.headers) {
        Ok(host) if is_loopback(host.host()) => Ok(()),
        host => {
            let host = host.map(|host| host.to_string()).unwrap_or_default();
            let why =
                format!("its Host is `{host}`, and not a name of this machine such as 127.0.0.1");
            Err((Elsewhere::Host, why))
        }
    }
}

/// Whether `Connection` has `upgrade`, and no `Upgrade` says to what.
fn upgrades(fields: &HeaderMap) -> bool {
    let mut said = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    !fields.contains_key(header::UPGRADE)
        && said.any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

/// Fields that only proxies write.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether nobody can turn `host` to another address.
fn is_address(host: &str) -> bool {
    is_loopback(host) || address(host).is_some()
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// A page whose name was turned to our address is of the host that it asks, and may
/// ask as a program would: within its own site a browser need not name an
/// origin. Only its Host tells. Where `same-host` is listed a WebSocket
/// would be let in by the same trick, which `draftgate check` says.
fn not_rebound(
    visit: &Visit,
    route: &Route,
    fields: &HeaderMap,
    peer: &Peer,
    local: &Result<(), (Elsewhere, String)>,
) -> Result<(), Refused> {
    if let Err((Elsewhere::Host, why)) = local {
        return Err(Refused::host_foreign().with(why.as_str()));
    }
    let by_host = route.origins.has(&OriginRule::SameHost) || route.origins.has(&OriginRule::Any);
    if peer.via.is_some() || visit.listener.public_url.is_some() || by_host {
        return Ok(());
    }
    match public_url::host(fields) {
        Ok(host) if !is_address(host.host()) => {
            Err(Refused::host_foreign().with(format!("its Host is `{host}`")))
        }
        _ => Ok(()),
    }
}

/// What is behind a request.
///
/// # Errors
/// A page of which the browser tells nothing but that it is another site's.
fn behind(parts: &Parts, secure: bool, host: &str, by_token: bool) -> Result<From, Refused> {
    let fields = &parts.headers;
    if fields.contains_key(header::ORIGIN) || fields.contains_key("sec-websocket-origin") {
        return Ok(From::Page);
    }
    let unknown = |why: &str| {
        let refusal = Refusal::with(RefusalKind::OriginRefused, why.to_owned());
        Err(Refused::opening(refusal, String::new))
    };
    let sites: Vec<&[u8]> = fields
        .get_all("sec-fetch-site")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let same = |site: &&[u8]| *site == b"same-origin";
    match sites.as_slice() {
        [] => {}
        // Somebody typed the URL.
        [b"none"] => return Ok(From::Program),
        sites if sites.iter().all(same) => {
            let scheme = if secure { "https" } else { "http" };
            return Ok(From::Unnamed(format!("{scheme}://{host}")));
        }
        _ => {
            return unknown(
                "a page of another site is behind this, and its browser does not say which",
            );
        }
    }
    if let Some(referer) = fields.get(header::REFERER) {
        return match referer.to_str().ok().and_then(origin_of) {
            Some(origin) => Ok(From::Unnamed(origin)),
            None => unknown("Referer is no URL of a page"),
        };
    }
    // No form shows a token, but a name and password it can show, by its URL.
    if parts.method == Method::POST && !by_token && is_form(fields) {
        return unknown(
            "it looks like the form of a page in a browser that does not say which; programs send \
             `Content-Type: application/json` or `application/octet-stream`, no `Mozilla` in \
             `User-Agent`, no `Accept-Language`, or the token",
        );
    }
    Ok(From::Program)
}

/// Whether a browser may have sent this for a form, by what else it says: the old
/// ones tell neither origin nor page, and Internet Explorer takes any answer.
fn is_form(fields: &HeaderMap) -> bool {
    let has = |name: HeaderName, what: &[u8]| {
        let mut values = fields.get_all(name).iter();
        values.any(|value| memchr::memmem::find(value.as_bytes(), what).is_some())
    };
    if has(header::ACCEPT, b"text/html") {
        return true;
    }
    let kind = fields.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|it| *it == b';').next());
    let kind = kind.unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let of_forms = [
        &b""[..],
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
    ];
    // Programs that pass themselves off as browsers know no language (Node.js: `*`).
    let speaks = fields
        .get(header::ACCEPT_LANGUAGE)
        .is_some_and(|language| language != "*");
    let browser = speaks || has(header::USER_AGENT, b"Mozilla/");
    of_forms.contains(&kind.as_slice()) && browser
}

/// The origin of a page's URL.
fn origin_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    let host = url.authority()?;
    let host = host.as_str().rsplit('@').next()?;
    Some(format!("{}://{host}", url.scheme_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in [
            "localhost",
            "LocalHost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost", "127.0.0.1", "192.0.2.1", "[2001:db8::1]"] {
            assert!(is_address(host), "{host}");
        }
        for host in ["example.com", "192.0.2.1.example.com", "gate", "192.0.2.1."] {
            assert!(!is_address(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example",
            "10.0.0.1",
            "[::2]",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_origin_of_a_url_is_its_scheme_host_and_port() {
        for (url, origin) in [
            ("http://a/b?c", Some("http://a")),
            ("https://user@a:8443/", Some("https://a:8443")),
            ("/relative", None),
            ("about:blank", None),
        ] {
            assert_eq!(origin_of(url).as_deref(), origin, "{url}");
        }
    }
}
