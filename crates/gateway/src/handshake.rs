//! From a request to a connection, or to a refusal: route, draft, origin,
//! subprotocol, public URL, and then the draft's own answer.
//!
//! It reads and writes nothing, so that the order of the checks can be seen in
//! one place, from the path inwards; only the route's service may wait for
//! something, such as a server behind it.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use draftgate_conn::{Handler, Settings};
use draftgate_core::{Capabilities, Codec, Draft, Limits, Message, Outgoing, Role};
use draftgate_drafts::{
    Detection, FixedKeys, KeySource, RandomKeys, WITH_HELLO,
    compression::{self, Agreed},
    opening::{self, ConnectProtocol, Head, LengthFrames, RefusalKind, Terms, tokens},
};
use http::{Method, header, request::Parts};
use tokio::time::Instant;
use tracing::info;

use crate::{
    Refused,
    access::shown,
    auth::{self, Admitted, Paced, Question, Seen, Shown},
    config::{self, BinaryPolicy, Config, Listener, Quirk, Route},
    forwarded::Forwarded,
    front::Body,
    peer::Peer,
    profile, public_url,
    quirks::{Applied, Told},
    rules::Rules,
    said::Said,
    service::{Opening, Tally},
    subprotocol,
    throttle::Throttle,
};

/// A request that came whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) parts: Parts,
    /// The head's octets as they came.
    pub(crate) head: Bytes,
    pub(crate) body: Body,
}

impl Request {
    /// The body; head and fields are given back.
    pub(crate) fn into_body(self) -> Body {
        self.body
    }
}

/// Who asks, and whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) id: &'a str,
    pub(crate) peer: Peer,
    /// Our own end.
    pub(crate) local: SocketAddr,
    pub(crate) forwarded: &'a Forwarded,
    pub(crate) listener: &'a Listener,
    pub(crate) rules: &'a Rules,
    /// How connections of each route are driven.
    pub(crate) driven: &'a [Arc<Settings>],
    pub(crate) throttle: &'a Arc<Throttle>,
    /// Counts messages that come too fast.
    pub(crate) too_fast: &'a Arc<AtomicU64>,
}

/// What a connection is from here on.
pub(crate) struct Opened {
    /// The answer's head, to be written before anything else.
    pub(crate) head: Head,
    pub(crate) codec: Box<dyn Codec>,
    pub(crate) session: Box<dyn Handler>,
    pub(crate) settings: Arc<Settings>,
    /// When what let it in is over.
    pub(crate) expires: Option<Instant>,
    pub(crate) about: About,
}

/// What the log says of a connection.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The place of its route in the configuration.
    pub(crate) route: u32,
    pub(crate) draft: Draft,
    /// It came over HTTP/2.
    pub(crate) http2: bool,
    pub(crate) quirks: Applied,
    pub(crate) capabilities: Capabilities,
    /// The name of the extension that was agreed on.
    pub(crate) extension: Option<&'static str>,
    pub(crate) said: Said,
    pub(crate) tally: Arc<Tally>,
}

/// The code of the line about a client that only its route's configuration
/// lets in.
const WITHOUT_ORIGIN: &str = "hixie-75-without-origin";

