//! Open connections of every draft, made by the real opening handshakes.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod frames;

use std::sync::Arc;

use draftgate_core::{Codec, Draft, Limits, Role};
use draftgate_drafts::{
    FixedKeys, accept,
    compression::{self, Offering, Settings},
    loopback, offer,
    opening::{Ask, LengthFrames, Terms, parts},
};
use draftgate_wire::Derived;

/// What a client of [`pair`] masks with in hybi-04.
pub(crate) fn derived() -> Derived {
    Derived::new("dGhlIHNhbXBsZSBub25jZQ==", "N/ohPTf6IT03+iE9N/ohPQ==")
}

/// Both ends of a connection in `draft`, ready for messages.
pub(crate) fn pair(draft: Draft, limits: Limits) -> (Box<dyn Codec>, Box<dyn Codec>) {
    // The first ones are those of the keys in the heads.
    let begin = [&b"the sample nonce"[..], &frames::KEY.repeat(4)].concat();
    let keys = [&begin[..], b"a fixed run of octets for keys.."].concat();
    pair_with(draft, limits, &keys)
}

/// The same, with `keys` repeated as the octets of all keys.
pub(crate) fn pair_with(
    draft: Draft,
    limits: Limits,
    keys: &[u8],
) -> (Box<dyn Codec>, Box<dyn Codec>) {
    pair_that(draft, limits, keys, None, None)
}

/// The same, where the client offers extensions, and the server compresses.
pub(crate) fn pair_that(
    draft: Draft,
    limits: Limits,
    keys: &[u8],
    offers: Option<Arc<dyn Offering>>,
    compresses: Option<Settings>,
) -> (Box<dyn Codec>, Box<dyn Codec>) {
    let mut keys = FixedKeys::new(keys);
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/demo",
        origin: Some("http://example.com"),
        subprotocols: &["sample"],
        fields: &[],
        limits,
        length_frames: LengthFrames::default(),
        extensions: offers,
    };
    let offered = offer(draft, &ask, &mut keys).unwrap();
    let (request, head) = parts(&offered.request).unwrap().unwrap();
    let agreed =
        compresses.and_then(|settings| compression::agree(draft, &request.headers, &settings));
    let terms = Terms {
        subprotocol: Some("sample"),
        public_url: "ws://example.com/demo",
        limits,
        length_frames: LengthFrames::default(),
        extension: agreed.as_deref(),
    };
    let accepted = accept(draft, &request, &terms, &mut keys).unwrap();
    let open = loopback::connect(offered, head, accepted).unwrap();
    assert_eq!(open.subprotocol.as_deref(), Some("sample"));
    (open.client, open.server)
}

/// The end of [`pair`] that plays `role`, and its peer.
pub(crate) fn end(draft: Draft, role: Role, limits: Limits) -> (Box<dyn Codec>, Box<dyn Codec>) {
    let (client, server) = pair(draft, limits);
    match role {
        Role::Client => (client, server),
        Role::Server => (server, client),
    }
}

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];
