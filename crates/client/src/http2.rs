//! The opening over a stream of HTTP/2 (RFC 8441): another carrier for the same
//! draft.
//!
//! The draft writes its request and judges the answer as ever; here one is
//! written as HTTP/2 has it, and what comes back is put into the words that the
//! draft knows. There is no key to answer: that a stream was opened for a CONNECT
//! proves what the key proves.

use std::{future::poll_fn, io, pin::pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_core::Role;
use draftgate_drafts::opening::{
    Answer, Asked, Connected, Keyed, MAX_HEAD, Offer, Refusal, RefusalKind,
};
use h2::{
    Ping,
    client::{Connection, ResponseFuture, SendRequest},
    ext::Protocol,
};
use http::{HeaderMap, HeaderName, Request, StatusCode, response::Parts};
use tokio::time::timeout;

use crate::{Answered, ConnectError, Http2Failure, Stream, Url, body::Body};

/// Its name within TLS (ALPN).
pub(crate) const PROTOCOL: &[u8] = b"h2";

/// What the server may send ahead of our reading.
const WINDOW: u32 = 256 << 10;

/// What waits in h2 to be sent.
const WAITING: usize = 64 << 10;

/// What HTTP/1.1 needs for an opening, and HTTP/2 has no place for.
const OF_HTTP_1: [&str; 5] = [
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-accept",
];

/// What was opened.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) connected: Connected,
    /// The request, in the form of HTTP/1.1.
    pub(crate) request: Bytes,
}

/// Opens a stream on the connection `over`, which nobody has used yet, for `offer`.
///
/// # Errors
/// There is no HTTP/2, no WebSocket over it, or the answer is not one in time.
pub(crate) async fn open(
    over: Stream,
    url: &Url,
    offer: Offer,
    within: Duration,
    seen: impl Fn(Role, &[u8]),
) -> Result<Opened, ConnectError> {
    let host = &url.host;
    let failed = |failure| ConnectError::Http2 {
        host: host.clone(),
        failure,
    };
    if over.is_secure() && over.application_protocol() != Some(PROTOCOL) {
        return Err(failed(Http2Failure::NotOffered));
    }
    let unspeakable = |refusal| ConnectError::Unspeakable { refusal };
    let asked = Asked::read(&offer.request).map_err(unspeakable)?;
    let key = asked.must("sec-websocket-key").map_err(unspeakable)?;
    let accept = Keyed::from_key(key).map(|keyed| keyed.accept());
    let head = head(&asked, url).map_err(unspeakable)?;
    let text = text(&asked);
    let tls = over.tls_version();
    let opening = async {
        let (send, connection) = begin(over).await.map_err(failed)?;
        tokio::spawn(async move {
            // Its streams say what becomes of it.
            let _ = connection.await;
        });
        let (answer, sending) = ask(send, head).await.map_err(failed)?;
        seen(Role::Client, &text);
        let answer = answer.await.map_err(|error| match error.reason() {
            Some(reason) if !error.is_go_away() => failed(Http2Failure::Reset(reason.to_string())),
            _ => ConnectError::Broken {
                host: host.clone(),
                source: io::Error::other(error),
            },
        })?;
        let (parts, receiving) = answer.into_parts();
        Ok((parts, draftgate_conn::Stream::new(sending, receiving)))
    };
    let timed_out = |_| ConnectError::OpeningTimeout {
        host: host.clone(),
        after: within,
        octets: 0,
    };
    let opened: Result<_, ConnectError> = timeout(within, opening).await.map_err(timed_out)?;
    let (parts, mut stream) = opened?;
    let fields = fields(&parts.headers);
    let said = [&status_line("HTTP/2", parts.status), &fields[..], b"\r\n"].concat();
    seen(Role::Server, &said);
    if parts.status != StatusCode::OK {
        return Err(refused(&parts, &fields, &mut stream).await);
    }
    let accept = accept.unwrap_or_default();
    let proof = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    let mut answer = BytesMut::from(&[proof.as_bytes(), &fields, b"\r\n"].concat()[..]);
    let mut pending = offer.pending;
    let judged = match pending.answer(&mut answer) {
        Ok(Some(connected)) => Ok(connected),
        Ok(None) => Err(RefusalKind::AnswerMalformed.into()),
        Err(refusal) => Err(refusal),
    };
    let connected = judged.map_err(|refusal: Refusal| ConnectError::Refused {
        refusal,
        status: Some(parts.status.as_u16()),
        versions: Vec::new(),
        body: String::new(),
        answer: None,
    })?;
    Ok(Opened {
        stream: Stream::http2(stream, tls),
        connected: Connected {
            head: said.into(),
            ..connected
        },
        request: text,
    })
}

