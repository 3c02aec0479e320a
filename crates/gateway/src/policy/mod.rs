//! Answers the policy requests of Flash and Silverlight: before the first
//! octet of HTTP on a WebSocket listener, on listeners of their own, and as
//! the two files that they ask for over HTTP.
//!
//! The answers are made once, when the ports are bound, and are the same for
//! everybody. What came is compared with the one request there is; a parser of
//! XML would only accept more.

mod ask;
mod xml;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, header, request::Parts};
use http_body_util::Full;
use tracing::{debug, field::display, info, warn};

use crate::{
    config::{Plugin, Policy, Ports},
    front::Visit,
    last_words::{linger, say_last},
    socket::Socket,
    unanswered::{FIRST_OCTET, POLICY_MALFORMED, POLICY_REQUEST, POLICY_TIMEOUT},
};
use ask::Asked;

/// What each plug-in is told, ready to be sent.
#[derive(Debug)]
pub(crate) struct Policies {
    flash: Bytes,
    flash_master: Bytes,
    silverlight: Bytes,
    crossdomain: Bytes,
    clientaccesspolicy: Bytes,
}

impl Policies {
    /// The answers of `policy`; `listening` are the ports that clients of the
    /// WebSocket listeners connect to.
    pub(crate) fn new(policy: &Policy, listening: impl Iterator<Item = u16>) -> Self {
        let mut ports = match &policy.flash_ports {
            Some(ports) => ports.clone(),
            None => listening.map(Ports::from).collect(),
        };
        ports.sort_unstable();
        ports.dedup();
        let sites = &policy.allow;
        let silverlight = |over_http| xml::silverlight(sites, &policy.silverlight_ports, over_http);
        Self {
            flash: xml::flash_socket(sites, &ports, false),
            flash_master: xml::flash_socket(sites, &ports, true),
            silverlight: silverlight(false),
            crossdomain: xml::flash_http(sites),
            clientaccesspolicy: silverlight(true),
        }
    }

    fn file(&self, path: &str) -> Option<(Plugin, &Bytes)> {
        match path {
            "/crossdomain.xml" => Some((Plugin::Flash, &self.crossdomain)),
            "/clientaccesspolicy.xml" => Some((Plugin::Silverlight, &self.clientaccesspolicy)),
            _ => None,
        }
    }

    /// Whether one of the files is served under `path`.
    pub(crate) fn serves(&self, path: &str) -> bool {
        self.file(path).is_some()
    }
}

/// Serves a connection whose first octets, `ahead`, are no HTTP but may be a
/// policy request, to its end.
pub(crate) async fn in_band(visit: &Visit, tcp: &mut Socket, ahead: BytesMut) {
    let Some(policies) = &visit.rules.policies else {
        let code = POLICY_REQUEST.code;
        if visit.unanswered(POLICY_REQUEST, &ahead) {
            warn!(id = visit.id, peer = %visit.peer, via = visit.peer.via.map(display), code, "closed: a Flash or Silverlight policy request, and no policy is configured; set `policy.allow` to the sites whose programs may connect");
        }
        return linger(tcp, ahead.len()).await;
    };
    answer(visit, tcp, ahead, None, policies).await;
}

/// Serves a connection of a listener that answers `plugin` alone, to its end.
pub(crate) async fn alone(visit: &Visit, tcp: &mut Socket, plugin: Plugin) {
    if let Some(policies) = &visit.rules.policies {
        answer(visit, tcp, BytesMut::new(), Some(plugin), policies).await;
    }
}

async fn answer(
    visit: &Visit,
    tcp: &mut Socket,
    mut read: BytesMut,
    alone: Option<Plugin>,
    policies: &Policies,
) {
    let limit = visit.listener.timeouts.first_octet;
    let asked = tokio::select! {
        biased;
        asked = ask::read(tcp, &mut read, alone, limit) => asked,
        () = visit.inner.stop.cancelled() => return,
    };
    let (id, peer) = (visit.id.as_str(), visit.peer);
    let via = peer.via.map(display);
    let plugin = match asked {
        Asked::Policy(plugin) => plugin,
        Asked::Gone => return,
        Asked::Late if read.is_empty() => {
            let code = FIRST_OCTET.code;
            if visit.unanswered(FIRST_OCTET, &read) {
                debug!(id, %peer, via, code, "closed: not an octet in {limit:?}");
            }
            return;
        }
        Asked::Late => {
            let code = POLICY_TIMEOUT.code;
            if visit.unanswered(POLICY_TIMEOUT, &read) {
                info!(id, %peer, via, code, "closed: a policy request that did not end in {limit:?}");
            }
            return linger(tcp, read.len()).await;
        }
        Asked::Malformed => {
            let code = POLICY_MALFORMED.code;
            if visit.unanswered(POLICY_MALFORMED, &read) {
                info!(id, %peer, via, code, "closed: this is no policy request, nor HTTP; the request is `<policy-file-request/>` and nothing else");
            }
            return linger(tcp, read.len()).await;
        }
    };
    answered(visit, plugin, None);
    let octets = match (plugin, alone) {
        (Plugin::Silverlight, _) => &policies.silverlight,
        (Plugin::Flash, Some(_)) => &policies.flash_master,
        (Plugin::Flash, None) => &policies.flash,
    };
    say_last(tcp, octets, read.len()).await;
}

/// The answer to a request for one of the files, which must be one to read.
pub(crate) fn over_http(visit: &Visit, parts: &Parts) -> Option<Response<Full<Bytes>>> {
    let policies = visit.rules.policies.as_ref()?;
    let (plugin, file) = policies.file(parts.uri.path())?;
    answered(visit, plugin, Some(parts.uri.path()));
    let mut answer = Response::new(Full::new(match parts.method {
        Method::HEAD => Bytes::new(),
        _ => file.clone(),
    }));
    let fields = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/xml; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.insert(header::CONTENT_LENGTH, file.len().into());
    Some(answer)
}

/// Counts and logs that `plugin` is told, over HTTP under `path`.
fn answered(visit: &Visit, plugin: Plugin, path: Option<&str>) {
    visit.inner.counts.policy(plugin);
    if visit
        .inner
        .throttle
        .lets("policy-answered", visit.peer.client.ip())
    {
        info!(id = visit.id, peer = %visit.peer, via = visit.peer.via.map(display), code = "policy-answered", %plugin, path, "answered a policy request");
    }
}
