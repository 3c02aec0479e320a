//! The HTTP part of a connection: hyper answers what is its own, and the first
//! request that is not ends it.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use http::{Response, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::{Body, Visit};
use crate::{
    Refused,
    handshake::{self, Request},
    http::{Reply, Skip},
    page, policy, public_url,
    slot::Slot,
    socket::Socket,
    tap::{Tap, Tapped},
};

/// How the HTTP part of a connection ended.
pub(super) enum Heard {
    Request(Box<Request>),
    /// With what was read of the head.
    Refused(Refused, Vec<u8>),
    /// Nothing is left to say.
    Over,
}

impl Visit {
    /// Runs hyper until a request comes that is not for it.
    pub(super) async fn hear(
        &self,
        tcp: Socket,
        ahead: BytesMut,
        slot: &Slot,
    ) -> (Heard, Socket, BytesMut) {
        let tap = Tap::default();
        let limits = &self.listener.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.listener.timeouts.head)
            .max_buf_size(limits.head.max(8192))
            .max_header_size(limits.head)
            .max_headers(limits.head_fields)
            .auto_date_header(false)
            .writev(false);
        let service = service_fn(|request| {
            let (parts, body) = http::Request::into_parts(request);
            let asked = self.receive(parts, body, tap.clone(), slot);
            Box::pin(asked) as Pin<Box<dyn Future<Output = _> + Send + '_>>
        });
        let patience = self.listener.timeouts.write;
        let io = TokioIo::new(Tapped::new(tcp, ahead, tap.clone(), patience));
        let mut connection = http.serve_connection(io, service);
        let mut stopping = pin!(self.inner.stop.cancelled());
        let mut told = false;
        let end = poll_fn(|cx| {
            if !told && stopping.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(result) => Poll::Ready(result.err()),
                Poll::Pending if slot.is_taken() && tap.is_flushed() => Poll::Ready(None),
                Poll::Pending if slot.is_cut() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if end.as_ref().is_some_and(is_write_timeout) {
            slot.stuck();
        }
        let parts = connection.into_parts();
        let (tcp, ahead) = parts.io.into_inner().into_parts();
        let mut received = BytesMut::from(parts.read_buf);
        received.unsplit(ahead);
        let heard = match (slot.take(), end) {
            (Some(request), _) => Heard::Request(Box::new(request)),
            (None, None) => Heard::Over,
            (None, Some(error)) => match unheard(&error, tap.has_begun()) {
                Some(refused) => Heard::Refused(refused, tap.take_head()),
                // The peer has gone, or was silent between two requests.
                None => Heard::Over,
            },
        };
        (heard, tcp, received)
    }

    /// hyper's service: gives an answer, or leaves the request in `slot`.
    async fn receive(
        &self,
        parts: Parts,
        body: Incoming,
        tap: Tap,
        slot: &Slot,
    ) -> Result<Response<Reply>, Infallible> {
        let head = tap.take_head();
        if let Some(answer) = self.file(&parts, &body) {
            return Ok(answer.map(Reply::Whole));
        }
        if let Some(errand) = crate::http::look(self, &parts) {
            tap.skip(Skip::body(&parts.headers));
            // In a box of its own: every request would be moved with its room.
            let answer = crate::http::answer(self, errand, &parts, &head, body, slot);
            return Ok(Box::pin(answer).await);
        }
        let body = match body.size_hint().exact() {
            Some(0) => Body::None,
            // Collected now: behind an unread body, hyper gives nothing back.
            Some(8) if parts.headers.contains_key("sec-websocket-key1") => {
                match timeout(self.listener.timeouts.key3, body.collect()).await {
                    Ok(Ok(body)) => Body::Key3(body.to_bytes()),
                    Ok(Err(_)) | Err(_) => Body::Late,
                }
            }
            _ => Body::Unread,
        };
        tap.await_flush();
        slot.put(Request {
            parts,
            head: head.into(),
            body,
        });
        pending().await
    }

    /// What hyper answers by itself, to whoever only reads: the page and the
    /// files of the policy.
    pub(crate) fn file(
        &self,
        parts: &Parts,
        body: &impl hyper::body::Body,
    ) -> Option<Response<Full<Bytes>>> {
        let reads = handshake::is_read(&parts.method)
            && !handshake::is_websocket(parts)
            && (parts.version < http::Version::HTTP_11 || public_url::host(&parts.headers).is_ok())
            && body.is_end_stream();
        match parts.uri.path() {
            _ if !reads => None,
            "/" if self.listener.page => Some(page::answer(&parts.method)),
            _ => policy::over_http(self, parts),
        }
    }
}

/// Whether the tap has given up writing: nothing else fails so.
fn is_write_timeout(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
}

/// What hyper's `error` means for the peer; `begun`: part of a head had come.
fn unheard(error: &hyper::Error, begun: bool) -> Option<Refused> {
    if error.is_parse_too_large() {
        return Some(match error.to_string() {
            text if text.contains("URI") => Refused::uri_too_long(),
            text => Refused::head_too_large().with(text),
        });
    }
    if error.is_parse() {
        return Some(Refused::head_malformed().with(error.to_string()));
    }
    (error.is_timeout() && begun).then(Refused::head_timeout)
}
