//! The bus over plain HTTP: `POST` publishes, `GET` reads, as a stream of
//! events or by polling, on the paths of bus and clock routes.
//!
//! It is answered within hyper, whose connection lives on: none of this needs
//! the socket. What is refused says so in the words of the other refusals, and
//! leaves the connection open where nothing unread is left on it.

mod admit;
mod events;
mod lane;
mod poll;
mod publish;
mod rings;
mod skip;
mod words;

use std::{collections::VecDeque, fmt::Display, sync::Arc};

use bytes::Bytes;
use draftgate_bus::{Channel, ChannelError, Envelope, Gap, Hub, Listening, Mark};
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use hyper::body::Body;
use tracing::info;

use crate::{
    Refused,
    access::shown,
    auth::{self, Admitted as LetIn, Buckets, Question, Rights, Shown},
    config::{Overflow, Route},
    front::Visit,
    gate::Guest,
    handshake,
    peer::Peer,
    refusals::{Refusal, Stage},
    slot::Slot,
};

use admit::Admitted;
pub(crate) use events::Reply;
use lane::Lane;
use rings::Reading;
pub(crate) use rings::{Rings, sweep};
pub(crate) use skip::Skip;

/// Where a route's channels are.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) hub: Hub,
    pub(crate) rings: Arc<Rings>,
    /// The one channel of a route on which only the gateway speaks.
    pub(crate) own: Option<Channel>,
    /// How fast its publishers over HTTP send.
    pub(crate) buckets: Buckets,
}

/// A request that is answered here.
#[derive(Debug)]
pub(crate) struct Errand {
    /// The route's place in the configuration.
    route: usize,
    channel: Option<Box<str>>,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Publish,
    /// A browser asks whether its page may.
    Preflight,
    Events,
    Poll,
}

/// What `parts` want here, if anything.
pub(crate) fn look(visit: &Visit, parts: &Parts) -> Option<Errand> {
    let fields = &parts.headers;
    let what = match parts.method {
        _ if handshake::is_websocket(parts) => return None,
        Method::POST => What::Publish,
        Method::OPTIONS if fields.contains_key("access-control-request-method") => What::Preflight,
        Method::GET if poll::is_asked(parts) => What::Poll,
        Method::GET if events::is_asked(parts) => What::Events,
        _ => return None,
    };
    let rules = &visit.rules;
    let (index, route, channel) = handshake::route(&rules.config, parts.uri.path())?;
    let door = rules.served.get(index)?.door.as_ref()?;
    let served = route.http.enabled && (what != What::Publish || door.own.is_none());
    served.then(|| Errand {
        route: index,
        channel: channel.map(Box::from),
        what,
    })
}

/// What every errand needs.
struct Scene<'a> {
    visit: &'a Visit,
    route: &'a Route,
    door: &'a Door,
    parts: &'a Parts,
    who: &'a Admitted,
    /// Whether the route has somebody who decides who may come in.
    guarded: bool,
    let_in: &'a LetIn,
    rights: Rights,
    channel: Channel,
    slot: &'a Slot,
}

/// Does `errand`, for which `parts` and `body` came.
pub(crate) async fn answer(
    visit: &Visit,
    errand: Errand,
    parts: &Parts,
    head: &[u8],
    body: impl Body<Data = Bytes, Error: Display> + Unpin,
    slot: &Slot,
) -> Response<Reply> {
    let mut peer = visit.peer;
    let mut origin = None;
    let empty = body.is_end_stream();
    let answered = do_it(visit, errand, parts, body, slot, (&mut peer, &mut origin)).await;
    let mut response = answered.unwrap_or_else(|refused| {
        log(visit, parts, head, peer, &refused);
        let mut response = refused.to_response(&visit.id);
        if !empty {
            // What is left of the body would have to be read to go on.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            slot.linger();
        }
        response.map(Reply::Whole)
    });
    allow(response.headers_mut(), origin);
    response
}

async fn do_it(
    visit: &Visit,
    errand: Errand,
    parts: &Parts,
    body: impl Body<Data = Bytes, Error: Display> + Unpin,
    slot: &Slot,
    (peer, origin): (&mut Peer, &mut Option<HeaderValue>),
) -> Result<Response<Reply>, Refused> {
    if visit.inner.stop.is_cancelled() {
        return Err(Refused::shutting_down().field("Retry-After", "10"));
    }
    let rules = &visit.rules;
    let served = rules.served.get(errand.route);
    let (Some(route), Some(door)) = (
        rules.config.routes.get(errand.route),
        served.and_then(|it| it.door.as_ref()),
    ) else {
        return Err(Refused::path_unknown());
    };
    let guard = visit.rules.guards.get(errand.route);
    let guard = guard.and_then(Option::as_deref);
    let who = admit::admit(visit, route, guard, parts)?;
    (*peer, *origin) = (who.peer, who.origin.clone());
    let channel = match (&door.own, &errand.channel) {
        (Some(own), _) => own.clone(),
        (None, named) => {
            let name = named.as_deref().unwrap_or_default();
            name.parse()
                .map_err(|e: ChannelError| Refused::channel_invalid().with(e.to_string()))?
        }
    };
    let let_in = match guard {
        // A browser shows nothing before it knows that it may.
        Some(guard) if errand.what != What::Preflight => {
            // Whoever is asked may take his time.
            slot.give_turn_back();
            let question = Question {
                id: &visit.id,
                peer: who.peer,
                method: &parts.method,
                target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
                url: &who.url,
                shown: Shown {
                    headers: &parts.headers,
                    query: parts.uri.query(),
                    subprotocols: &[],
                },
                draft: None,
                channel: errand.channel.as_deref(),
            };
            guard.admit(&question).await?
        }
        _ => LetIn::default(),
    };
    let rights = match guard {
        Some(_) if errand.what != What::Preflight => {
            let_in.rights(route, Some(channel.as_str()))?
        }
        Some(_) => Rights::default(),
        None => Rights {
            subscribe: route.subscribe.covers(channel.as_str()),
            publish: route.publish.covers(channel.as_str()),
        },
    };
    if matches!(errand.what, What::Events | What::Poll) && !rights.subscribe {
        return Err(auth::forbidden(
            "may not be subscribed to",
            channel.as_str(),
        ));
    }
    let scene = Scene {
        guarded: guard.is_some(),
        rights,
        let_in: &let_in,
        visit,
        route,
        door,
        parts,
        who: &who,
        channel,
        slot,
    };
    match errand.what {
        What::Publish => publish::publish(&scene, body)
            .await
            .map(|it| it.map(Reply::Whole)),
        What::Preflight => Ok(preflight(parts).map(Reply::Whole)),
        What::Poll => poll::poll(&scene).await.map(|it| it.map(Reply::Whole)),
        What::Events => events::stream(&scene),
    }
}

