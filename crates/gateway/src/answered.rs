//! What a server behind us answered to an opening, for the client to get as it
//! came: its fields and its body, with a length of our own.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

/// A server's own answer, which the client gets as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The reason phrase.
    pub reason: String,
    /// The fields that concern the client, without those of the body's length
    /// and of the connection.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answered {
    /// The octets of the answer, with `status`.
    pub(crate) fn to_octets(&self, status: u16) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 {status} {}\r\n", self.reason).into_bytes();
        let length = HeaderValue::from(self.body.len());
        let close = HeaderValue::from_static("close");
        let ours = [
            (header::CONNECTION, close),
            (header::CONTENT_LENGTH, length),
        ];
        // RFC 9110 §8.6: these have no body, and no length of it.
        let ours = &ours[..if matches!(status, 204 | 304) { 1 } else { 2 }];
        for (name, value) in self.fields.iter().chain(ours) {
            answer.extend_from_slice(name.as_str().as_bytes());
            answer.extend_from_slice(b": ");
            answer.extend_from_slice(value.as_bytes());
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&self.body);
        answer
    }

    /// The same for hyper to write, on a connection that goes on.
    pub(crate) fn to_response(&self, status: u16) -> http::Response<Full<Bytes>> {
        let mut answer = http::Response::new(Full::from(self.body.clone()));
        *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        for (name, value) in &self.fields {
            answer.headers_mut().append(name.clone(), value.clone());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_has_no_body_has_no_length_of_it() {
        for (status, has_length) in [(200, true), (204, false), (205, true), (304, false)] {
            let answered = Answered {
                reason: "So".to_owned(),
                fields: Vec::new(),
                body: Bytes::new(),
            };
            let answer = String::from_utf8(answered.to_octets(status)).unwrap();
            assert_eq!(answer.contains("content-length: 0"), has_length, "{answer}");
            assert!(answer.ends_with("\r\n\r\n") && answer.contains("connection: close"));
        }
    }
}
