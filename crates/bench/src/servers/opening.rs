//! The opening for servers whose library leaves it to its user: the request is
//! read whole, its key answered, and nothing else looked at. It is not what a
//! server on the internet should do; it is what costs least.

use std::io;

use base64::prelude::{BASE64_STANDARD, Engine};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// RFC 6455, section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A longer request is none that is measured.
const LONGEST: usize = 8 << 10;

/// The value of `Sec-WebSocket-Accept` for a key.
pub(super) fn accept_key(key: &[u8]) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    BASE64_STANDARD.encode(hash)
}

/// Reads the request and answers it. A client waits for the answer before it
/// sends more, so nothing follows the request.
pub(super) async fn answer(socket: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::with_capacity(1 << 10);
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await? == 0 || request.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(&request).map_err(io::Error::other)?;
    let key = parsed
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("Sec-WebSocket-Key"))
        .ok_or(io::ErrorKind::InvalidData)?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.value)
    );
    socket.write_all(answer.as_bytes()).await
}
