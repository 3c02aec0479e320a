//! What distinguishes one draft from another for the state machine, as a value.
//!
//! A new difference between drafts is a new field here, whose doc names the
//! drafts on either side; never a comparison of draft numbers.

use draftgate_core::{BadUtf8, Closing, Draft};

use crate::Breach;

/// One draft's rules above its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Which draft.
    pub draft: Draft,
    /// How it closes.
    pub closing: Closing,
    /// What it does with text that is not UTF-8.
    pub bad_utf8: BadUtf8,
    /// A Close with a status code that the draft does not define: a failure in
    /// Version 13; before, peers that divided the code by 255 were in use.
    pub undefined_codes: Breach,
}
