//! The words that every crate of draftgate shares: drafts, messages, closes,
//! limits, violations, and the [`Codec`] trait that each draft implements.
//!
//! Nothing here opens a socket, reads a clock or rolls dice, and nothing here
//! knows how any draft frames its octets: that is `draftgate-wire` and the
//! crates of the drafts.
//!
//! ```
//! use draftgate_core::{Draft, Message};
//!
//! let draft: Draft = "hybi-00".parse()?;
//! assert_eq!(draft, Draft::Hixie76);
//! assert_eq!(draft.with_alias(), "hixie-76 = hybi-00");
//! assert_eq!(Message::from("Hello").len(), 5);
//! # Ok::<(), draftgate_core::UnknownDraft>(())
//! ```

mod batch;
mod capabilities;
mod close;
mod codec;
mod draft;
mod message;
mod outbox;
mod send_error;
mod shared;
mod speaker;
mod strictness;
mod text;
mod traits;
mod violation;

pub use batch::{Batch, Joined, Sharing};
pub use capabilities::{Capabilities, Closing, Limits, Role};
pub use close::Close;
pub use codec::{Codec, State};
pub use draft::{Draft, UnknownDraft};
pub use message::{Event, Message, MessageRef, Notice, Outgoing, Passed};
pub use outbox::{COPIED, Outbox};
pub use send_error::SendError;
pub use shared::{Rendering, Shared, WireClass};
pub use speaker::Speaker;
pub use strictness::{NoStrictness, STRICTNESS, Strictness};
pub use text::{NotUtf8, Text, TextRef};
pub use traits::{BadUtf8, Traits};
pub use violation::{Rule, Violation};