/// Decides on `request`.
///
/// # Errors
/// What to tell the client.
pub(crate) async fn decide(request: &Request, asked: Asked<'_>) -> Result<Opened, Refused> {
    let parts = &request.parts;
    let path = parts.uri.path();
    let Some((index, route, channel)) = route(&asked.rules.config, path) else {
        let is_file = match path {
            "/" => asked.listener.page,
            _ => asked
                .rules
                .policies
                .as_ref()
                .is_some_and(|files| files.serves(path)),
        };
        if is_file && !is_websocket(parts) {
            return Err(not_read(request));
        }
        return Err(Refused::path_unknown().with(path.to_owned()));
    };
    let versions = || match ConnectProtocol::of(parts) {
        None => draftgate_drafts::versions(&route.drafts),
        Some(_) => {
            let enabled = route.drafts.iter().copied();
            let own: Vec<Draft> = enabled
                .filter(|draft| *draft == draftgate_drafts::OVER_HTTP_2)
                .collect();
            draftgate_drafts::versions(&own)
        }
    };
    let refuse = |refusal| Refused::opening(refusal, versions);

    let told = Told::new(&route.quirks, &request.head);
    let (draft, quirks) =
        detected(parts, route, &told).map_err(|refusal| with_http(route, refuse(refusal)))?;
    let draft = draftgate_drafts::among(&route.drafts, draft);
    let acceptor = draftgate_drafts::acceptor(draft).map_err(refuse)?;
    let profile = asked.listener.profile;
    if !route.speaks(draft) || !profile::speaks(profile, draft) {
        return Err(refuse(RefusalKind::DraftNotEnabled.into()).with(draft.with_alias()));
    }
    let public = public_url::reached(
        &parts.headers,
        asked.listener,
        asked.forwarded,
        asked.peer.tls,
    )
    .map_err(refuse)?;
    let url = public_url::location(&public, parts, &request.head);
    let host = public.authority.as_str();
    route.origins.allow(&parts.headers, Some(host))?;
    match &request.body {
        Body::None => {}
        Body::Key3(octets) if octets.len() == acceptor.octets_after_head() => {}
        Body::Late => return Err(Refused::key3_timeout()),
        Body::Key3(_) | Body::Unread => return Err(Refused::body_unexpected()),
    }

    let asked_for = draftgate_drafts::subprotocols(draft, &parts.headers);
    let origin = opening::origin(&parts.headers).map_err(refuse)?;
    let origin = origin.and_then(|value| value.to_str().ok());
    let tally = Arc::new(Tally::new(Arc::clone(asked.throttle), asked.peer.client));
    let length_frames = LengthFrames {
        send: route.binary == BinaryPolicy::LengthFrame,
        accept: route.accept_length_frames,
    };
    let capabilities = profile::capabilities(profile, acceptor.capabilities(length_frames));
    let extension = route.compression.as_ref();
    let extension = extension.and_then(|it| compression::agree(draft, &parts.headers, it));
    // What the draft itself refuses reaches no service, no server behind it, and
    // nobody who is asked about the client.
    let accepted = |subprotocol: Option<&str>, limits: Limits| {
        let terms = Terms {
            subprotocol,
            public_url: quirks.location(&url),
            limits: Limits {
                strictness: quirks.loosen(limits.strictness),
                ..limits
            },
            length_frames,
            extension: extension.as_deref(),
        };
        let enabled = &route.drafts;
        let accept = |keys: &mut dyn KeySource| {
            draftgate_drafts::accept_any_of(enabled, draft, parts, &terms, keys).map_err(refuse)
        };
        match route.hello.nonce.filter(|_| draft == WITH_HELLO) {
            None => accept(&mut RandomKeys),
            Some(nonce) => accept(&mut FixedKeys::new(nonce.0)),
        }
    };
    let limits = profile::bounded(profile, route.limits);
    let preferred = subprotocol::choose(route, &asked_for);
    let as_configured = accepted(preferred.as_deref(), limits)?;

    let shown_to_us = Shown {
        headers: &parts.headers,
        query: parts.uri.query(),
        subprotocols: &asked_for,
    };
    let guard = asked.rules.guards[index].as_deref();
    let admitted = match guard {
        Some(guard) => {
            let question = Question {
                id: asked.id,
                peer: asked.peer,
                method: &parts.method,
                target: parts.uri.path_and_query().map_or(path, |it| it.as_str()),
                url: &url,
                shown: shown_to_us,
                draft: Some(draft),
                channel,
            };
            // In a box: most routes ask nobody.
            Box::pin(guard.admit(&question)).await?
        }
        None => Admitted::default(),
    };
    let rights = admitted.rights(route, channel)?;
    let seen = Seen::new(guard, shown_to_us, &url, &admitted);
    let subprotocol = subprotocol::choose(route, &seen.subprotocols);
    let opening = Opening {
        id: asked.id,
        peer: asked.peer.client,
        local: asked.local,
        via: asked.peer.via,
        url: &seen.url,
        forwarded: asked.forwarded.by,
        path,
        query: seen.query.as_deref(),
        headers: &seen.headers,
        handed: seen.handed,
        user: admitted.user.as_deref(),
        may_subscribe: rights.subscribe,
        may_publish: rights.publish,
        channel,
        draft,
        capabilities,
        subprotocols: &seen.subprotocols,
        subprotocol: subprotocol.as_deref(),
        origin,
        timeouts: &asked.listener.timeouts,
        tally: &tally,
    };
    let accept = asked.rules.served[index].service.open(&opening).await?;
    let subprotocol = match accept.subprotocol {
        Some(chosen) => chosen.filter(|name| seen.subprotocols.contains(&name.as_str())),
        None => subprotocol,
    };
    let told = subprotocol.as_deref().or(seen.echoed);
    let granted = profile::bounded(profile, admitted.limits(route));
    let mut accepted = match told == preferred.as_deref() && granted == limits {
        true => as_configured,
        false => accepted(told, granted)?,
    };
    let cookies = admitted.cookies.iter();
    let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie.clone()));
    for (name, value) in accept.fields.into_iter().chain(cookies) {
        let name = Cow::Owned(name.as_str().to_owned());
        accepted.head.fields.push((name, value));
    }
    let mut settings = Arc::clone(&asked.driven[index]);
    if let Some(own) = accept.overflow.filter(|own| *own != settings.overflow) {
        Arc::make_mut(&mut settings).overflow = own;
    }
    let told = draft == draftgate_drafts::WITHOUT_KEYS && origin.is_none();
    if told && asked.throttle.lets(WITHOUT_ORIGIN, asked.peer.client.ip()) {
        info!(id = asked.id, code = WITHOUT_ORIGIN, peer = %asked.peer, path = shown(path), "hixie-75 without Origin, as `hixie-75-without-origin` of the route allows");
    }
    let session: Box<dyn Handler> = match admitted.rate(route) {
        None => accept.handler,
        Some(rate) => {
            let told = auth::Told {
                id: asked.id.into(),
                tally: Arc::clone(&tally),
                all: Arc::clone(asked.too_fast),
            };
            Box::new(Paced::new(accept.handler, &rate, told))
        }
    };
    let said = Said::new(
        &shown(path),
        [
            origin.map(shown).as_deref(),
            subprotocol.as_deref().map(shown).as_deref(),
        ],
        admitted.user.as_deref(),
    );
    Ok(Opened {
        head: accepted.head,
        codec: profile::held(profile, accepted.codec),
        session,
        settings,
        expires: admitted.expires,
        about: About {
            // There are no more: each takes memory of its own.
            route: u32::try_from(index).unwrap_or(u32::MAX),
            draft,
            http2: ConnectProtocol::of(parts).is_some(),
            quirks,
            capabilities,
            extension: extension.as_deref().map(Agreed::name),
            said,
            tally,
        },
    })
}

