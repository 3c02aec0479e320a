//! Octets without WebSocket: what a server on tokio cannot do without. Each is
//! what tokio's own examples do: one task for each connection, a buffer of its
//! own, and for a broadcaster `tokio::sync::broadcast`.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use super::BEHIND;

/// What one read takes at most: more makes long messages no cheaper here.
const READ: usize = 64 << 10;

/// What one read takes of a connection that holds no buffer.
const SMALL_READ: usize = 1 << 10;

pub(super) async fn echo(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..count]).await?;
    }
}

/// A connection that holds nothing while it waits: the least that a task for
/// each connection takes of memory.
pub(super) async fn idle(mut socket: TcpStream) -> io::Result<()> {
    loop {
        socket.readable().await?;
        let read = {
            let mut buffer = [0; SMALL_READ];
            match socket.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => Some(Bytes::copy_from_slice(&buffer[..count])),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
                Err(e) => return Err(e),
            }
        };
        if let Some(octets) = read {
            socket.write_all(&octets).await?;
        }
    }
}

/// Writes to all what one of them sends.
pub(super) fn broadcast() -> impl Fn(TcpStream) -> Subscriber {
    let (all, _) = broadcast::channel(BEHIND);
    move |socket| Box::pin(subscriber(socket, all.clone(), all.subscribe()))
}

type Subscriber = std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

async fn subscriber(
    mut socket: TcpStream,
    all: broadcast::Sender<Bytes>,
    mut mine: broadcast::Receiver<Bytes>,
) -> io::Result<()> {
    let (mut read, mut write) = socket.split();
    let mut buffer = vec![0; READ];
    loop {
        tokio::select! {
            count = read.read(&mut buffer) => match count? {
                0 => return Ok(()),
                count => {
                    let octets = Bytes::copy_from_slice(&buffer[..count]);
                    all.send(octets).map_err(io::Error::other)?;
                }
            },
            octets = mine.recv() => write.write_all(&octets.map_err(io::Error::other)?).await?,
        }
    }
}
