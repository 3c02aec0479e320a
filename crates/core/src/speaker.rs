//! Who said a message: the name under which the bus introduces a peer to the
//! others. No address and nothing the peer chose itself is in it.

use std::sync::Arc;

use crate::Draft;

/// A peer as others get to know it. Cloning shares the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Speaker {
    /// The connection's name, unique while the process runs.
    pub id: Arc<str>,
    /// The draft the peer speaks.
    pub draft: Draft,
}

impl Speaker {
    /// The peer called `id`, who speaks `draft`.
    pub fn new(id: impl Into<Arc<str>>, draft: Draft) -> Self {
        Self {
            id: id.into(),
            draft,
        }
    }
}
