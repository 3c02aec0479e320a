//! The one line that every connection leaves behind. No payload, no cookie,
//! no query (it may hold a token).

use std::fmt::Write;

use bytes::Bytes;
use draftgate_conn::{Closed, Why};
use draftgate_core::{Capabilities, Close, Draft, Role, Rule};
use draftgate_drafts::dissect::{self, Field, Kind};
use draftgate_translate::logged;
use tracing::info;

use crate::{registry::Entry, throttle::Throttle};

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

/// Writes the line of a connection that has ended.
pub(crate) fn write(entry: &Entry, closed: &Closed, throttle: &Throttle) {
    let (peer, about) = (entry.peer(), &entry.about);
    let client = peer.client.ip();
    let written = entry.rules.config.log.access
        && match closed.opened {
            true => throttle.lets_access(client),
            false => throttle.lets(closed.why.code(), client),
        };
    if !written {
        return;
    }
    let stats = &closed.stats;
    let (undeliverable, muted) = about.tally.read();
    let upstream = about.tally.upstream();
    let rule = match closed.why {
        Why::Violation(rule) => Some(rule),
        _ => None,
    };
    info!(
    target: "draftgate::access",
    id = entry.id(),
        %peer,
        via = peer.via.map(display),
        tls = peer.kind.map(|kind| kind.version),
        draft = closed.draft.name(),
        http = about.http2.then_some("2"),
        origin = about.said.origin(),
        path = about.said.path(),
        subprotocol = about.said.subprotocol(),
        extension = about.extension,
        user = about.said.user(),
        quirks = about.quirks.names(),
        upstream = upstream.map(|(address, _)| address),
        upstream_draft = upstream.and_then(|(_, draft)| draft).map(Draft::name),
        messages_in = stats.messages_in,
        messages_out = stats.messages_out,
        octets_in = stats.octets_in,
        octets_out = stats.octets_out,
        notices = stats.notices,
        dropped = stats.dropped + stats.unsayable + stats.lost + undeliverable,
        muted,
        too_fast = about.tally.read_too_fast(),
        code = code(closed, &about.capabilities),
        by = closed.by.code(),
        why = closed.why.code(),
        rule = rule.map(Rule::code),
        section = rule.map(|rule| rule.section(closed.draft)),
        field = rule.and_then(|rule| field(rule, closed.draft, &closed.unread)),
        seconds = (entry.since.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        "{closed}"
    );
}

/// The field of a frame's header at which `rule` was broken, as `draftgate
/// explain` names it, if the frame begins `unread`. Nothing of a payload.
fn field(rule: Rule, draft: Draft, unread: &Bytes) -> Option<String> {
    if matches!(
        rule,
        Rule::ContinuationWithoutStart | Rule::InterleavedMessage
    ) {
        return None; // That frame was taken; what is unread is the next.
    }
    let mut frames = dissect::frames(draft, Role::Client, unread.clone()).ok()?;
    let frame = frames.next()?;
    let fault = frame.fault.as_ref()?;
    if fault.code != rule.code() {
        return None;
    }
    let covers = |field: &&Field| {
        (field.start_bit..field.start_bit + field.len_bits).contains(&fault.at_bit)
    };
    let field = frame.fields.iter().find(covers)?;
    match field.kind {
        Kind::Flag | Kind::Reserved | Kind::Opcode | Kind::Length => {
            Some(format!("{} {}", field.name, field.value))
        }
        _ => None,
    }
}

/// What stands in such a line as `why`, with where to look, as a table in
/// Markdown.
#[must_use]
pub fn ends_table() -> String {
    let mut table = String::from("| `why` | what happened | look at |\n| --- | --- | --- |\n");
    for why in Why::KINDS {
        let what = match why {
            Why::Aborted => "the gateway cut it".to_owned(),
            Why::Io(_) => "reading or writing failed".to_owned(),
            Why::Violation(_) => "the peer broke its draft, or a limit".to_owned(),
            why => why.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{}` | {what} | {} |", why.code(), look_at(why));
    }
    table
}

fn look_at(why: Why) -> &'static str {
    match why {
        Why::Aborted => "`timeouts.drain`, at whose end what is left is cut",
        Why::CloseTimeout => {
            "`timeouts.close`, `timeouts.close-hixie-76`; browsers of 2010 never answer"
        }
        Why::IdleTimeout => {
            "`timeouts.idle` and `timeouts.ping`; the client vanished, or answers no ping"
        }
        Why::Io(_) => "the network, or a client that resets: the line says which error it was",
        Why::MessageTimeout => "`timeouts.message`",
        Why::OpeningTimeout => "`timeouts.key3`; a proxy in front that holds key3",
        Why::PeerClosed => "`code`: 1000, 1001, 1005 or none is an ordinary end",
        Why::PeerGone => "nothing: a device was switched off, or its page was left",
        Why::Requested => {
            "`code`: 1001, the gateway stops; 1003, the route has `binary = \"close\"`; 1008, the token expired, or messages came faster than `limits.message-rate`"
        }
        Why::SlowConsumer => "`limits.queue` and the route's `queue` and `overflow`",
        Why::UpstreamClosed => "`code`: what the upstream said",
        Why::UpstreamLost => {
            "the line before it with the same `id`, which says what became of the upstream"
        }
        Why::Violation(_) => "`rule`, below",
        Why::WriteTimeout => "`timeouts.write`",
        _ => "",
    }
}

/// What stands there as `rule`, as a table in Markdown.
#[must_use]
pub fn rules_table() -> String {
    let mut table = String::from("| `rule` | what the client did |\n| --- | --- |\n");
    for rule in Rule::ALL {
        let _ = writeln!(table, "| `{}` | {rule} |", rule.code());
    }
    table
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
    fn every_end_says_where_to_look() {
        for why in Why::KINDS {
            assert!(!look_at(why).is_empty(), "{why}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_two_characters() {
        let short = "x".repeat(SHOWN);
        assert_eq!(shown(&short), short);
        let long = format!("{}é", "x".repeat(SHOWN - 1));
        let cut = format!("{}… (513 octets)", "x".repeat(SHOWN - 1));
        assert_eq!(shown(&long), cut);
    }
}
