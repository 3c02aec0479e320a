//! From a URL to an open connection, in any draft that is spoken: directly or
//! through an HTTP proxy, with or without TLS.
//!
//! The drafts' own crates write the request and judge the answer; this crate
//! has the sockets, the deadlines, and the decision which draft to try next. It
//! drives no connection: [`Connection::start`] hands it to
//! [`draftgate_conn::Conn`].
//!
//! ```no_run
//! use draftgate_client::{Client, Drafts, Options};
//! use draftgate_conn::{Conn, Handler, Peer, Settings};
//! use draftgate_core::Message;
//!
//! struct Print;
//!
//! impl Handler for Print {
//!     fn message(&mut self, message: Message, _: &mut Peer<'_>) {
//!         println!("{message:?}");
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Options {
//!     drafts: Drafts::Auto,
//!     ..Options::default()
//! });
//! let connection = client.connect(&"wss://example.com/chat".parse()?).await?;
//! println!("connected in {}", connection.draft());
//! let (stream, start) = connection.start();
//! Conn::new(stream, start, Settings::client()).run(&mut Print).await;
//! # Ok(())
//! # }
//! ```

mod answered;
mod body;
mod client;
mod credentials;
mod dial;
mod environment;
mod error;
mod http2;
mod ladder;
mod opening;
mod options;
mod proxy;
mod request;
mod stream;
mod tcp;
mod tls;
mod unix;
mod url;
mod witness;

pub use answered::Answered;
pub use client::{Client, Connection, Tried};
pub use credentials::Credentials;
pub use draftgate_drafts::{compression::Settings as Compression, opening::AnswerChecks};
pub use environment::NotInEnvironment;
pub use error::{ConnectError, Http2Failure, ProxyRefusal, Stage};
pub use options::{Drafts, NotDrafts, Options, Via};
pub use proxy::{NotAProxy, Proxy};
pub use request::Request;
pub use stream::{HalfClose, Stream};
pub use tls::{Tls, TlsFailure};
pub use url::{NotAUrl, Url};
pub use witness::Witness;
