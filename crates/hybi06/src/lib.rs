//! draft-ietf-hybi-thewebsocketprotocol-01 to -06, August 2010 to February
//! 2011: frames with an opcode and a length, where close is opcode 1 and text is
//! opcode 4.
//!
//! What became of them in between is a row of each table: -01 to -03 open as
//! hixie-76 does, mask nothing and say MORE where all others say FIN; -04 brings
//! today's key and derives a mask of 20 octets from it; -05 masks the whole frame
//! with four; -06 closes with a code. Values of the tables in `draftgate-wire`;
//! no mechanism of its own.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_wire::opening::Acceptor;
//!
//! let drafts = draftgate_hybi06::VERSIONED.map(|opening| opening.draft());
//! assert_eq!(drafts, [Draft::Hybi04, Draft::Hybi05, Draft::Hybi06]);
//! ```

use draftgate_core::{BadUtf8, Closing, Draft, WireClass};
use draftgate_wire::{
    Breach, Dialect, Layout, Masked, TopBit,
    opening::{Challenged, Versioned},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 6] = [
    dialect(Draft::Hybi01, Closing::Echoed),
    dialect(Draft::Hybi02, Closing::Echoed),
    dialect(Draft::Hybi03, Closing::Echoed),
    dialect(Draft::Hybi04, Closing::Echoed),
    dialect(Draft::Hybi05, Closing::Lettered),
    dialect(Draft::Hybi06, Closing::Coded),
];

const fn dialect(draft: Draft, closing: Closing) -> Dialect {
    Dialect {
        draft,
        closing,
        bad_utf8: BadUtf8::Repair,
        undefined_codes: Breach::Tolerated,
    }
}

/// Both halves of -01 to -03. The text of -03 still has its clients say 2, and
/// programs said 3; of either a server thinks the same.
pub static CHALLENGED: [Challenged; 3] = [
    challenged(&DIALECTS[0], None),
    challenged(&DIALECTS[1], Some("2")),
    challenged(&DIALECTS[2], Some("3")),
];

const fn challenged(dialect: &'static Dialect, number: Option<&'static str>) -> Challenged {
    Challenged {
        dialect,
        layout: Some(&MORE),
        number,
        other: None,
    }
}

/// Both halves of -04 to -06.
pub static VERSIONED: [Versioned; 3] = [
    versioned(&DIALECTS[3], &DERIVED),
    versioned(&DIALECTS[4], &WHOLE),
    versioned(&DIALECTS[5], &WHOLE),
];

const fn versioned(dialect: &'static Dialect, layout: &'static Layout) -> Versioned {
    Versioned {
        dialect,
        layout,
        origin_field: "Sec-WebSocket-Origin",
        earlier: None,
        lenient: None,
    }
}

/// hybi-05 and -06 §4.2; the fourth reserved bit is the top one of the second
/// octet.
static WHOLE: Layout = Layout {
    top_bit: TopBit::Fin,
    opcodes: [0x0, 0x4, 0x5, 0x1, 0x2, 0x3],
    masked: Masked::WholeFrame,
    reserved_bits: Breach::Tolerated,
    long_lengths: Breach::Tolerated,
    long_controls: Breach::Tolerated,
    class: WireClass::Hybi06,
};

/// hybi-04.
static DERIVED: Layout = Layout {
    masked: Masked::Derived,
    ..WHOLE
};

/// hybi-01 to -03.
static MORE: Layout = Layout {
    top_bit: TopBit::More,
    masked: Masked::Never,
    class: WireClass::Hybi01,
    ..WHOLE
};
