//! The compression extensions, for whoever opens connections: what a server
//! agrees to goes into [`Terms`](crate::opening::Terms), what a client offers into
//! [`Ask`](crate::opening::Ask).

use draftgate_core::Draft;
pub use draftgate_deflate::{Offers, Settings};
pub use draftgate_wire::{Agreed, Offering};
use http::{HeaderMap, header};

/// Chooses among the extensions that a request in `draft` offers, as the
/// `settings` allow; `None` if it offers none that can be accepted.
pub fn agree(draft: Draft, fields: &HeaderMap, settings: &Settings) -> Option<Box<dyn Agreed>> {
    let offers = fields.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let offers = offers.filter_map(|value| value.to_str().ok());
    draftgate_deflate::agree(draft, offers, settings)
}
