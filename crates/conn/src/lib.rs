//! Runs a [`Codec`](draftgate_core::Codec) over a tokio stream: reading,
//! writing, the bounded send queue, keep-alive and every timeout.
//!
//! It knows no draft and no HTTP, keeps no list of connections and writes no
//! log: [`Conn::run`] ends with a [`Closed`] that says all there is to say.
//! One task drives one connection, as either end. What other tasks want to
//! say goes through a [`Sender`]; what the peer says comes to a [`Handler`].
//!
//! ```
//! use draftgate_conn::{Closed, Conn, Handler, Peer, Settings, Start};
//! use draftgate_core::{Codec, Message, Outgoing};
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
//!         // Into the outbox: a peer that does not read what it is sent is
//!         // not read from either. An `Err` says that the connection closes.
//!         let _ = peer.send(Outgoing::Message(message));
//!     }
//! }
//!
//! async fn echo(io: impl AsyncRead + AsyncWrite + Send, codec: Box<dyn Codec>) -> Closed {
//!     Conn::new(io, Start::new(codec), Settings::server())
//!         .run(&mut Echo)
//!         .await
//! }
//! ```

mod clock;
mod closed;
mod driver;
mod ending;
mod handler;
mod hearing;
mod lent;
mod live;
mod queue;
mod queued;
mod scratch;
mod session;
mod settings;
mod spoken;
mod stream;
mod tcp;
mod timer;

pub use closed::{By, Closed, Stats, Why};
pub use driver::{Conn, Run};
pub use handler::{End, Handler, Peer};
pub use live::Traffic;
pub use queue::Sender;
pub use queued::{Fate, Loss, Queued, Receipt, Refused, What};
pub use settings::{Heartbeat, Overflow, Settings, Start};
pub use spoken::Spoken;
pub use stream::Stream;
pub use tcp::{Half, Tcp};
