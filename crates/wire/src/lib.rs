//! The machinery that drafts are assembled from: two framings, masking, UTF-8,
//! the opening handshakes' proofs, and one state machine for all of them.
//!
//! It knows framings, not draft numbers: a draft's crate puts a [`Dialect`], a
//! [`Framing`] and an opening together. Nothing here opens a socket, reads a
//! clock or rolls dice.
//!
//! ```
//! use bytes::BytesMut;
//! use draftgate_core::{BadUtf8, Closing, Codec, Draft, Event, Limits, Outbox};
//! use draftgate_wire::{Breach, Dialect, Machine, Sentinel, opening::LengthFrames};
//!
//! static DIALECT: Dialect = Dialect {
//!     draft: Draft::Hixie75,
//!     closing: Closing::Absent,
//!     bad_utf8: BadUtf8::Repair,
//!     undefined_codes: Breach::Tolerated,
//! };
//! let framing = Sentinel::new(Closing::Absent, LengthFrames::default());
//! let mut codec = Machine::new(&DIALECT, framing, Limits::default());
//! let (mut input, mut out) = (BytesMut::from(&b"\x00Hello\xff"[..]), Outbox::new());
//! codec.start(&mut out);
//! assert_eq!(codec.receive(&mut input, &mut out), Ok(Some(Event::Opened)));
//! assert_eq!(
//!     codec.receive(&mut input, &mut out),
//!     Ok(Some(Event::Message("Hello".into())))
//! );
//! ```

mod assembly;
mod dialect;
pub mod dissect;
mod extended;
mod extension;
mod frame;
mod glance;
mod hybi;
mod keys;
mod layout;
mod machine;
mod mask;
mod masking;
pub mod opening;
mod sentinel;
mod undecided;
mod utf8;
mod writing;

pub use dialect::Dialect;
pub use extended::Extended;
pub use extension::{Agreed, Extension, Offering, Rest, Unpack};
pub use frame::{Frame, Framing, Header, Opcode, Part};
pub use hybi::Hybi;
pub use keys::{FixedKeys, KeySource};
pub use layout::{Breach, Layout, Masked, TopBit};
pub use machine::{Machine, Proof};
pub use mask::mask;
pub use masking::{Derived, Masking};
pub use sentinel::Sentinel;
pub use undecided::Undecided;
pub use utf8::{Invalid, Utf8};
