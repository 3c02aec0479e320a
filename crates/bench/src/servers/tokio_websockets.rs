//! tokio-websockets, after its examples `echo_server` and `autobahn_server`, whose
//! limits on messages are taken away as there. `forward` and room for as much before
//! it writes make it a little faster than the examples' `send`. It is one write a
//! message all the same: its stream writes what waits before each message it reads.

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

use super::BEHIND;

/// As much as tungstenite gathers by default.
const FLUSH: usize = 128 << 10;

pub(super) async fn echo(socket: TcpStream) -> Result<(), Error> {
    let (write, read) = accept(socket).await?.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(write)
        .await
}

pub(super) fn broadcast() -> impl Fn(TcpStream) -> Subscriber {
    let (all, _) = broadcast::channel(BEHIND);
    move |socket| Box::pin(subscriber(socket, all.clone(), all.subscribe()))
}

type Subscriber = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

async fn accept(socket: TcpStream) -> Result<WebSocketStream<TcpStream>, Error> {
    // One frame for each message: cutting long ones costs more.
    let config = Config::default().frame_size(usize::MAX);
    let (_request, connection) = ServerBuilder::new()
        .config(config.flush_threshold(FLUSH))
        .limits(Limits::unlimited())
        .accept(socket)
        .await?;
    Ok(connection)
}

async fn subscriber(
    socket: TcpStream,
    all: broadcast::Sender<Message>,
    mut mine: broadcast::Receiver<Message>,
) -> Result<(), Error> {
    let mut connection = accept(socket).await?;
    loop {
        tokio::select! {
            message = connection.next() => match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    // Never fails: this connection listens too.
                    let _ = all.send(message);
                }
                Some(_) => {}
                None => return Ok(()),
            },
            message = mine.recv() => match message {
                Ok(message) => connection.send(message).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
