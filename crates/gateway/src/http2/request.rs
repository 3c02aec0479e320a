//! One request: a WebSocket over its stream, or an answer.

use std::{future::poll_fn, sync::Arc};

use bytes::{Bytes, BytesMut};
use draftgate_conn::Stream;
use draftgate_drafts::opening::{ConnectProtocol, Head};
use h2::{RecvStream, server::SendResponse};
use http::{HeaderName, Method, Response, StatusCode};
use tracing::debug;

use super::{Resets, body::Received, head, refuse, reply};
use crate::{
    census::Client,
    front::{Body, Visit, serving::Serving},
    handshake::{Opened, Request},
    http::Reply,
    refusals::detected,
    slot::Slot,
    socket::Socket,
    tls::Transport,
    turn::Turn,
};

/// Serves `request`: a connection, if it ends in one.
pub(super) async fn serve(
    mut visit: Visit,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    resets: Arc<Resets>,
) -> Option<Serving> {
    let (parts, stream) = request.into_parts();
    let (request, asked) = head::read(parts, visit.listener.limits.head_fields);
    let body = Received::new(stream, &request.parts.headers);
    let patience = visit.listener.timeouts.write;
    let head_only = request.parts.method == Method::HEAD;
    let turn = Turn::new(None).with(visit.opening.take());
    if let Ok(()) = &asked
        && ConnectProtocol::of(&request.parts).is_some()
    {
        return websocket(visit, request, body, (respond, turn), &resets).await;
    }
    let slot = Slot::new(turn);
    let reset = poll_fn(|cx| respond.poll_reset(cx));
    let answer = match asked {
        Err(refused) => refuse(&visit, &refused, &request).map(Reply::Whole),
        Ok(()) => tokio::select! {
            biased;
            _ = reset => {
                resets.reset();
                return None;
            }
            answer = answer(&mut visit, &request, body, &slot) => answer?,
        },
    };
    resets.answered();
    reply::send(respond, answer, head_only, patience, &slot).await;
    None
}

/// The answer to what is no request for a WebSocket; `None` if nobody waits for it.
async fn answer(
    visit: &mut Visit,
    request: &Request,
    body: Received,
    slot: &Slot,
) -> Option<Response<Reply>> {
    let parts = &request.parts;
    if let Some(answer) = visit.file(parts, &body) {
        return Some(answer.map(Reply::Whole));
    }
    if let Some(errand) = crate::http::look(visit, parts) {
        let answer = crate::http::answer(visit, errand, parts, &request.head, body, slot);
        return Some(Box::pin(answer).await);
    }
    let local = visit.local.unwrap_or(visit.listener.address);
    let mut turn = Turn::new(None);
    let forwarded = visit.learn_client(request);
    let never = std::future::pending();
    match visit
        .decide(request, forwarded, local, &mut turn, never)
        .await?
    {
        Err(refused) => Some(refuse(visit, &refused, request).map(Reply::Whole)),
        // Without a CONNECT there is nothing to open.
        Ok(_) => None,
    }
}

async fn websocket(
    mut visit: Visit,
    request: Request,
    body: Received,
    (mut respond, mut turn): (SendResponse<Bytes>, Turn),
    resets: &Resets,
) -> Option<Serving> {
    let forwarded = visit.learn_client(&request);
    let local = visit.local.unwrap_or(visit.listener.address);
    let gone = async {
        let _ = poll_fn(|cx| respond.poll_reset(cx)).await;
        resets.reset();
    };
    let decided = visit.decide(&request, forwarded, local, &mut turn, gone);
    let mut opened = match decided.await? {
        Ok(opened) => opened,
        Err(refused) => {
            drop(turn);
            let answer = refuse(&visit, &refused, &request);
            resets.answered();
            reply::short(respond, answer, visit.listener.timeouts.write).await;
            return None;
        }
    };
    let Ok(sending) = respond.send_response(accepted(&mut opened), false) else {
        resets.reset();
        visit.inner.abandoned(detected(&request.parts));
        debug!(id = visit.id, peer = %visit.peer, "the client went before it was answered");
        return None;
    };
    resets.answered();
    let stream = Stream::new(sending, body.into_stream());
    let socket = Socket::new(Transport::Stream(Box::new(stream)), None, &[], &visit.peer);
    let shown = visit.inner.past.heads().map(|it| it.shown(&request.head));
    let of_head = (shown, Client::new(&request.head));
    let start = (None, BytesMut::new(), Body::None);
    Some(visit.admit(socket, start, of_head, opened, turn))
}

/// The answer that opens it.
fn accepted(opened: &mut Opened) -> Response<()> {
    let head = std::mem::replace(&mut opened.head, Head::new(200, "OK"));
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::OK);
    for (name, value) in head.fields {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
