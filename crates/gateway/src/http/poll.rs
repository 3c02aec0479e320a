//! A long poll: the messages after the one that the reader names, as soon as
//! there are any, or nothing after a while.
//!
//! Between two polls nobody is subscribed; what is said meanwhile is in the
//! channel's history, and the next poll asks for it by its id. The answer is
//! JSON and not the message itself, because several may have come.

use std::{future::poll_fn, sync::Arc, sync::atomic::Ordering::Relaxed};

use bytes::Bytes;
use draftgate_bus::{Envelope, Gap, Mark, Reason};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use tokio::time::{Duration, timeout};
use tracing::debug;

use super::{Ears, Scene, value, words};
use crate::{Refused, access::shown, config::Overflow};

/// Whether the query has `poll`.
pub(super) fn is_asked(parts: &Parts) -> bool {
    value(parts, "poll").is_some()
}

/// Waits for what comes after what the reader has.
///
/// # Errors
/// The number of seconds is none, or the client has as many connections as it may.
pub(super) async fn poll(scene: &Scene<'_>) -> Result<Response<Full<Bytes>>, Refused> {
    let inner = &scene.visit.inner;
    let most = scene.visit.rules.config.http.poll;
    let wait = match value(scene.parts, "poll") {
        None | Some("") => most,
        Some(seconds) => match seconds.parse::<u32>() {
            Ok(seconds) => Duration::from_secs(seconds.into()).min(most),
            Err(_) => {
                let refused = Refused::query_invalid();
                return Err(refused.with("`poll` takes a whole number of seconds"));
            }
        },
    };
    let _guest = scene.stay()?;
    inner.counts.polls.fetch_add(1, Relaxed);
    let mut ears = scene.listen(Overflow::DropNewest);
    let mut had: Vec<Arc<Envelope>> = std::mem::take(&mut ears.missed).into();
    if had.is_empty() && ears.gap == Gap::None {
        tokio::select! {
            biased;
            first = timeout(wait, poll_fn(|cx| ears.lane.poll_take(cx))) => had.extend(first.ok().flatten()),
            () = inner.stop.cancelled() => {}
        }
    }
    // What came meanwhile goes along; nothing comes between this and the end.
    ears.place = None;
    had.extend(ears.lane.take());
    let lost = beyond_a_gap(&mut had);
    scene.door.hub.lost(Reason::QueueFull, lost);
    debug!(id = scene.visit.id, peer = %scene.who.peer, path = shown(scene.parts.uri.path()), messages = had.len(), "polled");
    Ok(answer(&ears, &had))
}

/// Takes away what stands behind a message that found no room, and says how
/// many that were: the next poll gets all of them from the history.
fn beyond_a_gap(had: &mut Vec<Arc<Envelope>>) -> u64 {
    let in_a_row = |pair: &[Arc<Envelope>]| pair[0].sequence + 1 == pair[1].sequence;
    let Some(at) = had.windows(2).position(|pair| !in_a_row(pair)) else {
        return 0;
    };
    had.drain(at + 1..).count() as u64
}

fn answer(ears: &Ears, had: &[Arc<Envelope>]) -> Response<Full<Bytes>> {
    let after = had.last().map_or(ears.now, |last| ears.mark(last.sequence));
    let mut answer = match had.is_empty() && ears.gap == Gap::None {
        true => {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            answer
        }
        false => {
            let messages: Vec<(Mark, Arc<Envelope>)> = had
                .iter()
                .map(|it| (ears.mark(it.sequence), Arc::clone(it)))
                .collect();
            let json = words::polled(&messages, ears.gap, after);
            let mut answer = Response::new(Full::from(json.freeze()));
            let kind = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
    };
    if let Ok(after) = HeaderValue::from_str(&after.to_string()) {
        answer.headers_mut().insert("last-event-id", after);
    }
    answer
}
