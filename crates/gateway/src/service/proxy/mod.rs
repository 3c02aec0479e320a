//! Relays a client to a server behind the gateway, in whatever draft each of
//! them speaks.
//!
//! The server is connected to first: what it answers, the client is answered.
//! From then on there are two connections, each driven by its own task, and
//! `pair` hands on what is said. A server of `tcp://` speaks no WebSocket:
//! there the gateway itself is the other end, as programs are that put
//! WebSocket in front of a TCP server.

mod fields;
mod octets;
mod pair;

use std::{sync::Arc, time::Duration};

use draftgate_client::{Options, Stream, Tls, TlsFailure};
use draftgate_conn::{Conn, End, Handler, Overflow, Peer, Settings, Spoken, Start};
use draftgate_core::{Close, Message, MessageRef};
use draftgate_drafts::opening::LengthFrames;
use draftgate_translate::{BASE64, Policy, Side};
use draftgate_upstream::{Ask, BackOff, Failure, Link, Slot};
use http::{HeaderName, HeaderValue, header};
use tracing::{debug, info};

pub(super) use self::fields::written;
use self::{
    octets::Octets,
    pair::{Half, Other},
};
use super::{Accept, Answer, Opening, Service, Tally};
use crate::{
    Answered, Refused,
    access::shown,
    config::{self, BinaryPolicy, HostField, Route, Timeouts},
    tasks::Tasks,
};

/// The subprotocol of clients that carry the octets of a TCP server as they
/// are.
const BINARY: &str = "binary";

/// The code of the line about an address that was passed over.
const PASSED_OVER: &str = "upstream-passed-over";

/// A proxy route.
#[derive(Debug)]
pub struct Proxy {
    upstream: draftgate_upstream::Upstream,
    config: config::Upstream,
    binary: BinaryPolicy,
    /// The subprotocols that may be asked for; empty: any.
    subprotocols: Vec<String>,
    settings: Settings,
    tasks: Tasks,
}

/// What the client and the gateway have agreed on.
struct Agreed {
    subprotocol: Option<String>,
    /// How the client is spoken to.
    policy: Policy,
}

impl Proxy {
    /// The proxy to `upstream` that `route` describes. The connections to it are
    /// driven by `tasks`.
    ///
    /// # Errors
    /// The certificates for it cannot be had.
    pub(crate) fn new(
        route: &Route,
        upstream: &config::Upstream,
        tasks: Tasks,
    ) -> Result<Self, TlsFailure> {
        let servers = draftgate_upstream::Upstream::new(settings(route, upstream));
        servers.prepare()?;
        Ok(Self {
            upstream: servers,
            settings: driven(route, upstream),
            config: upstream.clone(),
            binary: route.binary,
            subprotocols: route.subprotocols.clone(),
            tasks,
        })
    }

    /// What the connection to the upstream goes by: it is as patient as the
    /// client's, whose other half it is.
    fn driven_for(&self, timeouts: &Timeouts) -> Settings {
        Settings {
            close_timeout: timeouts.close,
            // What is short for browsers that never answer FF 00 would cut off
            // what a server still has to say.
            marker_timeout: timeouts.close,
            write_timeout: timeouts.write,
            ..self.settings.clone()
        }
    }

