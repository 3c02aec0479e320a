//! What the gateway counts: the present, and what became of every request.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use draftgate_core::Draft;

use crate::{
    TlsKind,
    config::{Plugin, Quirk},
};

/// The gateway's counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// TCP connections accepted since the start.
    pub accepted: u64,
    /// How often since the start no connection could be accepted, mostly for
    /// want of files.
    pub accept_errors: u64,
    /// TCP connections open now, refused ones that are being told included.
    pub connections: u64,
    /// WebSocket connections open now.
    pub open: u64,
    /// Connections to upstreams of proxy routes open now.
    pub upstream: u64,
    /// Upgrades answered since the start, by draft.
    pub upgrades: BTreeMap<Draft, u64>,
    /// Refusals since the start, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// TLS handshakes of clients finished since the start, by version and library.
    pub tls: BTreeMap<TlsKind, u64>,
    /// How often changed certificates were read while the gateway ran.
    pub tls_reloads: u64,
    /// How often they could not be used.
    pub tls_reloads_failed: u64,
    /// Policy requests answered since the start, by who asked.
    pub policies: BTreeMap<Plugin, u64>,
    /// Messages dropped since the start because their sender may not publish.
    pub muted: u64,
    /// Messages since the start that came faster than they may and were
    /// dropped, or ended their connection.
    pub too_fast: u64,
    /// Messages published over HTTP since the start.
    pub published: u64,
    /// Streams of events open now.
    pub streaming: u64,
    /// Streams of events begun since the start.
    pub streams: u64,
    /// Polls since the start.
    pub polls: u64,
    /// TCP connections that speak HTTP/2 now.
    pub http2_connections: u64,
    /// Requests over HTTP/2 since the start, those for a WebSocket among them.
    pub http2_requests: u64,
    /// Upgrades answered since the start that came over HTTP/2.
    pub http2_upgrades: u64,
    /// Configurations put in force since the start, the first not among them.
    pub reloads: u64,
    /// Configurations that were to be put in force and could not be.
    pub reload_failures: u64,
}

impl Counts {
    /// Upgrades answered in `draft`.
    pub fn upgrades_in(&self, draft: Draft) -> u64 {
        self.upgrades.get(&draft).copied().unwrap_or(0)
    }

    /// Policy requests of `plugin` that were answered.
    pub fn policies_for(&self, plugin: Plugin) -> u64 {
        self.policies.get(&plugin).copied().unwrap_or(0)
    }

    /// Refusals with `code`.
    pub fn refused_for(&self, code: &str) -> u64 {
        self.refused.get(code).copied().unwrap_or(0)
    }
}

/// One line for the log; what did not happen is left out.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections", self.accepted)?;
        if self.accept_errors > 0 {
            write!(f, ", {} times none could be accepted", self.accept_errors)?;
        }
        listed(f, "upgraded", &self.upgrades)?;
        listed(f, "secured", &self.tls)?;
        if self.http2_requests > 0 {
            let (requests, upgrades) = (self.http2_requests, self.http2_upgrades);
            write!(f, "; over HTTP/2: {requests} requests, {upgrades} upgraded")?;
        }
        listed(f, "refused", &self.refused)?;
        listed(f, "policies", &self.policies)?;
        if self.muted > 0 {
            let muted = self.muted;
            write!(f, "; {muted} messages of peers that may not publish")?;
        }
        if self.reloads + self.reload_failures > 0 {
            let (done, failed) = (self.reloads, self.reload_failures);
            write!(f, "; {done} reloads, {failed} failed")?;
        }
        if self.too_fast > 0 {
            let too_fast = self.too_fast;
            write!(f, "; {too_fast} messages too fast")?;
        }
        let over_http = [
            (self.published, "messages published"),
            (self.streams, "event streams"),
            (self.polls, "polls"),
        ];
        let mut separator = "; over HTTP: ";
        for (count, what) in over_http {
            if count > 0 {
                write!(f, "{separator}{count} {what}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

fn listed<K: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    counts: &BTreeMap<K, u64>,
) -> fmt::Result {
    let mut separator = ": ";
    for (kind, count) in counts {
        if separator == ": " {
            write!(f, "; {what}")?;
        }
        write!(f, "{separator}{count} {kind}")?;
        separator = ", ";
    }
    Ok(())
}

/// Where it is counted. Handshakes are rare enough for a lock.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    handshakes: Mutex<Handshakes>,
    pub(crate) tls_reloads: AtomicU64,
    pub(crate) tls_reloads_failed: AtomicU64,
    pub(crate) muted: Arc<AtomicU64>,
    pub(crate) too_fast: Arc<AtomicU64>,
    pub(crate) accept_errors: AtomicU64,
    /// Connections to which each quirk was applied.
    pub(crate) quirks: [AtomicU64; Quirk::ALL.len()],
    pub(crate) published: AtomicU64,
    pub(crate) streaming: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) http2_connections: AtomicU64,
    pub(crate) http2_requests: AtomicU64,
    pub(crate) http2_upgrades: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) reload_failures: AtomicU64,
    /// Whether what was read last is not what is in force.
    pub(crate) last_reload_failed: AtomicBool,
}

