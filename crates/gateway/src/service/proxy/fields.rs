//! The fields of the request to an upstream: those of the client's that are
//! its to have, who the client is, and what the configuration adds or removes.
//!
//! What a client claims of its own address is worth nothing: what it wrote in
//! the forwarding fields is passed on only if a trusted proxy passed it to us.

use std::net::IpAddr;

use draftgate_drafts::opening::tokens;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{config::Upstream, forwarded::Believed, service::Opening};

/// What always passes, as far as the client sent it.
const PASSED: [HeaderName; 2] = [header::COOKIE, header::AUTHORIZATION];

const FORWARDED_FOR: &str = "X-Forwarded-For";
const FORWARDED_PROTO: &str = "X-Forwarded-Proto";
const FORWARDED_HOST: &str = "X-Forwarded-Host";
const FORWARDED: &str = "Forwarded";

/// The fields for an upstream, `Host`, `Origin` and those of the drafts not
/// among them.
pub(super) fn request(opening: &Opening<'_>, upstream: &Upstream) -> Vec<(String, HeaderValue)> {
    let mut fields = Vec::new();
    // Those are for us alone (RFC 9110 §7.6.1).
    let listed: Vec<&str> = tokens(opening.headers, "connection").collect();
    let passes = |name: &&HeaderName| {
        let name = name.as_str();
        !listed
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(name))
    };
    // The client can neither write nor strike out what was found out about it.
    let handed = |name: &&HeaderName| opening.handed.contains(name);
    let passed = PASSED.iter().chain(&upstream.pass);
    let passed = passed.filter(passes).filter(|name| !handed(name));
    for name in passed.chain(opening.handed) {
        for value in opening.headers.get_all(name) {
            fields.push((written(name), value.clone()));
        }
    }
    fields.extend(forwarding(opening));
    let removed = |name: &str| {
        let by = |other: &HeaderName| other.as_str().eq_ignore_ascii_case(name);
        upstream.remove.iter().any(by) || upstream.add.iter().any(|(other, _)| by(other))
    };
    fields.retain(|(name, _)| !removed(name));
    for (name, value) in &upstream.add {
        fields.push((written(name), value.clone()));
    }
    fields
}

/// Names in the letter case in which they are usually written: servers of
/// 2010 may compare.
pub(in crate::service) fn written(name: &HeaderName) -> String {
    let mut upper = true;
    let letters = name.as_str().chars().map(|letter| {
        let written = if upper {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        upper = letter == '-';
        written
    });
    letters.collect()
}

/// Who the client is, for servers that look at `X-Forwarded-…`, and for those
/// that look at `Forwarded` (RFC 7239).
fn forwarding(opening: &Opening<'_>) -> Vec<(String, HeaderValue)> {
    // The URL is ours: scheme and host are as the client knows them.
    let (scheme, rest) = opening.url.split_once("://").unwrap_or(("ws", opening.url));
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let proto = if scheme == "wss" { "https" } else { "http" };
    let told = |by, name| match opening.forwarded == by {
        true => joined(opening.headers, name),
        false => None,
    };
    // Where a proxy spoke of the client, what we saw is that proxy.
    let seen = opening.via.unwrap_or(opening.peer).ip();
    let client = opening.peer.ip();
    let (mut for_, last) = match told(Believed::XForwarded, "x-forwarded-for") {
        Some(earlier) => (earlier, seen),
        None => (String::new(), client),
    };
    append(&mut for_, &last.to_string());
    let (mut forwarded, element) = match told(Believed::Forwarded, "forwarded") {
        Some(earlier) => (earlier, format!("for={}", node(seen))),
        None => {
            let client = node(client);
            let element = format!("for={client};host=\"{host}\";proto={proto}");
            (String::new(), element)
        }
    };
    append(&mut forwarded, &element);
    [
        (FORWARDED_FOR, for_),
        (FORWARDED_PROTO, proto.to_owned()),
        (FORWARDED_HOST, host.to_owned()),
        (FORWARDED, forwarded),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), HeaderValue::from_str(&value).ok()?)))
    .collect()
}

/// All lines of a field as one list.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn append(list: &mut String, element: &str) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push_str(element);
}

/// An address as RFC 7239 §6 writes it.
fn node(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    }
}
