//! Helpers for tests of codecs and drivers, never part of the program.
//!
//! [`io`] is a transport whose other end the test holds in its hand; [`codecs`]
//! feeds octets to a codec in every cut; [`forged`] makes frames that none writes;
//! [`documents`] compares tables.
//! Nothing here knows a draft.
//!
//! ```
//! let (_io, probe) = draftgate_testkit::io::scripted();
//! probe.feed(b"octets from the peer");
//! assert_eq!(probe.written(), b"");
//! ```

pub mod codecs;
pub mod documents;
pub mod forged;
pub mod io;
