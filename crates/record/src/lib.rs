//! Recording of connections as archived exchanges: what both sides sent, when,
//! cut into steps by what it is and not by how TCP happened to deliver it.
//!
//! [`Taped`] is what was seen, whoever saw it: a tap on a live connection, a
//! file of packets. [`exchange()`] makes an exchange of it. A [`Recorder`] takes
//! tapes of live connections and writes files, at a bounded cost and off the
//! path of the connection; [`relay()`] is a tap in front of any server.
//!
//! ```
//! use std::time::Duration;
//! use draftgate_core::Role;
//! use draftgate_record::{Facts, Secrets, Taped, exchange};
//!
//! let mut taped = Taped::new();
//! let request = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: id=7\r\n\r\n";
//! taped.octets(Role::Client, Duration::ZERO, &request[..]);
//! taped.eof(Role::Client, Duration::from_millis(3));
//! let vector = exchange("one", &taped, &Facts::new("seen at a tap"), &Secrets::default());
//! let head = vector.head(Role::Client).unwrap();
//! assert_eq!(head.field("Cookie"), Some("redacted"));
//! # assert_eq!(vector.steps.len(), 2);
//! ```

mod clock;
mod cut;
mod exchange;
mod fresh;
mod notes;
mod read;
mod recorder;
mod redact;
mod refused;
mod relay;
mod secrets;
mod store;
mod taped;

pub use clock::date;
pub use draftgate_vectors::UNJUDGED;
pub use exchange::{Facts, exchange};
pub use recorder::{Bound, Options, Recorded, Recorder, Report, Stored, Tape};
pub use redact::redact;
pub use relay::{Trouble, relay};
pub use secrets::{REDACTED, Secrets};
pub use store::{Store, StoreError};
pub use taped::{Did, Seen, Taped};
