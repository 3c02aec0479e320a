//! What is particular about a draft, for whoever decides between two of them.
//!
//! Facts of the drafts' texts alone: who holds a connection asks its codec
//! for [`Capabilities`]. The values are put together by `draftgate-drafts`.

use crate::{Capabilities, Draft};

/// What to do with text that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadUtf8 {
    /// Put U+FFFD in place of what is not: hixie-75 to hybi-09.
    Repair,
    /// Fail the connection: hybi-10 on (RFC 6455 §8.1).
    Fail,
}

/// One draft, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traits {
    /// Which draft.
    pub draft: Draft,
    /// What its peers can be told, and tell.
    pub capabilities: Capabilities,
    /// The same where a route sends binary in length-prefixed frames: more than
    /// `capabilities` in hixie-75 and hixie-76 only.
    pub with_length_frames: Capabilities,
    /// What becomes of text that is not UTF-8.
    pub bad_utf8: BadUtf8,
}
