//! Who wants to see the openings as they go over the wire, refused ones
//! included. A trait and not octets in every error: of what comes of a
//! handshake most is of no interest to most, and an error is kept for long.

use std::fmt::Debug;

use draftgate_core::{Draft, Role};

/// Sees what both sides say in the opening handshake of each draft that is tried.
pub trait Witness: Debug + Send + Sync {
    /// `from` said `octets` in the opening in `draft`: the client its request,
    /// with what belongs to it behind its head, secrets included; the server
    /// its head with what belongs to that, or, of what is no answer, all that
    /// came. Called at most once for each side of an opening.
    fn said(&self, draft: Draft, from: Role, octets: &[u8]);
}
