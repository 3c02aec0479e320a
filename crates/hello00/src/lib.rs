//! draft-montenegro-hybi-upgrade-hello-handshake-00 (November 2010), which
//! Microsoft's first prototype and Caucho's Resin spoke: the opening names a nonce
//! of the client, and both sides prove by a frame of their own, HELLO, that they
//! have read it. Frames are those of hybi-03 with FIN in the place of MORE.
//!
//! The text is not to be had; what is known of it is what three programs agree on
//! octet for octet. Which fields an answer needs is not among that, so a client
//! asks for none.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hello00::ACCEPTOR.draft(), Draft::Hello00);
//! ```

mod hello;
mod opening;

use draftgate_core::{BadUtf8, Closing, Draft, WireClass};
use draftgate_wire::{
    Breach, Dialect, Layout, Masked, TopBit,
    opening::{Acceptor, Offerer},
};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hello00,
    closing: Closing::Echoed,
    bad_utf8: BadUtf8::Repair,
    undefined_codes: Breach::Tolerated,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &opening::Upgrade;

/// The client's half.
pub static OFFERER: &dyn Offerer = &opening::Upgrade;

/// Reserved bits are ignored by the one program of the time that was measured.
static LAYOUT: Layout = Layout {
    top_bit: TopBit::Fin,
    opcodes: [0x0, 0x4, 0x5, 0x1, 0x2, 0x3],
    masked: Masked::Never,
    reserved_bits: Breach::Tolerated,
    long_lengths: Breach::Tolerated,
    long_controls: Breach::Tolerated,
    class: WireClass::Hybi06,
};
