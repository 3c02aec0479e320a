//! A bare upgrade by hyper: what an opening costs in any server that has hyper
//! for its front, before a WebSocket library does anything.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::opening::accept_key;

pub(super) async fn upgrade(socket: TcpStream) -> hyper::Result<()> {
    http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service_fn(answer))
        .with_upgrades()
        .await
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let accept = accept_key(key.as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        // Nothing is expected: the connection is held until the client goes.
        let _ = TokioIo::new(upgraded).read(&mut [0; 64]).await;
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(UPGRADE, "websocket".parse().expect("a field's value"));
    fields.insert(CONNECTION, "Upgrade".parse().expect("a field's value"));
    fields.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64"));
    Ok(response)
}
