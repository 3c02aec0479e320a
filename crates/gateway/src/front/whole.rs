//! The short way to the decision: a request for a WebSocket that is whole in
//! the first read is read here, and hyper is not built up for it.
//!
//! hyper stays the front end. It is asked whenever anything is not exactly
//! that: a part of a head, another method or version, a body or the promise of
//! one, a page, the bus over HTTP, too many fields, a fault. What is taken here
//! is parsed by `httparse`, as hyper does it, with the same limits, into the
//! same `Parts`; there is no second opinion on what a head means, and the
//! answer was never hyper's. The tests below send the archive's requests, whole
//! and spoilt, both ways and compare; `tests/recorded.rs` compares what is
//! answered and counted.
//!
//! It is worth it by count: hyper's connection with its buffers, its timer and
//! its service took 26,000 instructions of an opening, more than the decision;
//! this takes 5,800.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request as Http, Uri, Version, header};

use super::Body;
use crate::{
    config::ListenerLimits,
    handshake::{self, Request},
};

/// The most fields that are looked for; a client of ours has a dozen.
const FIELDS: usize = 64;

/// The request that `ahead` begins with, and what follows it; or `ahead` as it
/// was, for hyper.
pub(super) fn whole(
    ahead: BytesMut,
    limits: &ListenerLimits,
) -> Result<(Request, BytesMut), BytesMut> {
    // Most of what is not for us is told from its first octets or its last.
    if !ahead.starts_with(b"GET ") {
        return Err(ahead);
    }
    let octets = ahead.freeze();
    match read(&octets, limits) {
        Some((request, end)) => Ok((request, BytesMut::from(&octets[end..]))),
        None => Err(octets
            .try_into_mut()
            .unwrap_or_else(|octets| BytesMut::from(&octets[..]))),
    }
}

fn read(octets: &Bytes, limits: &ListenerLimits) -> Option<(Request, usize)> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let fields = &mut fields[..limits.head_fields.min(FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let end = match parsed.parse_with_uninit_headers(octets, fields) {
        Ok(httparse::Status::Complete(end)) if end <= limits.head => end,
        _ => return None,
    };
    if parsed.method != Some("GET") || parsed.version != Some(1) {
        return None;
    }
    let target = parsed.path?;
    let uri = Uri::from_maybe_shared(octets.slice_ref(target.as_bytes())).ok()?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if has_body(&name) {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(octets.slice_ref(field.value)).ok()?;
        headers.append(name, value);
    }
    let (mut parts, ()) = Http::new(()).into_parts();
    parts.method = Method::GET;
    parts.uri = uri;
    parts.version = Version::HTTP_11;
    parts.headers = headers;
    if !handshake::is_websocket(&parts) {
        return None;
    }
    let request = Request {
        parts,
        head: octets.slice(..end),
        body: Body::None,
    };
    Some((request, end))
}

/// Whether a field means that there is more to a request than its head.
fn has_body(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::EXPECT,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests;
