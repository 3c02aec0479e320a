//! Archived exchanges: the octets of one connection, both ways, with what a
//! server and a client of its draft must make of them.
//!
//! This crate reads and checks the files and compares events; it decodes no
//! frame and drives no codec, so that what a file expects can never come from
//! the code it judges. The files are TOML and not a script language of their
//! own: the parser, its error places and every editor's highlighting are there.
//!
//! ```
//! use draftgate_core::{Event, Message, Role};
//!
//! let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-vectors");
//! for vector in draftgate_vectors::load_dir(dir)? {
//!     let Some(expected) = vector.expectation(Role::Server).stated() else {
//!         continue; // the file says why nothing can be expected
//!     };
//!     let request = vector.head(Role::Client);
//!     let after_it = vector.after_head(Role::Client); // key3 of hixie-76, then frames
//!     # let _ = (request, after_it);
//!     // … drive a server's codec of `vector.about.draft` with them, then:
//!     let seen = expected.events.clone();
//!     expected.compare(&seen)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod content;
mod contents;
mod document;
mod expect;
mod format;
mod forms;
mod fresh;
mod head;
mod hex;
mod index;
mod keys;
mod load;
mod rules;
mod schema;
mod shape;
mod step;
mod vector;
mod write;

pub use check::{Checked, Problem, UNJUDGED, check};
pub use content::{Content, Form, Placeholder, Slot};
pub use document::{keys_tables, placeholders_table, violations_table};
pub use expect::{
    AnswerFacts, Broken, Ends, Expectation, Mismatch, Refused, Stated, Tolerated, shown,
};
pub use head::Head;
pub use index::{NoIndex, index, with_index};
pub use load::{LoadError, load, load_dir};
pub use schema::json_schema;
pub use vector::{
    About, Action, Deviation, Ending, Gap, GapReason, Kind, Service, Step, Stream, Vector,
};
pub use write::{WriteError, Written, write};
