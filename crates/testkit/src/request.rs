//! A request's octets as the front end sees them.

use bytes::Bytes;
use http::{Request, request::Parts};

/// The parts of the request that `octets` begin with, and what follows its
/// empty line.
///
/// # Panics
/// If the octets begin with no whole HTTP/1 request.
pub fn parts(octets: &[u8]) -> (Parts, Bytes) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut fields);
    let end = parsed
        .parse(octets)
        .expect("a well-formed request")
        .unwrap();
    let mut request = Request::builder()
        .method(parsed.method.expect("a whole request has a method"))
        .uri(parsed.path.expect("a whole request has a target"))
        .version(match parsed.version {
            Some(0) => http::Version::HTTP_10,
            _ => http::Version::HTTP_11,
        });
    for field in parsed.headers {
        request = request.header(field.name, field.value);
    }
    let (parts, ()) = request.body(()).expect("a proper request").into_parts();
    (parts, Bytes::copy_from_slice(&octets[end..]))
}
