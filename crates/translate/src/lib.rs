//! What to say to a peer whose draft lacks the words: pure functions, and the
//! policy they follow.
//!
//! Nothing here encodes a frame, keeps a connection's state or counts a loss:
//! a codec refuses what its draft cannot say, this crate says what to do
//! instead, and the gateway does and counts it. Ping and pong have no function
//! here because they go hop by hop: the gateway answers them and forwards none.
//!
//! ```
//! use draftgate_core::{Capabilities, Closing, Message, Shared};
//! use draftgate_translate::{BinaryPolicy, Outcome, Policy, message, render};
//!
//! let hixie = Capabilities { binary: false, ping: false, fragments: false, closing: Closing::Marker };
//! let policy = Policy { binary: BinaryPolicy::Hex, ..Policy::default() };
//! let binary = Message::Binary(vec![0xca, 0xfe].into());
//! let shared = Shared::new(binary);
//! let Outcome::Send(rendering) = message(&shared, &hixie, &policy) else { panic!() };
//! assert_eq!(render(shared.message(), rendering, None), Message::from("cafe"));
//! ```

mod close;
mod message;
mod policy;
mod render;
pub mod table;

pub use close::{REASON_OCTETS, Side, close, logged, lost, received};
pub use message::{DropReason, Outcome, goes_as_is, inbound, message};
pub use policy::{BASE64, BinaryPolicy, ENVELOPE, Policy, UnknownBinaryPolicy};
pub use render::{greeting, render};
