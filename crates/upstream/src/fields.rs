//! Which fields of HTTP pass a proxy: those that are for the ends, not for the
//! next on the way (RFC 9110 §7.6.1).

use http::HeaderValue;

/// Fields for the next on the way alone, and those that only this connection's
/// own opening and body have.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field begins with a name of the opening handshake's own.
fn is_the_openings(name: &str) -> bool {
    name.starts_with("sec-websocket-") || name.starts_with("websocket-")
}

/// Those of `fields` that are for the ends: neither those of the way
/// (`Connection` and whatever it names, `Transfer-Encoding` …) nor those of the
/// opening handshake, nor `Content-Length`, which whoever writes the body anew
/// writes itself.
pub fn end_to_end(fields: &[(String, HeaderValue)]) -> Vec<(String, HeaderValue)> {
    let listed: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .filter_map(|(_, value)| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let passes = |name: &str| {
        let name = name.to_ascii_lowercase();
        !HOP_BY_HOP.contains(&name.as_str()) && !is_the_openings(&name) && !listed.contains(&name)
    };
    let passing = fields.iter().filter(|(name, _)| passes(name));
    passing.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_the_next_on_the_way_does_not_pass() {
        let fields = [
            ("Content-Type", "text/html"),
            ("Connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("CONNECTION", "x-other"),
            ("X-Other", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "3"),
            ("Set-Cookie", "a=b"),
            ("Set-Cookie", "c=d"),
            ("Sec-WebSocket-Version", "13"),
            ("WebSocket-Origin", "x"),
            ("Upgrade", "websocket"),
            ("Proxy-Authenticate", "Basic"),
            ("WWW-Authenticate", "Basic"),
            ("Retry-After", "7"),
        ];
        let fields: Vec<_> = fields
            .map(|(name, value)| (name.to_owned(), HeaderValue::from_static(value)))
            .into();
        let passing = end_to_end(&fields);
        let names: Vec<&str> = passing.iter().map(|(name, _)| name.as_str()).collect();
        let wanted = [
            "Content-Type",
            "Set-Cookie",
            "Set-Cookie",
            "WWW-Authenticate",
            "Retry-After",
        ];
        assert_eq!(names, wanted);
    }
}
