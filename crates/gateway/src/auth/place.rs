//! Where in a request a token stands, and the same request without it: what
//! lets somebody in here is nobody else's business, unless the route says so.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};

use crate::config::TokenPlace;

/// The parts of a request in which a token may stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Option<&'a str>,
    /// The subprotocols that are asked for.
    pub(crate) subprotocols: &'a [&'a str],
}

/// A token, and where it stood.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) token: Cow<'a, [u8]>,
    pub(super) place: &'a TokenPlace,
}

/// The first of `places` that has a token. An empty one is none.
pub(super) fn find<'a>(places: &'a [TokenPlace], shown: &Shown<'a>) -> Option<Found<'a>> {
    places.iter().find_map(|place| {
        let token = at(place, shown)?;
        (!token.is_empty()).then_some(Found { token, place })
    })
}

fn at<'a>(place: &TokenPlace, shown: &Shown<'a>) -> Option<Cow<'a, [u8]>> {
    match place {
        TokenPlace::Authorization => {
            let mut values = shown.headers.get_all(header::AUTHORIZATION).iter();
            values.find_map(bearer).map(Cow::Borrowed)
        }
        TokenPlace::Field(name) => {
            let value = shown.headers.get(name)?;
            Some(Cow::Borrowed(value.as_bytes().trim_ascii()))
        }
        TokenPlace::Query(name) => {
            let value = parameters(shown.query?).find_map(|pair| of(pair, name))?;
            Some(decoded(value.as_bytes()))
        }
        TokenPlace::Cookie(name) => {
            let mut cookies = cookies(shown.headers);
            cookies.find_map(|(found, value)| {
                (found == name.as_bytes()).then_some(Cow::Borrowed(value))
            })
        }
        TokenPlace::Subprotocol(prefix) => {
            let mut asked = shown.subprotocols.iter();
            let token = asked.find_map(|asked| asked.strip_prefix(prefix.as_str()))?;
            Some(Cow::Borrowed(token.as_bytes()))
        }
    }
}

/// What follows `Bearer`. What is no `Bearer` is not for us.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked("Bearer ".len())?;
    let ours = scheme.eq_ignore_ascii_case(b"Bearer ");
    ours.then(|| rest.trim_ascii())
}

fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&')
}

/// The value of a parameter, if it is `name`.
fn of<'q>(pair: &'q str, name: &str) -> Option<&'q str> {
    let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
    // As recordings look for it, which take it out.
    found.eq_ignore_ascii_case(name).then_some(value)
}

/// `%XX` as octets; whatever else stands there as it is.
fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&octet, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        match (octet, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                octets.extend(u8::try_from(high * 16 + low));
                rest = &after[2..];
            }
            _ => {
                octets.push(octet);
                rest = after;
            }
        }
    }
    Cow::Owned(octets)
}

/// Names and values of all cookies (RFC 6265 §5.4); values without the quotes
/// that some programs put around them.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = headers.get_all(header::COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|octet| *octet == b';'));
    pairs.filter_map(|pair| {
        let at = pair.iter().position(|octet| *octet == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        let inner = value
            .strip_prefix(b"\"")
            .and_then(|it| it.strip_suffix(b"\""));
        Some((name, inner.unwrap_or(value)))
    })
}

/// `headers` without a token at any of `places`.
pub(super) fn without(places: &[TokenPlace], headers: &mut HeaderMap) {
    for place in places {
        match place {
            TokenPlace::Authorization => {
                let kept: Vec<HeaderValue> = headers
                    .get_all(header::AUTHORIZATION)
                    .iter()
                    .filter(|value| bearer(value).is_none())
                    .cloned()
                    .collect();
                replace(headers, header::AUTHORIZATION, kept);
            }
            TokenPlace::Field(name) => {
                headers.remove(name);
            }
            TokenPlace::Cookie(name) => without_cookie(name, headers),
            TokenPlace::Subprotocol(prefix) => without_subprotocol(prefix, headers),
            TokenPlace::Query(_) => {}
        }
    }
}

fn without_cookie(name: &str, headers: &mut HeaderMap) {
    let is_it = |pair: &[u8]| {
        let end = pair.iter().position(|octet| *octet == b'=');
        end.is_some_and(|end| pair[..end].trim_ascii() == name.as_bytes())
    };
    let mut kept = Vec::new();
    for field in headers.get_all(header::COOKIE) {
        let pairs = field.as_bytes().split(|octet| *octet == b';');
        let others: Vec<&[u8]> = pairs
            .filter(|pair| !is_it(pair))
            .map(<[u8]>::trim_ascii)
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(&others.join(&b"; "[..]))
            && !value.is_empty()
        {
            kept.push(value);
        }
    }
    replace(headers, header::COOKIE, kept);
}

