//! The octets of a connection as text: in hexadecimal, each field named under
//! its octets, and where two streams differ, in which field.
//!
//! It lays out the units of `draftgate_wire::dissect` and judges nothing of its
//! own. Colours only repeat what the text says; without them nothing is lost.
//!
//! ```
//! use draftgate_core::{Draft, Role};
//! use draftgate_drafts::dissect::stream;
//! use draftgate_explain::{Look, unit};
//!
//! let units = stream(Draft::Hixie76, Role::Client, &b"\x00Hello\xff"[..]);
//! assert_eq!(unit(&units[0], &Look::plain(72)), "\
//! frame from the client, octets 0 to 6, hixie-76 = hybi-00
//!
//!   00          48 65 6c 6c 6f  ff
//!   └┘          └────────────┘  └┘
//!   frame type  payload data    terminator
//!               \"Hello\"
//!
//!   frame type: text, up to the next ff
//! ");
//! ```

mod diff;
mod head;
mod look;
mod octets;
mod unit;

pub use diff::{Difference, Differing, Place, diff, first_difference};
pub use look::{Look, style};
pub use octets::octets;
pub use unit::{fault, title, unit};