    async fn connect(&self, opening: &Opening<'_>) -> Result<Accept, Refused> {
        let mut resource = opening.path.to_owned();
        if let Some(query) = opening.query {
            resource = format!("{resource}?{query}");
        }
        if leads_up(opening.path) {
            return Err(Refused::path_leads_up().with(shown(opening.path)));
        }
        let fields = fields::request(opening, &self.config);
        let host = match &self.config.host {
            HostField::Upstream => None,
            HostField::Fixed(host) => Some(host.as_str()),
            HostField::Client => opening
                .headers
                .get(header::HOST)
                .and_then(|it| it.to_str().ok()),
        };
        let ask = Ask {
            resource: &resource,
            fields: &fields,
            host,
            origin: self.config.origin.as_deref().or(opening.origin),
            subprotocols: &self.passed(opening),
            peers: Some((opening.peer, opening.local)),
        };
        let reached = self.upstream.connect(&ask).await.map_err(refused)?;
        let address = reached.address;
        for attempt in &reached.failed {
            if opening.tally.lets(PASSED_OVER) {
                let why = shown(&attempt.why.to_string());
                info!(
                    id = opening.id,
                    upstream = attempt.address,
                    code = PASSED_OVER,
                    why,
                    "an upstream was passed over"
                );
            }
        }
        let over_tcp = matches!(reached.link, Link::Raw(_));
        let (agreed, back, beyond) = match reached.link {
            Link::WebSocket(connection) => {
                let agreed = self.agreed(opening, connection.subprotocol.clone());
                let draft = connection.draft();
                let back = set_cookies(&connection.fields());
                for forgiven in &connection.forgiven {
                    let code = forgiven.code();
                    if opening.tally.lets(code) {
                        info!(id = opening.id, upstream = address, %draft, code, "the upstream's answer was forgiven: {forgiven}");
                    }
                }
                opening.tally.relayed(address.clone(), Some(draft));
                (agreed, back, connection.start())
            }
            Link::Raw(stream) => {
                opening.tally.relayed(address.clone(), None);
                let agreed = self.agreed_over_tcp(opening);
                let codec = Box::new(Octets::new(opening.draft));
                (agreed, Vec::new(), (stream, Start::new(codec)))
            }
        };
        let (stream, start) = beyond;
        let opened = Spoken {
            draft: start.codec.draft(),
            capabilities: start.codec.capabilities(),
        };
        let conn = Conn::new(stream, start, self.driven_for(opening.timeouts));
        let client = Client {
            half: Half::new(
                Side::Client,
                opening.id.into(),
                Other {
                    sender: conn.sender(),
                    opened,
                    policy: Policy {
                        binary: self.binary,
                        ..Policy::default()
                    },
                },
                agreed.policy.base64,
                Arc::clone(opening.tally),
            ),
            beyond: Some(Box::new(Beyond {
                conn,
                slot: reached.slot,
                address,
            })),
            policy: agreed.policy,
            over_tcp,
            id: opening.id.into(),
            tally: Arc::clone(opening.tally),
            tasks: self.tasks.clone(),
        };
        let accept = Accept::new(client)
            .with_subprotocol(agreed.subprotocol)
            .with_overflow(Overflow::Wait);
        let add = |accept: Accept, value| accept.with_field(header::SET_COOKIE, value);
        Ok(back.into_iter().fold(accept, add))
    }
}

impl Proxy {
    /// The subprotocols that the upstream is asked for. Where the route lists
    /// `base64`, that is the gateway's own affair.
    fn passed(&self, opening: &Opening<'_>) -> Vec<String> {
        let known = &self.subprotocols;
        let ours = |name: &str| name == BASE64 && known.iter().any(|it| it == BASE64);
        let others = known.iter().any(|name| name != BASE64);
        let passes = |name: &&&str| !ours(name) && (!others || known.iter().any(|it| it == *name));
        let asked = opening.subprotocols.iter().filter(passes);
        asked.map(|&name| name.to_owned()).collect()
    }

    /// The upstream's choice holds; where it chose none, the gateway may speak
    /// base64 with a client that asked for that.
    fn agreed(&self, opening: &Opening<'_>, chosen: Option<String>) -> Agreed {
        let ours = self.subprotocols.iter().any(|name| name == BASE64)
            && opening.subprotocols.contains(&BASE64);
        let base64 = chosen.is_none() && ours;
        Agreed {
            subprotocol: chosen.or_else(|| base64.then(|| BASE64.to_owned())),
            policy: Policy {
                binary: self.binary,
                base64,
                envelope: false,
            },
        }
    }

    /// Octets go as binary messages, or as base64 text where that was asked for
    /// or the draft has no binary.
    fn agreed_over_tcp(&self, opening: &Opening<'_>) -> Agreed {
        let asks = |name: &str| opening.subprotocols.contains(&name);
        let binary = opening.capabilities.binary;
        // Whoever asks for another would take the octets for it.
        let mut known = [BINARY, BASE64].into_iter();
        let subprotocol = known.find(|name| asks(name));
        let base64 = subprotocol == Some(BASE64) || !binary;
        Agreed {
            subprotocol: subprotocol.map(str::to_owned),
            policy: Policy {
                base64,
                ..Policy::default()
            },
        }
    }
}

impl Service for Proxy {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        Box::pin(self.connect(opening))
    }
}

/// The client's half, which begins the upstream's when the client is open:
/// what a server says before is left on its socket.
#[derive(Debug)]
struct Client {
    half: Half,
    beyond: Option<Box<Beyond>>,
    policy: Policy,
    /// The upstream speaks no WebSocket.
    over_tcp: bool,
    id: Arc<str>,
    tally: Arc<Tally>,
    tasks: Tasks,
}

/// The connection to the upstream.
#[derive(Debug)]
struct Beyond {
    conn: Conn<Stream>,
    slot: Slot,
    address: String,
}

impl Client {
    /// Drives the upstream's connection, and hands what comes to `handler`.
    fn run(&mut self, mut handler: impl Handler + 'static) {
        let (Some(beyond), id) = (self.beyond.take(), Arc::clone(&self.id)) else {
            return;
        };
        self.tasks.spawn(async move {
            let Beyond { conn, slot, address } = *beyond;
            let closed = conn.run(&mut handler).await;
            debug!(%id, upstream = address, by = closed.by.code(), why = closed.why.code(), code = closed.code, "upstream: {closed}");
            drop(slot);
        });
    }
}

