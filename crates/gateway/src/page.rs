//! The page at `/`: one HTML file, built in.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use http_body_util::Full;

const CHAT: &str = include_str!("../assets/chat.html");

/// Everything stands in the one file, so nothing may come from elsewhere; the
/// page connects to the address that its reader types, hence any `ws:`.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
     img-src data:; connect-src ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The answer to `GET /`, or to `HEAD /`, whose body hyper leaves away.
pub(crate) fn answer(method: &Method) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(match *method {
        Method::HEAD => Bytes::new(),
        _ => Bytes::from_static(CHAT.as_bytes()),
    }));
    let fields = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.insert(header::CONTENT_LENGTH, CHAT.len().into());
    answer
}
