//! draft-ietf-hybi-thewebsocketprotocol-06 (Version 6), February 2011: the
//! masking key covers the whole frame, its header included, and close is
//! opcode 1.
//!
//! Two values of the tables in `draftgate-wire`; no mechanism of its own.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hybi06::ACCEPTOR.draft(), Draft::Hybi06);
//! ```

use draftgate_core::{BadUtf8, Closing, Draft, WireClass};
use draftgate_wire::{
    Breach, Dialect, Layout, Masked,
    opening::{Acceptor, Offerer, Versioned},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hybi06,
    closing: Closing::Coded,
    bad_utf8: BadUtf8::Repair,
    undefined_codes: Breach::Tolerated,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &OPENING;

/// The client's half.
pub static OFFERER: &dyn Offerer = &OPENING;

static OPENING: Versioned = Versioned {
    dialect: &DIALECTS[0],
    layout: &LAYOUT,
    origin_field: "Sec-WebSocket-Origin",
    earlier: None,
    lenient: None,
};

/// hybi-06 §4.2; the fourth reserved bit is the top one of the second octet.
static LAYOUT: Layout = Layout {
    opcodes: [0x0, 0x4, 0x5, 0x1, 0x2, 0x3],
    masked: Masked::WholeFrame,
    reserved_bits: Breach::Tolerated,
    long_lengths: Breach::Tolerated,
    long_controls: Breach::Tolerated,
    class: WireClass::Hybi06,
};
