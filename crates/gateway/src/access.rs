//! The one line that every connection leaves behind. No payload, no cookie,
//! no query (it may hold a token).

use draftgate_conn::{Closed, Why};
use draftgate_core::{Capabilities, Close};
use draftgate_translate::logged;
use tokio::time::Instant;
use tracing::info;

use crate::{handshake::About, peer::Peer, running::Inner};

/// As much of what a client wrote stands in one place of the log. A head may
/// have 16 KiB, and a flood of them is not to fill a disk; and an origin is
/// kept for as long as its connection lasts.
const SHOWN: usize = 512;

/// `text` as the log shows it, cut if it is long.
pub(crate) fn shown(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(SHOWN);
    format!("{}… ({} octets)", &text[..end], text.len())
}

/// A line that is written when its connection has ended.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    id: &'a str,
    peer: Peer,
    about: About,
    since: Instant,
    inner: &'a Inner,
}

impl<'a> Line<'a> {
    pub(crate) fn new(id: &'a str, peer: Peer, about: About, inner: &'a Inner) -> Self {
        Self {
            id,
            peer,
            about,
            since: Instant::now(),
            inner,
        }
    }

    pub(crate) fn write(self, closed: &Closed) {
        let throttle = &self.inner.throttle;
        let written = self.inner.config.log.access
            && match closed.opened {
                true => throttle.lets_access(),
                false => throttle.lets(closed.why.code(), self.peer.client.ip()),
            };
        if !written {
            return;
        }
        let (about, stats) = (&self.about, &closed.stats);
        let (undeliverable, muted) = about.tally.read();
        let rule = match closed.why {
            Why::Violation(rule) => Some(rule.code()),
            _ => None,
        };
        info!(
            target: "draftgate::access",
            id = self.id,
            peer = %self.peer,
            via = self.peer.via.map(display),
            draft = about.draft.name(),
            origin = about.origin,
            path = about.path,
            subprotocol = about.subprotocol,
            messages_in = stats.messages_in,
            messages_out = stats.messages_out,
            octets_in = stats.octets_in,
            octets_out = stats.octets_out,
            notices = stats.notices,
            dropped = stats.dropped + stats.unsayable + stats.lost + undeliverable,
            muted,
            code = code(closed, &about.capabilities),
            by = closed.by.code(),
            why = closed.why.code(),
            rule,
            seconds = self.since.elapsed().as_secs_f64(),
            "{closed}"
        );
    }
}

/// The close code, in those of RFC 6455 where the peer closed properly.
fn code(closed: &Closed, capabilities: &Capabilities) -> Option<u16> {
    if closed.why != Why::PeerClosed {
        return closed.code;
    }
    let close = closed.code.map(|code| Close::new(code, ""));
    logged(close, capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_two_characters() {
        let short = "x".repeat(SHOWN);
        assert_eq!(shown(&short), short);
        let long = format!("{}é", "x".repeat(SHOWN - 1));
        let cut = format!("{}… (513 octets)", "x".repeat(SHOWN - 1));
        assert_eq!(shown(&long), cut);
    }
}
