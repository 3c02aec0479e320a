//! A request's head, as the rest of the gateway knows heads: with `Host`, with a
//! target that is a path, and as octets.

use bytes::Bytes;
use draftgate_drafts::opening::{ConnectProtocol, Refusal, RefusalKind};
use http::{HeaderValue, Method, Uri, header, request::Parts};

use crate::{Refused, front::Body, handshake::Request, public_url};

/// The request whose head HTTP/2 brought as `parts`, and what is wrong with it
/// already; a head has at most `most` fields.
pub(super) fn read(mut parts: Parts, most: usize) -> (Request, Result<(), Refused>) {
    let asked = asked(&mut parts, most);
    let request = Request {
        head: octets(&parts),
        parts,
        body: Body::None,
    };
    (request, asked)
}

fn asked(parts: &mut Parts, most: usize) -> Result<(), Refused> {
    let opening = |refusal| Refused::opening(refusal, String::new);
    let authority = parts.uri.authority().cloned();
    let target = parts.uri.path_and_query().cloned();
    if let Some(protocol) = parts.extensions.remove::<h2::ext::Protocol>() {
        let protocol = ConnectProtocol(protocol.as_str().into());
        parts.extensions.insert(protocol);
    }
    if let Some(authority) = authority {
        let named = parts.headers.contains_key(header::HOST);
        let same = || {
            let host = public_url::host(&parts.headers).ok();
            host.is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority.as_str()))
        };
        if named && !same() {
            let why = "`:authority` and Host differ";
            return Err(opening(Refusal::with(RefusalKind::HostMissing, why)));
        }
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            parts.headers.insert(header::HOST, host);
        }
    }
    if parts.method == Method::CONNECT && ConnectProtocol::of(parts).is_none() {
        let why = "it has no `:protocol`";
        return Err(opening(Refusal::with(RefusalKind::ConnectUnknown, why)));
    }
    if let Some(target) = target {
        parts.uri = Uri::from(target);
    }
    if parts.headers.len() > most {
        let why = format!("it has {} fields", parts.headers.len());
        return Err(Refused::head_too_large().with(why));
    }
    Ok(())
}

/// The head as HTTP/1.1 would have written it, for the log, for operators and for
/// who tells clients by their heads: names in lower case, as they are here.
fn octets(parts: &Parts) -> Bytes {
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut head = format!("{} {target} HTTP/2\r\n", parts.method).into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    };
    for (name, value) in &parts.headers {
        field(name.as_str(), value.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_authority_is_the_host_and_the_target_a_path() {
        let (request, asked) = read(
            parts("GET", "https://a.example:8443/x?y=1", &[("b", "c")]),
            9,
        );
        asked.unwrap();
        assert_eq!(request.parts.uri, "/x?y=1");
        assert_eq!(request.parts.headers["host"], "a.example:8443");
        assert_eq!(
            request.head,
            "GET /x?y=1 HTTP/2\r\nb: c\r\nhost: a.example:8443\r\n\r\n"
        );
    }

    #[test]
    fn a_head_that_contradicts_itself_is_refused() {
        for (method, uri, fields, code) in [
            ("GET", "https://a/", &[("host", "b")][..], "host-missing"),
            (
                "GET",
                "https://a/",
                &[("host", "a"), ("host", "a")],
                "host-missing",
            ),
            ("CONNECT", "a:80", &[], "connect-unknown"),
            (
                "GET",
                "/",
                &[("a", "1"), ("b", "2"), ("c", "3")],
                "head-too-large",
            ),
        ] {
            let (_, asked) = read(parts(method, uri, fields), 2);
            assert_eq!(asked.unwrap_err().code, code, "{uri} {fields:?}");
        }
        let (_, asked) = read(parts("GET", "https://a/", &[("host", "A")]), 2);
        asked.unwrap();
    }
}
