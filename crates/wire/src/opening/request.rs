//! Reading a request's fields the way every draft needs it.

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Version,
    header::{self, AsHeaderName},
    request::Parts,
};

use super::{Refusal, RefusalKind};

/// The origin's field of hybi-04 to -10.
static OLD_ORIGIN: HeaderName = HeaderName::from_static("sec-websocket-origin");

/// Most fields of a request; the limit that servers set as well.
const MAX_FIELDS: usize = 100;

/// A request's head is no well-formed HTTP/1; says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request's head is not well-formed HTTP/1.1 ({0})")]
pub struct HeadMalformed(pub String);

/// The request that `octets` begin with, as an HTTP library sees it, and the
/// octets of its head; `None` until its empty line is there.
///
/// # Errors
/// It is no request.
pub fn parts(octets: &[u8]) -> Result<Option<(Parts, usize)>, HeadMalformed> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let malformed = |why: String| HeadMalformed(why);
    let end = match parsed.parse(octets) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(error.to_string())),
    };
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(match parsed.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        });
    for field in parsed.headers {
        request = request.header(field.name, field.value);
    }
    let request = request.body(()).map_err(|e| malformed(e.to_string()))?;
    Ok(Some((request.into_parts().0, end)))
}

/// The value of the field `name` if it stands exactly once.
///
/// # Errors
/// `otherwise`, with the field's name, if it is missing or repeated.
pub fn only_field<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
    otherwise: RefusalKind,
) -> Result<&'a HeaderValue, Refusal> {
    let mut values = fields.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(Refusal::with(otherwise, format!("{name} is missing"))),
        _ => Err(Refusal::with(
            otherwise,
            format!("{name} stands more than once"),
        )),
    }
}

/// The comma-separated tokens of every field `name`, trimmed, empty ones left out.
pub fn tokens<K: AsHeaderName>(
    fields: &HeaderMap,
    name: K,
) -> impl Iterator<Item = &str> + use<'_, K> {
    fields
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|token| token.trim_matches([' ', '\t']))
        .filter(|token| !token.is_empty())
}

/// The origin, under either of its names: `Origin`, or the `Sec-WebSocket-Origin`
/// of hybi-04 to -10 (old libraries send that with Version 13, too).
///
/// # Errors
/// Both are present and differ, or one is repeated with another value.
pub fn origin(fields: &HeaderMap) -> Result<Option<&HeaderValue>, Refusal> {
    let mut values = [&header::ORIGIN, &OLD_ORIGIN]
        .into_iter()
        .flat_map(|name| fields.get_all(name));
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|other| other != first) {
        return Err(RefusalKind::OriginAmbiguous.into());
    }
    Ok(Some(first))
}

/// The `Origin` that hixie's answers repeat, as it was received; `null` if the
/// request has none.
pub fn echoed_origin(fields: &HeaderMap) -> HeaderValue {
    fields
        .get(header::ORIGIN)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static("null"))
}

/// The subprotocols a request asks for: a list in `Sec-WebSocket-Protocol`, or
/// the one name in the `WebSocket-Protocol` of hixie-75 (web-socket-js sent
/// that with hixie-76 keys, too). A name of hixie may hold spaces and commas
/// (U+0020 to U+007E), so a draft `before_04` has it whole; later ones are
/// tokens. What is no name is left out, for it could not be echoed.
pub fn subprotocols(fields: &HeaderMap, before_04: bool) -> Vec<&str> {
    if !before_04 {
        return tokens(fields, header::SEC_WEBSOCKET_PROTOCOL)
            .filter(|name| name.bytes().all(is_token))
            .collect();
    }
    ["sec-websocket-protocol", "websocket-protocol"]
        .into_iter()
        .filter_map(|name| fields.get(name)?.to_str().ok())
        .filter(|name| !name.is_empty() && name.bytes().all(|o| (0x20..0x7f).contains(&o)))
        .take(1)
        .collect()
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_request_is_read_to_its_empty_line() {
        let octets = b"GET /a HTTP/1.0\r\nHost: b\r\n\r\n12345678";
        let (request, size) = parts(octets).unwrap().unwrap();
        assert_eq!((request.uri.path(), size), ("/a", octets.len() - 8));
        assert_eq!(request.version, Version::HTTP_10);
        assert_eq!(parts(&octets[..20]).unwrap().map(|(_, size)| size), None);
        for odd in [
            &b"GET / HTTP/1.1\r\nno colon\r\n\r\n"[..],
            b"\x00Hi\xff",
            b"GET  HTTP/1.1\r\n\r\n",
        ] {
            assert!(parts(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn tokens_come_from_every_field_of_the_name() {
        let map = fields(&[
            ("connection", "keep-alive, Upgrade,"),
            ("connection", " x "),
        ]);
        assert_eq!(
            tokens(&map, "connection").collect::<Vec<_>>(),
            ["keep-alive", "Upgrade", "x"]
        );
    }

    #[test]
    fn a_field_that_must_stand_once_is_refused_otherwise() {
        let map = fields(&[("a", "1"), ("b", "1"), ("b", "2")]);
        let only = |name| {
            let name = HeaderName::from_static(name);
            only_field(&map, &name, RefusalKind::KeyInvalid)
        };
        assert!(only("a").is_ok());
        for name in ["b", "c"] {
            let refusal = only(name).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::KeyInvalid);
        }
    }

    #[test]
    fn two_origins_must_agree() {
        let pair = |a, b| fields(&[("origin", a), ("sec-websocket-origin", b)]);
        assert!(origin(&pair("http://a", "http://a")).unwrap().is_some());
        let refusal = origin(&pair("http://a", "http://b")).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::OriginAmbiguous);
        assert_eq!(origin(&fields(&[])), Ok(None));
    }

    #[test]
    fn hixie_reads_either_name_of_the_subprotocol_and_keeps_it_whole() {
        let old = fields(&[("websocket-protocol", "a, b")]);
        assert_eq!(subprotocols(&old, true), ["a, b"]);
        let new = fields(&[("sec-websocket-protocol", "a, b")]);
        assert_eq!(subprotocols(&new, true), ["a, b"]);
        assert_eq!(subprotocols(&new, false), ["a", "b"]);
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let odd = fields(&[("sec-websocket-protocol", "a\tb, c\"d, e")]);
        assert_eq!(subprotocols(&odd, false), ["e"]);
        assert!(subprotocols(&odd, true).is_empty());
    }
}