/// The draft of a request, and what is done for whoever sent it.
fn detected(
    parts: &Parts,
    route: &Route,
    told: &Told<'_>,
) -> Result<(Draft, Applied), opening::Refusal> {
    let options = |short_keys| Detection {
        without_origin: route.hixie_75_without_origin,
        version_aliases: route.version_aliases,
        short_keys,
        websocket_method: route.hello.websocket_method,
    };
    let mut short_key = false;
    let draft = draftgate_drafts::detect(parts, options(false)).or_else(|refusal| {
        let sender = draftgate_drafts::VERSION_ALIASED;
        short_key = refusal.kind == RefusalKind::KeyInvalid && told.has(Quirk::ShortKey, sender);
        match short_key {
            true => draftgate_drafts::detect(parts, options(true)),
            false => Err(refusal),
        }
    })?;
    let draft = draftgate_drafts::among(&route.drafts, draft);
    Ok((draft, told.applied(draft, short_key)))
}

/// What may be asked for on `route` besides a WebSocket, said to whoever asked
/// for something else.
fn with_http(route: &Route, refused: Refused) -> Refused {
    let bus = matches!(route.service, config::Service::Bus | config::Service::Clock);
    match refused.code {
        _ if !bus || !route.http.enabled => refused,
        "method-not-get" => refused.field("Allow", "GET, POST"),
        "not-websocket" => refused.with("over plain HTTP it is read with `Accept: text/event-stream` or `?poll`, and published to with POST"),
        _ => refused,
    }
}

/// Why hyper's service did not answer a request for a file with it.
fn not_read(request: &Request) -> Refused {
    if !is_read(&request.parts.method) {
        return Refused::method_not_allowed().field("Allow", "GET, HEAD");
    }
    match public_url::host(&request.parts.headers) {
        Err(refusal) => Refused::opening(refusal, String::new),
        Ok(_) => Refused::body_unexpected(),
    }
}

