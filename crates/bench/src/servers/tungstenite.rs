//! tokio-tungstenite. The echo is its example `echo-server`: the two halves and
//! `forward`, which writes only once nothing more is there to read, and is what
//! makes it fastest. Its settings are left alone: smaller buffers make it slower
//! with long messages, and larger ones no faster with short ones.

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::BEHIND;

pub(super) async fn echo(socket: TcpStream) -> Result<(), Error> {
    let (write, read) = tokio_tungstenite::accept_async(socket).await?.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(write)
        .await
}

pub(super) fn broadcast() -> impl Fn(TcpStream) -> Subscriber {
    let (all, _) = broadcast::channel(BEHIND);
    move |socket| Box::pin(subscriber(socket, all.clone(), all.subscribe()))
}

type Subscriber = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

async fn subscriber(
    socket: TcpStream,
    all: broadcast::Sender<Message>,
    mut mine: broadcast::Receiver<Message>,
) -> Result<(), Error> {
    let (mut write, mut read) = tokio_tungstenite::accept_async(socket).await?.split();
    loop {
        tokio::select! {
            message = read.next() => match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    // Never fails: this connection listens too.
                    let _ = all.send(message);
                }
                Some(_) => {}
                None => return Ok(()),
            },
            message = mine.recv() => match message {
                Ok(message) => write.send(message).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
