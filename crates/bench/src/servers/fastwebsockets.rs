//! fastwebsockets, after its example `echo_server`, but on the plain socket
//! instead of hyper's boxed one, which makes it faster: the opening is
//! `opening.rs`. Frames from 1 KiB on leave by `writev` by its own default.
//! The example's `unconstrained` is left out: it lets one connection starve the
//! others, which none of the servers here may do.

use std::future;

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket,
    WebSocketError,
};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use super::{BEHIND, opening};

/// Its own default, 64 MiB, said here because it is the limit of what it can echo.
const LONGEST: usize = 64 << 20;

pub(super) async fn echo(socket: TcpStream) -> Result<(), WebSocketError> {
    let mut connection = FragmentCollector::new(accept(socket).await?);
    loop {
        let frame = connection.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => connection.write_frame(frame).await?,
            _ => {}
        }
    }
}

pub(super) fn broadcast() -> impl Fn(TcpStream) -> Subscriber {
    let (all, _) = broadcast::channel(BEHIND);
    move |socket| Box::pin(subscriber(socket, all.clone(), all.subscribe()))
}

type Subscriber = std::pin::Pin<Box<dyn Future<Output = Result<(), WebSocketError>> + Send>>;

async fn accept(mut socket: TcpStream) -> Result<WebSocket<TcpStream>, WebSocketError> {
    opening::answer(&mut socket).await?;
    let mut connection = WebSocket::after_handshake(socket, Role::Server);
    connection.set_max_message_size(LONGEST);
    Ok(connection)
}

/// Reading and writing are two futures of one task that go on side by side: a read
/// that is given up half way, as `select!` in a loop does, would lose octets here.
async fn subscriber(
    socket: TcpStream,
    all: broadcast::Sender<(OpCode, Bytes)>,
    mut mine: broadcast::Receiver<(OpCode, Bytes)>,
) -> Result<(), WebSocketError> {
    let (read, mut write) = accept(socket).await?.split(TcpStream::into_split);
    let mut read = FragmentCollectorRead::new(read);
    let reading = async {
        loop {
            // Its own answers to control frames, which nobody sends here.
            let answered = &mut |_| future::ready(Ok::<_, WebSocketError>(()));
            let frame = read.read_frame(answered).await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => {
                    // Never fails: this connection listens too.
                    let _ = all.send((frame.opcode, Bytes::copy_from_slice(&frame.payload)));
                }
                _ => {}
            }
        }
    };
    let writing = async {
        while let Ok((opcode, payload)) = mine.recv().await {
            let payload = Payload::Borrowed(&payload);
            let frame = Frame::new(true, opcode, None, payload);
            write.write_frame(frame).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}