/// What there is at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Now {
    pub(crate) connections: usize,
    pub(crate) open: usize,
    pub(crate) upstream: usize,
}

/// What became of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// The client went before it was done.
    Abandoned,
    /// It is open.
    Accepted,
    Refused,
}

impl Outcome {
    /// A stable word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Default)]
struct Handshakes {
    ended: BTreeMap<(Option<Draft>, Outcome), u64>,
    upgrades: BTreeMap<Draft, u64>,
    refused: BTreeMap<&'static str, u64>,
    tls: BTreeMap<TlsKind, u64>,
    policies: BTreeMap<Plugin, u64>,
}

impl Counters {
    /// The configuration was read again, and is in force or was wrong.
    pub(crate) fn reloaded(&self, is_in_force: bool) {
        let count = if is_in_force {
            &self.reloads
        } else {
            &self.reload_failures
        };
        count.fetch_add(1, Relaxed);
        self.last_reload_failed.store(!is_in_force, Relaxed);
    }

    pub(crate) fn upgrade(&self, draft: Draft) {
        *self.handshakes().upgrades.entry(draft).or_default() += 1;
    }

    /// A handshake in `draft`, if that is known, has ended.
    pub(crate) fn handshake(&self, draft: Option<Draft>, outcome: Outcome) {
        let mut handshakes = self.handshakes();
        *handshakes.ended.entry((draft, outcome)).or_default() += 1;
    }

    /// How many ended how.
    pub(crate) fn outcomes(&self) -> BTreeMap<(Option<Draft>, Outcome), u64> {
        self.handshakes().ended.clone()
    }

    /// How many were refused, by code.
    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.handshakes().refused.clone()
    }

    /// How many TLS handshakes were finished, by kind.
    pub(crate) fn over_tls(&self) -> BTreeMap<TlsKind, u64> {
        self.handshakes().tls.clone()
    }

    /// How many policy requests were answered.
    pub(crate) fn policies(&self) -> BTreeMap<Plugin, u64> {
        self.handshakes().policies.clone()
    }

    pub(crate) fn policy(&self, plugin: Plugin) {
        *self.handshakes().policies.entry(plugin).or_default() += 1;
    }

    pub(crate) fn secured(&self, kind: TlsKind) {
        *self.handshakes().tls.entry(kind).or_default() += 1;
    }

    pub(crate) fn refuse(&self, code: &'static str) {
        *self.handshakes().refused.entry(code).or_default() += 1;
    }

    pub(crate) fn read(&self, accepted: u64, now: Now) -> Counts {
        let handshakes = self.handshakes();
        Counts {
            accepted,
            accept_errors: self.accept_errors.load(Relaxed),
            connections: now.connections as u64,
            open: now.open as u64,
            upstream: now.upstream as u64,
            upgrades: handshakes.upgrades.clone(),
            refused: handshakes.refused.clone(),
            tls: handshakes.tls.clone(),
            tls_reloads: self.tls_reloads.load(Relaxed),
            tls_reloads_failed: self.tls_reloads_failed.load(Relaxed),
            policies: handshakes.policies.clone(),
            muted: self.muted.load(Relaxed),
            too_fast: self.too_fast.load(Relaxed),
            published: self.published.load(Relaxed),
            streaming: self.streaming.load(Relaxed),
            streams: self.streams.load(Relaxed),
            polls: self.polls.load(Relaxed),
            http2_connections: self.http2_connections.load(Relaxed),
            http2_requests: self.http2_requests.load(Relaxed),
            http2_upgrades: self.http2_upgrades.load(Relaxed),
            reloads: self.reloads.load(Relaxed),
            reload_failures: self.reload_failures.load(Relaxed),
        }
    }

    fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_one_line_of_what_happened() {
        let counters = Counters::default();
        assert_eq!(
            counters.read(0, Now::default()).to_string(),
            "0 connections"
        );
        counters.upgrade(Draft::Hixie76);
        counters.upgrade(Draft::Hybi13);
        counters.upgrade(Draft::Hixie76);
        counters.refuse("path-unknown");
        counters.policy(Plugin::Flash);
        counters.muted.fetch_add(3, Relaxed);
        counters.published.fetch_add(4, Relaxed);
        counters.polls.fetch_add(5, Relaxed);
        assert_eq!(
            counters.read(5, Now::default()).to_string(),
            "5 connections; upgraded: 2 hixie-76, 1 hybi-13; refused: 1 path-unknown; \
             policies: 1 Flash; 3 messages of peers that may not publish; \
             over HTTP: 4 messages published, 5 polls"
        );
    }
}
