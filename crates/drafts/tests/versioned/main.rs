//! What the drafts whose frames have a header say in their texts: every worked
//! example, every breach and the closing handshake, over all of them and in both
//! roles, whole and cut at each octet; and the opening of those that have a
//! `Sec-WebSocket-Version`.
//!
//! One suite and not one for each draft's crate, so that a rule is written
//! down once and what differs stands side by side in one table.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod breaches;
mod closing;
mod differences;
mod examples;
mod opening;
mod round_trip;

use draftgate_core::{Close, Codec, Draft, Event, Limits, Outbox, Outgoing, Role, Rule};
use draftgate_drafts::spoken;
use draftgate_testkit::codecs::{Heard, hear_every_cut};

use common::{
    ROLES,
    frames::{KEY, from_peer},
    pair_with,
};

/// The drafts under test.
fn drafts() -> impl Iterator<Item = Draft> {
    spoken().filter(|draft| *draft > Draft::Hixie76)
}

/// Those that open with a version and a key.
fn keyed() -> impl Iterator<Item = Draft> {
    drafts().filter(|draft| draft.version().is_some())
}

/// Whether a Close of `draft` has a code.
fn has_codes(draft: Draft) -> bool {
    draft >= Draft::Hybi06
}

/// What is heard of `close`.
fn close_of(draft: Draft, close: Close) -> Option<Close> {
    has_codes(draft).then_some(close)
}

/// Runs `check` for every draft and role.
fn everywhere(check: impl Fn(Draft, Role)) {
    for draft in drafts() {
        for role in ROLES {
            check(draft, role);
        }
    }
}

/// The end that plays `role`, open; as a client it masks with [`KEY`].
fn codec_with(draft: Draft, role: Role, limits: Limits) -> Box<dyn Codec> {
    let keys = [&b"the sample nonce"[..], &KEY.repeat(64)].concat();
    let (client, server) = pair_with(draft, limits, &keys);
    match role {
        Role::Client => client,
        Role::Server => server,
    }
}

/// The same with the usual limits.
fn codec(draft: Draft, role: Role) -> Box<dyn Codec> {
    codec_with(draft, role, Limits::default())
}

/// What both roles make of the same frames of RFC 6455, at every cut.
fn hear_in_both_roles(draft: Draft, unmasked: &[u8]) -> Heard {
    let [client, server] = ROLES.map(|role| {
        let octets = from_peer(draft, role, unmasked);
        hear_every_cut(|| codec(draft, role), &octets)
    });
    assert_eq!(
        (&server.events, server.violation),
        (&client.events, client.violation),
        "{draft}: {unmasked:02x?}"
    );
    server
}

/// The rule that both roles find broken by the frames.
fn rule(draft: Draft, unmasked: &[u8]) -> Option<Rule> {
    hear_in_both_roles(draft, unmasked)
        .violation
        .map(|v| v.rule)
}

/// The events of both roles, where no rule is broken.
fn events(draft: Draft, unmasked: &[u8]) -> Vec<Event> {
    let heard = hear_in_both_roles(draft, unmasked);
    assert_eq!(heard.violation, None, "{draft}: {unmasked:02x?}");
    heard.events
}

/// What the end that plays `role` writes for `what`.
fn written(draft: Draft, role: Role, what: Outgoing) -> Vec<u8> {
    let mut out = Outbox::new();
    codec(draft, role).send(what, &mut out).unwrap();
    out.take_all().to_vec()
}