fn without_subprotocol(prefix: &str, headers: &mut HeaderMap) {
    const NAMES: [&str; 2] = ["sec-websocket-protocol", "websocket-protocol"];
    for name in NAMES {
        let mut kept = Vec::new();
        for field in headers.get_all(name) {
            // hixie knows no lists: there the value is one name.
            let asked = field.as_bytes().split(|octet| *octet == b',');
            let others: Vec<&[u8]> = asked
                .map(<[u8]>::trim_ascii)
                .filter(|asked| !asked.starts_with(prefix.as_bytes()))
                .collect();
            if let Ok(value) = HeaderValue::from_bytes(&others.join(&b", "[..]))
                && !value.is_empty()
            {
                kept.push(value);
            }
        }
        replace(headers, http::HeaderName::from_static(name), kept);
    }
}

fn replace(headers: &mut HeaderMap, name: http::HeaderName, values: Vec<HeaderValue>) {
    headers.remove(&name);
    for value in values {
        headers.append(name.clone(), value);
    }
}

/// `query` without the parameters in which a token may stand.
pub(super) fn query_without(places: &[TokenPlace], query: &str) -> Option<String> {
    let is_one = |pair: &&str| {
        places
            .iter()
            .any(|place| matches!(place, TokenPlace::Query(name) if of(pair, name).is_some()))
    };
    let kept: Vec<&str> = parameters(query).filter(|pair| !is_one(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// The subprotocols that are no tokens.
pub(super) fn subprotocols_without<'a>(places: &[TokenPlace], asked: &[&'a str]) -> Vec<&'a str> {
    let is_token = |asked: &&str| {
        places.iter().any(
            |place| matches!(place, TokenPlace::Subprotocol(prefix) if asked.starts_with(prefix.as_str())),
        )
    };
    asked
        .iter()
        .copied()
        .filter(|asked| !is_token(asked))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(texts: &[&str]) -> Vec<TokenPlace> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn fields(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_first_place_that_has_a_token_decides() {
        let all = [
            "header",
            "header:X-Token",
            "query:t",
            "cookie:s",
            "subprotocol:bearer.",
        ];
        let headers = fields(&[
            ("authorization", "Basic abc"),
            ("authorization", "bearer  from-header "),
            ("x-token", " from-field "),
            ("cookie", "a=b; s=\"from-cookie\""),
        ]);
        let shown = Shown {
            headers: &headers,
            query: Some("x=1&t=from%2Dquery&t=second"),
            subprotocols: &["chat", "bearer.from-subprotocol"],
        };
        for from in 0..all.len() {
            let places = places(&all[from..]);
            let token = find(&places, &shown).unwrap().token.into_owned();
            let expected = [
                "from-header",
                "from-field",
                "from-query",
                "from-cookie",
                "from-subprotocol",
            ];
            assert_eq!(String::from_utf8(token).unwrap(), expected[from]);
        }
    }

    #[test]
    fn what_is_empty_or_elsewhere_is_no_token() {
        let headers = fields(&[
            ("authorization", "Bearer "),
            ("authorization", "Bearerx"),
            ("authorization", "é"),
            ("cookie", "s=; xs=no; S=no"),
        ]);
        let shown = Shown {
            headers: &headers,
            query: Some("t=&xt=no&%74=no"),
            subprotocols: &["bearer.", "Bearer.no"],
        };
        let places = places(&["header", "query:t", "cookie:s", "subprotocol:bearer."]);
        assert!(find(&places, &shown).is_none());
    }

    #[test]
    fn what_is_percent_encoded_is_decoded_and_what_is_not_stands() {
        for (text, octets) in [
            ("a%2Bb%2f%3D", "a+b/="),
            ("a+b", "a+b"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
        ] {
            assert_eq!(*decoded(text.as_bytes()), *octets.as_bytes(), "{text}");
        }
    }

    #[test]
    fn a_request_without_its_token_has_everything_else() {
        let places = places(&[
            "header",
            "header:X-Token",
            "query:t",
            "cookie:s",
            "subprotocol:bearer.",
        ]);
        let mut headers = fields(&[
            ("authorization", "Basic abc"),
            ("authorization", "Bearer secret"),
            ("x-token", "secret"),
            ("x-other", "1"),
            ("cookie", "a=b; s=secret; c=d"),
            ("cookie", "s=secret"),
            ("sec-websocket-protocol", "chat, bearer.secret"),
            ("websocket-protocol", "bearer.secret"),
        ]);
        without(&places, &mut headers);
        let mut left: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "authorization: Basic abc",
                "cookie: a=b; c=d",
                "sec-websocket-protocol: chat",
                "x-other: 1"
            ]
        );
        for (query, left) in [
            ("t=secret", None),
            ("a=1&t=secret&b=2&T=secret", Some("a=1&b=2")),
            ("a=1&tt=2", Some("a=1&tt=2")),
        ] {
            assert_eq!(query_without(&places, query).as_deref(), left, "{query}");
        }
        let asked = ["bearer.secret", "chat"];
        assert_eq!(subprotocols_without(&places, &asked), ["chat"]);
    }
}
