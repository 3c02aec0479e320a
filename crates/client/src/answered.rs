//! An answer of HTTP that is no 101, for whoever passes it on: a proxy hands
//! the server's refusal to its own client.

use bytes::{Bytes, BytesMut};
use draftgate_drafts::opening::Answer;
use http::HeaderValue;

use crate::body::Body;

/// A final answer of another status than 101.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status, from 200 on.
    pub status: u16,
    /// The reason phrase; it may be empty.
    pub reason: String,
    /// Every field, names and values in their order.
    pub fields: Vec<(String, HeaderValue)>,
    /// The body without chunks, as much of it as came in time, at most 64 KiB.
    pub body: Bytes,
    /// Whether that is all of the body.
    pub whole: bool,
}

impl Answered {
    pub(crate) fn new(answer: &Answer, body: Body) -> Self {
        let line = answer.status_line();
        let reason = line.splitn(3, ' ').nth(2).unwrap_or_default();
        Self {
            status: answer.status,
            reason: reason.to_owned(),
            fields: fields(&answer.head),
            body: body.octets,
            whole: body.whole,
        }
    }
}

/// The fields of the head of an answer.
pub(crate) fn fields(head: &[u8]) -> Vec<(String, HeaderValue)> {
    let mut head = BytesMut::from(head);
    if let Some(behind) = head.strip_prefix(b"HTTP/2 ") {
        // Over HTTP/2 there is no line that says so; ours has the form of HTTP/1.1.
        head = BytesMut::from(&[b"HTTP/1.1 ", behind].concat()[..]);
    }
    let answer = Answer::read(&mut head).ok().flatten();
    let fields = answer.map(|answer| answer.fields).unwrap_or_default();
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(&value).ok()?)))
        .collect()
}
