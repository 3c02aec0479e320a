//! A connection of HTTP/2 and the requests on it. Those for a WebSocket (RFC 8441)
//! become connections like all others, over a stream instead of TCP; the others
//! are answered as they are over HTTP/1.1.
//!
//! It is h2 itself, hyper's own HTTP/2, and not hyper: that takes a reset of the
//! peer (CANCEL) for an ordinary end, ends ours in order where they were to be
//! cut, and keeps what it was given for a peer that reads no more.

mod body;
mod head;
mod reply;
mod request;

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Relaxed},
        },
    },
};

use bytes::{Bytes, BytesMut};
use draftgate_conn::Settings;
use h2::{
    Ping, Reason, RecvStream,
    server::{Connection, SendResponse},
};
use tokio::time::{Duration, Instant, sleep_until, timeout};
use tracing::{debug, info};

use crate::{
    Refused,
    front::{Said, Visit, serving::Serving},
    handshake,
    http::Skip,
    registry,
    rules::Rules,
    socket::Socket,
    tap::{Tap, Tapped},
    tls::Transport,
    turn::Turn,
    unanswered::HTTP2_BROKEN,
};

/// What a client of HTTP/2 sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Octets that a stream may send ahead of our reading: the window of RFC 9113,
/// and as much as the driver of a connection reads at once.
const WINDOW: u32 = 65_535;

/// Octets that wait in h2 to be sent on one stream.
const WAITING: usize = 16 << 10;

/// The table by which both ends shorten heads: that of RFC 7541.
const TABLE: u32 = 4_096;

/// Requests that may be reset before they were even looked at; streams that are
/// remembered after their reset; and those that we have to reset for what is
/// wrong with them. Beyond the first and the last the connection is ended, as
/// it is for who lets us work for nothing ("rapid reset", CVE-2023-44487).
const RESET_UNSEEN: usize = 20;
const RESET_KEPT: usize = 20;
const RESET_BY_US: usize = 100;

/// How many more requests may be reset before their answer than are answered.
const RESET_UNANSWERED: u32 = 200;

/// Whether `octets` begin the preface, or it them.
pub(crate) fn begins(octets: &[u8]) -> bool {
    let count = octets.len().min(PREFACE.len());
    octets[..count] == PREFACE[..count]
}

type Accepted = (http::Request<RecvStream>, SendResponse<Bytes>);

/// Serves the HTTP/2 of `io`, of which `ahead` was read, in `turn` until the first
/// request comes.
pub(crate) async fn serve(visit: Visit, io: Transport, ahead: BytesMut, turn: Turn) {
    let mut visit = visit;
    if visit.local.is_none()
        && let Transport::Plain(_) | Transport::Modern(_) = &io
    {
        visit.local = io.local_addr().ok();
    }
    let (limits, timeouts) = (visit.listener.limits, visit.listener.timeouts);
    let tap = Tap::default();
    tap.skip(Skip::Octets(u64::MAX));
    let socket = Socket::new(io, None, &[], &visit.peer);
    let io = Tapped::new(socket, ahead, tap, timeouts.write);
    let all = u64::from(WINDOW) * u64::from(limits.http2_streams);
    let mut builder = h2::server::Builder::new();
    builder
        .enable_connect_protocol()
        .initial_window_size(WINDOW)
        // One stream that is not read cannot take the window of the others.
        .initial_connection_window_size(u32::try_from(all).unwrap_or(WINDOW).clamp(WINDOW, WHOLE))
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .header_table_size(TABLE)
        .max_send_buffer_size(WAITING)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_concurrent_reset_streams(RESET_KEPT)
        .max_local_error_reset_streams(Some(RESET_BY_US));
    let begun = tokio::select! {
        biased;
        begun = timeout(timeouts.head, builder.handshake(io)) => begun,
        () = visit.inner.stop.cancelled() => return,
    };
    let Ok(Ok(connection)) = begun else {
        return;
    };
    let counts = &visit.inner.counts;
    counts.http2_connections.fetch_add(1, Relaxed);
    Http2::new(&visit, turn).run(connection).await;
    counts.http2_connections.fetch_sub(1, Relaxed);
}

