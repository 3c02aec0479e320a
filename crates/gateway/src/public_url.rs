//! The URL by which the client reached us, for the Location fields of
//! hixie-75 and -76: scheme and host as the client knows them, the target as
//! it sent it, query included. Never inferred from `Origin`.

use draftgate_drafts::opening::{Refusal, RefusalKind, only_field};
use http::{HeaderMap, header, request::Parts, uri::Authority};

use crate::{
    config::{Listener, PublicUrl},
    forwarded::Forwarded,
};

/// The scheme and host by which the client of a request with `fields` reached
/// us: as configured; else what trusted proxies `forwarded`; else what the
/// client names, over TLS if the PROXY protocol says so (`tls`).
///
/// # Errors
/// There is not exactly one `Host`, or it is no host.
pub(crate) fn reached(
    fields: &HeaderMap,
    listener: &Listener,
    forwarded: &Forwarded,
    tls: bool,
) -> Result<PublicUrl, Refusal> {
    let host = host(fields)?;
    if let Some(public) = &listener.public_url {
        return Ok(public.clone());
    }
    Ok(PublicUrl {
        secure: forwarded.secure.unwrap_or(tls),
        authority: forwarded.host.clone().unwrap_or(host),
    })
}

/// The URL of `request`, whose head came as `head`, at `public`.
pub(crate) fn location(public: &PublicUrl, request: &Parts, head: &[u8]) -> String {
    let target = target(head).unwrap_or_else(|| match request.uri.path_and_query() {
        Some(target) => target.as_str(),
        None => "/",
    });
    url(public.secure, &public.authority, target)
}

/// The request's one host.
///
/// # Errors
/// It is missing, repeated, or no host with an optional port.
pub(crate) fn host(fields: &HeaderMap) -> Result<Authority, Refusal> {
    let value = only_field(fields, &header::HOST, RefusalKind::HostMissing)?;
    let host = value.to_str().ok().and_then(|text| authority(text.trim()));
    host.ok_or_else(|| {
        Refusal::with(
            RefusalKind::HostMissing,
            "it is no host with an optional port",
        )
    })
}

/// `text` as a host with an optional port, if it is one. `user@host` is an
/// authority, but no host (RFC 9110 §7.2).
pub(crate) fn authority(text: &str) -> Option<Authority> {
    let host: Authority = text.parse().ok()?;
    match host.as_str().contains('@') || host.host().is_empty() || !has_valid_port(&host) {
        true => None,
        false => Some(host),
    }
}

/// Whether the port, where one is written, is one: what is none would silently
/// be left out of the Location. An empty one is the default (RFC 3986 §3.2.3).
pub(crate) fn has_valid_port(host: &Authority) -> bool {
    let behind = &host.as_str()[host.host().len()..];
    // Rust's own parser would take a sign.
    let digits = behind.strip_prefix(':').unwrap_or(behind);
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.is_empty() || (is_number && host.port_u16().is_some())
}

/// The default port is left out and the host is in lower case, as clients
/// build the URL they compare with (hixie-76 §4.1).
fn url(secure: bool, authority: &Authority, target: &str) -> String {
    let (scheme, default) = if secure { ("wss", 443) } else { ("ws", 80) };
    let host = authority.host();
    let mut url = String::with_capacity(scheme.len() + authority.as_str().len() + target.len() + 3);
    for part in [scheme, "://", host] {
        url.push_str(part);
    }
    url.make_ascii_lowercase();
    if let Some(port) = authority.port().filter(|port| port.as_u16() != default) {
        url.push(':');
        // Without the zeros that may stand in front of it.
        let digits = port.as_str().trim_start_matches('0');
        url.push_str(if digits.is_empty() { "0" } else { digits });
    }
    url.push_str(target);
    url
}

/// The target as it was sent, if it is a path; hyper's may have lost a fragment.
fn target(head: &[u8]) -> Option<&str> {
    let line = head
        .split(|octet| *octet == b'\n')
        .find(|line| line.len() > 1)?;
    let target = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    target.starts_with('/').then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::get("/demo?a=b");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn location(fields: &[(&str, &str)], forwarded: &Forwarded, tls: bool) -> String {
        at(&Listener::default(), fields, forwarded, tls)
    }

    fn at(listener: &Listener, fields: &[(&str, &str)], told: &Forwarded, tls: bool) -> String {
        let request = request(fields);
        let public = reached(&request.headers, listener, told, tls).unwrap();
        super::location(&public, &request, b"")
    }

    #[test]
    fn the_host_is_in_lower_case_without_the_default_port() {
        for (host, url) in [
            ("Example.COM", "ws://example.com/demo?a=b"),
            ("example.com:80", "ws://example.com/demo?a=b"),
            ("example.com:443", "ws://example.com:443/demo?a=b"),
            ("[::1]:8080", "ws://[::1]:8080/demo?a=b"),
            ("example.com:", "ws://example.com/demo?a=b"),
        ] {
            assert_eq!(
                location(&[("Host", host)], &Forwarded::default(), false),
                url
            );
        }
    }

    #[test]
    fn what_proxies_forward_stands_above_what_came_over_tls_and_the_host() {
        let fields = [("Host", "a:443")];
        let told = |secure, host: Option<&str>| Forwarded {
            client: None,
            secure,
            host: host.map(|host| host.parse().unwrap()),
            ..Forwarded::default()
        };
        for (forwarded, tls, url) in [
            (told(None, None), false, "ws://a:443/demo?a=b"),
            (told(None, None), true, "wss://a/demo?a=b"),
            (told(Some(true), None), false, "wss://a/demo?a=b"),
            (told(Some(false), None), true, "ws://a:443/demo?a=b"),
            (
                told(Some(true), Some("B:8443")),
                false,
                "wss://b:8443/demo?a=b",
            ),
        ] {
            assert_eq!(location(&fields, &forwarded, tls), url);
        }
    }

    #[test]
    fn a_configured_url_stands_above_host_and_proxies() {
        let listener = Listener {
            public_url: Some("wss://Public.example:443".parse().unwrap()),
            ..Listener::default()
        };
        let forwarded = Forwarded {
            secure: Some(false),
            host: Some("other".parse().unwrap()),
            client: None,
            ..Forwarded::default()
        };
        let url = at(&listener, &[("Host", "inner:8080")], &forwarded, false);
        assert_eq!(url, "wss://public.example/demo?a=b");
    }

    #[test]
    fn the_target_is_repeated_as_it_was_sent() {
        let head = b"\r\nGET /a%20b?x=%C3%BC#f HTTP/1.1\r\nHost: a\r\n\r\n";
        let public = "ws://a".parse().unwrap();
        let url = super::location(&public, &request(&[("Host", "a")]), head);
        assert_eq!(url, "ws://a/a%20b?x=%C3%BC#f");
    }

    #[test]
    fn a_host_must_stand_once_and_be_one() {
        for fields in [
            &[][..],
            &[("Host", "a"), ("Host", "b")],
            &[("Host", "")],
            &[("Host", "a b")],
            &[("Host", "user@a")],
            &[("Host", "a/b")],
            &[("Host", "a:65536")],
            &[("Host", "[::1]:99999")],
            &[("Host", "a.example:+80")],
        ] {
            let refusal = host(&request(fields).headers).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::HostMissing, "{fields:?}");
        }
    }
}
