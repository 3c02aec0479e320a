//! The compression extensions: `permessage-deflate` (RFC 7692), `deflate-frame`
//! and its older name `x-webkit-deflate-frame` (per frame, 2011 to 2013), and
//! `deflate-stream` (hybi-04 on), which lies under all frames.
//!
//! Both sides of the negotiation are here, and what is agreed on goes into an
//! opening as an [`Agreed`](draftgate_wire::Agreed): the drafts' own crates know
//! nothing of it.
//!
//! What it costs: who keeps the context of earlier messages holds a compressor of
//! 371 KiB (245 with the smallest window) and an inflater of 46 KiB for each
//! connection that used them; who does not borrows both from its thread for the
//! length of one message. What is inflated appears in chunks of 32 KiB, so that
//! the limits for messages count before more is made.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_deflate::{Settings, agree};
//!
//! let offers = ["permessage-deflate; client_max_window_bits"];
//! let agreed = agree(Draft::Hybi13, offers, &Settings::default()).unwrap();
//! assert_eq!(
//!     draftgate_wire::Agreed::field(&*agreed),
//!     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
//! );
//! ```

mod agreed;
mod client;
mod deflater;
mod extension;
mod field;
mod inflater;
mod name;
mod parameters;
mod recorded;
mod scratch;
mod server;
mod settings;
mod stream;

pub use client::Offers;
pub use name::meaning;
pub use recorded::{Recorded, recorded};
pub use server::agree;
pub use settings::Settings;