impl Handler for Client {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let client = Other {
            sender: peer.sender(),
            opened: peer.spoken(),
            policy: self.policy,
        };
        let (id, tally) = (Arc::clone(&self.id), Arc::clone(&self.tally));
        let half = Half::new(Side::Upstream, id, client, false, tally);
        self.run(if self.over_tcp { half.of_tcp() } else { half });
    }

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        self.half.poll_ready(cx)
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        self.half.message(message, peer);
    }

    fn passed(&mut self, message: MessageRef<'_>, peer: &mut Peer<'_>) {
        self.half.passed(message, peer);
    }

    fn is_light(&self) -> bool {
        self.half.is_light()
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        self.half.closing(close, peer);
    }

    fn ended(&mut self, end: &End<'_>) {
        self.half.ended(end);
        // It never opened: the upstream is told in the words of its draft.
        self.run(Deaf);
    }
}

/// Hears nothing.
struct Deaf;

impl Handler for Deaf {
    fn message(&mut self, _: Message, _: &mut Peer<'_>) {}
}

/// Whether a segment of `path` is `.` or `..`, percent-encoded or not: a server
/// that resolves them would be asked for what the route does not give.
fn leads_up(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        dots == "." || dots == ".."
    })
}

/// What connections to the upstream go by.
pub(super) fn settings(route: &Route, upstream: &config::Upstream) -> draftgate_upstream::Settings {
    let limit = |count| usize::try_from(count).unwrap_or(usize::MAX);
    draftgate_upstream::Settings {
        addresses: upstream.addresses.clone(),
        client: Options {
            drafts: upstream.drafts.clone(),
            limits: route.limits,
            length_frames: LengthFrames {
                send: route.binary == BinaryPolicy::LengthFrame,
                accept: route.accept_length_frames,
            },
            answer_checks: upstream.answer_checks,
            connect_timeout: upstream.connect_timeout,
            opening_timeout: upstream.answer_timeout,
            // Where a draft has no ping, TCP itself finds out that a server is
            // gone: after two minutes, as with clients.
            keep_alive: Some(Duration::from_secs(60)),
            via: upstream.via.clone(),
            tls: Tls {
                ca_files: upstream.ca.clone(),
                insecure: upstream.insecure,
            },
            ..Options::default()
        },
        remember: upstream.remember,
        max_connections: upstream.max_connections.map(limit),
        wait: upstream.wait,
        pause: upstream.pause,
        back_off: BackOff {
            longest: upstream.back_off,
            ..BackOff::default()
        },
        waiting: limit(upstream.waiting),
        one_at_a_time: upstream.one_at_a_time,
        sources: upstream.sources.clone(),
        proxy_protocol: upstream.proxy_protocol,
    }
}

/// What the connections themselves go by.
pub(super) fn driven(route: &Route, upstream: &config::Upstream) -> Settings {
    Settings {
        queue: route.queue,
        overflow: Overflow::Wait,
        keep_alive: upstream.ping,
        idle_timeout: upstream.idle,
        ..Settings::client()
    }
}

/// What the client gets to know of the upstream's cookies.
fn set_cookies(fields: &[(String, HeaderValue)]) -> Vec<HeaderValue> {
    let is_cookie = |name: &str| name.eq_ignore_ascii_case(header::SET_COOKIE.as_str());
    let cookies = fields.iter().filter(|(name, _)| is_cookie(name));
    cookies.map(|(_, value)| value.clone()).collect()
}

/// What the client is told where there is no connection to the upstream.
fn refused(failure: Failure) -> Refused {
    let reason = match &failure {
        Failure::Answered { .. } => Refused::upstream_answered(),
        Failure::Busy(_) => Refused::upstream_busy(),
        Failure::Unspeakable { .. } => Refused::upstream_unspeakable(),
        _ if failure.status() == 504 => Refused::upstream_timeout(),
        _ => Refused::upstream_unreachable(),
    };
    let told = shown(&failure.to_string());
    let reason = match failure {
        Failure::Busy(_) => reason.with(told),
        // It names addresses behind us.
        _ => reason.with_private(told),
    };
    let refused = Refused {
        status: failure.status(),
        ..reason
    };
    let Failure::Answered { answer, .. } = failure else {
        return refused;
    };
    let fields = answer.fields.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, value))
    });
    Refused {
        answered: Some(Box::new(Answered {
            reason: answer.reason,
            fields: fields.collect(),
            body: answer.body,
        })),
        ..refused
    }
}
