//! The opening handshake of a recorded exchange, judged by our own halves of it:
//! the request as a server reads it, the answer as a client. Where it went and
//! under which name is taken from the request itself, for nobody else knows.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Limits, Role};
use draftgate_wire::{
    FixedKeys, KeySource,
    dissect::Unit,
    opening::{Accepted, LengthFrames, Pending, Refusal, Resume, Terms, origin, parts},
};
use http::{header, request::Parts};

use crate::{
    Detection, accept, accept_any_of, acceptor,
    compression::{self, Offers},
    detect,
    dissect::newest,
    offerer, spoken, subprotocols,
};

/// Answers `request` with whatever subprotocol it asks for first, for a server
/// that is known as the request's own `Host`. Where its head leaves a choice, the
/// draft is the one that it announces, and the codec takes either.
///
/// # Errors
/// Why it must be refused.
pub fn answer(request: &Parts) -> Result<(Draft, Accepted), Refusal> {
    answer_within(Limits::default(), request, b"")
}

/// The same, with the client held to `limits`, as it was answered then: with the
/// nonce of `answered`, if that has one (hybi-04, hello-00), for what follows
/// depends on it, and with the extension that was agreed on.
///
/// # Errors
/// As [`answer`].
pub fn answer_within(
    limits: Limits,
    request: &Parts,
    answered: &[u8],
) -> Result<(Draft, Accepted), Refusal> {
    let draft = detect(request, Detection::RECORDED)?;
    origin(&request.headers)?;
    let all: Vec<Draft> = spoken().collect();
    let accepted = within(limits, draft, request, answered, |terms, keys| {
        accept_any_of(&all, draft, request, terms, keys)
    })?;
    Ok((draft, accepted))
}

/// The same in `draft`, whatever the request says of itself.
pub(crate) fn answer_in(
    draft: Draft,
    request: &Parts,
    answered: &[u8],
) -> Result<Accepted, Refusal> {
    within(
        Limits::default(),
        draft,
        request,
        answered,
        |terms, keys| accept(draft, request, terms, keys),
    )
}

fn within(
    limits: Limits,
    draft: Draft,
    request: &Parts,
    answered: &[u8],
    accept: impl Fn(&Terms<'_>, &mut dyn KeySource) -> Result<Accepted, Refusal>,
) -> Result<Accepted, Refusal> {
    let drawn = acceptor(draft).ok().and_then(|it| it.drawn(answered));
    let octets = drawn.unwrap_or_else(|| vec![0]);
    let host = request.headers.get("host").and_then(|h| h.to_str().ok());
    let host = host.unwrap_or_default().to_ascii_lowercase();
    let url = format!("ws://{host}{}", request.uri);
    let asked = subprotocols(draft, &request.headers);
    let offered = header::SEC_WEBSOCKET_EXTENSIONS;
    let offered = request.headers.get_all(offered).iter();
    let offered: Vec<&str> = offered.filter_map(|list| list.to_str().ok()).collect();
    let head = Unit::head(newest(), Role::Server, &Bytes::copy_from_slice(answered));
    let agreed = compression::agreed(&offered.join(", "), &head);
    let terms = Terms {
        subprotocol: asked.first().copied(),
        public_url: &url,
        limits,
        length_frames: LengthFrames::default(),
        extension: agreed.as_ref().map(|agreed| &*agreed.server),
    };
    accept(&terms, &mut FixedKeys::new(octets))
}

/// The client that sent `request`, which waits for the answer.
///
/// `request` goes on with key3 where the draft has one; eight zeros stand in
/// for a key3 that a source left out, for any will do to judge a head.
///
/// # Errors
/// No client of the draft may send that.
pub fn resume(
    draft: Draft,
    request: &[u8],
    keys: &mut dyn KeySource,
) -> Result<Box<dyn Pending>, Refusal> {
    resume_within(Limits::default(), draft, request, keys)
}

/// The same, with the server held to `limits`.
///
/// # Errors
/// As [`resume`].
pub fn resume_within(
    limits: Limits,
    draft: Draft,
    request: &[u8],
    keys: &mut dyn KeySource,
) -> Result<Box<dyn Pending>, Refusal> {
    let terms = Resume {
        secure: false,
        limits,
        length_frames: LengthFrames::default(),
        extensions: Some(Arc::new(Offers::RECORDED)),
    };
    let mut whole = BytesMut::from(request);
    let behind = acceptor(draft)?.octets_after_head();
    if let Ok(Some((_, head))) = parts(request)
        && request.len() < head + behind
    {
        whole.resize(head + behind, 0);
    }
    offerer(draft)?.resume(&whole, terms, keys)
}
