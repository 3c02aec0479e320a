//! draft-ietf-hybi-thewebsocketprotocol-07 (Version 7, April 2011) and -08 to
//! -12 (Version 8, June to August 2011): today's frame under today's opcodes,
//! with the close codes of hybi-06.
//!
//! Version 8 follows the last drafts that travelled under it, -10 to -12,
//! which is what the browsers that spoke it shipped: text that is not UTF-8
//! fails with 1007. Its first ones, -08 and -09, are rows beside it, for whoever
//! asks for them ([`Strictness::hybi_08`](draftgate_core::Strictness)). Values of the tables in `draftgate-wire`; no mechanism of
//! its own.
//!
//! ```
//! use draftgate_core::Draft;
//!
//! let drafts = draftgate_hybi07::ACCEPTORS.map(|acceptor| acceptor.draft());
//! assert_eq!(drafts, [Draft::Hybi07, Draft::Hybi08]);
//! ```

use draftgate_core::{BadUtf8, Closing, Draft, WireClass};
use draftgate_wire::{
    Breach, Dialect, Layout, Masked, TopBit,
    opening::{Acceptor, Offerer, Rules, Versioned},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 2] = [
    Dialect {
        draft: Draft::Hybi07,
        closing: Closing::Coded,
        bad_utf8: BadUtf8::Repair,
        undefined_codes: Breach::Tolerated,
    },
    HYBI_12,
];

/// Version 8 from -10 on.
const HYBI_12: Dialect = Dialect {
    draft: Draft::Hybi08,
    closing: Closing::Coded,
    bad_utf8: BadUtf8::Fail,
    undefined_codes: Breach::Tolerated,
};

/// The servers' halves.
pub static ACCEPTORS: [&dyn Acceptor; 2] = [&OPENINGS[0], &OPENINGS[1]];

/// The clients' halves.
pub static OFFERERS: [&dyn Offerer; 2] = [&OPENINGS[0], &OPENINGS[1]];

static OPENINGS: [Versioned; 2] = [
    opening(&DIALECTS[0], None),
    opening(
        &DIALECTS[1],
        Some(Rules {
            dialect: &HYBI_08,
            layout: &IGNORING,
        }),
    ),
];

/// Version 8 until -09: bad text becomes U+FFFD.
static HYBI_08: Dialect = Dialect {
    bad_utf8: BadUtf8::Repair,
    ..HYBI_12
};

/// `Sec-WebSocket-Origin` until -10; -11 and -12 call it `Origin` under the
/// same version, and servers of the time read the older name.
const fn opening(dialect: &'static Dialect, earlier: Option<Rules>) -> Versioned {
    Versioned {
        dialect,
        layout: &FAILING,
        origin_field: "Sec-WebSocket-Origin",
        earlier,
        lenient: None,
    }
}

/// hybi-07 §4.2.
const LAYOUT: Layout = Layout {
    top_bit: TopBit::Fin,
    opcodes: [0x0, 0x1, 0x2, 0x8, 0x9, 0xa],
    masked: Masked::Payload,
    reserved_bits: Breach::Fails,
    long_lengths: Breach::Tolerated,
    long_controls: Breach::Tolerated,
    class: WireClass::Hybi07,
};

static FAILING: Layout = LAYOUT;

/// Until -08 nothing is said of a reserved bit that nobody asked for.
static IGNORING: Layout = Layout {
    reserved_bits: Breach::Tolerated,
    ..LAYOUT
};
