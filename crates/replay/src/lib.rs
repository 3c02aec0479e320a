//! Archived exchanges, replayed: against the codecs of this workspace, against
//! a server, as the server of a client.
//!
//! This crate plays and judges; it chooses no exit code and prints nothing.
//! How a program names its files, and what it does with a report, is the
//! caller's. Nothing here frames an octet: what a file expects is compared with
//! what codecs heard.
//!
//! ```
//! use draftgate_core::Role;
//! use draftgate_replay::{Outcome, Split, offline};
//!
//! let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-vectors/hixie-75");
//! for vector in draftgate_vectors::load_dir(dir)? {
//!     let outcome = offline::judge(&vector, Role::Server, Split::Whole);
//!     assert!(!matches!(outcome, Outcome::Mismatch(_)), "{}: {outcome:?}", vector.name);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hear;
pub mod net;
pub mod offline;
mod outcome;
mod report;
mod run;
mod select;
mod split;
mod units;

pub use outcome::{Judged, Mismatch, Outcome};
pub use report::{Against, Counts, Report, Table};
pub use run::{Task, offline as run_offline};
pub use select::{NoGlob, Selection};
pub use split::{NoSplit, Split};
