//! One message in every draft, octet by octet.
//!
//! The octets come from the codecs in service, what they are from the one
//! dissector, what the gateway does where a draft has no words from
//! `draftgate-translate`. This crate puts them side by side, as text, JSON, HTML
//! and SVG, and prints none of it.
//!
//! ```
//! use draftgate_compare::{Options, Table, What};
//!
//! let what = What::text("Hello")?;
//! let table = Table::of(&what, &Options::default())?;
//! let said = table.rows[0].said.as_ref().map_err(|unsaid| unsaid.error)?;
//! assert_eq!(&said.bytes()[..], b"\x00Hello\xff");
//! assert_eq!(said.overhead(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bits;
mod cells;
mod diff;
mod ends;
mod grid;
mod handshake;
mod html;
mod instead;
mod json;
mod palette;
#[cfg(test)]
mod round_trip;
mod sizes;
mod svg;
mod table;
mod text;
mod what;

pub use diff::{Change, Diff, Moved};
pub use draftgate_explain::Look;
pub use ends::Masks;
pub use grid::Grid;
pub use handshake::{Handshake, Opening};
pub use instead::Instead;
pub use sizes::{LENGTHS, Overhead, SizeRow, Sizes};
pub use table::{Options, Row, Said, Table, Unsaid};
pub use what::{FRAGMENTS, MESSAGE_OCTETS, PING_OCTETS, Unsayable, What};
