//! A service's yes to an opening, with what it wants said and done besides.

use std::fmt;

use draftgate_conn::{Handler, Overflow};
use http::{HeaderName, HeaderValue};

/// An opening that is accepted.
pub struct Accept {
    pub(crate) handler: Box<dyn Handler>,
    /// `None`: as the route's configuration chose.
    pub(crate) subprotocol: Option<Option<String>>,
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    /// `None`: as the route's configuration says.
    pub(crate) overflow: Option<Overflow>,
}

impl Accept {
    /// The connection is `handler`'s from here on.
    pub fn new(handler: impl Handler + 'static) -> Self {
        Self {
            handler: Box::new(handler),
            subprotocol: None,
            fields: Vec::new(),
            overflow: None,
        }
    }

    /// Answers with this subprotocol, or with none, instead of the one that the
    /// route's configuration chose. One that the client did not ask for is
    /// never answered.
    #[must_use]
    pub fn with_subprotocol(mut self, subprotocol: Option<impl Into<String>>) -> Self {
        self.subprotocol = Some(subprotocol.map(Into::into));
        self
    }

    /// Adds a field to the answer's head, such as `Set-Cookie`, behind those
    /// of the draft. A field that the draft itself writes is its own affair.
    #[must_use]
    pub fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }

    /// What happens when the queue of messages for this client is full.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