impl Scene<'_> {
    /// Counts a request that lasts for the client that a proxy speaks for, and
    /// gives back the turn: what follows is no opening.
    fn stay(&self) -> Result<Option<Guest>, Refused> {
        self.slot.give_turn_back();
        match self.who.announced {
            true => self.visit.place.guest(self.who.peer.client.ip()).map(Some),
            false => Ok(None),
        }
    }

    /// Subscribes to the channel, from behind where the reader says it stands.
    /// What its queue does when it is full is `overflow`.
    fn listen(&self, overflow: Overflow) -> Ears {
        let mark = after(self.parts);
        let reading = self
            .door
            .rings
            .read(&self.channel, self.who.peer.client.ip());
        let hub = self.door.hub.clone();
        let lane = Lane::new(hub, overflow, self.route.queue, self.slot.clone());
        let (place, missed) = self.door.hub.listen(&self.channel, mark, lane.clone());
        Ears {
            place: Some(place),
            lane,
            now: missed.now,
            gap: missed.gap,
            missed: missed.messages.into(),
            _reading: reading,
        }
    }
}

/// A subscription of a reader over HTTP.
#[derive(Debug)]
struct Ears {
    place: Option<Listening>,
    lane: Arc<Lane>,
    /// Where the channel stood when it began.
    now: Mark,
    missed: VecDeque<Arc<Envelope>>,
    gap: Gap,
    _reading: Option<Reading>,
}

impl Ears {
    /// Message `sequence` of the channel as it is now.
    fn mark(&self, sequence: u64) -> Mark {
        Mark {
            sequence,
            ..self.now
        }
    }

    /// Where the reader stands before the first of what it missed.
    fn start(&self) -> Mark {
        match self.missed.front() {
            Some(first) => self.mark(first.sequence - 1),
            None => self.now,
        }
    }

    fn close(&mut self) {
        // First nothing more comes, then what waits is booked.
        self.place = None;
        self.lane.close();
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where the reader says that it stands, if it does: in the request's field, else
/// in `after` of its query. What is no id of ours is beyond every message: the
/// bus takes that for another life's, of which all that was said is gone.
fn after(parts: &Parts) -> Option<Mark> {
    const NONE_OF_OURS: Mark = Mark {
        epoch: 0,
        sequence: u64::MAX,
    };
    let field = parts
        .headers
        .get("last-event-id")
        .map(HeaderValue::as_bytes);
    let said = field.or_else(|| value(parts, "after").map(str::as_bytes));
    let said = said.filter(|said| !said.is_empty())?;
    let mark = std::str::from_utf8(said)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    Some(mark.unwrap_or(NONE_OF_OURS))
}

/// What the query says of `key`; empty where it stands without a value.
fn value<'a>(parts: &'a Parts, key: &str) -> Option<&'a str> {
    let pairs = parts.uri.query()?.split('&');
    let mut values = pairs.filter_map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name == key).then_some(value),
        None => (pair == key).then_some(""),
    });
    values.next()
}

fn preflight(parts: &Parts) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let fields = answer.headers_mut();
    for (name, value) in [
        ("access-control-allow-methods", "GET, POST"),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Last-Event-ID, Cache-Control",
        ),
        ("access-control-max-age", "600"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    const PRIVATE: &str = "access-control-request-private-network";
    if parts.headers.contains_key(PRIVATE) {
        let name = "access-control-allow-private-network";
        fields.insert(name, HeaderValue::from_static("true"));
    }
    answer
}

/// Lets the page at `origin`, which was accepted, read the answer.
fn allow(fields: &mut http::HeaderMap, origin: Option<HeaderValue>) {
    fields.insert(header::VARY, HeaderValue::from_static("Origin"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if let Some(origin) = origin {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("Last-Event-ID");
        fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn log(visit: &Visit, parts: &Parts, head: &[u8], peer: Peer, refused: &Refused) {
    let refusal = Refusal {
        peer,
        ..visit.refusal(refused)
    };
    let refusal = refusal.asked(Stage::Http, &visit.rules.config, parts, head);
    if visit.inner.refused(&refusal) {
        info!(
            id = visit.id,
            %peer,
            via = peer.via.map(display),
            code = refused.code,
            status = refused.status,
            method = shown(parts.method.as_str()),
            path = shown(parts.uri.path()),
            detail = refused.detail.as_deref().map(shown),
            "refused: {refused}"
        );
    }
}