/// The largest window there is (RFC 9113 §6.9.1).
const WHOLE: u32 = (1 << 31) - 1;

/// A connection that speaks HTTP/2.
struct Http2<'v> {
    visit: &'v Visit,
    /// Held until the first request.
    turn: Option<Turn>,
    /// What is in force for requests that come now, and how their connections
    /// are driven.
    rules: Arc<Rules>,
    driven: Arc<[Arc<Settings>]>,
    resets: Arc<Resets>,
    /// When a stream was open last.
    busy: Instant,
    /// When it was pinged last, and whether that is answered.
    pinged: Instant,
    is_waiting: bool,
}

/// Requests of one connection: how many were answered, and how many reset before.
#[derive(Debug, Default)]
struct Resets {
    unanswered: AtomicU32,
}

impl Resets {
    fn answered(&self) {
        let less = |count: u32| Some(count.saturating_sub(1));
        let _ = self.unanswered.fetch_update(AcqRel, Relaxed, less);
    }

    fn reset(&self) {
        self.unanswered.fetch_add(1, AcqRel);
    }

    fn are_too_many(&self) -> bool {
        self.unanswered.load(Relaxed) > RESET_UNANSWERED
    }
}

/// What happened.
enum Next {
    Request(Option<Result<Box<Accepted>, h2::Error>>),
    Pong,
    Stop,
    Alarm,
}

impl<'v> Http2<'v> {
    fn new(visit: &'v Visit, turn: Turn) -> Self {
        let now = Instant::now();
        Self {
            visit,
            turn: Some(turn),
            rules: Arc::clone(&visit.rules),
            driven: Arc::clone(&visit.driven),
            resets: Arc::default(),
            busy: now,
            pinged: now,
            is_waiting: false,
        }
    }

    async fn run(mut self, mut connection: Connection<Tapped<Socket>, Bytes>) {
        let stop = &self.visit.inner.stop;
        let mut pings = connection.ping_pong();
        let mut is_told = false;
        loop {
            let alarm = self.alarm();
            let waiting = self.is_waiting;
            let next = tokio::select! {
                biased;
                () = stop.cancelled(), if !is_told => Next::Stop,
                next = poll_fn(|cx| {
                    let polled = connection.poll_accept(cx);
                    if connection.has_streams() {
                        self.busy = Instant::now();
                    }
                    polled
                }) => Next::Request(next.map(|it| it.map(Box::new))),
                _ = poll_fn(|cx| match &mut pings {
                    Some(pings) => pings.poll_pong(cx),
                    None => std::task::Poll::Pending,
                }), if waiting => Next::Pong,
                () = sleep_until(alarm) => Next::Alarm,
            };
            match next {
                Next::Stop => {
                    is_told = true;
                    connection.graceful_shutdown();
                }
                Next::Request(Some(Ok(accepted))) => {
                    self.turn = None;
                    self.begin(*accepted);
                    if self.resets.are_too_many() {
                        self.broken("it resets request after request before they are answered");
                        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    }
                }
                Next::Request(Some(Err(error))) => {
                    let ours = (error.is_go_away() || error.is_reset()) && error.is_library();
                    match ours {
                        true => self.broken(&error.to_string()),
                        false => debug!(id = self.visit.id, %error, "a connection of HTTP/2 ended"),
                    }
                    // What is to be said of that may wait to be written.
                    let _ = timeout(LAST, poll_fn(|cx| connection.poll_closed(cx))).await;
                    return;
                }
                Next::Request(None) => return,
                Next::Pong => self.is_waiting = false,
                Next::Alarm => {
                    let now = Instant::now();
                    if connection.has_streams() {
                        self.busy = now;
                    }
                    if self.is_waiting && now >= self.pinged + self.visit.listener.timeouts.write {
                        connection.abrupt_shutdown(Reason::NO_ERROR);
                        let _ = timeout(LAST, poll_fn(|cx| connection.poll_closed(cx))).await;
                        return;
                    }
                    if self.rest().is_some_and(|rest| now >= self.busy + rest) {
                        connection.graceful_shutdown();
                        let _ = timeout(LAST, poll_fn(|cx| connection.poll_closed(cx))).await;
                        return;
                    }
                    let ping = self.visit.listener.timeouts.ping;
                    if ping.is_some_and(|every| now >= self.pinged + every)
                        && let Some(pings) = &mut pings
                        && !self.is_waiting
                    {
                        self.pinged = now;
                        self.is_waiting = pings.send_ping(Ping::opaque()).is_ok();
                    }
                }
            }
        }
    }

