//! Keeps one connection to an upstream open, and hands on what its server says:
//! one that has a single connection to give feeds many readers this way.
//!
//! It never gives up. What ends it is the token that it is run with; everything
//! else is a reason to connect again, later each time, unless the connection was
//! good for something.

use std::{pin::pin, time::Duration};

use draftgate_conn::{Closed, Conn, Handler, Peer};
use draftgate_core::{Close, Message};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{Ask, Failure, Link, Reached, Upstream, health::delay, told::told};

/// What keeps a connection to an upstream open.
#[derive(Debug)]
pub struct Feed<'a> {
    /// Where it connects to.
    pub upstream: &'a Upstream,
    /// What it asks for.
    pub ask: Ask<'a>,
    /// How each connection is driven.
    pub settings: draftgate_conn::Settings,
}

impl Feed<'_> {
    /// Connects, hands each message to `take`, and connects again, until `stop`
    /// is cancelled; the connection that there is then is closed as its draft
    /// says. Dropping the future cuts it.
    ///
    /// The first wait is up to [`BackOff::first`](crate::BackOff::first); it
    /// doubles while no connection lasts as long as the longest wait or brings a
    /// message.
    pub async fn run(&self, take: &mut (dyn FnMut(Message) + Send), stop: &CancellationToken) {
        let back_off = self.upstream.settings().back_off;
        let mut failures = 0;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let reached = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                reached = self.upstream.connect(&self.ask) => reached,
            };
            let wait = |failures| delay(failures, back_off);
            let delay = match reached {
                Err(failure) => {
                    let delay = wait(failures);
                    not_connected(&failure, delay);
                    delay
                }
                Ok(reached) => {
                    let address = reached.address.clone();
                    let Some(closed) = self.connected(reached, take, stop).await else {
                        tracing::error!(
                            upstream = address,
                            "source speaks no WebSocket: there are no messages in octets; write ws://, wss:// or unix:"
                        );
                        return;
                    };
                    if closed.stats.messages_in > 0 || begun.elapsed() >= back_off.longest {
                        failures = 0;
                    }
                    if stop.is_cancelled() {
                        return;
                    }
                    let delay = wait(failures);
                    tracing::warn!(
                        upstream = address,
                        by = closed.by.code(),
                        code = closed.code,
                        why = closed.why.code(),
                        delay_ms = millis(delay),
                        "source lost: {}",
                        told(&closed)
                    );
                    delay
                }
            };
            failures = failures.saturating_add(1);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(delay) => {}
            }
        }
    }

    /// Drives one connection to its end; `None` if no WebSocket is spoken on it.
    async fn connected(
        &self,
        reached: Reached,
        take: &mut (dyn FnMut(Message) + Send),
        stop: &CancellationToken,
    ) -> Option<Closed> {
        let Reached {
            address,
            link,
            // Until the connection has ended.
            slot: _slot,
            ..
        } = reached;
        let Link::WebSocket(connection) = link else {
            return None;
        };
        let draft = connection.draft();
        tracing::info!(upstream = address, draft = draft.name(), "source connected");
        for forgiven in &connection.forgiven {
            tracing::info!(
                upstream = address,
                code = forgiven.code(),
                "source: the answer was forgiven: {}",
                told(forgiven)
            );
        }
        let (stream, start) = connection.start();
        let conn = Conn::new(stream, start, self.settings.clone());
        let sender = conn.sender();
        let mut taker = Taker(take);
        let mut run = pin!(conn.run(&mut taker));
        let closed = tokio::select! {
            biased;
            closed = &mut run => return Some(closed),
            () = stop.cancelled() => {
                // Else a source that never falls silent would never be left.
                sender.unheard();
                sender.close(Some(Close::new(Close::GOING_AWAY, "")));
                run.await
            }
        };
        Some(closed)
    }
}

/// Says why there is no connection, unless the upstream has said so already.
fn not_connected(failure: &Failure, delay: Duration) {
    let code = failure.code();
    let delay_ms = millis(delay);
    match failure {
        Failure::Unreachable(attempts) if !attempts.is_empty() => {
            tracing::debug!(code, delay_ms, "source not connected: {}", told(failure));
        }
        _ => tracing::warn!(code, delay_ms, "source not connected: {}", told(failure)),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

struct Taker<'a>(&'a mut (dyn FnMut(Message) + Send));

impl Handler for Taker<'_> {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        (self.0)(peer.keep(message));
    }
}
