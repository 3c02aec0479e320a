//! draft-hixie-thewebsocketprotocol-76 (May 2010), which is
//! draft-ietf-hybi-thewebsocketprotocol-00: the frames of hixie-75, a challenge
//! in two keys and eight octets after the head, and `FF 00` to close.
//!
//! key3 is no business of HTTP: the codec starts in `State::Opening`, takes
//! eight octets and puts out sixteen, so the head may leave before key3 comes,
//! which is what makes proxies work. hybi-01 to -03 kept that opening, so it is
//! `draftgate_wire`'s [`Challenged`].
//!
//! ```
//! use draftgate_core::{Codec, Draft};
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hixie76::ACCEPTOR.draft(), Draft::Hixie76);
//! ```

use draftgate_core::{BadUtf8, Closing, Draft};
use draftgate_wire::{
    Breach, Dialect,
    opening::{Acceptor, Challenged, Offerer},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hixie76,
    closing: Closing::Marker,
    bad_utf8: BadUtf8::Repair,
    undefined_codes: Breach::Tolerated,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &OPENING;

/// The client's half.
pub static OFFERER: &dyn Offerer = &OPENING;

/// Both halves, for who has to tell this draft from another by what follows the
/// heads.
pub static OPENING: Challenged = Challenged {
    dialect: &DIALECTS[0],
    layout: None,
    number: None,
    other: None,
};