    /// How long it may have no stream.
    fn rest(&self) -> Option<Duration> {
        let timeouts = &self.visit.listener.timeouts;
        match self.turn {
            Some(_) => Some(timeouts.head),
            None => timeouts.idle,
        }
    }

    /// When there is something to look at next.
    fn alarm(&self) -> Instant {
        let timeouts = &self.visit.listener.timeouts;
        let rest = self.rest().map(|rest| self.busy + rest);
        let ping = match self.is_waiting {
            true => Some(self.pinged + timeouts.write),
            false => timeouts.ping.map(|every| self.pinged + every),
        };
        let first = rest.into_iter().chain(ping).min();
        // No time at all is a time far off.
        first.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }

    /// Begins with a request.
    fn begin(&mut self, (request, respond): Accepted) {
        let inner = &self.visit.inner;
        let rules = inner.rules();
        if !Arc::ptr_eq(&rules, &self.rules) {
            self.driven = handshake::driven(&rules.config, &self.visit.listener);
            self.rules = rules;
        }
        inner.counts.http2_requests.fetch_add(1, Relaxed);
        let number = inner.named.fetch_add(1, Relaxed) + 1;
        let id = registry::name(number);
        let peer = self.visit.peer;
        let client = peer.client.ip();
        let of_client = (!self.visit.listener.trusts(client)).then_some(client);
        let place = match self.visit.place.another(of_client) {
            Ok(place) => place,
            Err(refused) => {
                let visit = self.visit;
                let refusal = visit.refusal(&refused);
                if inner.refused(&refusal) {
                    info!(id, %peer, code = refused.code, status = refused.status, "refused: {refused}");
                }
                let answer = refused.to_response(&id);
                let patience = visit.listener.timeouts.write;
                inner.streams.spawn(reply::short(respond, answer, patience));
                return;
            }
        };
        let stream = Visit {
            id,
            number,
            since: Instant::now(),
            peer,
            local: self.visit.local,
            listener: Arc::clone(&self.visit.listener),
            plugin: None,
            tls: None,
            driven: Arc::clone(&self.driven),
            rules: Arc::clone(&self.rules),
            inner: Arc::clone(inner),
            place,
            opening: Some(inner.openings.token()),
        };
        let resets = Arc::clone(&self.resets);
        let opening = async move {
            let streams = stream.inner.streams.clone();
            tokio::select! {
                biased;
                () = streams.cut() => None,
                opened = request::serve(stream, request, respond, resets) => opened,
            }
        };
        inner.streams.spawn_heeding(Serving::new(opening));
    }

    /// Notes what the client has done.
    fn broken(&self, why: &str) {
        let Visit { id, peer, .. } = self.visit;
        let mut refusal = self.visit.refusal(HTTP2_BROKEN);
        refusal.reason.detail = Some(why);
        if self.visit.inner.refused(&refusal) {
            info!(id, %peer, code = HTTP2_BROKEN.code, "closed: the client broke the rules of HTTP/2: {why}");
        }
    }
}

/// How long the last words of a connection are waited for.
const LAST: Duration = Duration::from_secs(2);

/// What a request was refused for, told to the client and the log.
fn refuse(
    visit: &Visit,
    refused: &Refused,
    request: &handshake::Request,
) -> http::Response<http_body_util::Full<Bytes>> {
    visit.tell(refused, Said::Request(request));
    refused.to_response(&visit.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_told_from_methods_by_what_is_there_of_it() {
        for octets in [
            &b"P"[..],
            b"PRI * HT",
            PREFACE,
            &[PREFACE, b"more"].concat(),
        ] {
            assert!(begins(octets));
        }
        for octets in [&b"POST / HTTP/1.1"[..], b"PRI * HTTP/1.1\r\n", b"GET"] {
            assert!(!begins(octets));
        }
    }
}
