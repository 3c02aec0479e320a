//! Servers behind the gateway: to which of several a connection is made, in
//! which draft, how many at a time, and what happens where one does not answer.
//!
//! `draftgate-client` makes one connection to one URL; this crate remembers
//! between connections: who failed, which draft worked, how many there are; that
//! it also tells whoever embeds it ([`Upstream::remembered`],
//! [`Upstream::connections`], [`Upstream::waiting`]). It forwards nothing: it
//! hands out a connection together with its slot. A [`Feed`] keeps one of them
//! open for ever.
//!
//! ```no_run
//! use draftgate_upstream::{Ask, Link, Settings, Upstream};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let upstream = Upstream::new(Settings {
//!     addresses: vec!["ws://10.0.0.7:8080/plc".parse()?, "unix:/run/plc.sock".parse()?],
//!     max_connections: Some(1),
//!     ..Settings::default()
//! });
//! let ask = Ask {
//!     resource: "/values?unit=3",
//!     ..Ask::default()
//! };
//! let reached = upstream.connect(&ask).await?;
//! if let Link::WebSocket(connection) = reached.link {
//!     println!("connected to {} in {}", reached.address, connection.draft());
//! }
//! // The slot is free again when it is dropped.
//! drop(reached.slot);
//! # Ok(())
//! # }
//! ```

mod address;
mod ask;
mod failure;
mod feed;
mod fields;
mod health;
mod masked;
mod memory;
mod proxy_header;
mod settings;
mod slots;
mod told;
mod upstream;

pub use address::{Address, NotAnAddress};
pub use ask::Ask;
pub use failure::{Attempt, Failure};
pub use feed::Feed;
pub use fields::end_to_end;
pub use masked::{MASK, masked, secrets};
pub use settings::{BackOff, Settings};
pub use slots::{Busy, Slot};
pub use upstream::{Link, Reached, Upstream};
