//! The front end of draftgate: what it listens on, which route serves which
//! path in which drafts, and who may open a connection there.
//!
//! It frames no octet and keeps no channel: the codecs are `draftgate-drafts`,
//! the channels `draftgate-bus`.

pub mod config;
