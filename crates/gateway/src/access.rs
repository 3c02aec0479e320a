//! The one line that every connection leaves behind. No payload, no cookie,
//! no query (it may hold a token).

use std::net::SocketAddr;

use draftgate_conn::{Closed, Why};
use tokio::time::Instant;
use tracing::info;

use crate::handshake::About;

/// A line that is written when its connection has ended.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    id: &'a str,
    peer: SocketAddr,
    about: About,
    since: Instant,
    wanted: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn new(id: &'a str, peer: SocketAddr, about: About, wanted: bool) -> Self {
        Self {
            id,
            peer,
            about,
            since: Instant::now(),
            wanted,
        }
    }

    pub(crate) fn write(self, closed: &Closed) {
        if !self.wanted {
            return;
        }
        let (about, stats) = (&self.about, &closed.stats);
        let rule = match closed.why {
            Why::Violation(rule) => Some(rule.code()),
            _ => None,
        };
        info!(
            target: "draftgate::access",
            id = self.id,
            peer = %self.peer,
            draft = about.draft.name(),
            origin = about.origin,
            path = about.path,
            subprotocol = about.subprotocol,
            messages_in = stats.messages_in,
            messages_out = stats.messages_out,
            octets_in = stats.octets_in,
            octets_out = stats.octets_out,
            notices = stats.notices,
            dropped = stats.dropped + stats.unsayable + stats.lost,
            code = closed.code,
            by = closed.by.code(),
            why = closed.why.code(),
            rule,
            seconds = self.since.elapsed().as_secs_f64(),
            "{closed}"
        );
    }
}
