//! The compression extensions between real openings: every worked example,
//! breaches, limits and properties, in both roles and cut at each octet.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod breaches;
mod classes;
mod examples;
mod properties;
mod stream;

use std::sync::Arc;

use draftgate_core::{Codec, Draft, Event, Limits, Message, Outbox, Outgoing, Role};
use draftgate_drafts::{
    compression::{Agreed, Offering, Offers, Settings},
    opening::{Judge, Refusal},
};

use common::{frames::KEY, pair_that};

/// As small as the reference's examples: everything is compressed, with context.
const ALL: Settings = Settings {
    level: 6,
    least: 1,
    window_bits: 15,
    takeover: true,
    stream: true,
};

/// Offers these words, whatever we would offer ourselves.
#[derive(Debug)]
struct Words(&'static str, Settings);

impl Offering for Words {
    fn field(&self, _: Draft) -> Option<String> {
        Some(self.0.to_owned())
    }

    fn agreed(
        &self,
        offered: &str,
        answered: &str,
        judge: &mut Judge,
    ) -> Result<Box<dyn Agreed>, Refusal> {
        let offers = Offers { settings: self.1 };
        offers.agreed(offered, answered, judge)
    }
}

/// Both ends in `draft`, where `words` were offered to a server with `server`.
fn pair(
    draft: Draft,
    words: &'static str,
    (client, server): (Settings, Settings),
    limits: Limits,
) -> (Box<dyn Codec>, Box<dyn Codec>) {
    let keys = [&b"the sample nonce"[..], &KEY.repeat(64)].concat();
    let offers = Arc::new(Words(words, client));
    pair_that(draft, limits, &keys, Some(offers), Some(server))
}

/// The end that plays `role` with all settings as in [`ALL`].
fn codec(draft: Draft, role: Role, words: &'static str) -> Box<dyn Codec> {
    let (client, server) = pair(draft, words, (ALL, ALL), Limits::default());
    match role {
        Role::Client => client,
        Role::Server => server,
    }
}

fn say(codec: &mut dyn Codec, message: impl Into<Message>) -> Vec<u8> {
    let mut out = Outbox::new();
    codec
        .send(Outgoing::Message(message.into()), &mut out)
        .unwrap();
    out.take_all().to_vec()
}

/// The messages among `events`, which are [`Event::Opened`] and messages.
fn messages(events: &[Event]) -> Vec<Message> {
    let heard = events.iter().filter_map(|event| match event {
        Event::Message(message) => Some(message.clone()),
        Event::Opened => None,
        other => panic!("{other:?}"),
    });
    heard.collect()
}
