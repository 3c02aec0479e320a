//! What the octets of a connection are, in words and under each other.
//!
//! The model comes from `draftgate_drafts`; this crate lays it out for people:
//! octets with each field's name and value below them. It prints nothing.
