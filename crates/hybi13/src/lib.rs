//! draft-ietf-hybi-thewebsocketprotocol-13 to -17 and RFC 6455 (Version 13).
//!
//! Two values of the tables in `draftgate-wire`; no mechanism of its own. A
//! reserved bit is a violation, unless an extension was negotiated that has it.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hybi13::ACCEPTOR.draft(), Draft::Hybi13);
//! ```

use draftgate_core::{BadUtf8, Closing, Draft, WireClass};
use draftgate_wire::{
    Breach, Dialect, Layout, Masked, TopBit,
    opening::{Acceptor, Offerer, Rules, Versioned},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hybi13,
    closing: Closing::Coded,
    bad_utf8: BadUtf8::Fail,
    undefined_codes: Breach::Fails,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &OPENING;

/// The client's half.
pub static OFFERER: &dyn Offerer = &OPENING;

static OPENING: Versioned = Versioned {
    dialect: &DIALECTS[0],
    layout: &STRICT,
    origin_field: "Origin",
    earlier: None,
    lenient: Some(Rules {
        dialect: &DIALECTS[0],
        layout: &LENIENT,
    }),
};

/// RFC 6455 §5.2.
const LAYOUT: Layout = Layout {
    top_bit: TopBit::Fin,
    opcodes: [0x0, 0x1, 0x2, 0x8, 0x9, 0xa],
    masked: Masked::Payload,
    reserved_bits: Breach::Fails,
    long_lengths: Breach::Fails,
    long_controls: Breach::Fails,
    class: WireClass::Hybi07,
};

static STRICT: Layout = LAYOUT;

/// As until hybi-13, whose peers travelled as Version 13 too.
static LENIENT: Layout = Layout {
    long_lengths: Breach::Tolerated,
    ..LAYOUT
};