/// Whether a request asks for a WebSocket, in any draft.
pub(crate) fn is_websocket(parts: &Parts) -> bool {
    ConnectProtocol::of(parts).is_some()
        || tokens(&parts.headers, header::UPGRADE)
            .any(|token| token.eq_ignore_ascii_case("websocket"))
}

/// The methods by which files are read.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Letter case and order of the names of a head's fields, which tell what
/// sent it; no values, for they hold cookies.
pub(crate) fn field_names(head: &[u8]) -> String {
    let lines = head.split(|octet| *octet == b'\n');
    let names: Vec<Cow<'_, str>> = lines
        .skip_while(|line| line.len() <= 1)
        .skip(1)
        .filter_map(|line| line.split(|octet| *octet == b':').next())
        .map(|name| String::from_utf8_lossy(name.trim_ascii()))
        .filter(|name| !name.is_empty())
        .collect();
    names.join(", ")
}

/// The route that takes `path`, its place, and the channel that it names.
pub(crate) fn route<'a>(
    config: &'a Config,
    path: &'a str,
) -> Option<(usize, &'a Route, Option<&'a str>)> {
    config.routes.iter().enumerate().find_map(|(index, route)| {
        let channel = route.path.matches(path)?;
        Some((index, route, channel.or(route.channel.as_deref())))
    })
}

/// How connections are driven that come over `listener`, for each route.
pub(crate) fn driven(config: &Config, listener: &Listener) -> Arc<[Arc<Settings>]> {
    let routes = config.routes.iter();
    routes.map(|it| Arc::new(settings(it, listener))).collect()
}

fn settings(route: &Route, listener: &Listener) -> Settings {
    let timeouts = &listener.timeouts;
    Settings {
        queue: route.queue,
        overflow: route.overflow,
        head_delay: timeouts.head_delay,
        opening_timeout: timeouts.key3,
        keep_alive: timeouts.ping,
        idle_timeout: timeouts.idle,
        heartbeat: heartbeat(route),
        message_timeout: timeouts.message,
        close_timeout: timeouts.close,
        marker_timeout: timeouts.close_hixie_76,
        write_timeout: timeouts.write,
        // No `..`: what is added there must be thought of here.
        role: Role::Server,
    }
}

fn heartbeat(route: &Route) -> Option<draftgate_conn::Heartbeat> {
    let what = match &route.heartbeat {
        config::Heartbeat::Off => return None,
        config::Heartbeat::EmptyText => Outgoing::Message(Message::from("")),
        config::Heartbeat::Text(text) => Outgoing::Message(Message::from(text.as_str())),
        // A draft whose peers do not discard it in silence refuses to send it.
        config::Heartbeat::UnknownFrame => Outgoing::Filler,
    };
    Some(draftgate_conn::Heartbeat {
        every: route.heartbeat_interval,
        what,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Timeouts;

    #[test]
    fn every_timeout_of_the_listener_reaches_the_driver() {
        let seconds = Duration::from_secs;
        let listener = Listener {
            timeouts: Timeouts {
                head_delay: seconds(101),
                key3: seconds(102),
                ping: Some(seconds(103)),
                idle: Some(seconds(104)),
                message: Some(seconds(108)),
                write: seconds(105),
                close: seconds(106),
                close_hixie_76: seconds(107),
                ..Timeouts::default()
            },
            ..Listener::default()
        };
        let config = Config::default();
        let driven = settings(&config.routes[0], &listener);
        assert_eq!(driven.head_delay, seconds(101));
        assert_eq!(driven.opening_timeout, seconds(102));
        assert_eq!(driven.keep_alive, Some(seconds(103)));
        assert_eq!(driven.idle_timeout, Some(seconds(104)));
        assert_eq!(driven.message_timeout, Some(seconds(108)));
        assert_eq!(driven.write_timeout, seconds(105));
        assert_eq!(driven.close_timeout, seconds(106));
        assert_eq!(driven.marker_timeout, seconds(107));
    }

    #[test]
    fn field_names_keep_case_and_order_and_show_no_value() {
        let head =
            b"\r\nGET / HTTP/1.1\r\nupgrade: WebSocket\r\nHOST: a\r\nCookie: secret=1\r\n\r\n";
        assert_eq!(field_names(head), "upgrade, HOST, Cookie");
        assert_eq!(field_names(b""), "");
    }
}
