//! `POST`: the body is a message.
//!
//! It is bounded as a message over a WebSocket is, in octets and in time, and
//! held nowhere but in one buffer that grows as it comes.

use std::{fmt::Display, sync::atomic::Ordering::Relaxed};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Message, Text};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use tokio::time::{Duration, Instant, timeout_at};
use tracing::debug;

use super::Scene;
use crate::{Refused, access::shown, auth, gate::counted_as};

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    /// Text if it is UTF-8, else binary.
    Either,
}

/// Publishes `body`.
///
/// # Errors
/// Who asks may not, or the body is no message.
pub(super) async fn publish(
    scene: &Scene<'_>,
    body: impl Body<Data = Bytes, Error: Display> + Unpin,
) -> Result<Response<Full<Bytes>>, Refused> {
    may_publish(scene)?;
    // A publisher that keeps its connection is no opening.
    scene.slot.give_turn_back();
    let kind = kind(&scene.parts.headers)?;
    let most = scene.let_in.limits(scene.route).message;
    let patience = scene.visit.listener.timeouts.message;
    let octets = read(body, most, patience).await?;
    let count = octets.len();
    let message = message(octets, kind)?;
    let binary = matches!(message, Message::Binary(_));
    let (published, mark) = scene.door.hub.publish_marked(&scene.channel, message, None);
    scene.visit.inner.counts.published.fetch_add(1, Relaxed);
    debug!(id = scene.visit.id, peer = %scene.who.peer, path = shown(scene.parts.uri.path()), octets = count, binary, delivered = published.delivered, dropped = published.dropped, "published");
    let id = mark.map_or_else(|| "null".to_owned(), |mark| format!("\"{mark}\""));
    let json = format!(
        "{{\"id\":{id},\"delivered\":{},\"dropped\":{}}}\n",
        published.delivered, published.dropped
    );
    let mut answer = Response::new(Full::from(json));
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(answer)
}

/// Whether it may publish, and now.
fn may_publish(scene: &Scene<'_>) -> Result<(), Refused> {
    match scene.guarded {
        true if !scene.rights.publish => {
            return Err(auth::forbidden(
                "may not be published on",
                scene.channel.as_str(),
            ));
        }
        true => {}
        false => scene.who.may_publish(scene.route, scene.rights.publish)?,
    }
    // The token of `http` is that of whoever feeds the channel.
    let rate = scene.let_in.rate(scene.route);
    let Some(rate) = rate.filter(|_| !scene.who.by_token) else {
        return Ok(());
    };
    let address = counted_as(scene.who.peer.client.ip());
    let who = match &scene.let_in.user {
        Some(user) => format!("user {user}"),
        None => format!("address {address}"),
    };
    scene.door.buckets.take(&who, &rate).map_err(|after| {
        scene.visit.inner.counts.too_fast.fetch_add(1, Relaxed);
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Refused::publishing_too_fast().field("Retry-After", seconds.to_string())
    })
}

fn kind(fields: &HeaderMap) -> Result<Kind, Refused> {
    let Some(said) = fields.get(header::CONTENT_TYPE) else {
        return Ok(Kind::Either);
    };
    let refused = || {
        let said = String::from_utf8_lossy(said.as_bytes());
        Refused::media_type().with(shown(&said))
    };
    let said = said.to_str().map_err(|_| refused())?.to_ascii_lowercase();
    let (kind, parameters) = said.split_once(';').unwrap_or((&said, ""));
    let mut charsets = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches('"'))
    });
    let is_text = |kind: &str| {
        kind.starts_with("text/")
            || kind.ends_with("+json")
            || kind.ends_with("+xml")
            || TEXTS.contains(&kind)
    };
    match kind.trim() {
        "" => Ok(Kind::Either),
        text if is_text(text) => {
            match charsets.all(|name| ["utf-8", "utf8", "us-ascii"].contains(&name)) {
                true => Ok(Kind::Text),
                false => Err(refused()),
            }
        }
        // Parts with boundaries are nobody's message.
        parts if parts.starts_with("multipart/") => Err(refused()),
        _ => Ok(Kind::Binary),
    }
}

/// The third is what `curl --data` says of whatever it is given.
const TEXTS: [&str; 3] = [
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
];

fn message(octets: Bytes, kind: Kind) -> Result<Message, Refused> {
    match kind {
        Kind::Binary => Ok(Message::Binary(octets)),
        Kind::Text | Kind::Either => match Text::from_utf8(octets) {
            Ok(text) => Ok(Message::Text(text)),
            Err(not) if kind == Kind::Either => Ok(Message::Binary(not.octets)),
            Err(not) => {
                let at = format!("octet {} is the first that does not fit", not.at);
                Err(Refused::not_text().with(at))
            }
        },
    }
}

/// The whole body, of at most `most` octets, which may fall behind 1000 octets
/// a second by `patience`.
async fn read(
    mut body: impl Body<Data = Bytes, Error: Display> + Unpin,
    most: u64,
    patience: Option<Duration>,
) -> Result<Bytes, Refused> {
    let too_large = || Refused::message_too_large().with(format!("the limit is {most} octets"));
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let patience = patience.unwrap_or(ANY_TIME);
    let mut deadline = Instant::now() + patience;
    let mut whole = Bytes::new();
    let mut more = BytesMut::new();
    loop {
        let frame = timeout_at(deadline, body.frame()).await;
        let frame = match frame.map_err(|_| Refused::body_timeout())? {
            None if more.is_empty() => return Ok(whole),
            None => return Ok(more.freeze()),
            Some(Err(error)) => return Err(Refused::body_malformed().with(error.to_string())),
            Some(Ok(frame)) => frame,
        };
        // Trailers say nothing here.
        let Ok(part) = frame.into_data() else {
            continue;
        };
        let had = whole.len().max(more.len()) as u64;
        if had + part.len() as u64 > most {
            return Err(too_large());
        }
        deadline =
            (deadline + Duration::from_millis(part.len() as u64)).min(Instant::now() + patience);
        match (whole.is_empty(), more.is_empty()) {
            (true, true) => whole = part,
            (_, empty) => {
                if empty {
                    more.extend_from_slice(&std::mem::take(&mut whole));
                }
                more.extend_from_slice(&part);
            }
        }
    }
}

/// Patience where `timeouts.message` has no end: that of its default.
const ANY_TIME: Duration = Duration::from_secs(60);
