//! The URL by which the client reached us, for the Location fields of
//! hixie-75 and -76: scheme and host as the client knows them, the target as
//! it sent it, query included. Never inferred from `Origin`.

use draftgate_drafts::opening::{Refusal, RefusalKind, only_field};
use http::{HeaderMap, request::Parts, uri::Authority};

use crate::config::Listener;

/// The URL of `request`, whose head came as `head`. `trusted`: the peer is a
/// proxy whose word on the scheme is taken. `tls`: a proxy said so before the
/// request, in the PROXY protocol.
///
/// # Errors
/// There is not exactly one `Host`, or it is no host.
pub(crate) fn of(
    request: &Parts,
    head: &[u8],
    listener: &Listener,
    trusted: bool,
    tls: bool,
) -> Result<String, Refusal> {
    let host = host(&request.headers)?;
    let target = target(head).unwrap_or_else(|| match request.uri.path_and_query() {
        Some(target) => target.as_str(),
        None => "/",
    });
    if let Some(public) = &listener.public_url {
        return Ok(url(public.secure, &public.authority, target));
    }
    let forwarded = trusted.then(|| forwarded_secure(&request.headers));
    let secure = forwarded.flatten().unwrap_or(tls);
    Ok(url(secure, &host, target))
}

/// The request's one host.
///
/// # Errors
/// It is missing, repeated, or no host with an optional port.
pub(crate) fn host(fields: &HeaderMap) -> Result<Authority, Refusal> {
    let value = only_field(fields, "host", RefusalKind::HostMissing)?;
    let malformed = || {
        Refusal::with(
            RefusalKind::HostMissing,
            "it is no host with an optional port",
        )
    };
    let host: Authority = value
        .to_str()
        .ok()
        .and_then(|host| host.trim().parse().ok())
        .ok_or_else(malformed)?;
    // `user@host` is an authority, but no Host (RFC 9110 §7.2).
    match host.as_str().contains('@') || host.host().is_empty() || !has_valid_port(&host) {
        true => Err(malformed()),
        false => Ok(host),
    }
}

/// Whether the port, where one is written, is one: what is none would silently
/// be left out of the Location. An empty one is the default (RFC 3986 §3.2.3).
pub(crate) fn has_valid_port(host: &Authority) -> bool {
    let behind = &host.as_str()[host.host().len()..];
    matches!(behind, "" | ":") || host.port_u16().is_some()
}

/// The default port is left out and the host is in lower case, as clients
/// build the URL they compare with (hixie-76 §4.1).
fn url(secure: bool, authority: &Authority, target: &str) -> String {
    let (scheme, default) = if secure { ("wss", 443) } else { ("ws", 80) };
    let host = authority.host().to_ascii_lowercase();
    match authority.port_u16().filter(|port| *port != default) {
        Some(port) => format!("{scheme}://{host}:{port}{target}"),
        None => format!("{scheme}://{host}{target}"),
    }
}

/// The target as it was sent, if it is a path; hyper's may have lost a fragment.
fn target(head: &[u8]) -> Option<&str> {
    let line = head
        .split(|octet| *octet == b'\n')
        .find(|line| line.len() > 1)?;
    let target = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    target.starts_with('/').then_some(target)
}

/// Whether a trusted proxy says that the client came over TLS:
/// `X-Forwarded-Proto`, else `proto` of `Forwarded` (RFC 7239). The first
/// element counts, it is nearest to the client.
fn forwarded_secure(fields: &HeaderMap) -> Option<bool> {
    let first = |name| {
        let value = fields.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim)
    };
    let proto = first("x-forwarded-proto").or_else(|| {
        first("forwarded")?.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("proto")
                .then(|| value.trim_matches('"'))
        })
    });
    proto.map(|p| p.eq_ignore_ascii_case("https") || p.eq_ignore_ascii_case("wss"))
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

    fn location(fields: &[(&str, &str)], trusted: bool) -> String {
        of(&request(fields), b"", &Listener::default(), trusted, false).unwrap()
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
            assert_eq!(location(&[("Host", host)], false), url);
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_the_scheme() {
        for fields in [
            &[("Host", "a:443"), ("X-Forwarded-Proto", "https")],
            &[("Host", "a:443"), ("X-Forwarded-Proto", "WSS, http")],
            &[
                ("Host", "a:443"),
                ("Forwarded", "for=192.0.2.1;Proto=\"https\""),
            ],
        ] {
            assert_eq!(location(fields, true), "wss://a/demo?a=b", "{fields:?}");
            assert_eq!(location(fields, false), "ws://a:443/demo?a=b", "{fields:?}");
        }
        assert_eq!(
            location(&[("Host", "a"), ("Forwarded", "proto=http")], true),
            "ws://a/demo?a=b"
        );
    }

    #[test]
    fn a_configured_url_stands_above_host_and_proxies() {
        let listener = Listener {
            public_url: Some("wss://Public.example:443".parse().unwrap()),
            ..Listener::default()
        };
        let fields = [("Host", "inner:8080"), ("X-Forwarded-Proto", "http")];
        let url = of(&request(&fields), b"", &listener, true, false).unwrap();
        assert_eq!(url, "wss://public.example/demo?a=b");
    }

    #[test]
    fn the_target_is_repeated_as_it_was_sent() {
        let head = b"\r\nGET /a%20b?x=%C3%BC#f HTTP/1.1\r\nHost: a\r\n\r\n";
        let url = of(
            &request(&[("Host", "a")]),
            head,
            &Listener::default(),
            false,
            false,
        )
        .unwrap();
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
        ] {
            let refusal = host(&request(fields).headers).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::HostMissing, "{fields:?}");
        }
    }
}