/// Begins with HTTP/2, until the server's settings are known.
async fn begin(
    over: Stream,
) -> Result<(SendRequest<Bytes>, Connection<Stream, Bytes>), Http2Failure> {
    let not_spoken = |error: h2::Error| Http2Failure::NotSpoken(error.to_string());
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(WAITING)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    let (send, mut connection) = builder.handshake(over).await.map_err(not_spoken)?;
    let ended = || Http2Failure::NotSpoken("it closed the connection".to_owned());
    // Whoever answers this has sent its settings before, or has none.
    let mut pings = connection.ping_pong().ok_or_else(ended)?;
    pings.send_ping(Ping::opaque()).map_err(not_spoken)?;
    poll_fn(|cx| {
        if let Poll::Ready(over) = pin!(&mut connection).poll(cx) {
            return Poll::Ready(Err(over.map_or_else(not_spoken, |()| ended())));
        }
        if send.is_extended_connect_protocol_enabled() {
            return Poll::Ready(Ok(()));
        }
        pings.poll_pong(cx).map(|pong| match pong {
            Ok(_) => Err(Http2Failure::NoWebSockets),
            Err(error) => Err(not_spoken(error)),
        })
    })
    .await?;
    Ok((send, connection))
}

async fn ask(
    send: SendRequest<Bytes>,
    head: Request<()>,
) -> Result<(ResponseFuture, h2::SendStream<Bytes>), Http2Failure> {
    let failed = |error: h2::Error| Http2Failure::Reset(error.to_string());
    let mut send = send.ready().await.map_err(failed)?;
    send.send_request(head, false).map_err(failed)
}

/// The head of the request that `asked` is in HTTP/1.1.
fn head(asked: &Asked, url: &Url) -> Result<Request<()>, Refusal> {
    let scheme = if url.secure { "https" } else { "http" };
    let host = asked.must("host")?;
    let unspeakable =
        |error: http::Error| Refusal::with(RefusalKind::AskUnspeakable, error.to_string());
    let mut head = Request::connect(format!("{scheme}://{host}{}", asked.resource))
        .extension(Protocol::from_static("websocket"));
    for (name, value) in &asked.fields {
        if !is_of_http_1(name) {
            head = head.header(name.to_ascii_lowercase(), value);
        }
    }
    head.body(()).map_err(unspeakable)
}

/// The same for who is shown it.
fn text(asked: &Asked) -> Bytes {
    let host = asked.field("host").unwrap_or_default();
    let mut text = format!("CONNECT {} HTTP/2\r\nHost: {host}\r\n", asked.resource);
    for (name, value) in &asked.fields {
        if !is_of_http_1(name) {
            text.push_str(&format!("{}: {value}\r\n", name.to_ascii_lowercase()));
        }
    }
    text.push_str("\r\n");
    text.into()
}

fn is_of_http_1(name: &str) -> bool {
    OF_HTTP_1.iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn status_line(version: &str, status: StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("{version} {} {reason}\r\n", status.as_u16()).into_bytes()
}

/// The fields of an answer as HTTP/1.1 has them.
fn fields(fields: &HeaderMap) -> Vec<u8> {
    let mut octets = Vec::new();
    let is_ours = |name: &HeaderName| !is_of_http_1(name.as_str());
    for (name, value) in fields.iter().filter(|(name, _)| is_ours(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            octets.extend_from_slice(part);
        }
    }
    octets
}

/// What an answer with another status means.
async fn refused(
    parts: &Parts,
    fields: &[u8],
    stream: &mut draftgate_conn::Stream,
) -> ConnectError {
    let line = status_line("HTTP/1.1", parts.status);
    let octets = [&line[..], fields, b"\r\n"].concat();
    let answer = Answer::read(&mut BytesMut::from(&octets[..]));
    let answer = answer.ok().flatten();
    let body = match &answer {
        Some(answer) => Some(Body::read(answer, BytesMut::new(), stream).await),
        None => None,
    };
    let detail = String::from_utf8_lossy(&status_line("HTTP/2", parts.status))
        .trim()
        .to_owned();
    let versions = answer.as_ref().map(crate::opening::versions);
    ConnectError::Refused {
        refusal: Refusal::with(RefusalKind::AnswerStatus, detail),
        status: Some(parts.status.as_u16()),
        versions: versions.unwrap_or_default(),
        body: body.as_ref().map_or_else(String::new, Body::shown),
        answer: answer
            .zip(body)
            .map(|(answer, body)| Box::new(Answered::new(&answer, body))),
    }
}
