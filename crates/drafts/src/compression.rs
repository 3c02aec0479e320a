//! The compression extensions, for whoever opens connections: what a server
//! agrees to goes into [`Terms`](crate::opening::Terms), what a client offers into
//! [`Ask`](crate::opening::Ask).

use bytes::Bytes;
use draftgate_core::{Draft, Role};
pub use draftgate_deflate::{Offers, Recorded, Settings};
use draftgate_wire::dissect::Unit;
pub use draftgate_wire::{Agreed, Offering};
use http::{HeaderMap, header};

use crate::dissect::newest;

/// Chooses among the extensions that a request in `draft` offers, as the
/// `settings` allow; `None` if it offers none that can be accepted.
pub fn agree(draft: Draft, fields: &HeaderMap, settings: &Settings) -> Option<Box<dyn Agreed>> {
    let offers = fields.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let offers = offers.filter_map(|value| value.to_str().ok());
    draftgate_deflate::agree(draft, offers, settings)
}

/// What the two sides of a recorded opening agreed on, by the heads at the front of
/// what they sent. Where no request is there, it is taken to have offered what the
/// answer agrees on. `None` if they agreed on nothing, or on what cannot be followed.
pub fn recorded(request: &[u8], answer: &[u8]) -> Option<Recorded> {
    let head = |from, octets: &[u8]| {
        (!octets.is_empty()).then(|| Unit::head(newest(), from, &Bytes::copy_from_slice(octets)))
    };
    let asked = head(Role::Client, request);
    between(asked.as_ref(), &head(Role::Server, answer)?)
}

/// Whether a server can have agreed on `extensions`, written as in its field: they
/// are known, and have no parameters that they cannot have.
pub fn can_be_agreed_on(extensions: &str) -> bool {
    draftgate_deflate::recorded(extensions, extensions).is_ok()
}

/// The same of heads that were read.
pub(crate) fn between(asked: Option<&Unit>, answered: &Unit) -> Option<Recorded> {
    match asked {
        Some(asked) => agreed(&offers(asked), answered),
        None => agreed(&offers(answered), answered),
    }
}

/// What was agreed on where a request `offered` that.
pub(crate) fn agreed(offered: &str, answered: &Unit) -> Option<Recorded> {
    let answered = offers(answered);
    match answered.is_empty() {
        true => None,
        false => draftgate_deflate::recorded(offered, &answered).ok(),
    }
}

/// The lists of extensions in a head, as one.
fn offers(head: &Unit) -> String {
    let name = header::SEC_WEBSOCKET_EXTENSIONS.as_str();
    let fields = head.fields.iter();
    let lists = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
    let lists: Vec<&str> = lists
        .map(|field| field.value.as_str())
        .filter(|list| !list.is_empty())
        .collect();
    lists.join(", ")
}
