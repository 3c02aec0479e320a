//! The front end of draftgate: what it listens on, which route serves which
//! path in which drafts, and who may open a connection there.
//!
//! It frames no octet and keeps no channel: the codecs are `draftgate-drafts`,
//! the channels `draftgate-bus`.
//!
//! ```
//! use draftgate_gateway::{Gateway, config::Config};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mut config = Config::default();
//! config.listeners[0].address = ([127, 0, 0, 1], 0).into();
//! let running = Gateway::bind(config)?;
//! println!("ws://{}/bus/chat", running.addrs()[0]);
//! running.drain().await;
//! # Ok::<(), draftgate_gateway::BindError>(())
//! # }).unwrap();
//! ```

mod access;
mod admin;
mod answered;
mod auth;
mod bind_error;
mod census;
pub mod config;
mod counts;
mod forwarded;
mod front;
mod gate;
mod handshake;
mod http;
mod http2;
mod inner;
mod last_words;
mod listen;
mod pace;
mod page;
mod peer;
mod policy;
mod ports;
mod profile;
mod proxied;
mod public_url;
mod quirks;
mod refusal;
mod refusals;
mod registry;
mod rules;
mod running;
mod said;
pub mod service;
mod slot;
mod socket;
mod subprotocol;
mod tap;
mod tasks;
mod throttle;
mod tls;
mod turn;
mod unanswered;

pub use access::{ends_table, rules_table};
pub use admin::{LogSwitch, calls_table, metrics_table};
pub use answered::Answered;
pub use bind_error::BindError;
pub use counts::Counts;
pub use quirks::quirks_table;
pub use refusal::{Refused, refusal_table};
pub use running::{Gateway, Reloaded, Running};
pub use tls::{BadFile, Certificate, Served, TlsKind};
pub use unanswered::{Unanswered, unanswered_table};
